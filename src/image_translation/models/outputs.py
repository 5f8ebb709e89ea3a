"""What a generator predicts, and how an image comes of it.

Each output takes the input image, N×3×H×W in [-1, 1], and what the last block gave,
N×``channels``×H×W in (-1, 1), and gives an image, N×3×H×W in [-1, 1]. All are
differentiable and have no weights.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

LUMA = (0.299, 0.587, 0.114)
"""Of R', G' and B' in Y', ITU-R BT.601."""

CB_RANGE, CR_RANGE = (2 * (1 - LUMA[i]) for i in (2, 0))
"""What Cb and Cr, in [-1, 1], are multiplied by to give B' − Y' and R' − Y'."""

AB_RANGE = 110.0
"""Largest a* and b* that are predicted; sRGB ends at 108."""

TINY = 1e-6

_SRGB_KNEE, _LINEAR_KNEE = 0.04045, 0.0031308
_LAB_KNEE = 6 / 29
_WHITE = (0.95047, 1.0, 1.08883)
_TO_XYZ = (
    (0.412453, 0.357580, 0.180423),
    (0.212671, 0.715160, 0.072169),
    (0.019334, 0.119193, 0.950227),
)
"""sRGB's primaries and the white point D65, IEC 61966-2-1."""

_FROM_SHARES = (torch.linalg.inv(torch.tensor(_TO_XYZ)) * torch.tensor(_WHITE)).tolist()
"""From X, Y and Z in shares of the white point to linear sRGB."""


class RGB(nn.Module):
    """The image itself, as published."""

    channels = 3

    def forward(self, inputs: Tensor, values: Tensor) -> Tensor:
        """Give the values as they are."""
        return values


class Residual(nn.Module):
    """The input and a correction of it.

    He et al. (2016), "Deep residual learning for image recognition", for whole images as
    in Zhang et al. (2017), "Beyond a Gaussian denoiser": what stays need not be learnt.
    """

    channels = 3

    def forward(self, inputs: Tensor, values: Tensor) -> Tensor:
        """Add twice the values, which reaches any image from any other, and clamp."""
        return (inputs + 2 * values).clamp(-1, 1)


class YCbCr(nn.Module):
    """Cb and Cr under the luma of the input, ITU-R BT.601.

    For colorization: grey inputs that are the luma of their targets, as those of the
    recipe ``grayscale`` are, are then kept exactly. A colour that cannot be shown at its
    luma is brought nearer to grey, in its own hue, as far as need be.
    """

    channels = 2

    def forward(self, inputs: Tensor, values: Tensor) -> Tensor:
        """Colour the luma of the inputs."""
        red, green, blue = inputs.float().split(1, dim=1)
        y = LUMA[0] * red + LUMA[1] * green + LUMA[2] * blue  # (N, 1, H, W)
        cb, cr = values.float().split(1, dim=1)
        b, r = CB_RANGE * cb, CR_RANGE * cr
        g = -(LUMA[0] * r + LUMA[2] * b) / LUMA[1]
        offset = torch.cat([r, g, b], dim=1)
        up = offset.amax(1, keepdim=True).clamp(min=TINY)
        down = (-offset.amin(1, keepdim=True)).clamp(min=TINY)
        share = torch.minimum((1 - y) / up, (1 + y) / down).clamp(0, 1)
        return (y + share * offset).clamp(-1, 1)  # but for roundings it lies there


class Lab(nn.Module):
    """a* and b* under the lightness L* of the input.

    Zhang, Isola & Efros (2016), "Colorful image colorization", section 2; CIE 1976
    L*a*b* of sRGB under D65. A colour that sRGB does not have is clipped to it, which
    changes its lightness. Mind that L* of a grey made by luma is not L* of the colours
    it was made from; there ``ycbcr`` is exact.
    """

    channels = 2

    def forward(self, inputs: Tensor, values: Tensor) -> Tensor:
        """Colour the lightness of the inputs."""
        red, green, blue = _to_linear((inputs.float() + 1) / 2).split(1, dim=1)
        weights = _TO_XYZ[1]
        fy = _compress(weights[0] * red + weights[1] * green + weights[2] * blue)
        a, b = (AB_RANGE * values.float()).split(1, dim=1)
        xyz = torch.cat([_expand(fy + a / 500), _expand(fy), _expand(fy - b / 200)], 1)
        linear = torch.einsum("ij,njhw->nihw", xyz.new_tensor(_FROM_SHARES), xyz)
        return 2 * _from_linear(linear.clamp(0, 1)) - 1


def _to_linear(srgb: Tensor) -> Tensor:
    """Linear light of sRGB in [0, 1]."""
    curve = ((srgb + 0.055) / 1.055) ** 2.4
    return torch.where(srgb <= _SRGB_KNEE, srgb / 12.92, curve)


def _from_linear(linear: Tensor) -> Tensor:
    """sRGB of linear light in [0, 1]; undoes `_to_linear`."""
    # Clamped below the knee, where the curve is not used: its slope is infinite at 0.
    curve = 1.055 * linear.clamp(min=_LINEAR_KNEE) ** (1 / 2.4) - 0.055
    return torch.where(linear <= _LINEAR_KNEE, 12.92 * linear, curve)


def _compress(share: Tensor) -> Tensor:
    """CIE's f: from shares of the white point to the scale of L*, a* and b*."""
    root = share.clamp(min=_LAB_KNEE**3) ** (1 / 3)
    line = share / (3 * _LAB_KNEE**2) + 4 / 29
    return torch.where(share > _LAB_KNEE**3, root, line)


def _expand(value: Tensor) -> Tensor:
    """Undoes `_compress`."""
    line = 3 * _LAB_KNEE**2 * (value - 4 / 29)
    return torch.where(value > _LAB_KNEE, value**3, line)


OUTPUTS: Mapping[str, type[RGB | Residual | Lab | YCbCr]] = {
    "rgb": RGB,
    "residual": Residual,
    "lab": Lab,
    "ycbcr": YCbCr,
}
"""All outputs by the name that ``network.output`` gives them."""
