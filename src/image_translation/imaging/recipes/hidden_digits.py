"""The recipe ``hidden_digits``: a digit blended into texture and clutter."""

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from pydantic import Field

from image_translation.common.schema import Settings
from image_translation.imaging.recipes.grayscale import grayscale
from image_translation.imaging.recipes.lab import to_rgb
from image_translation.imaging.recipes.randomness import generator_for

FloatArray = NDArray[np.float32]


class HiddenDigitsSettings(Settings):
    """Settings of the recipe ``hidden_digits``."""

    visibility: float = Field(ge=0, le=1)
    clutter: float = Field(ge=0, le=1)
    texture: float = Field(ge=0, le=1)
    seed: int


# In L*a*b*
_CONTRAST = 50.0  # of a digit of visibility 1 to its surroundings
_ROUGHNESS = 20.0  # of the lightness of texture 1, a standard deviation
_COLOURFULNESS = 45.0  # of the colour of texture 1, a standard deviation
_ROOM = (-20.0, 0.0)  # of the background to mid-grey, away from the ink

_MAX_FRAGMENTS = 24
_ROUGHNESS_WAVES = (4, 8, 16)  # across the image, an octave each
_COLOUR_WAVES = (2, 4)
_PERSISTENCE = 0.8  # amplitude ratio of successive octaves
_OVERSAMPLING = 4  # scale of the canvas for clutter


def make_hidden_digits(
    settings: HiddenDigitsSettings,
) -> Callable[[NDArray[np.uint8]], NDArray[np.uint8]]:
    """Return a function that hides digits."""
    return lambda image: hide_digit(image, settings)


def hide_digit(
    image: NDArray[np.uint8], settings: HiddenDigitsSettings
) -> NDArray[np.uint8]:
    """Blend a digit into texture and clutter, at its own position.

    The background is value noise in several octaves, of lightness and, more coarsely,
    of colour (Perlin 1985, "An image synthesizer"). Clutter consists of arcs, bars and
    dots of the width of a pen stroke: pieces of digits, drawn with the same ink. Ink
    changes lightness only, in the same direction for the whole image.

    Args:
        image: uint8, H×W×3: a digit, light on black.
        settings: Strength of the effects.

    Returns:
        uint8, H×W×3.
    """
    random = generator_for(image, settings.seed)
    shape = image.shape[:2]
    digit = grayscale(image)[..., 0].astype(np.float32) / 255
    ink = np.maximum(digit, _draw_clutter(shape, settings.clutter, random))
    sign = random.choice([-1, 1])
    lightness = (
        50
        + sign * random.uniform(*_ROOM)
        + settings.texture * _ROUGHNESS * _noise(shape, _ROUGHNESS_WAVES, random)
        + sign * settings.visibility * _CONTRAST * ink
    )
    colour = settings.texture * _COLOURFULNESS
    a, b = (colour * _noise(shape, _COLOUR_WAVES, random) for _ in range(2))
    return to_rgb(np.stack([lightness, a, b], axis=-1))


def _noise(
    shape: tuple[int, int], octaves: Sequence[int], random: np.random.Generator
) -> FloatArray:
    """Value noise with mean 0 and an average standard deviation of about 1/2."""
    height, width = shape
    total = np.zeros(shape, np.float32)
    for octave, waves in enumerate(octaves):
        grid = random.uniform(-1, 1, (waves + 1, waves + 1)).astype(np.float32)
        smooth = Image.fromarray(grid).resize((width, height), Image.Resampling.BICUBIC)
        total += np.float32(_PERSISTENCE**octave) * np.asarray(smooth)
    return total


def _draw_clutter(
    shape: tuple[int, int], amount: float, random: np.random.Generator
) -> FloatArray:
    """Pieces of pen strokes at random positions, 0 to 1."""
    height, width = shape
    size = _OVERSAMPLING * math.sqrt(height * width)
    canvas = Image.new("L", (_OVERSAMPLING * width, _OVERSAMPLING * height))
    draw = ImageDraw.Draw(canvas)
    for _ in range(round(amount * _MAX_FRAGMENTS)):
        centre = random.uniform((0, 0), canvas.size)
        radii = size * random.uniform(0.03, 0.22, 2)
        start, sweep = random.uniform(0, 360), random.uniform(30, 150)
        pen = max(1, round(size * random.uniform(0.05, 0.11)))
        shade = int(random.integers(110, 256))
        box = [*(centre - radii), *(centre + radii)]
        draw.arc(box, start, start + sweep, fill=shade, width=pen)
    smooth = canvas.resize((width, height), Image.Resampling.BICUBIC)
    return np.asarray(smooth, np.float32) / np.float32(255)
