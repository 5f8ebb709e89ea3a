from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from image_translation.imaging.recipes import RECIPES
from tests.imaging.recipes.examples import SETTINGS, scenery


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=lambda recipe: recipe.name)
class TestEveryRecipe:
    def test_keeps_shape_and_type(self, recipe):
        photo = scenery()
        derived = recipe.make(SETTINGS[recipe.name])(photo)
        assert derived.shape == photo.shape
        assert derived.dtype == np.uint8
        assert not np.array_equal(derived, photo)

    @pytest.mark.parametrize("shape", [(1, 1), (3, 50), (50, 3)])
    def test_accepts_any_shape(self, recipe, shape):
        derived = recipe.make(SETTINGS[recipe.name])(scenery(*shape))
        assert derived.shape == (*shape, 3)

    @pytest.mark.parametrize("value", [0, 255])
    def test_accepts_flat_images(self, recipe, value):
        flat = np.full((20, 20, 3), value, np.uint8)
        assert recipe.make(SETTINGS[recipe.name])(flat).shape == flat.shape

    def test_does_not_modify_the_photo(self, recipe):
        photo = scenery()
        recipe.make(SETTINGS[recipe.name])(photo)
        np.testing.assert_array_equal(photo, scenery())

    def test_is_independent_of_order_and_thread(self, recipe):
        photos = [np.roll(scenery(), shift, axis=1) for shift in range(6)]
        first = [recipe.make(SETTINGS[recipe.name])(photo) for photo in photos]
        derive = recipe.make(SETTINGS[recipe.name])
        with ThreadPoolExecutor(4) as pool:
            again = list(pool.map(derive, reversed(photos)))
        np.testing.assert_array_equal(first, again[::-1])

    def test_has_a_description(self, recipe):
        assert recipe.derived_role in {"input", "target"}
        assert recipe.description
        assert recipe.source

    def test_fingerprint_depends_on_every_setting(self, recipe):
        settings = SETTINGS[recipe.name]
        if settings is None:
            return
        numbers = {n: v for n, v in settings.model_dump().items() if v is not None}
        changed = [
            settings.model_copy(update={name: type(value)(value + 1)})
            for name, value in numbers.items()
        ]
        prints = {recipe.fingerprint(each) for each in [settings, *changed]}
        assert len(prints) == len(numbers) + 1
