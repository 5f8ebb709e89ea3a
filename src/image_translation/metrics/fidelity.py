"""Fidelity: how close a prediction is to its target, pixel by pixel.

Every function takes 8-bit predictions and targets (uint8, N×H×W×C) and gives one value
an image (float64, N). Images are worked through in chunks, so memory stays bounded, also
where the arrays are memory-mapped.
"""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

DATA_RANGE = 255
"""Difference between the brightest and the darkest 8-bit value."""

SSIM_WINDOW = 11
SSIM_SIGMA = 1.5
SSIM_K1 = 0.01
SSIM_K2 = 0.03

_C1 = (SSIM_K1 * DATA_RANGE) ** 2
_C2 = (SSIM_K2 * DATA_RANGE) ** 2
_MARGIN = SSIM_WINDOW - 1

# Measured: what is fastest on one core. The tile of a chunk stays in the core's cache,
# and the matrix products are so small that BLAS starts no threads of its own in ours.
_TILE_HEIGHT = 48
_TILE_WIDTH = 246
_TILE_VALUES = 2**16
_ROWS_A_PRODUCT = 8
_COLUMNS_A_PRODUCT = 16

Images = NDArray[np.uint8]
Scores = NDArray[np.float64]


def mse(predictions: Images, targets: Images) -> Scores:
    """Mean squared error on the 0–1 scale, averaged over pixels and channels.

    Args:
        predictions: uint8, N×H×W×C.
        targets: uint8, N×H×W×C.

    Returns:
        N values in [0, 1]; 0 for equal images.

    Raises:
        ValueError: The arrays are not uint8, not N×H×W×C or not of one shape.
    """
    predictions, targets = _checked(predictions, targets)
    return _by_chunks(_mse_of_chunk, predictions, targets)


def psnr(predictions: Images, targets: Images) -> Scores:
    """Peak signal-to-noise ratio of each image, with a peak of 255.

    Args:
        predictions: uint8, N×H×W×C.
        targets: uint8, N×H×W×C.

    Returns:
        N values in dB, 0 or above; infinite for equal images.

    Raises:
        ValueError: The arrays are not uint8, not N×H×W×C or not of one shape.
    """
    with np.errstate(divide="ignore"):
        # Adding 0 turns the -0.0 of the largest possible error into 0.0.
        return -10 * np.log10(mse(predictions, targets)) + 0.0


def ssim(predictions: Images, targets: Images) -> Scores:
    """Structural similarity, averaged over the windows and channels of each image.

    The form of Wang et al. (2004), "Image quality assessment: from error visibility to
    structural similarity", section III: 11×11 Gaussian window with sigma 1.5, K1 0.01,
    K2 0.03, population covariance, data range 255. Only windows that lie inside the
    image count, so no padding is involved. Equal to scikit-image with
    ``gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=255,
    channel_axis=-1``.

    Args:
        predictions: uint8, N×H×W×C, height and width at least 11 pixels.
        targets: uint8, N×H×W×C.

    Returns:
        N values in [-1, 1]; 1 for equal images.

    Raises:
        ValueError: The arrays are not uint8, not N×H×W×C, not of one shape, or smaller
            than the window.
    """
    predictions, targets = _checked(predictions, targets)
    height, width = predictions.shape[1:3]
    if min(height, width) < SSIM_WINDOW:
        raise ValueError(
            f"SSIM needs images of at least {SSIM_WINDOW}×{SSIM_WINDOW} pixels, "
            f"these are {height}×{width}"
        )
    return _by_chunks(_ssim_of_chunk, predictions, targets)


def _checked(predictions: Images, targets: Images) -> tuple[Images, Images]:
    predictions, targets = np.asarray(predictions), np.asarray(targets)
    for name, images in (("predictions", predictions), ("targets", targets)):
        if images.dtype != np.uint8:
            raise ValueError(f"{name} must be uint8 in 0–255, not {images.dtype}")
        if images.ndim != 4:
            raise ValueError(f"{name} must be N×H×W×C, not of shape {images.shape}")
    if predictions.shape != targets.shape:
        raise ValueError(
            f"predictions and targets must have one shape, "
            f"not {predictions.shape} and {targets.shape}"
        )
    if 0 in predictions.shape[1:]:
        raise ValueError(f"images without pixels: shape {predictions.shape}")
    return predictions, targets


def _by_chunks(
    function: Callable[[Images, Images], Scores], predictions: Images, targets: Images
) -> Scores:
    """Apply a function to a few images at a time, on all cores.

    NumPy releases the interpreter's lock in its inner loops, so threads do.
    """

    def score(chunk: slice) -> Scores:
        return function(predictions[chunk], targets[chunk])

    chunks = list(_chunks(predictions.shape))
    if len(chunks) < 2:
        parts = [score(chunk) for chunk in chunks]
    else:
        with ThreadPoolExecutor(min(os.cpu_count() or 1, len(chunks))) as pool:
            parts = list(pool.map(score, chunks))
    return np.concatenate([np.empty(0), *parts])


def _chunks(shape: tuple[int, ...]) -> Iterator[slice]:
    images, _, width, channels = shape
    tile = (_TILE_HEIGHT + _MARGIN) * min(width, _TILE_WIDTH + _MARGIN) * channels
    size = max(1, _TILE_VALUES // tile)
    for start in range(0, images, size):
        yield slice(start, start + size)


def _mse_of_chunk(predictions: Images, targets: Images) -> Scores:
    # Whole numbers: their squares and sums are exact in float64.
    errors = np.subtract(predictions, targets, dtype=np.float64)
    flat = errors.reshape(len(errors), -1)
    return np.einsum("ij,ij->i", flat, flat) / (flat.shape[1] * DATA_RANGE**2)


def _ssim_of_chunk(predictions: Images, targets: Images) -> Scores:
    # (N, C, H, W)
    a = np.ascontiguousarray(np.moveaxis(predictions, -1, 1))
    b = np.ascontiguousarray(np.moveaxis(targets, -1, 1))
    images, channels, height, width = a.shape
    totals = np.zeros(images)
    for top in range(0, height - _MARGIN, _TILE_HEIGHT):
        for left in range(0, width - _MARGIN, _TILE_WIDTH):
            rows = slice(top, top + _TILE_HEIGHT + _MARGIN)
            columns = slice(left, left + _TILE_WIDTH + _MARGIN)
            tile = np.s_[:, :, rows, columns]
            totals += _ssim_map(a[tile], b[tile]).sum(axis=(1, 2, 3))
    return totals / (channels * (height - _MARGIN) * (width - _MARGIN))


def _ssim_map(a: Images, b: Images) -> Scores:
    """SSIM of every window of N×C×H×W, as N×C×(H-10)×(W-10).

    SSIM = (2 μa μb + C1) (2 σab + C2) / ((μa² + μb² + C1) (σa² + σb² + C2)), with the
    (co)variances as E[ab] - μa μb. That difference of large numbers needs float64: in
    float32 flat bright regions miss the promised 1e-5.
    """
    maps = np.empty((4, *a.shape))
    maps[0], maps[1] = a, b
    np.multiply(maps[0], maps[0], out=maps[2])
    np.multiply(maps[1], maps[1], out=maps[3])
    maps[2] += maps[3]
    np.multiply(maps[0], maps[1], out=maps[3])
    mean_a, mean_b, squares, product = _window_means(maps)

    similarity = mean_a * mean_b  # becomes 2 μa μb + C1
    similarity *= 2
    similarity += _C1
    mean_a *= mean_a
    mean_b *= mean_b
    energy = mean_a
    energy += mean_b  # becomes μa² + μb² + C1
    energy += _C1

    # E[a² + b²] + C1 + C2 less the energy is σa² + σb² + C2; covariance likewise.
    product *= 2
    product += _C1 + _C2
    product -= similarity
    squares += _C1 + _C2
    squares -= energy

    product *= similarity
    squares *= energy
    product /= squares
    return product


def _window_means(maps: Scores) -> Scores:
    """Gaussian-weighted means of all windows: 4×N×C×H×W to 4×N×C×(H-10)×(W-10).

    Separable, each axis as products with a band matrix. BLAS does these several times
    faster than a direct convolution, zeros of the band included.
    """
    *leading, channels, height, width = maps.shape
    height, width = height - _MARGIN, width - _MARGIN
    down = np.empty((*leading, channels, height, width + _MARGIN))
    for start in range(0, height, _ROWS_A_PRODUCT):
        count = min(_ROWS_A_PRODUCT, height - start)
        rows = maps[..., start : start + count + _MARGIN, :]
        np.matmul(_band(count), rows, out=down[..., start : start + count, :])

    # Here all rows of all channels can stand in one product.
    down = down.reshape(*leading, channels * height, width + _MARGIN)
    means = np.empty((*leading, channels * height, width))
    for start in range(0, width, _COLUMNS_A_PRODUCT):
        count = min(_COLUMNS_A_PRODUCT, width - start)
        columns = down[..., start : start + count + _MARGIN]
        np.matmul(columns, _band(count).T, out=means[..., start : start + count])
    return means.reshape(*leading, channels, height, width)


def _band(count: int) -> Scores:
    """The matrix (count × count + 10) that takes values to their window means."""
    return _BAND[:count, : count + _MARGIN]


def _gaussian() -> Scores:
    offsets = np.arange(SSIM_WINDOW) - SSIM_WINDOW // 2
    weights = np.exp(-0.5 * (offsets / SSIM_SIGMA) ** 2)
    return weights / weights.sum()


_BAND_SIZE = max(_ROWS_A_PRODUCT, _COLUMNS_A_PRODUCT)
_BAND = np.stack(
    [np.pad(_gaussian(), (row, _BAND_SIZE - 1 - row)) for row in range(_BAND_SIZE)]
)
