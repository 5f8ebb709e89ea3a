"""The plan of an epoch: the order of the pairs, and how each is augmented.

A plan follows from the seed and the epoch alone. So all models of a seed see the same
data in the same order, a training can resume in the middle of an epoch, and several
processes agree without communication.
"""

from dataclasses import dataclass, fields

import torch
from torch import Tensor

_SEEDS_APART = 1_000_003  # more than any number of epochs; a prime


@dataclass(frozen=True)
class EpochPlan:
    """Order and augmentation of the pairs of an epoch.

    Attributes:
        order: Positions of the pairs, (N,) int64, each once.
        offsets: Position of the n-th crop, (N, 2) in [0, 1): vertical and horizontal,
            relative to the free space.
        flips: Whether the n-th pair is mirrored, (N,) bool.
        zooms: Enlargement of the n-th pair, relative to the largest, (N,) in [0, 1).
        tones: Change of the brightness and of the chroma of the n-th pair, relative to
            the largest, (N, 2) in [-1, 1).
    """

    order: Tensor
    offsets: Tensor
    flips: Tensor
    zooms: Tensor
    tones: Tensor

    def __getitem__(self, part: slice) -> "EpochPlan":
        """The plan of a part of the pairs."""
        return EpochPlan(*(getattr(self, field.name)[part] for field in fields(self)))


def choose_pairs(pairs: int, limit: int | None) -> Tensor:
    """Choose the pairs to train on, evenly spread over all.

    The same for every model and seed, so that all have the same budget.

    Args:
        pairs: Number of pairs.
        limit: Number of pairs to choose; None for all.

    Returns:
        Positions of pairs, (N,) int64, ascending.
    """
    count = min(limit or pairs, pairs)
    return torch.arange(count) * pairs // max(count, 1)


def plan_epoch(pairs: int, seed: int, epoch: int) -> EpochPlan:
    """Draw the plan of an epoch.

    Args:
        pairs: Number of pairs.
        seed: Seed of the training.
        epoch: Number of the epoch, from 1.
    """
    generator = torch.Generator().manual_seed(seed * _SEEDS_APART + epoch)
    return EpochPlan(
        order=torch.randperm(pairs, generator=generator),
        offsets=torch.rand(pairs, 2, generator=generator),
        flips=torch.rand(pairs, generator=generator) < 0.5,
        zooms=torch.rand(pairs, generator=generator),
        tones=2 * torch.rand(pairs, 2, generator=generator) - 1,
    )
