"""The plan of an epoch: which pair comes when, and how it is changed.

A plan follows from the seed and the epoch alone. So all models of a seed see the same
data in the same order, a training that goes on in the middle of an epoch finds its place,
and several processes agree without a word.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

_SEEDS_APART = 1_000_003  # more than any number of epochs; a prime


@dataclass(frozen=True)
class EpochPlan:
    """One epoch, pair by pair.

    Attributes:
        order: Positions of the pairs, (N,) int64, each once.
        offsets: Where the crop of the n-th of them lies, (N, 2) in [0, 1), as a share
            of the room from the top and from the left.
        flips: Whether the n-th of them is mirrored, (N,) bool.
    """

    order: Tensor
    offsets: Tensor
    flips: Tensor

    def __getitem__(self, part: slice) -> "EpochPlan":
        """A part of the epoch."""
        return EpochPlan(self.order[part], self.offsets[part], self.flips[part])


def choose_pairs(pairs: int, wanted: int | None) -> Tensor:
    """Which pairs are trained on: so many, evenly spread over all.

    The same for every model and seed, so that a smaller budget is the same for all.

    Args:
        pairs: How many pairs there are.
        wanted: How many are wanted; all if None or more than there are.

    Returns:
        Positions of pairs, (N,) int64, ascending.
    """
    count = min(wanted or pairs, pairs)
    return torch.arange(count) * pairs // max(count, 1)


def plan_epoch(pairs: int, seed: int, epoch: int) -> EpochPlan:
    """Draw the plan of an epoch.

    Args:
        pairs: How many pairs there are.
        seed: Seed of the training.
        epoch: Number of the epoch, from 1.
    """
    chance = torch.Generator().manual_seed(seed * _SEEDS_APART + epoch)
    return EpochPlan(
        order=torch.randperm(pairs, generator=chance),
        offsets=torch.rand(pairs, 2, generator=chance),
        flips=torch.rand(pairs, generator=chance) < 0.5,
    )
