from dataclasses import replace

import numpy as np
import pytest
import torch

from image_translation.imaging.recipes.grayscale import grayscale
from image_translation.metrics import psnr
from image_translation.networks import build_network
from image_translation.training.trained import TrainedReplicate
from image_translation.translation.luminance import luma
from image_translation.translation.settings import TranslateSettings
from image_translation.translation.translator import (
    STRATEGIES,
    Translator,
    translate_pixels,
)
from tests.training.conftest import make_pairs
from tests.training.conftest import make_settings as model_settings
from tests.translation.conftest import (
    INFERENCE,
    SIZE,
    make_colorizer,
    make_settings,
    make_translator,
)

SIZES = [(50, 90), (32, 32), (33, 31), (1, 1), (2, 300), (300, 2), (20, 10)]


def negative(images):
    return -images


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("size", SIZES)
def test_result_has_the_size_of_the_image(strategy, size):
    image = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    result = translate_pixels(make_translator(negative, strategy=strategy), image)
    assert (result.shape, result.dtype) == (image.shape, np.uint8)


@pytest.mark.parametrize("scale", [0.5, 1, 4])
@pytest.mark.parametrize("strategy", ["tiles", "guided"])
def test_negative_at_full_size_is_the_negative(photograph, strategy, scale):
    translator = make_translator(negative, strategy=strategy, scale=scale)
    (score,) = psnr(
        translate_pixels(translator, photograph)[None], 255 - photograph[None]
    )
    assert score > (60 if strategy == "tiles" else 30)


def test_guided_is_sharper_than_resized(photograph):
    scores = {
        strategy: psnr(
            translate_pixels(make_translator(negative, strategy=strategy), photograph)[
                None
            ],
            255 - photograph[None],
        )[0]
        for strategy in ("guided", "resize")
    }
    assert scores["guided"] > scores["resize"] + 5


@pytest.mark.parametrize("seed", range(3))
def test_luminance_keeps_the_luma_and_adds_colour(photograph, seed):
    torch.manual_seed(seed)
    network = build_network("unet", SIZE, 4).eval()
    with torch.no_grad():
        network.head[0].weight.normal_(0, 2)  # as initialized it is nearly grey
    translator = make_translator(network, strategy="luminance", grey_input=True)
    for image in (photograph, grayscale(photograph)):
        result = translate_pixels(translator, image)
        assert np.abs(luma(result) - luma(image)).mean() < 0.3
        assert np.ptp(result.astype(int), axis=2).mean() > 2


def test_luminance_uses_the_colour_of_the_network(photograph):
    grey = grayscale(photograph)
    result = translate_pixels(make_colorizer(), grey).astype(int)
    inside = (grey[..., 0] > 60) & (grey[..., 0] < 180)  # where red is not clipped
    assert np.median((result[..., 0] - result[..., 1])[inside]) == pytest.approx(
        77, abs=3
    )
    assert np.median((result[..., 2] - result[..., 1])[inside]) == pytest.approx(
        0, abs=2
    )


def test_grey_input_passes_only_the_luma(photograph):
    def check(images):
        assert (images == images[:, :1]).all()
        return images

    for strategy in STRATEGIES:
        translator = make_translator(check, strategy=strategy, grey_input=True)
        translate_pixels(translator, photograph)


def test_input_is_not_modified(photograph):
    before = photograph.copy()
    for strategy in STRATEGIES:
        translate_pixels(make_translator(negative, strategy=strategy), photograph)
    np.testing.assert_array_equal(photograph, before)


def test_higher_scale_uses_more_pieces(photograph):
    seen = []
    for scale in (1, 3):
        count = []
        translate_pixels(
            make_translator(
                lambda x, count=count: count.append(len(x)) or x,
                strategy="guided",
                scale=scale,
            ),
            photograph,
        )
        seen.append(sum(count))
    assert seen[0] == 3 and seen[1] > 9 * seen[0] / 2


def test_every_strategy_is_a_value_of_the_parameter():
    values = TranslateSettings.model_fields["strategy"].annotation.__args__
    assert set(STRATEGIES) == set(values)


def test_translator_is_read_from_a_replicate(tmp_path, photograph):
    from image_translation.training import fit

    fit(
        model_settings("unet", training__epochs=1),
        make_pairs(4),
        make_pairs(2, seed=1),
        tmp_path / "replicate-0",
    )
    read = TrainedReplicate.read(tmp_path / "replicate-0")
    translator = Translator.read(read, INFERENCE, make_settings())
    assert len(translator.fingerprint) == 64
    assert translate_pixels(translator, photograph).shape == photograph.shape


def test_check_can_stop_a_translation():
    seen = []

    def check():
        if len(seen) == 2:
            raise TimeoutError

    translator = make_translator(lambda tiles: seen.append(len(tiles)) or -tiles)
    image = np.zeros((SIZE, 20 * SIZE, 3), np.uint8)
    with pytest.raises(TimeoutError):
        translate_pixels(replace(translator, check=check), image)
    assert seen == [INFERENCE.batch_size] * 2
