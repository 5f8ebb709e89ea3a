"""Guided upsampling: enlarge a small result along the edges of a photograph.

He and Sun 2015, "Fast guided filter": around each pixel, the small result is
approximated by a linear function of the small photograph. The interpolated function,
applied to the large photograph, gives the large result, which therefore has the
photograph's detail.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import scipy
from numpy.typing import NDArray

Floats = NDArray[np.float32]

RADIUS = 2
"""Radius of the window for the linear function, in pixels of the small image."""

REGULARIZATION = 1e-3
"""Variance of the guide, on the scale 0 to 1, below which a region counts as flat."""

STRIP_PIXELS = 2**19
"""Pixels of the large image that are processed at a time."""


@dataclass(frozen=True)
class LocalLinear:
    """A linear function for every pixel of a small image.

    Attributes:
        coefficients: float32, h×w×(k+1)×c: factors of the guide's k channels, and the
            constant, for c channels.
    """

    coefficients: Floats

    @classmethod
    def fit(
        cls, guide: NDArray[np.floating], target: NDArray[np.floating]
    ) -> "LocalLinear":
        """Fit the linear functions from guide to target, around every pixel.

        Args:
            guide: h×w×k, on the scale 0 to 1.
            target: h×w×c.
        """
        k = guide.shape[2]
        mean, means = _around(guide), _around(target)
        spread = _around(guide[..., :, None] * guide[..., None, :])
        spread -= mean[..., :, None] * mean[..., None, :]
        shared = _around(guide[..., :, None] * target[..., None, :])
        shared -= mean[..., :, None] * means[..., None, :]
        factors = np.linalg.solve(spread + REGULARIZATION * np.eye(k), shared)
        constant = means[..., None, :] - mean[..., None, :] @ factors
        both = np.concatenate([factors, constant], axis=2)
        return cls(_around(both).astype(np.float32))

    def strips(self, height: int, width: int) -> Iterator[tuple[slice, Floats]]:
        """The coefficients at another size: rows, and float32, n×width×(k+1)×c.

        Bilinear interpolation with aligned pixel centres, as for squares.
        """
        small_height, small_width, *channels = self.coefficients.shape
        flat = self.coefficients.reshape(small_height, small_width, -1)
        left, across = _positions(np.arange(width), width, small_width)
        step = max(1, STRIP_PIXELS // width)
        for top in range(0, height, step):
            rows = slice(top, min(top + step, height))
            above, down = _positions(
                np.arange(rows.start, rows.stop), height, small_height
            )
            first, last = above[0], min(above[-1] + 2, small_height)
            band = _mix(flat[first:last], left, across, axis=1)
            matrix = np.zeros((len(above), last - first), np.float32)
            index, below = (
                above - first,
                np.minimum(above - first + 1, last - first - 1),
            )
            np.add.at(matrix, (np.arange(len(above)), index), 1 - down)
            np.add.at(matrix, (np.arange(len(above)), below), down)
            mixed = matrix @ band.reshape(last - first, -1)
            yield rows, mixed.reshape(len(above), width, *channels)


def apply_linear(coefficients: Floats, guide: NDArray[np.floating]) -> Floats:
    """Apply the functions to a guide, n×W×k, with coefficients n×W×(k+1)×c."""
    result = coefficients[..., -1, :].copy()
    for channel in range(guide.shape[2]):
        result += coefficients[..., channel, :] * guide[..., channel, None]
    return result


def _around(values: NDArray[np.floating]) -> NDArray[np.float64]:
    size = (2 * RADIUS + 1,) * 2 + (1,) * (values.ndim - 2)
    return scipy.ndimage.uniform_filter(values.astype(np.float64), size, mode="nearest")


def _positions(
    pixels: NDArray[np.integer], length: int, small: int
) -> tuple[NDArray[np.intp], Floats]:
    """For pixels of the large image: index of the previous small pixel and
    interpolation weight.
    """
    place = ((pixels + 0.5) * small / length - 0.5).clip(0, small - 1)
    before = np.floor(place).astype(np.intp)
    return before, (place - before).astype(np.float32)


def _mix(values: Floats, before: NDArray[np.intp], way: Floats, axis: int) -> Floats:
    after = np.minimum(before + 1, values.shape[axis] - 1)
    way = way[:, None]
    return values.take(before, axis) * (1 - way) + values.take(after, axis) * way
