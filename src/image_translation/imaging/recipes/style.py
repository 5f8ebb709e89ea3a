"""The style of a painter: colours and strokes, measured on paintings."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import scipy
from numpy.typing import NDArray
from PIL import Image

from image_translation.imaging.recipes.lab import to_lab

PALETTE_SIZE = 24
"""Number of palette colours: enough for light and shade of every hue of a painter."""

MEASURED_SIZE = 256
"""Size of paintings for the measurement: pixels along the short edge."""

_WINDOW = 6.0  # standard deviation in pixels of the window for strokes
_COLOURS_PER_PAINTING = 2000


@dataclass(frozen=True)
class Style:
    """Palette and strokes of paintings.

    Attributes:
        palette: Colours in CIE L*a*b*, k×3.
        width: Typical width of a stroke, relative to the painting's short edge.
        elongation: Typical length of a stroke in widths.
        jitter: Typical deviation of neighbouring strokes in L*, a* and b*.
    """

    palette: tuple[tuple[float, float, float], ...]
    width: float
    elongation: float
    jitter: tuple[float, float, float]


def measure_style(paintings: Iterable[NDArray[np.uint8]]) -> Style:
    """Measure the style of paintings.

    The palette consists of the centres of k-means over their colours. Strokes are
    measured by the structure tensor J of the lightness within a Gaussian window and by
    its variance V in that window. By Parseval's theorem, V over an eigenvalue of J is
    the inverse of the mean squared frequency in that direction, so half a wavelength is
    π √(V / λ₁) across strokes and π √(V / λ₂) along them. Medians over the paintings
    are robust against edges and empty areas.

    Args:
        paintings: uint8, H×W×3 each; at least one.
    """
    colours, strokes = [], []
    for painting in paintings:
        lab = to_lab(_resize(painting))
        flat = lab.reshape(-1, 3)
        colours.append(flat[:: max(1, len(flat) // _COLOURS_PER_PAINTING)])
        strokes.append(_measure_strokes(lab))
    width, elongation, *jitter = np.median(strokes, axis=0)
    return Style(
        palette=_find_palette(np.concatenate(colours)),
        width=_rounded(width / MEASURED_SIZE, 4),
        elongation=_rounded(elongation, 2),
        jitter=(_rounded(jitter[0]), _rounded(jitter[1]), _rounded(jitter[2])),
    )


def _resize(painting: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = painting.shape[:2]
    scale = MEASURED_SIZE / min(height, width)
    size = (round(width * scale), round(height * scale))
    return np.asarray(Image.fromarray(painting).resize(size, Image.Resampling.BICUBIC))


def _measure_strokes(lab: NDArray[np.float32]) -> list[float]:
    """Width in pixels, length in widths, and the deviation in L*, a* and b*."""

    def blur(values: NDArray[np.float32]) -> NDArray[np.float32]:
        return scipy.ndimage.gaussian_filter(values, _WINDOW, truncate=2.5)

    detail = lab - scipy.ndimage.gaussian_filter(
        lab, (_WINDOW, _WINDOW, 0), truncate=2.5
    )
    deviation = [
        float(np.median(np.sqrt(blur(d**2)))) for d in np.moveaxis(detail, 2, 0)
    ]
    lightness = detail[..., 0]
    dy, dx = (scipy.ndimage.sobel(lightness, axis) / 8 for axis in (0, 1))
    yy, xx, xy = blur(dy * dy), blur(dx * dx), blur(dx * dy)
    variance = blur(lightness**2)
    spread = np.hypot((yy - xx) / 2, xy)
    across, along = (yy + xx) / 2 + spread, (yy + xx) / 2 - spread
    tiny = np.float32(1e-6)
    width = np.median(np.pi * np.sqrt(variance / (across + tiny)))
    elongation = np.median(np.sqrt((across + tiny) / (np.maximum(along, 0) + tiny)))
    return [float(width), float(elongation), *deviation]


def _find_palette(
    colours: NDArray[np.float32],
) -> tuple[tuple[float, float, float], ...]:
    """Centres of k-means, dark to light."""
    from sklearn.cluster import KMeans

    distinct = len(np.unique(colours, axis=0))
    means = KMeans(min(PALETTE_SIZE, distinct), n_init=1, random_state=0).fit(colours)
    ordered = means.cluster_centers_[np.argsort(means.cluster_centers_[:, 0])]
    return tuple((_rounded(L), _rounded(a), _rounded(b)) for L, a, b in ordered)


def _rounded(value: float, digits: int = 1) -> float:
    return round(float(value), digits)
