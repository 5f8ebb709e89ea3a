"""Split colours into luma and chroma: ITU-R BT.601, as in the recipe ``grayscale``.

The network was trained to predict colours of the given luma. Hence a photograph that is
colorized at its own luma is consistent with the recipe: its grayscale version is the
input.
"""

import numpy as np
from numpy.typing import NDArray

from image_translation.imaging.luma import LUMA_WEIGHTS

Floats = NDArray[np.float32]

WEIGHTS = LUMA_WEIGHTS.astype(np.float32)
"""Weights of R', G' and B' in Y'."""


def luma(pixels: NDArray[np.generic]) -> Floats:
    """Luma Y', float32, …×1, of R'G'B', …×3, on the same scale."""
    return pixels.astype(np.float32) @ WEIGHTS[:, None]


def chroma(pixels: NDArray[np.generic]) -> Floats:
    """R' − Y' and B' − Y', float32, …×2: Cr and Cb up to their scale."""
    return pixels[..., [0, 2]].astype(np.float32) - luma(pixels)


def combine(y: Floats, colour: Floats) -> Floats:
    """R'G'B' on the scale 0 to 255 from luma, …×1, and chroma, …×2.

    A colour outside the gamut at its luma is moved towards grey, in its own hue, as
    little as possible; the luma is preserved.
    """
    red, blue = colour[..., 0], colour[..., 1]
    green = -(WEIGHTS[0] * red + WEIGHTS[2] * blue) / WEIGHTS[1]
    offset = np.stack([red, green, blue], axis=-1)
    up, down = offset.max(-1, keepdims=True), -offset.min(-1, keepdims=True)
    tiny = np.float32(1e-6)
    share = np.minimum((255 - y) / np.maximum(up, tiny), y / np.maximum(down, tiny))
    return y + np.minimum(share, 1) * offset
