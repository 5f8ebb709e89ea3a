"""Bins of Cb and Cr, in which a colour is a class.

Zhang, Isola & Efros (2016), "Colorful image colorization", section 2, in the chroma of
YCbCr instead of that of L*a*b*.
"""

import torch
from torch import Tensor

from image_translation.imaging.luma import LUMA_WEIGHTS

LUMA = LUMA_WEIGHTS.tolist()

CB_RANGE, CR_RANGE = (2 * (1 - LUMA[i]) for i in (2, 0))
"""Factors of Cb and Cr, in [-1, 1], that give B' − Y' and R' − Y'."""

SPACING = 0.1
"""Distance of neighbouring bins, of Cb and Cr in [-1, 1]."""

SIGMA = SPACING / 2
"""Width of the Gaussian of soft classes and of the smoothed distribution; 5 for a spacing of
10 in the paper."""

NEAREST = 5
"""Bins with a share in a colour."""


def to_offsets(chroma: Tensor) -> Tensor:
    """R', G' and B' minus luma, of Cb and Cr: N×2×… in [-1, 1] to N×3×…."""
    cb, cr = chroma.split(1, dim=1)
    b, r = CB_RANGE * cb, CR_RANGE * cr
    g = -(LUMA[0] * r + LUMA[2] * b) / LUMA[1]
    return torch.cat([r, g, b], dim=1)


def to_chroma(images: Tensor) -> Tensor:
    """Cb and Cr in [-1, 1] of images in [-1, 1]: N×3×H×W to N×2×H×W."""
    red, green, blue = images.split(1, dim=1)
    y = LUMA[0] * red + LUMA[1] * green + LUMA[2] * blue
    return torch.cat([(blue - y) / CB_RANGE, (red - y) / CR_RANGE], dim=1)


def make_bins() -> Tensor:
    """Cb and Cr of all bins that sRGB has at some luma, K×2 in [-1, 1]."""
    steps = round(1 / SPACING)
    axis = SPACING * torch.arange(-steps, steps + 1)
    grid = torch.cartesian_prod(axis, axis)
    offsets = to_offsets(grid)
    # Red, green and blue span 2: a luma shifts them all alike.
    return grid[offsets.amax(1) - offsets.amin(1) <= 2]


def to_soft_classes(chroma: Tensor, bins: Tensor) -> tuple[Tensor, Tensor]:
    """Shares of the nearest bins in colours, by a Gaussian of the distance.

    Section 2.1: the five nearest bins, proportional to the Gaussian.

    Args:
        chroma: N×2×H×W in [-1, 1].
        bins: K×2.

    Returns:
        Shares, N×5×H×W, of sum 1, the largest first; and the numbers of their bins.
    """
    points = chroma.movedim(1, -1)  # (N, H, W, 2)
    distances, nearest = torch.cdist(points, bins).topk(NEAREST, largest=False)
    shares = (-(distances**2) / (2 * SIGMA**2)).softmax(-1)
    return shares.movedim(-1, 1), nearest.movedim(-1, 1)


def annealed_mean(logits: Tensor, bins: Tensor, temperature: float) -> Tensor:
    """Mean colour of a distribution whose temperature was changed.

    Equation 5: a temperature of 1 gives the mean, which is greyish where several colours
    are likely; towards 0 it becomes the likeliest bin, whose neighbours may differ.

    Args:
        logits: Of the bins, N×K×H×W.
        bins: K×2.
        temperature: Above 0.

    Returns:
        Cb and Cr, N×2×H×W in [-1, 1].
    """
    peaks = logits - logits.amax(1, keepdim=True)  # finite at any temperature
    shares = (peaks / temperature).softmax(1)
    return torch.nn.functional.conv2d(shares, bins.T[:, :, None, None])


def weigh_bins(counts: Tensor, bins: Tensor, rebalancing: float) -> Tensor:
    """Weights of bins in a loss, so that rare colours count more.

    Section 2.2, equation 4: the inverse of the bins' distribution, smoothed by a Gaussian
    and mixed with the uniform one, with a mean of 1 over the smoothed distribution.

    Args:
        counts: Pixels in each bin, K.
        bins: K×2.
        rebalancing: Share of the distribution in the mixture, 1 − λ: 0 gives equal weights.
    """
    kernel = (-(torch.cdist(bins, bins) ** 2) / (2 * SIGMA**2)).exp()
    smoothed = kernel @ counts.to(kernel)
    smoothed = smoothed / smoothed.sum()
    weights = 1 / (rebalancing * smoothed + (1 - rebalancing) / len(bins))
    return weights / (smoothed * weights).sum()
