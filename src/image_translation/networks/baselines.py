"""Networks without training, which every trained network has to beat."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from image_translation.common.names import COPY_INPUT


class CopyInput(nn.Module):
    """Returns the input."""

    def forward(self, inputs: Tensor) -> Tensor:
        return inputs


class MeanTarget(nn.Module):
    """Returns the same image for every input: the mean of the training targets.

    Of all constant images it has the smallest mean squared error on them.

    Args:
        image_size: Height and width in pixels.

    Attributes:
        image: The mean, 1×3×H×W in [-1, 1]; mid-grey until `set_mean`.
    """

    image: Tensor

    def __init__(self, image_size: int = 256) -> None:
        super().__init__()
        self.register_buffer("image", torch.zeros(1, 3, image_size, image_size))

    def set_mean(self, targets: NDArray[np.uint8]) -> None:
        """Set the image to the mean of the targets, N×H×W×3."""
        mean = np.mean(targets, axis=0, keepdims=True, dtype=np.float64)
        self.image.copy_(torch.from_numpy(mean).permute(0, 3, 1, 2) / 127.5 - 1)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the mean image once for every input, N×3×H×W in [-1, 1]."""
        return self.image.expand(len(inputs), -1, -1, -1)


def build_baseline(name: str, image_size: int) -> nn.Module:
    """Build one of ``common.names.BASELINES``."""
    return CopyInput() if name == COPY_INPUT else MeanTarget(image_size)
