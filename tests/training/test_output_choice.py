import numpy as np
import pandas as pd
import pytest

from image_translation.pairing.arrays import PairArrays
from image_translation.training.output_choice import choose_output, resolve_output
from tests.training.conftest import make_settings

BT601 = (0.299, 0.587, 0.114)


def pairs_of(inputs, targets):
    ids = [str(number) for number in range(len(inputs))]
    index = pd.DataFrame({"pair_id": ids, "group": ids})
    return PairArrays(inputs, targets, index, "pairs")


@pytest.fixture
def colours():
    random = np.random.default_rng(0)
    coarse = random.integers(0, 256, (100, 4, 4, 3), dtype=np.uint8)
    return coarse.repeat(8, axis=1).repeat(8, axis=2)


def grey(images):
    luma = np.rint(images @ BT601).astype(np.uint8)
    return luma[..., None].repeat(3, axis=3)


def test_grey_inputs_with_the_luma_of_their_targets_need_colour_alone(colours):
    assert choose_output(pairs_of(grey(colours), colours)) == "ycbcr"


def test_luma_may_differ_by_rounding_and_compression(colours):
    noise = np.random.default_rng(1).integers(-3, 4, colours.shape[:3])[..., None]
    noisy = np.clip(grey(colours).astype(int) + noise, 0, 255).astype(np.uint8)
    assert choose_output(pairs_of(noisy, colours)) == "ycbcr"
    darker = (grey(colours) * 0.9).astype(np.uint8)
    assert choose_output(pairs_of(darker, colours)) == "residual"


def test_coloured_inputs_keep_no_luma(colours):
    half = ((colours + grey(colours).astype(int)) // 2).astype(np.uint8)
    assert choose_output(pairs_of(half, colours)) == "residual"


def test_inputs_that_resemble_their_targets_are_corrected(colours):
    brighter = np.clip(colours.astype(int) + 40, 0, 255).astype(np.uint8)
    assert choose_output(pairs_of(colours, brighter)) == "residual"


def test_inputs_unlike_their_targets_give_the_image(colours):
    assert choose_output(pairs_of(255 - colours, colours)) == "rgb"
    assert choose_output(pairs_of(np.roll(colours, 1, axis=0), colours)) == "rgb"


def test_without_pairs_it_is_the_image(colours):
    assert choose_output(pairs_of(colours[:0], colours[:0])) == "rgb"


def test_pairs_are_taken_from_the_whole_set(colours):
    inputs = colours.copy()
    inputs[50:] = 255 - inputs[50:]
    assert choose_output(pairs_of(inputs[:50], colours[:50])) == "residual"
    assert choose_output(pairs_of(inputs, colours)) == "rgb"


def test_only_auto_is_replaced(colours):
    pairs = pairs_of(grey(colours), colours)
    auto = make_settings(network__output="auto")
    assert resolve_output(auto, pairs).network.output == "ycbcr"
    lab = make_settings(network__output="lab")
    assert resolve_output(lab, pairs) == lab
    classes = make_settings(network__output="classes", objective__colour_classes=1)
    assert resolve_output(classes, pairs) == classes


def test_trained_model_has_the_chosen_output(train_model, tmp_path):
    trained = train_model(tmp_path, network__output="auto", training__epochs=1)
    assert trained.config["network"]["output"] == "rgb"  # targets are inverted inputs
    again = train_model(tmp_path, network__output="rgb", training__epochs=1)
    assert again.config["weights_sha256"] == trained.config["weights_sha256"]
