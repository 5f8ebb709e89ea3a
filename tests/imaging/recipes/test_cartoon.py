import numpy as np
import pytest
from skimage.color import rgb2lab

from image_translation.imaging.recipes.cartoon import draw_cartoon
from tests.imaging.recipes.examples import cartoon, scenery


def lightness(image: np.ndarray) -> np.ndarray:
    return rgb2lab(image)[..., 0]


def test_ink_is_only_on_edges():
    photo = np.full((64, 64, 3), 200, np.uint8)
    photo[:, 32:] = 90
    with_ink = draw_cartoon(photo, cartoon())
    without = draw_cartoon(photo, cartoon(lines=0))
    columns = np.flatnonzero((with_ink != without).any(axis=(0, 2)))
    assert columns.size
    assert abs(columns - 32).max() <= 3
    assert with_ink[:, columns].min() < 30


def test_smoothing_removes_noise_and_keeps_the_edge():
    photo = np.full((64, 64, 3), 160, np.int16)
    photo[:, 32:] = 60
    noisy = photo + np.random.default_rng(0).integers(-6, 7, photo.shape)
    plain = cartoon(levels=64, saturation=1, lines=0)
    drawn = draw_cartoon(noisy.astype(np.uint8), plain).astype(int)
    inside = drawn[:, 4:28].std()
    assert inside < noisy[:, 4:28].std() / 2
    assert abs(drawn[:, 30].mean() - drawn[:, 33].mean()) > 80


def test_lightness_has_few_levels():
    ramp = np.repeat(np.linspace(0, 255, 256).astype(np.uint8)[None], 64, axis=0)
    ramp = np.repeat(ramp[..., None], 3, axis=2)
    drawn = draw_cartoon(ramp, cartoon(levels=4, smoothing=0, lines=0))
    near = np.abs(lightness(drawn)[..., None] - [0, 25, 50, 75, 100]).min(axis=-1)
    plain = np.abs(lightness(ramp)[..., None] - [0, 25, 50, 75, 100]).min(axis=-1)
    # soft steps pull away from the boundaries at multiples of 25
    assert near.mean() > plain.mean() + 1


@pytest.mark.parametrize("saturation", [0, 2])
def test_saturation_scales_chroma(saturation):
    flat = np.full((16, 16, 3), (120, 100, 90), np.uint8)
    drawn = draw_cartoon(flat, cartoon(saturation=saturation, lines=0, levels=64))
    expected = saturation * np.hypot(*rgb2lab(flat)[0, 0, 1:])
    assert np.hypot(*rgb2lab(drawn)[0, 0, 1:]) == pytest.approx(expected, abs=1)


def test_style_does_not_depend_on_the_size():
    small, large = (draw_cartoon(scenery(s, s), cartoon()) for s in (64, 128))
    halved = large.reshape(64, 2, 64, 2, 3).mean(axis=(1, 3))
    assert np.abs(halved - small).mean() < 12
