"""Output layers: from the values that a generator predicts to an image.

Each maps the input image, N×3×H×W in [-1, 1], and the output of the last block to an image,
N×3×H×W in [-1, 1]. All are differentiable and have no trained weights.
"""

from collections.abc import Iterable, Mapping
from typing import ClassVar, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from image_translation.imaging.srgb import LINEAR_KNEE, SRGB_KNEE, TO_XYZ, WHITE
from image_translation.networks.colour_bins import (
    LUMA,
    annealed_mean,
    make_bins,
    to_chroma,
    to_offsets,
    to_soft_classes,
    weigh_bins,
)

AB_RANGE = 110.0
"""Largest predicted a* and b*; those of sRGB are at most 108."""

TINY = 1e-6

TEMPERATURE = 0.38
"""Of an annealed mean, as in Zhang, Isola & Efros (2016), section 2.3."""

_LAB_KNEE = 6 / 29
_FROM_SHARES = (torch.linalg.inv(torch.Tensor(TO_XYZ)) * torch.Tensor(WHITE)).tolist()
"""From X, Y and Z relative to the white point to linear sRGB."""


class OutputLayer(nn.Module):
    """An output layer: what it takes from the last block of a generator.

    Attributes:
        channels: Of the values.
        halvings: How often the image's height and width are halved for the values.
        activation: Of the last block; by default values are in (-1, 1).
    """

    channels: ClassVar[int]
    halvings: ClassVar[int] = 0
    activation: ClassVar[type[nn.Module]] = nn.Tanh


class RGB(OutputLayer):
    """Predicts the image itself, as published."""

    channels = 3

    def forward(self, inputs: Tensor, values: Tensor) -> Tensor:
        return values


class Residual(OutputLayer):
    """Predicts a correction of the input.

    He et al. (2016), "Deep residual learning for image recognition", for whole images as
    in Zhang et al. (2017), "Beyond a Gaussian denoiser": only
    the changes have to be learned.
    """

    channels = 3

    def forward(self, inputs: Tensor, values: Tensor) -> Tensor:
        """Add twice the values, enough to reach any image from any other, and clamp."""
        return (inputs + 2 * values).clamp(-1, 1)


class YCbCr(OutputLayer):
    """Predicts Cb and Cr, and takes the luma of the input, ITU-R BT.601.

    For colorization: the luma of grey inputs that are the luma of their targets, as with
    the recipe ``grayscale``, is kept exactly. A colour outside the gamut at its luma is
    desaturated, at constant hue, until it is inside.
    """

    channels = 2

    def forward(self, inputs: Tensor, values: Tensor) -> Tensor:
        """Combine the luma of the inputs with predicted Cb and Cr."""
        red, green, blue = inputs.float().split(1, dim=1)
        y = LUMA[0] * red + LUMA[1] * green + LUMA[2] * blue  # (N, 1, H, W)
        offset = to_offsets(values.float())
        up = offset.amax(1, keepdim=True).clamp(min=TINY)
        down = (-offset.amin(1, keepdim=True)).clamp(min=TINY)
        share = torch.minimum((1 - y) / up, (1 + y) / down).clamp(0, 1)
        return (y + share * offset).clamp(-1, 1)  # up to rounding it is inside


class Classified(NamedTuple):
    """What a generator with `ColourClasses` returns in training.

    Attributes:
        images: N×3×H×W in [-1, 1].
        logits: Of the bins, N×K×H/4×W/4.
    """

    images: Tensor
    logits: Tensor


class ColourClasses(OutputLayer):
    """Predicts how likely each bin of Cb and Cr is, and takes the luma of the input.

    Zhang, Isola & Efros (2016), "Colorful image colorization", section 2. An object may
    have several plausible colours, of which the mean is grey; a distribution can hold them
    all. As in the paper, it has a quarter of the image's height and width.

    Attributes:
        bins: K×2; part of the weights, so that they explain themselves.
        weights: Of the bins in the loss, K; equal until `weigh`.
        temperature: Of the `annealed_mean`, above 0; can be changed after training.
    """

    channels = len(make_bins())
    halvings = 2
    activation = nn.Identity

    bins: Tensor
    weights: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.combine = YCbCr()
        self.register_buffer("bins", make_bins())
        self.register_buffer("weights", torch.ones(self.channels), persistent=False)
        self.temperature = TEMPERATURE

    def forward(self, inputs: Tensor, values: Tensor) -> Tensor | Classified:
        """Choose the colours, enlarge them and combine them with the luma of the inputs.

        Returns:
            The image; in training also the logits, which the loss needs.
        """
        with torch.autocast(values.device.type, enabled=False):
            chroma = annealed_mean(values.float(), self.bins.float(), self.temperature)
            chroma = F.interpolate(
                chroma, scale_factor=2.0**self.halvings, mode="bilinear"
            )
        images = self.combine(inputs, chroma)
        return Classified(images, values) if self.training else images

    def classify(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """The `to_soft_classes` of images, N×3×H×W in [-1, 1], at the size of the values."""
        chroma = F.avg_pool2d(to_chroma(images.float()), 2**self.halvings)
        return to_soft_classes(chroma, self.bins)

    @torch.no_grad()
    def weigh(self, targets: Iterable[NDArray[np.uint8]], rebalancing: float) -> None:
        """Set the weights of the bins by the colours of targets, H×W×3; see `weigh_bins`."""
        counts = torch.zeros(self.channels, device=self.bins.device)
        for target in targets:
            image = torch.from_numpy(np.array(target)).to(self.bins.device)
            _, nearest = self.classify(image.movedim(-1, 0)[None] / 127.5 - 1)
            counts += torch.bincount(nearest[:, 0].flatten(), minlength=self.channels)
        self.weights.copy_(weigh_bins(counts, self.bins, rebalancing))


class Lab(OutputLayer):
    """Predicts a* and b*, and takes the lightness L* of the input.

    Zhang, Isola & Efros (2016), "Colorful image colorization", section 2; CIE 1976
    L*a*b* of sRGB under D65. A colour outside sRGB is clipped, which changes its
    lightness. L* of a grey that was computed as luma differs from L* of the colours; for
    such inputs ``ycbcr`` is exact.
    """

    channels = 2

    def forward(self, inputs: Tensor, values: Tensor) -> Tensor:
        """Combine the lightness of the inputs with predicted a* and b*."""
        red, green, blue = _to_linear((inputs.float() + 1) / 2).split(1, dim=1)
        weights = TO_XYZ[1].tolist()
        fy = _compress(weights[0] * red + weights[1] * green + weights[2] * blue)
        a, b = (AB_RANGE * values.float()).split(1, dim=1)
        xyz = torch.cat([_expand(fy + a / 500), _expand(fy), _expand(fy - b / 200)], 1)
        linear = torch.einsum("ij,njhw->nihw", xyz.new_tensor(_FROM_SHARES), xyz)
        return 2 * _from_linear(linear.clamp(0, 1)) - 1


def _to_linear(srgb: Tensor) -> Tensor:
    """Linear light of sRGB in [0, 1]."""
    curve = ((srgb + 0.055) / 1.055) ** 2.4
    return torch.where(srgb <= SRGB_KNEE, srgb / 12.92, curve)


def _from_linear(linear: Tensor) -> Tensor:
    """sRGB of linear light in [0, 1]; the inverse of `_to_linear`."""
    # Clamped below the knee, where the curve is not used: its slope is infinite at 0.
    curve = 1.055 * linear.clamp(min=LINEAR_KNEE) ** (1 / 2.4) - 0.055
    return torch.where(linear <= LINEAR_KNEE, 12.92 * linear, curve)


def _compress(share: Tensor) -> Tensor:
    """CIE's f, from values relative to the white point to the scale of L*, a* and b*."""
    root = share.clamp(min=_LAB_KNEE**3) ** (1 / 3)
    line = share / (3 * _LAB_KNEE**2) + 4 / 29
    return torch.where(share > _LAB_KNEE**3, root, line)


def _expand(value: Tensor) -> Tensor:
    """The inverse of `_compress`."""
    line = 3 * _LAB_KNEE**2 * (value - 4 / 29)
    return torch.where(value > _LAB_KNEE, value**3, line)


OUTPUTS: Mapping[str, type[OutputLayer]] = {
    "rgb": RGB,
    "residual": Residual,
    "lab": Lab,
    "ycbcr": YCbCr,
    "classes": ColourClasses,
}
"""All output layers by name, the values of ``network.output``."""
