"""Contact sheets: many images in one picture."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

GAP = 2
"""White pixels between images."""


def contact_sheet(rows: Sequence[NDArray[np.uint8]], tile: int = 96) -> Image.Image:
    """Arrange rows of images in one picture.

    Args:
        rows: Each uint8, n×H×W×3; all with the same n.
        tile: Width and height of an image in the sheet, in pixels.

    Returns:
        The sheet, with white gaps between the images.
    """
    pitch = tile + GAP
    width, height = len(rows[0]) * pitch - GAP, len(rows) * pitch - GAP
    sheet = Image.new("RGB", (max(width, 1), height), "white")
    for row, images in enumerate(rows):
        for column, pixels in enumerate(images):
            enlarges = pixels.shape[0] < tile
            how = Image.Resampling.NEAREST if enlarges else Image.Resampling.LANCZOS
            image = Image.fromarray(np.asarray(pixels)).resize((tile, tile), how)
            sheet.paste(image, (column * pitch, row * pitch))
    return sheet


def evenly_spaced(total: int, number: int) -> list[int]:
    """Up to ``number`` evenly spaced indices below ``total``, including the first
    and last.
    """
    return np.linspace(0, total - 1, min(number, total)).astype(int).tolist()
