import numpy as np
import pytest

from image_translation.imaging.recipes import RECIPES, grayscale


@pytest.fixture
def photo() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=lambda recipe: recipe.name)
class TestEveryRecipe:
    def test_keeps_shape_and_type(self, recipe, photo):
        derived = recipe.derive(photo)
        assert derived.shape == photo.shape
        assert derived.dtype == np.uint8

    def test_is_deterministic_and_leaves_the_photo_alone(self, recipe, photo):
        before = photo.copy()
        first, second = recipe.derive(photo), recipe.derive(photo)
        np.testing.assert_array_equal(first, second)
        np.testing.assert_array_equal(photo, before)

    def test_says_what_it_does(self, recipe, photo):
        assert recipe.derived_side in {"input", "target"}
        assert recipe.description
        assert recipe.source


def test_grayscale_is_luma_of_bt_601(photo):
    luma = photo.astype(float) @ [0.299, 0.587, 0.114]
    expected = np.floor(luma + 0.5 + 1e-9).astype(np.uint8)
    np.testing.assert_array_equal(grayscale(photo), np.dstack([expected] * 3))


def test_grayscale_leaves_grey_alone():
    grey = np.repeat(np.arange(256, dtype=np.uint8)[:, None, None], 3, axis=2)
    np.testing.assert_array_equal(grayscale(grey), grey)
