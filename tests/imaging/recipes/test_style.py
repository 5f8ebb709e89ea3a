import numpy as np
import pytest
from skimage.color import rgb2lab

from image_translation.imaging.recipes.style import MEASURED_SIZE, measure_style


def waves(period: float, angle: float = 0.0) -> np.ndarray:
    """Stripes with a wavelength in pixels: strokes half as wide."""
    y, x = np.mgrid[:MEASURED_SIZE, :MEASURED_SIZE]
    phase = 2 * np.pi * (x * np.cos(angle) + y * np.sin(angle)) / period
    noise = np.random.default_rng(0).normal(0, 2, x.shape)
    grey = np.clip(128 + 40 * np.sin(phase) + noise, 0, 255).astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=2)


@pytest.mark.parametrize("angle", [0, 0.7])
@pytest.mark.parametrize("period", [8, 16])
def test_width_is_half_a_wavelength(period, angle):
    width = measure_style([waves(period, angle)]).width * MEASURED_SIZE
    assert width == pytest.approx(period / 2, rel=0.25)


def test_stripes_are_longer_than_dots():
    stripes = waves(10)
    dots = ((waves(10).astype(int) + waves(10, np.pi / 2)) // 2).astype(np.uint8)
    assert measure_style([stripes]).elongation > 2 * measure_style([dots]).elongation


def test_palette_contains_the_colours():
    halves = np.zeros((40, 40, 3), np.uint8)
    halves[:, :20], halves[:, 20:] = (200, 30, 30), (30, 30, 200)
    palette = np.array(measure_style([halves]).palette)
    for colour in halves[0, [0, -1]]:
        distance = np.linalg.norm(palette - rgb2lab(colour), axis=1)
        assert distance.min() < 1


def test_same_paintings_give_the_same_style():
    assert measure_style([waves(9)]) == measure_style([waves(9)])
