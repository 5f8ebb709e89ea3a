"""Differentiable augmentation of what a discriminator sees.

Zhao, Liu, Lin, Zhu & Han 2020, "Differentiable augmentation for data-efficient GAN
training" (DiffAugment): with few pairs a discriminator memorizes them; if it sees real and
generated pairs only after the same kinds of random changes, it cannot, and the gradients
still reach the generator. The strengths are those of the paper's code. PyTorch is imported
inside the functions, so that settings can be read without it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from torch import Tensor

SHIFT = 1 / 8
"""Largest translation, as a share of the side."""

CUT = 1 / 2
"""Side of the square that is cut out, as a share of the image's."""

DRAWS = 7
"""Random numbers of a pair: three for colour, two each for translation and cutout."""


@dataclass(frozen=True)
class PairChange:
    """A random change of each pair of a batch.

    One change serves the real and the generated pairs of a batch, so their features stay
    comparable.

    Attributes:
        kinds: Keys of ``CHANGES``, in the order in which they are applied.
        draws: Random numbers, (N, ``DRAWS``) in [0, 1).
    """

    kinds: Sequence[str]
    draws: Tensor

    @classmethod
    def draw(cls, kinds: Sequence[str], count: int, device: torch.device) -> PairChange:
        """Draw a change for each of ``count`` pairs from torch's random numbers.

        Without kinds nothing is drawn: later random numbers stay the same.
        """
        import torch

        draws = torch.rand(count if kinds else 0, DRAWS)
        return cls(kinds, draws.to(device))

    def __call__(self, inputs: Tensor, images: Tensor) -> tuple[Tensor, Tensor]:
        """Change pairs, N×3×S×S each in [-1, 1]."""
        for kind in self.kinds:
            inputs, images = CHANGES[kind](inputs, images, self.draws)
        return inputs, images


def _change_colour(
    inputs: Tensor, images: Tensor, draws: Tensor
) -> tuple[Tensor, Tensor]:
    """Brightness, saturation and contrast of the image; the input stays as it is."""
    brightness, saturation, contrast = draws[:, :3, None, None, None].unbind(dim=1)
    images = images + brightness - 0.5
    grey = images.mean(dim=1, keepdim=True)
    images = grey + 2 * saturation * (images - grey)
    mean = images.mean(dim=(1, 2, 3), keepdim=True)
    return inputs, mean + (contrast + 0.5) * (images - mean)


def _translate(inputs: Tensor, images: Tensor, draws: Tensor) -> tuple[Tensor, Tensor]:
    """Shift both images by up to an eighth; what comes in is 0, mid-grey."""
    import torch

    size = images.shape[-1]
    most = round(size * SHIFT)
    shifts = (draws[:, 3:5] * (2 * most + 1)).long() - most  # (N, 2)
    places = torch.arange(size, device=images.device) + shifts[:, :, None]  # (N, 2, S)
    inside = (places >= 0) & (places < size)
    rows, columns = places.clamp(0, size - 1).unbind(1)  # (N, S) each
    kept = inside[:, 0, :, None] & inside[:, 1, None, :]  # (N, S, S)
    number = torch.arange(len(images), device=images.device)[:, None, None]

    def shift(pixels: Tensor) -> Tensor:
        moved = pixels.permute(0, 2, 3, 1)[number, rows[:, :, None], columns[:, None]]
        return moved.permute(0, 3, 1, 2) * kept[:, None]

    return shift(inputs), shift(images)


def _cut_out(inputs: Tensor, images: Tensor, draws: Tensor) -> tuple[Tensor, Tensor]:
    """Set a square of half the side to 0 in both images; it may reach over the border."""
    import torch

    size = images.shape[-1]
    half = round(size * CUT) // 2
    centres = (draws[:, 5:7] * size).long()[:, :, None]  # (N, 2, 1)
    distances = (torch.arange(size, device=images.device) - centres).abs()  # (N, 2, S)
    is_near = distances < half
    kept = ~(is_near[:, 0, :, None] & is_near[:, 1, None, :])[:, None]  # (N, 1, S, S)
    return inputs * kept, images * kept


_Change = Callable[["Tensor", "Tensor", "Tensor"], tuple["Tensor", "Tensor"]]

CHANGES: Mapping[str, _Change] = {
    "colour": _change_colour,
    "translation": _translate,
    "cutout": _cut_out,
}
"""Changes of inputs, images and random numbers."""
