"""Training and translation with ``network.output=classes``."""

import numpy as np
import pandas as pd
import pytest
import torch
from pydantic import ValidationError

from image_translation.networks import build_network
from image_translation.networks.outputs import OUTPUTS, TEMPERATURE
from image_translation.pairing.arrays import PairArrays
from image_translation.training.fitting import fit
from image_translation.training.inference import set_temperature, translate
from image_translation.training.losses import colour_class_loss
from image_translation.training.settings import InferenceSettings
from image_translation.training.tensors import to_tensor
from tests.training.conftest import SIZE, Recorder, make_settings

LUMA = np.array([0.299, 0.587, 0.114])


def settings_of(**changes):
    return make_settings("classes", **{"network__base_channels": 8, **changes})


def make_coloured(count, seed=0):
    """Grey inputs whose colour follows from their luma."""
    random = np.random.default_rng(seed)
    levels = random.integers(70, 180, (count, 4, 4, 1), dtype=np.uint8)
    targets = np.concatenate([levels + 40, levels, 220 - levels], axis=3)
    targets = targets.repeat(SIZE // 4, axis=1).repeat(SIZE // 4, axis=2)
    luma = np.rint(targets @ LUMA).astype(np.uint8)
    ids = [f"{number:016x}" for number in range(count)]
    index = pd.DataFrame({"pair_id": ids, "group": ids})
    inputs = luma[..., None].repeat(3, axis=3)
    return PairArrays(inputs, targets, index, f"{count} coloured pairs of {seed}")


PAIRS = make_coloured(12), make_coloured(4, seed=1)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    settings = settings_of(training__epochs=12, training__learning_rate=0.003)
    return fit(settings, *PAIRS, tmp_path_factory.mktemp("classes"))


def run(trained, temperature, **changes):
    protocol = InferenceSettings(
        batch_size=4,
        dropout=False,
        batch_statistics=False,
        temperature=temperature,
        **changes,
    )
    batches = translate(trained.load_generator(), PAIRS[1].inputs, protocol)
    return np.concatenate(list(batches))


def colourfulness(images):
    return np.ptp(images.astype(float), axis=-1).mean()


def test_training_lowers_the_loss(trained):
    losses = trained.history()["train/colour_classes"]
    assert losses.iloc[-1] < 0.6 * losses.iloc[0]


def test_translation_has_the_colours_of_the_targets(trained):
    error = np.abs(run(trained, 0.38).astype(float) - PAIRS[1].targets).mean()
    copied = np.abs(PAIRS[1].inputs.astype(float) - PAIRS[1].targets).mean()
    assert error < 0.6 * copied


@pytest.mark.parametrize("flips", [False, True])
def test_luma_is_that_of_the_input_at_any_temperature(trained, flips):
    for temperature in (0.01, 0.38, 1):
        luma = run(trained, temperature, flips=flips) @ LUMA
        np.testing.assert_allclose(luma, PAIRS[1].inputs[..., 0], atol=0.51)


def test_mean_colours_are_less_colourful_than_annealed_ones(trained):
    assert colourfulness(run(trained, 1)) < colourfulness(run(trained, 0.38))


def test_temperature_changes_no_weights_and_no_choice_of_the_epoch(tmp_path):
    settings = settings_of(training__epochs=1)
    first = fit(settings, *PAIRS, tmp_path)
    recorder = Recorder()
    vivid = settings_of(training__epochs=1, inference__temperature=0.1)
    assert fit(vivid, *PAIRS, tmp_path, observers=[recorder]) == first
    assert not recorder.starts
    again = fit(vivid, *PAIRS, tmp_path / "again")
    assert again.validation_score == first.validation_score


def test_rebalancing_trains_again_with_other_weights(tmp_path):
    found = [
        fit(
            settings_of(training__epochs=1, objective__rebalancing=share),
            *PAIRS,
            tmp_path,
        )
        for share in (0.5, 0)
    ]
    assert found[0].config["weights_sha256"] != found[1].config["weights_sha256"]


def test_bins_are_saved_with_the_weights(trained):
    state = trained.load_generator().state_dict()
    torch.testing.assert_close(state["output.bins"], OUTPUTS["classes"]().bins)


def test_loss_is_the_weighted_cross_entropy_with_soft_classes():
    classes = OUTPUTS["classes"]()
    classes.weights.uniform_(0.5, 2, generator=torch.Generator().manual_seed(0))
    targets = to_tensor(PAIRS[0].targets[:2, :8, :8])
    logits = torch.randn(2, classes.channels, 2, 2)
    shares, nearest = classes.classify(targets)
    dense = torch.zeros_like(logits).scatter_(1, nearest, shares)
    entropies = torch.nn.functional.cross_entropy(logits, dense, reduction="none")
    expected = (classes.weights[nearest[:, 0]] * entropies).mean()
    torch.testing.assert_close(colour_class_loss(logits, targets, classes), expected)
    half = colour_class_loss(logits.bfloat16(), targets, classes)
    assert half.dtype == torch.float32


def test_colours_are_classified_at_the_size_of_the_logits():
    classes = OUTPUTS["classes"]()
    _, nearest = classes.classify(to_tensor(PAIRS[0].targets[:2]))
    assert nearest.shape[2:] == (SIZE // 4, SIZE // 4)


def test_rare_colours_count_more():
    targets = np.full((2, 16, 16, 3), 128, np.uint8)
    targets[0, :4, :8] = (200, 60, 60)  # an eighth of one image
    classes = OUTPUTS["classes"]()
    classes.weigh(targets, 0.5)
    _, nearest = classes.classify(to_tensor(targets[:1]))
    rare, common = classes.weights[nearest[0, 0, [0, 3], [0, 3]]]
    # A share p of the pixels has the weight 1 / (p' / 2 + 1 / (2 K)), with the part p' of it
    # that smoothing leaves: p / (1 + 4 e⁻² + 4 e⁻⁴ + …), 0.62 p.
    parts = [
        0.62 * share / 2 + 1 / (2 * classes.channels) for share in (1 / 16, 15 / 16)
    ]
    assert (rare / common).item() == pytest.approx(parts[1] / parts[0], rel=0.02)
    assert common < 1 < rare
    classes.weigh(targets, 0)
    torch.testing.assert_close(classes.weights, torch.ones(classes.channels))


def test_default_temperature_is_that_of_the_layer():
    assert InferenceSettings.model_fields["temperature"].default == TEMPERATURE


def test_temperature_is_set_where_there_is_one():
    protocol = InferenceSettings(
        batch_size=1, dropout=False, batch_statistics=False, temperature=0.2
    )
    network = torch.nn.Sequential(OUTPUTS["ycbcr"](), OUTPUTS["classes"]())
    set_temperature(network, protocol)
    assert network[1].temperature == 0.2
    assert not hasattr(network[0], "temperature")


@pytest.mark.parametrize("output", ["rgb", "ycbcr", "auto"])
def test_loss_without_classes_is_an_error_with_its_remedy(output):
    message = (
        f"objective.colour_classes needs network.output=classes, but it is {output}"
    )
    with pytest.raises(ValidationError, match=message):
        settings_of(network__output=output)


def test_classes_without_their_loss_are_an_error_with_its_remedy():
    message = "network.output=classes needs objective.colour_classes above 0"
    with pytest.raises(ValidationError, match=message):
        settings_of(objective__colour_classes=0, objective__l1=1)


def test_baseline_needs_neither():
    assert make_settings("copy_input", network__output="classes").network


@pytest.mark.parametrize("name", ["unet", "autoencoder", "pretrained_unet"])
def test_every_network_can_be_compiled(name):
    torch.manual_seed(0)
    network = build_network(name, SIZE, 4, output="classes", dropout=0.0)
    images = to_tensor(PAIRS[0].inputs[:2])
    with torch.no_grad():
        expected = network(images)
        network.compile(backend="eager", fullgraph=True)
        found = network(images)
    torch.testing.assert_close(found.images, expected.images, atol=1e-4, rtol=0)
    torch.testing.assert_close(found.logits, expected.logits, atol=1e-4, rtol=1e-4)
