"""Fidelity of predictions to their targets: MSE, MAE, PSNR, SSIM, MS-SSIM and GMSD.

All metrics take 8-bit predictions and targets (uint8, N×H×W×C) and return one value per
image (float64, N). They raise ``ValueError`` for other arrays. Images are processed in
chunks, so memory is bounded even for memory-mapped arrays.
"""

import numpy as np
from numpy.typing import NDArray

from image_translation.imaging.luma import LUMA_WEIGHTS
from image_translation.metrics.chunks import Chunk, Images, ImageScore, Scores

DATA_RANGE = 255
"""Difference between the largest and the smallest 8-bit value."""

SSIM_WINDOW = 11
SSIM_SIGMA = 1.5
SSIM_K1 = 0.01
SSIM_K2 = 0.03

MS_SSIM_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
"""Exponents by scale, finest first; Wang, Simoncelli & Bovik 2003, section 3.2."""

GMSD_C = 170
"""Stabilises the similarity of small gradients; Xue et al. 2014, section III."""

GMSD_SMALLEST = 4

_C1 = (SSIM_K1 * DATA_RANGE) ** 2
_C2 = (SSIM_K2 * DATA_RANGE) ** 2
_MARGIN = SSIM_WINDOW - 1

# Measured on one core: the fastest sizes. A tile fits into the cache of the core, and the
# matrix products are too small for BLAS to start threads inside ours.
_TILE_HEIGHT = 48
_TILE_WIDTH = 246
_ROWS_A_PRODUCT = 8
_COLUMNS_A_PRODUCT = 16


@ImageScore
def mse(chunk: Chunk) -> Scores:
    """Mean squared error on the 0–1 scale, averaged over pixels and channels.

    Values in [0, 1]; 0 for equal images.
    """
    return chunk.once(_mean_squares)


@ImageScore
def mae(chunk: Chunk) -> Scores:
    """Mean absolute error on the 0–1 scale, averaged over pixels and channels.

    Values in [0, 1]; 0 for equal images.
    """
    errors = np.subtract(chunk.predictions, chunk.targets, dtype=np.int16)
    return np.abs(errors).mean(axis=(1, 2, 3)) / DATA_RANGE


@ImageScore
def psnr(chunk: Chunk) -> Scores:
    """Peak signal-to-noise ratio of each image, for a peak value of 255.

    Values in dB, in [0, ∞]; infinite for equal images.
    """
    with np.errstate(divide="ignore"):
        # The largest possible error gives -0.0; adding 0 turns it into 0.0.
        return -10 * np.log10(mse.of_chunk(chunk)) + 0.0


@ImageScore
def ssim(chunk: Chunk) -> Scores:
    """Structural similarity, averaged over the windows and channels of each image.

    The form of Wang et al. (2004), "Image quality assessment: from error visibility to
    structural similarity", section III: 11×11 Gaussian window with sigma 1.5, K1 0.01,
    K2 0.03, population covariance, data range 255. Only windows inside the image are
    averaged, without padding. Equal to scikit-image's ``structural_similarity``
    with ``gaussian_weights=True, sigma=1.5, use_sample_covariance=False,
    data_range=255, channel_axis=-1``.

    Values in [-1, 1]; 1 for equal images. Images have at least 11×11 pixels.
    """
    return chunk.once(_full_size)[1].mean(axis=1)


@ImageScore
def ms_ssim(chunk: Chunk) -> Scores:
    """Multi-scale structural similarity.

    Wang, Simoncelli & Bovik (2003), "Multi-scale structural similarity for image quality
    assessment", equation 7: the product of contrast and structure at every scale and
    luminance at the coarsest scale, each raised to its published weight. Window and
    constants are those of `ssim`; images are downsampled by averages of 2×2 pixels.
    Images too small for five scales use as many scales as the window fits into, with
    weights rescaled to a sum of 1. Negative means of contrast and structure count as 0.
    Channels are scored separately, then averaged.

    Values in [0, 1]; 1 for equal images. Images have at least 11×11 pixels.
    """
    structure, similarity = chunk.once(_full_size)
    sides: tuple[NDArray, NDArray] = chunk.once(_planes_of_both)
    weights = ms_ssim_weights(min(sides[0].shape[2:]))
    scales = len(weights)
    total = np.ones(sides[0].shape[:2])
    for scale, weight in enumerate(weights, start=1):
        mean = similarity if scale == scales else structure
        total *= np.maximum(mean, 0) ** weight
        if scale < scales:
            sides = _halve(sides[0]), _halve(sides[1])
            structure, similarity = _ssim_means(*sides)
    return total.mean(axis=1)


def ms_ssim_weights(side: int) -> list[float]:
    """Weights of the scales that fit into an image, finest first, with a sum of 1.

    Args:
        side: Smaller of height and width in pixels, at least 11.
    """
    fitting = 1 + int(np.log2(side / SSIM_WINDOW))
    weights = MS_SSIM_WEIGHTS[:fitting]
    return [weight / sum(weights) for weight in weights]


def ssim_window() -> list[float]:
    """Gaussian window of `ssim` along one axis, with a sum of 1."""
    return _gaussian().tolist()


@ImageScore
def gmsd(chunk: Chunk) -> Scores:
    """Gradient magnitude similarity deviation.

    Xue, Zhang, Mou & Bovik (2014), "Gradient magnitude similarity deviation: a highly
    efficient perceptual image quality index", section II: the standard deviation of the
    similarity map of gradient magnitudes (Prewitt operator, c = 170) of luma (BT.601),
    downsampled by averages of 2×2 pixels. As in the authors' code, images with an odd
    height or width are padded with zeros.

    Values from 0, rarely above 0.35; 0 for equal images. Images have at least
    4×4 pixels.
    """
    if min(chunk.targets.shape[1:3]) < GMSD_SMALLEST:
        raise ValueError(
            f"GMSD needs images of at least {GMSD_SMALLEST}×{GMSD_SMALLEST} pixels"
        )
    a, b = (
        _gradients(_halve(_pad_to_even(images @ LUMA_WEIGHTS)))
        for images in (chunk.predictions, chunk.targets)
    )
    similarity = (2 * a * b + GMSD_C) / (a**2 + b**2 + GMSD_C)
    return similarity.std(axis=(1, 2), ddof=1)


def _mean_squares(chunk: Chunk) -> Scores:
    # The squares are integers, so their sums are exact in float64.
    errors = np.subtract(chunk.predictions, chunk.targets, dtype=np.float64)
    flat = errors.reshape(len(errors), -1)
    return np.einsum("ij,ij->i", flat, flat) / (flat.shape[1] * DATA_RANGE**2)


def _full_size(chunk: Chunk) -> tuple[Scores, Scores]:
    height, width = chunk.targets.shape[1:3]
    if min(height, width) < SSIM_WINDOW:
        raise ValueError(
            f"SSIM needs images of at least {SSIM_WINDOW}×{SSIM_WINDOW} pixels, "
            f"not {height}×{width}"
        )
    return _ssim_means(*chunk.once(_planes_of_both))


def _planes_of_both(chunk: Chunk) -> tuple[Images, Images]:
    return _planes(chunk.predictions), _planes(chunk.targets)


def _gradients(images: Scores) -> Scores:
    """Gradient magnitudes by the Prewitt operator with zero padding, N×H×W."""
    padded = np.pad(images, ((0, 0), (1, 1), (1, 1)))
    down = padded[:, :-2] + padded[:, 1:-1] + padded[:, 2:]
    across = padded[..., :-2] + padded[..., 1:-1] + padded[..., 2:]
    horizontal = (down[..., 2:] - down[..., :-2]) / 3
    vertical = (across[:, 2:] - across[:, :-2]) / 3
    return np.hypot(horizontal, vertical)


def _pad_to_even(images: Scores) -> Scores:
    """Append a row or column of zeros where height or width is odd, N×H×W."""
    height, width = images.shape[1:]
    return np.pad(images, ((0, 0), (0, height % 2), (0, width % 2)))


def _halve(images: NDArray) -> Scores:
    """Average 2×2 pixels of the last two axes; drop an odd last row or column."""
    height, width = (side // 2 * 2 for side in images.shape[-2:])
    even = images[..., :height, :width].astype(np.float64)
    rows = even[..., ::2, :] + even[..., 1::2, :]
    return (rows[..., ::2] + rows[..., 1::2]) / 4


def _planes(images: Images) -> Images:
    """Move channels before height: N×H×W×C to N×C×H×W."""
    return np.ascontiguousarray(np.moveaxis(images, -1, 1))


def _ssim_means(a: NDArray, b: NDArray) -> tuple[Scores, Scores]:
    """Means over all windows of contrast-structure and of SSIM: N×C of N×C×H×W."""
    height, width = (side - _MARGIN for side in a.shape[2:])
    totals = np.zeros((2, *a.shape[:2]))
    for top in range(0, height, _TILE_HEIGHT):
        for left in range(0, width, _TILE_WIDTH):
            rows = slice(top, top + _TILE_HEIGHT + _MARGIN)
            columns = slice(left, left + _TILE_WIDTH + _MARGIN)
            tile = np.s_[:, :, rows, columns]
            totals += [part.sum(axis=(2, 3)) for part in _ssim_maps(a[tile], b[tile])]
    structure, similarity = totals / (height * width)
    return structure, similarity


def _ssim_maps(a: NDArray, b: NDArray) -> tuple[Scores, Scores]:
    """Contrast-structure and SSIM of every window: N×C×(H-10)×(W-10) of N×C×H×W.

    SSIM = (2 μa μb + C1) (2 σab + C2) / ((μa² + μb² + C1) (σa² + σb² + C2)). The second
    factors are contrast and structure. Covariances are computed as E[ab] - μa μb. This
    difference of large numbers needs float64: in float32 the error in flat bright
    regions exceeds 1e-5.
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

    # E[a² + b²] + C1 + C2 minus the energy is σa² + σb² + C2; same for the covariance.
    product *= 2
    product += _C1 + _C2
    product -= similarity
    squares += _C1 + _C2
    squares -= energy

    structure = product
    structure /= squares
    similarity /= energy
    similarity *= structure
    return structure, similarity


def _window_means(maps: Scores) -> Scores:
    """Gaussian-weighted means of all windows: 4×N×C×H×W to 4×N×C×(H-10)×(W-10).

    The filter is separable; each axis is a product with a band matrix. Despite the zeros
    in the band, BLAS is several times faster than a direct convolution.
    """
    *leading, channels, height, width = maps.shape
    height, width = height - _MARGIN, width - _MARGIN
    down = np.empty((*leading, channels, height, width + _MARGIN))
    for start in range(0, height, _ROWS_A_PRODUCT):
        count = min(_ROWS_A_PRODUCT, height - start)
        rows = maps[..., start : start + count + _MARGIN, :]
        np.matmul(_band(count), rows, out=down[..., start : start + count, :])

    # Along this axis, one product covers all rows of all channels.
    down = down.reshape(*leading, channels * height, width + _MARGIN)
    means = np.empty((*leading, channels * height, width))
    for start in range(0, width, _COLUMNS_A_PRODUCT):
        count = min(_COLUMNS_A_PRODUCT, width - start)
        columns = down[..., start : start + count + _MARGIN]
        np.matmul(columns, _band(count).T, out=means[..., start : start + count])
    return means.reshape(*leading, channels, height, width)


def _band(count: int) -> Scores:
    """Band matrix, count × (count + 10), from values to window means."""
    return _BAND[:count, : count + _MARGIN]


def _gaussian() -> Scores:
    offsets = np.arange(SSIM_WINDOW) - SSIM_WINDOW // 2
    weights = np.exp(-0.5 * (offsets / SSIM_SIGMA) ** 2)
    return weights / weights.sum()


_BAND_SIZE = max(_ROWS_A_PRODUCT, _COLUMNS_A_PRODUCT)
_BAND = np.stack(
    [np.pad(_gaussian(), (row, _BAND_SIZE - 1 - row)) for row in range(_BAND_SIZE)]
)
