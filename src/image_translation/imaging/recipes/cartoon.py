"""The recipe ``cartoon``: flat colours and ink lines."""

import math
from collections.abc import Callable

import numpy as np
import scipy
from numpy.typing import NDArray
from pydantic import Field

from image_translation.common.schema import Settings
from image_translation.imaging.recipes.lab import to_lab, to_rgb

FloatArray = NDArray[np.float32]


class CartoonSettings(Settings):
    """Settings of the recipe ``cartoon``."""

    smoothing: int = Field(ge=0, le=10)
    levels: int = Field(ge=2, le=64)
    saturation: float = Field(ge=0, le=3)
    lines: float = Field(ge=0, le=1)
    line_width: float = Field(gt=0, le=0.05)


# Lengths are relative to the image size
_SPREAD = 0.016  # of the bilateral filter's window, a standard deviation
_TOLERANCE = 6.0  # of the bilateral filter in L*a*b*, a standard deviation
_STEEPNESS = 0.8  # of the steps between levels
_RATIO = 1.6  # of the two Gaussians; Marr and Hildreth 1980
_THRESHOLD = 1.0  # of the difference of Gaussians in L*
_SHARPNESS = 0.8  # of the ink's edge, per L*


def make_cartoon(
    settings: CartoonSettings,
) -> Callable[[NDArray[np.uint8]], NDArray[np.uint8]]:
    """Return a function that draws photos as cartoons."""
    return lambda image: draw_cartoon(image, settings)


def draw_cartoon(
    image: NDArray[np.uint8], settings: CartoonSettings
) -> NDArray[np.uint8]:
    """Draw a photo with flat colours and ink lines.

    After Winnemöller, Olsen and Gooch (2006): a bilateral filter, applied several
    times, flattens regions of low contrast; lightness is quantized to a few levels with
    soft steps; lines are a difference of Gaussians with a soft threshold, as in
    Winnemöller, Kyprianidis and Olsen (2012).

    Lengths are relative to the image size, so the style is the same at any size.

    Args:
        image: uint8, H×W×3, sRGB.
        settings: Strength of the effects.

    Returns:
        uint8, H×W×3.
    """
    size = math.sqrt(image.shape[0] * image.shape[1])
    lab = to_lab(image)
    smooth = lab
    for _ in range(settings.smoothing):
        smooth = _smooth(smooth, max(_SPREAD * size, 0.5))
    ink = _draw_lines(smooth[..., 0], settings.line_width * size, settings.lines)
    flat = smooth * np.array([1, settings.saturation, settings.saturation], np.float32)
    flat[..., 0] = _quantize(smooth[..., 0], settings.levels)
    return np.rint(to_rgb(flat) * ink[..., None]).astype(np.uint8)


def _smooth(lab: FloatArray, spread: float) -> FloatArray:
    """Bilateral filter, along columns and then along rows.

    Separable as in Pham and van Vliet (2005), section 3: close to the full filter, at
    a cost proportional to the radius instead of its square.
    """
    planes = np.ascontiguousarray(np.moveaxis(lab, 2, 0))  # (3, H, W)
    for axis in (1, 2):
        planes = _smooth_along(planes, axis, spread)
    return np.moveaxis(planes, 0, 2)


def _smooth_along(planes: FloatArray, axis: int, spread: float) -> FloatArray:
    count = planes.shape[axis]
    radius = math.ceil(2 * spread)
    margins = [(radius, radius) if a == axis else (0, 0) for a in range(3)]
    padded = np.pad(planes, margins, mode="edge")
    total = np.zeros_like(planes)
    weights = np.zeros_like(planes[0])
    for shift in range(-radius, radius + 1):
        window = slice(radius + shift, radius + shift + count)
        neighbour = padded[:, window] if axis == 1 else padded[:, :, window]
        difference = neighbour - planes
        distance = np.einsum("chw,chw->hw", difference, difference)
        exponent = distance / np.float32(-2 * _TOLERANCE**2)
        weight = np.exp(exponent - np.float32(shift**2 / (2 * spread**2)))
        total += weight * neighbour
        weights += weight
    return total / weights


def _quantize(lightness: FloatArray, levels: int) -> FloatArray:
    """Quantize L* to a few levels; Winnemöller et al. 2006, section 3.3."""
    step = 100 / levels
    boundary = np.rint(lightness / step) * step
    return boundary + step / 2 * np.tanh(_STEEPNESS * (lightness - boundary))


def _draw_lines(lightness: FloatArray, width: float, strength: float) -> FloatArray:
    """Transmittance of the ink, 0 to 1.

    Lines are on the dark side of edges, where the difference of two Gaussians of L* is
    below a threshold; Winnemöller et al. 2012, equations 1 to 5.
    """
    spread = max(width / 2, 0.4)
    blur = scipy.ndimage.gaussian_filter
    difference = blur(lightness, spread) - blur(lightness, _RATIO * spread)
    below = np.minimum(difference + _THRESHOLD, 0)
    return 1 + strength * np.tanh(_SHARPNESS * below)
