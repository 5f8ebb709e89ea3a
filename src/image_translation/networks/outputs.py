"""Output layers: from the values that a generator predicts to an image.

Each maps the input image, N×3×H×W in [-1, 1], and the output of the last block,
N×``channels``×H×W in (-1, 1), to an image, N×3×H×W in [-1, 1]. All are differentiable and
have no weights.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from image_translation.imaging.luma import LUMA_WEIGHTS
from image_translation.imaging.srgb import LINEAR_KNEE, SRGB_KNEE, TO_XYZ, WHITE

LUMA = LUMA_WEIGHTS.tolist()

CB_RANGE, CR_RANGE = (2 * (1 - LUMA[i]) for i in (2, 0))
"""Factors of Cb and Cr, in [-1, 1], that give B' − Y' and R' − Y'."""

AB_RANGE = 110.0
"""Largest predicted a* and b*; those of sRGB are at most 108."""

TINY = 1e-6

_LAB_KNEE = 6 / 29
_FROM_SHARES = (torch.linalg.inv(torch.Tensor(TO_XYZ)) * torch.Tensor(WHITE)).tolist()
"""From X, Y and Z relative to the white point to linear sRGB."""


class RGB(nn.Module):
    """Predicts the image itself, as published."""

    channels = 3

    def forward(self, inputs: Tensor, values: Tensor) -> Tensor:
        return values


class Residual(nn.Module):
    """Predicts a correction of the input.

    He et al. (2016), "Deep residual learning for image recognition", for whole images as
    in Zhang et al. (2017), "Beyond a Gaussian denoiser": only
    the changes have to be learned.
    """

    channels = 3

    def forward(self, inputs: Tensor, values: Tensor) -> Tensor:
        """Add twice the values, enough to reach any image from any other, and clamp."""
        return (inputs + 2 * values).clamp(-1, 1)


class YCbCr(nn.Module):
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
        cb, cr = values.float().split(1, dim=1)
        b, r = CB_RANGE * cb, CR_RANGE * cr
        g = -(LUMA[0] * r + LUMA[2] * b) / LUMA[1]
        offset = torch.cat([r, g, b], dim=1)
        up = offset.amax(1, keepdim=True).clamp(min=TINY)
        down = (-offset.amin(1, keepdim=True)).clamp(min=TINY)
        share = torch.minimum((1 - y) / up, (1 + y) / down).clamp(0, 1)
        return (y + share * offset).clamp(-1, 1)  # up to rounding it is inside


class Lab(nn.Module):
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


OUTPUTS: Mapping[str, type[RGB | Residual | Lab | YCbCr]] = {
    "rgb": RGB,
    "residual": Residual,
    "lab": Lab,
    "ycbcr": YCbCr,
}
"""All output layers by name, the values of ``network.output``."""
