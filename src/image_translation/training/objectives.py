"""What networks are trained for (Isola et al. 2017, section 3.1, and later work)."""

from collections.abc import Callable, Mapping, Sequence
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

Judgement = Sequence[Sequence[Tensor]]
"""What a discriminator made of pairs: for every scale its layers, the logits last."""

_C1, _C2 = SSIM_K1**2, SSIM_K2**2
"""For images on the 0–1 scale."""

_LEAST_SIMILARITY = 1e-6


def _cross_entropy(logits: Tensor, is_real: bool) -> Tensor:
    answer = logits.new_full(logits.shape, float(is_real))
    return F.binary_cross_entropy_with_logits(logits, answer)


def _hinge(logits: Tensor, is_real: bool) -> Tensor:
    return F.relu(1 - logits if is_real else 1 + logits).mean()


def _least_squares(logits: Tensor, is_real: bool) -> Tensor:
    return (logits - float(is_real)).square().mean()


_JUDGING: Mapping[str, Callable[[Tensor, bool], Tensor]] = {
    "cross_entropy": _cross_entropy,
    "hinge": _hinge,
    "least_squares": _least_squares,
}
_FOOLING: Mapping[str, Callable[[Tensor], Tensor]] = {
    "cross_entropy": lambda logits: _cross_entropy(logits, True),
    "hinge": lambda logits: -logits.mean(),
    "least_squares": lambda logits: _least_squares(logits, True),
}


def adversarial_loss(generated: Judgement, gan_loss: str = "cross_entropy") -> Tensor:
    """What the generator minimizes: generated pairs being told from real ones.

    The mean over all patches of each scale, then over scales. ``cross_entropy``: with
    the answer that they are real, in nats, ln 2 ≈ 0.693 for an undecided judge (Isola
    et al. 2017). ``least_squares``: the squared distance of the logits from 1 (Mao et
    al. 2017, "Least squares generative adversarial networks", equation 9, without its
    half). ``hinge``: the logits, negative (Lim & Ye 2017, "Geometric GAN").

    Args:
        generated: What the discriminator made of generated pairs.
        gan_loss: One of these.
    """
    fool = _FOOLING[gan_loss]
    return torch.stack([fool(layers[-1].float()) for layers in generated]).mean()


def discriminator_loss(
    real: Judgement, generated: Judgement, gan_loss: str = "cross_entropy"
) -> Tensor:
    """What the discriminator minimizes: telling real pairs from generated ones.

    The mean of both terms, not their sum: the paper halves the objective while
    optimizing the discriminator, to slow it down (section 3.3). ``hinge``: by how much
    logits of real pairs fall short of 1, and those of generated ones exceed -1.

    Args:
        real: What the discriminator made of real pairs.
        generated: What it made of generated pairs.
        gan_loss: As for `adversarial_loss`.
    """
    judge = _JUDGING[gan_loss]
    terms = [
        judge(layers[-1].float(), is_real)
        for judgement, is_real in ((real, True), (generated, False))
        for layers in judgement
    ]
    return torch.stack(terms).mean()


def feature_matching_loss(generated: Judgement, real: Judgement) -> Tensor:
    """How far generated pairs are from real ones inside the discriminator.

    Wang et al. (2018), pix2pixHD, equation 4: the mean absolute difference of every
    layer but the logits, added up over layers, averaged over scales.

    Args:
        generated: What the discriminator made of generated pairs.
        real: What it made of the real ones.
    """
    layers = [
        F.l1_loss(a.float(), b.detach().float())
        for ours, theirs in zip(generated, real, strict=True)
        for a, b in zip(ours[:-1], theirs[:-1], strict=True)
    ]
    return torch.stack(layers).sum() / len(real)


def l1_loss(predictions: Tensor, targets: Tensor) -> Tensor:
    """Mean absolute difference, of images in [-1, 1]."""
    return F.l1_loss(predictions.float(), targets)


def ms_ssim_loss(predictions: Tensor, targets: Tensor) -> Tensor:
    """1 less the structural similarity over several scales, of images in [-1, 1].

    Zhao, Gallo, Frosio & Kautz (2016), "Loss functions for image restoration with neural
    networks", section III.B. The similarity is `image_translation.metrics.ms_ssim` (Wang
    et al. 2003): as many scales as its window fits into the image.

    Args:
        predictions: N×C×H×W, height and width at least 11 pixels.
        targets: N×C×H×W.
    """
    # SSIM is defined for light, which is never negative.
    a, b = (predictions.float() + 1) / 2, (targets.float() + 1) / 2
    weights = ms_ssim_weights(min(a.shape[2:]))
    total = a.new_ones(a.shape[:2])
    for scale, weight in enumerate(weights, start=1):
        structure, similarity = _ssim_means(a, b)
        mean = similarity if scale == len(weights) else structure
        # Not down to 0, where the slope of the power is infinite.
        total = total * mean.clamp(min=_LEAST_SIMILARITY) ** weight
        a, b = F.avg_pool2d(a, 2), F.avg_pool2d(b, 2)
    return 1 - total.mean()


def focal_frequency_loss(predictions: Tensor, targets: Tensor) -> Tensor:
    """Squared differences of spectra, those that are large counting most.

    Jiang, Dai, Wu & Loy (2021), "Focal frequency loss for image reconstruction and
    synthesis", equations 8 and 9, with α = 1: every frequency of the difference, whole
    images on the 0–1 scale, is weighted by its own magnitude as a share of the largest
    one; no gradient goes through the weights.

    Args:
        predictions: N×C×H×W in [-1, 1].
        targets: N×C×H×W in [-1, 1].
    """
    difference = (predictions.float() - targets.float()) / 2
    squares = torch.fft.fft2(difference, norm="ortho").abs().square()
    weights = squares.detach().sqrt()
    largest = weights.amax(dim=(2, 3), keepdim=True)
    return (weights / largest.clamp(min=1e-12) * squares).mean()


def _ssim_means(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Means over all windows of N×C×H×W: of contrast and structure, and of SSIM, N×C."""
    maps = torch.stack([a, b, a * a + b * b, a * b])  # (4, N, C, H, W)
    mean_a, mean_b, squares, product = _window_means(maps)
    luminance = 2 * mean_a * mean_b
    energy = mean_a * mean_a + mean_b * mean_b
    structure = (2 * product - luminance + _C2) / (squares - energy + _C2)
    similarity = (luminance + _C1) / (energy + _C1) * structure
    return structure.mean((2, 3)), similarity.mean((2, 3))


def _window_means(maps: Tensor) -> Tensor:
    """Gaussian-weighted means of all windows inside the last two axes.

    Each axis as a product with a band matrix: several times faster than a convolution of
    one channel, zeros of the band included.
    """
    height, width = maps.shape[-2:]
    return _band(height, maps.device) @ maps @ _band(width, maps.device).T


@cache
def _band(size: int, device: torch.device) -> Tensor:
    """The matrix, (size - 10) × size, that takes values to their window means."""
    window = torch.tensor(ssim_window(), device=device)
    windows = size - len(window) + 1
    rows = [F.pad(window, (row, windows - 1 - row)) for row in range(windows)]
    return torch.stack(rows)
