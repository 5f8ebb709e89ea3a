import numpy as np
import pytest

from image_translation.imaging.recipes.grayscale import grayscale
from image_translation.translation.luminance import chroma, combine, luma


@pytest.fixture
def colours():
    return np.random.default_rng(0).integers(0, 256, (100, 100, 3), dtype=np.uint8)


def test_luma_is_that_of_the_recipe(colours):
    np.testing.assert_allclose(
        luma(colours)[..., 0], grayscale(colours)[..., 0], atol=0.5001
    )


def test_luma_and_chroma_round_trip(colours):
    np.testing.assert_allclose(
        combine(luma(colours), chroma(colours)), colours, atol=1e-3
    )


def test_colour_out_of_gamut_keeps_luma_and_hue():
    y = np.float32([[0], [3], [100], [250], [255]])
    colour = np.float32([[200, -90]] * 5)
    made = combine(y, colour)
    assert (made > -1e-3).all() and (made < 255.001).all()
    np.testing.assert_allclose(luma(made), y, atol=1e-3)
    offset = made - y
    wanted = offset[2] / np.linalg.norm(offset[2])
    for pale in offset[1:4]:
        np.testing.assert_allclose(pale / np.linalg.norm(pale), wanted, atol=1e-3)


def test_colour_in_gamut_is_unchanged():
    made = combine(np.float32([[120]]), np.float32([[40, -30]]))
    np.testing.assert_allclose(made[0, [0, 2]], [160, 90], atol=1e-4)
