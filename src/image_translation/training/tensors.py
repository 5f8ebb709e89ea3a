"""Conversion of 8-bit images to tensors in [-1, 1] and back."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

HALF_RANGE = 127.5


def to_tensor(images: NDArray[np.uint8]) -> Tensor:
    """Convert images to the tensors that networks take.

    Args:
        images: uint8, N×H×W×3; copied, so that a memory map is not changed.

    Returns:
        float32, N×3×H×W in [-1, 1], channels last in memory as the images are.
    """
    pixels = torch.from_numpy(np.array(images)).permute(0, 3, 1, 2)
    return pixels.float().div_(HALF_RANGE).sub_(1)


def to_uint8(tensor: Tensor) -> NDArray[np.uint8]:
    """Convert the output of networks to images; the exact inverse of `to_tensor`.

    Args:
        tensor: N×3×H×W in [-1, 1], on any device; other values are clipped.

    Returns:
        uint8, N×H×W×3, rounded to the nearest level.
    """
    levels = tensor.detach().float().add(1).mul(HALF_RANGE).round().clamp(0, 255)
    return levels.to(torch.uint8).permute(0, 2, 3, 1).contiguous().cpu().numpy()
