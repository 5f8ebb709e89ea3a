"""Images brought to the square size that networks work on."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

FILTER = Image.Resampling.BICUBIC
"""Pillow's bicubic filter widens with the scale when it shrinks: no aliasing."""

PAD_VALUE = 0
"""What ``pad`` fills the borders with, on the 0–255 scale: black."""


def fit_image(
    image: NDArray[np.uint8], size: int, how: Literal["resize", "pad", "crop"]
) -> NDArray[np.uint8]:
    """Bring an image to a square, antialiased.

    Args:
        image: uint8, H×W×3.
        size: Height and width of the result in pixels.
        how: ``resize`` changes the aspect ratio, ``pad`` keeps the whole image and
            fills the rest with ``PAD_VALUE``, ``crop`` keeps the central square.

    Returns:
        uint8, size×size×3.
    """
    height, width = image.shape[:2]
    if how == "pad":
        return _pad(image, size)
    short = min(height, width)
    box = (0, 0, width, height)
    if how == "crop":
        left, top = (width - short) // 2, (height - short) // 2
        box = (left, top, left + short, top + short)
    return _resample(image, (size, size), box)


def _pad(image: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    height, width = image.shape[:2]
    scale = size / max(height, width)
    new_height, new_width = (max(1, round(side * scale)) for side in (height, width))
    padded = np.full((size, size, 3), PAD_VALUE, np.uint8)
    top, left = (size - new_height) // 2, (size - new_width) // 2
    padded[top : top + new_height, left : left + new_width] = _resample(
        image, (new_width, new_height), (0, 0, width, height)
    )
    return padded


def _resample(
    image: NDArray[np.uint8], size: tuple[int, int], box: tuple[int, int, int, int]
) -> NDArray[np.uint8]:
    return np.array(Image.fromarray(image).resize(size, FILTER, box))
