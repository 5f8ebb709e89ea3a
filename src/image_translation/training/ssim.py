"""Multi-scale structural similarity of tensors, differentiable."""

from functools import cache

import torch
from torch import Tensor
from torch.nn import functional as F

from image_translation.metrics.fidelity import (
    SSIM_K1,
    SSIM_K2,
    ms_ssim_weights,
    ssim_window,
)

_C1, _C2 = SSIM_K1**2, SSIM_K2**2
"""For images in [0, 1]."""

_MIN_SIMILARITY = 1e-6


def ms_ssim(a: Tensor, b: Tensor) -> Tensor:
    """Structural similarity over several scales (Wang et al. 2003).

    Equals `image_translation.metrics.ms_ssim`: as many scales as its window fits into
    the image.

    Args:
        a: N×C×H×W in [0, 1], height and width at least 11 pixels.
        b: N×C×H×W in [0, 1].

    Returns:
        One value for each image and channel, N×C.
    """
    weights = ms_ssim_weights(min(a.shape[2:]))
    total = a.new_ones(a.shape[:2])
    for scale, weight in enumerate(weights, start=1):
        structure, similarity = _ssim_means(a, b)
        mean = similarity if scale == len(weights) else structure
        # Not down to 0, where the slope of the power is infinite.
        total = total * mean.clamp(min=_MIN_SIMILARITY) ** weight
        a, b = F.avg_pool2d(a, 2), F.avg_pool2d(b, 2)
    return total


def _ssim_means(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Means over all windows of contrast times structure, and of SSIM; each N×C."""
    maps = torch.stack([a, b, a * a + b * b, a * b])  # (4, N, C, H, W)
    mean_a, mean_b, squares, product = _window_means(maps)
    luminance = 2 * mean_a * mean_b
    energy = mean_a * mean_a + mean_b * mean_b
    structure = (2 * product - luminance + _C2) / (squares - energy + _C2)
    similarity = (luminance + _C1) / (energy + _C1) * structure
    return structure.mean((2, 3)), similarity.mean((2, 3))


def _window_means(maps: Tensor) -> Tensor:
    """Gaussian-weighted means of all windows inside the last two axes.

    Each axis is a product with a band matrix: several times faster than a convolution
    of one channel, although most of the matrix is zero.
    """
    height, width = maps.shape[-2:]
    return _band(height, maps.device) @ maps @ _band(width, maps.device).T


@cache
def _band(size: int, device: torch.device) -> Tensor:
    """The matrix, (size - 10) × size, that maps values to their window means."""
    window = torch.tensor(ssim_window(), device=device)
    windows = size - len(window) + 1
    rows = [F.pad(window, (row, windows - 1 - row)) for row in range(windows)]
    return torch.stack(rows)
