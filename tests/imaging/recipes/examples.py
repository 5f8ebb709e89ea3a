"""Photos and settings, for the tests of recipes."""

import numpy as np
from PIL import Image

from image_translation.imaging.recipes.cartoon import CartoonSettings
from image_translation.imaging.recipes.hidden_digits import HiddenDigitsSettings
from image_translation.imaging.recipes.painterly import PainterlySettings
from tests.pairing.helpers import RECIPE_SETTINGS


def cartoon(**changes: float) -> CartoonSettings:
    return CartoonSettings.model_validate({**RECIPE_SETTINGS["cartoon"], **changes})


def painterly(**changes: object) -> PainterlySettings:
    return PainterlySettings.model_validate({**RECIPE_SETTINGS["painterly"], **changes})


def hidden(**changes: float) -> HiddenDigitsSettings:
    values = {**RECIPE_SETTINGS["hidden_digits"], **changes}
    return HiddenDigitsSettings.model_validate(values)


SETTINGS = {
    "grayscale": None,
    "cartoon": cartoon(),
    "painterly": painterly(),
    "hidden_digits": hidden(),
}


def scenery(height: int = 40, width: int = 60) -> np.ndarray:
    """A smooth picture with an edge: a dark hill under a sky."""
    coarse = np.random.default_rng(0).integers(60, 200, (4, 5, 3), dtype=np.uint8)
    picture = Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)
    photo = np.array(picture)
    photo[height // 2 :, : width // 2] //= 4
    return photo


def stroke(height: int = 32, width: int = 32) -> np.ndarray:
    """A thing like a digit: light on black."""
    image = np.zeros((height, width, 3), np.uint8)
    image[4:-4, width // 2 - 3 : width // 2 + 3] = 255
    return image
