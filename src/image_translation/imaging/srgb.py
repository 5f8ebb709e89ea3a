"""sRGB and CIE L*a*b* (1976, illuminant D65, 2° observer): constants and conversion.

`to_lab` is for scores: accurate to six digits and several times as fast as scikit-image,
which the recipes use. ``networks/outputs.py`` has the differentiable functions.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

SRGB_KNEE, LINEAR_KNEE = 0.04045, 0.0031308
"""Up to these values, sRGB and linear light are proportional (IEC 61966-2-1)."""

TO_XYZ = np.array(
    [
        [0.412453, 0.357580, 0.180423],
        [0.212671, 0.715160, 0.072169],
        [0.019334, 0.119193, 0.950227],
    ]
)
"""Matrix from linear sRGB to CIE XYZ, with the values of scikit-image."""

WHITE = np.array([0.95047, 1.0, 1.08883])
"""X, Y and Z of illuminant D65, 2° observer."""

_FROM_SRGB = np.array(
    [
        value / 12.92 if value <= SRGB_KNEE else ((value + 0.055) / 1.055) ** 2.4
        for value in np.arange(256) / 255
    ],
    dtype=np.float32,
)
"""Linear intensities of 8-bit sRGB values."""

_TO_RELATIVE_XYZ = (TO_XYZ / WHITE[:, np.newaxis]).astype(np.float32)

_DARK = np.float32(216 / 24389)
"""Up to this value, the function f of CIE 1976 is linear; above, it is the cube root."""


def to_lab(images: NDArray[np.uint8]) -> Floats:
    """Convert sRGB to CIE L*a*b*, channels first.

    Args:
        images: uint8, …×3.

    Returns:
        float32, 3×…: L* in [0, 100], a* and b* within about ±110.
    """
    linear = _FROM_SRGB[channels_first(images)]
    relative = np.einsum("xc,c...->x...", _TO_RELATIVE_XYZ, linear)
    straight = relative * np.float32(24389 / 27 / 116) + np.float32(16 / 116)
    f = np.where(relative > _DARK, _cube_root(relative), straight)
    x, y, z = f
    lab = np.empty_like(f)
    lab[0], lab[1], lab[2] = 116 * y - 16, 500 * (x - y), 200 * (y - z)
    return lab


def channels_first(images: NDArray) -> NDArray:
    """Return an array …×3 as a contiguous array 3×…."""
    return np.ascontiguousarray(np.moveaxis(images, -1, 0))


def _cube_root(relative: Floats) -> Floats:
    """Cube root of values above `_DARK`, to six digits; three times as fast as np.cbrt."""
    root = np.maximum(relative, _DARK)
    np.log(root, out=root)
    root *= np.float32(1 / 3)
    return np.exp(root, out=root)
