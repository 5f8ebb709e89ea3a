"""A picture, compared with the photograph that it was made from.

A network that gets a photograph in grey returns colours; the original colours are then known.
"""

import math
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from image_translation.imaging.image_stats import measure_image
from image_translation.imaging.photo_files import Photo
from image_translation.metrics import ciede2000, mse
from image_translation.pairing.outliers import COLOURLESS

Pixels = NDArray[np.uint8]

PIXELS_AT_ONCE = 2**20


def has_colours(photo: Photo) -> bool:
    """False for a photograph in shades of grey, as in the audit."""
    stats = measure_image(Image.fromarray(photo.pixels))
    return stats.strongest_chroma >= COLOURLESS


def compare_with_original(
    picture: Pixels,
    original: Photo,
    check: Callable[[], None] = lambda: None,
    seen: Callable[[Pixels], Pixels] = lambda pixels: pixels,
) -> dict[str, float]:
    """PSNR and mean CIEDE2000 of a picture, over the visible pixels of the original.

    Args:
        picture: uint8, H×W×3.
        original: The photograph, of the same size.
        check: Called repeatedly; an exception stops the comparison.
        seen: Applied to the pixels of the picture, strip by strip.

    Returns:
        ``psnr`` in dB and ``ciede2000``; NaN if no pixel is visible.
    """
    sums, count = {"mse": 0.0, "ciede2000": 0.0}, 0
    for one, other in _visible_strips(picture, original):
        check()
        pixels = one.shape[2]
        both = seen(one), other
        sums["mse"] += pixels * mse(*both).item()
        sums["ciede2000"] += pixels * ciede2000(*both).item()
        count += pixels
    error, difference = (
        value / count if count else math.nan for value in sums.values()
    )
    psnr = -10 * math.log10(error) if error else math.inf
    return {"psnr": psnr, "ciede2000": difference}


def _visible_strips(
    picture: Pixels, original: Photo
) -> Iterator[tuple[Pixels, Pixels]]:
    """The visible pixels of both, strip by strip, as images of one row, 1×1×n×3."""
    height, width, _ = picture.shape
    step = max(1, PIXELS_AT_ONCE // width)
    for top in range(0, height, step):
        rows = slice(top, top + step)
        strips = picture[rows].reshape(-1, 3), original.pixels[rows].reshape(-1, 3)
        if original.alpha is not None:
            is_visible = original.alpha[rows].ravel() > 0
            strips = strips[0][is_visible], strips[1][is_visible]
        if len(strips[0]):
            yield strips[0][None, None], strips[1][None, None]
