"""Resize images to the square size of a network."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

FILTER = Image.Resampling.BICUBIC
"""Pillow's bicubic filter widens with the scale when it shrinks: no aliasing."""

PAD_VALUE = 0
"""Border value of ``pad``, on the 0–255 scale: black."""


def fit_image(
    image: NDArray[np.uint8], size: int, how: Literal["resize", "pad", "crop"]
) -> NDArray[np.uint8]:
    """Resize an array to a square, as ``fit_pillow`` does.

    Args:
        image: uint8, H×W×3.
        size: Height and width of the result in pixels.
        how: ``resize``, ``pad`` or ``crop``.

    Returns:
        uint8, size×size×3.
    """
    return np.array(fit_pillow(Image.fromarray(image), size, how))


def fit_pillow(
    image: Image.Image, size: int, how: Literal["resize", "pad", "crop"]
) -> Image.Image:
    """Resize an image to a square, antialiased.

    Args:
        image: Of mode ``L`` or ``RGB``. Grey is faster, and gives the same values.
        size: Height and width of the result in pixels.
        how: ``resize`` changes the aspect ratio, ``pad`` keeps the whole image and
            fills the rest with ``PAD_VALUE``, ``crop`` keeps the central square.

    Returns:
        A new image of the same mode.
    """
    if how == "pad":
        return _pad(image, size)
    box = (0, 0, image.width, image.height)
    if how == "crop":
        short = min(image.size)
        left, top = (image.width - short) // 2, (image.height - short) // 2
        box = (left, top, left + short, top + short)
    return image.resize((size, size), FILTER, box)


def _pad(image: Image.Image, size: int) -> Image.Image:
    scale = size / max(image.size)
    width, height = (max(1, round(edge * scale)) for edge in image.size)
    paper = Image.new(image.mode, (size, size), PAD_VALUE)  # 0 is black in any mode
    shrunk = image.resize((width, height), FILTER)
    paper.paste(shrunk, ((size - width) // 2, (size - height) // 2))
    return paper
