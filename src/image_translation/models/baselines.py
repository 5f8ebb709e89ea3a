"""Networks that learn nothing: what every other one has to beat."""

import torch
from torch import Tensor, nn


class CopyInput(nn.Module):
    """Gives the input back."""

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the input, N×3×H×W, as it is."""
        return inputs


class MeanTarget(nn.Module):
    """Gives the same image whatever the input: the mean of the training targets.

    Of all constant images it has the least mean squared error on them.

    Args:
        image_size: Height and width in pixels.

    Attributes:
        image: The mean, 1×3×H×W in [-1, 1]; mid-grey until it is set.
    """

    image: Tensor

    def __init__(self, image_size: int = 256) -> None:
        super().__init__()
        self.register_buffer("image", torch.zeros(1, 3, image_size, image_size))

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the mean image once for every input, N×3×H×W in [-1, 1]."""
        return self.image.expand(len(inputs), -1, -1, -1)
