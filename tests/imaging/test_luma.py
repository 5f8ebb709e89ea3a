import numpy as np
import pytest

from image_translation.imaging.luma import LUMA_WEIGHTS
from image_translation.imaging.recipes.grayscale import grayscale
from image_translation.translation.luminance import luma


def test_weights_sum_to_1():
    assert LUMA_WEIGHTS.sum() == pytest.approx(1)


def test_all_lumas_of_primary_colours_are_equal():
    primaries = 255 * np.eye(3, dtype=np.uint8)[None]
    expected = 255 * LUMA_WEIGHTS
    np.testing.assert_allclose(luma(primaries)[0, :, 0], expected, rtol=1e-6)
    np.testing.assert_array_equal(grayscale(primaries)[0, :, 0], np.round(expected))
