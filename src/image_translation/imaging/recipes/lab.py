"""8-bit sRGB to CIE L*a*b* and back, for recipes that blend colours."""

import numpy as np
import skimage
from numpy.typing import NDArray


def to_lab(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """L* in [0, 100] and a*, b* (D65), float32, in the shape of the image, …×3."""
    return skimage.color.rgb2lab(image).astype(np.float32)


def to_rgb(lab: NDArray[np.floating]) -> NDArray[np.uint8]:
    """8-bit sRGB, clipped per channel if a colour is out of gamut.

    Args:
        lab: L*, a*, b* in the last dimension, of any value.
    """
    lightness, a, b = np.moveaxis(lab.astype(np.float32), -1, 0)
    lightness = lightness.clip(0, 100)
    # where CIE Z is zero; scikit-image warns about colours beyond it
    bluest = (lightness + 16) * np.float32(200 / 116)
    rgb = skimage.color.lab2rgb(
        np.stack([lightness, a, np.minimum(b, bluest)], axis=-1)
    )
    return np.rint(rgb * 255).clip(0, 255).astype(np.uint8)
