"""Luma and colour apart: ITU-R BT.601, as in the recipe ``grayscale``.

The network was given the luma of its training photographs, and the colours it was asked
for were those of this very luma. So a photograph coloured under its own luma is what the
recipe says it is: its grey is the grey that came in.
"""

import numpy as np
from numpy.typing import NDArray

from image_translation.imaging.luma import LUMA_WEIGHTS

Floats = NDArray[np.float32]

WEIGHTS = LUMA_WEIGHTS.astype(np.float32)
"""Of R', G' and B' in Y'."""


def luma(pixels: NDArray[np.generic]) -> Floats:
    """Y', float32, …×1, of R'G'B', …×3, on the same scale."""
    return pixels.astype(np.float32) @ WEIGHTS[:, None]


def chroma(pixels: NDArray[np.generic]) -> Floats:
    """R' − Y' and B' − Y', float32, …×2: Cr and Cb but for their scale."""
    return pixels[..., [0, 2]].astype(np.float32) - luma(pixels)


def combine(y: Floats, colour: Floats) -> Floats:
    """R'G'B' on the scale 0 to 255 of a luma, …×1, and a chroma, …×2.

    A colour that cannot be shown at its luma is brought nearer to grey, in its own hue,
    as far as need be; the luma is kept.
    """
    red, blue = colour[..., 0], colour[..., 1]
    green = -(WEIGHTS[0] * red + WEIGHTS[2] * blue) / WEIGHTS[1]
    offset = np.stack([red, green, blue], axis=-1)
    up, down = offset.max(-1, keepdims=True), -offset.min(-1, keepdims=True)
    tiny = np.float32(1e-6)
    share = np.minimum((255 - y) / np.maximum(up, tiny), y / np.maximum(down, tiny))
    return y + np.minimum(share, 1) * offset
