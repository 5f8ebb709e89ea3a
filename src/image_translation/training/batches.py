"""Batches of pairs, from memory-mapped arrays to what a network takes."""

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from image_translation.pairing.arrays import PairArrays
from image_translation.training.augmentation import augment
from image_translation.training.devices import Device
from image_translation.training.plan import EpochPlan, choose_pairs, plan_epoch
from image_translation.training.settings import TrainingSettings
from image_translation.training.tensors import HALF_RANGE

SHARE_OF_GPU = 0.4
"""Sets that take a smaller share of the free GPU memory are kept there as a whole."""


class Batches:
    """The training pairs of every epoch, augmented, in batches.

    Args:
        pairs: The pairs; read as they are needed, or kept on the GPU where they fit.
        training: Which pairs, size of the batches, augmentation, and the seed with ``replicate``.
        replicate: Number of the replicate; added to the seed.
        device: Where the batches are wanted.
        rank: Which of several processes this is; each takes its share of every batch.
        world: How many processes there are.
    """

    def __init__(
        self,
        pairs: PairArrays,
        training: TrainingSettings,
        replicate: int,
        device: Device,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        self._training = training
        self._seed = training.seed + replicate
        self._device = device
        self._rank, self._world = rank, world
        self._chosen = choose_pairs(len(pairs), training.pairs)
        self._count = len(self._chosen)
        size = pairs.inputs.nbytes + pairs.targets.nbytes
        self._is_held = size < SHARE_OF_GPU * _free_gpu_memory(device)
        self._sides = [self._hold(side) for side in (pairs.inputs, pairs.targets)]

    def __len__(self) -> int:
        return math.ceil(self._count / self._training.batch_size)

    def epoch(
        self, number: int, start: int = 0
    ) -> Iterator[tuple[Tensor, Tensor, int]]:
        """The batches of an epoch, the last of which may be short.

        Args:
            number: Of the epoch, from 1.
            start: The batch to begin with.

        Yields:
            Inputs and targets of this process, N×3×S×S in [-1, 1], and how many pairs
            the batch has in all processes together.
        """
        plan = plan_epoch(self._count, self._seed, number)
        plan = replace(plan, order=self._chosen[plan.order])
        size = self._training.batch_size
        for first in range(start * size, self._count, size):
            whole = plan[first : first + size]
            own = whole[slice(self._rank, None, self._world)]
            inputs, targets = (self._read(side, own) for side in self._sides)
            yield inputs, targets, len(whole.order)

    def _hold(self, side: NDArray[np.uint8]) -> NDArray[np.uint8] | Tensor:
        if not self._is_held:
            return side
        return torch.from_numpy(np.array(side)).to(self._device.kind)

    def _read(self, side: NDArray[np.uint8] | Tensor, plan: EpochPlan) -> Tensor:
        if isinstance(side, Tensor):
            pixels = side[plan.order.to(side.device)]
        else:
            pixels = torch.from_numpy(side[plan.order.numpy()]).to(self._device.kind)
        # Resized as floats: 8-bit images would be rounded, and only on a CPU.
        images = pixels.permute(0, 3, 1, 2).float()  # (N, 3, S, S), channels last
        training = self._training
        images = augment(images, plan, jitter=training.jitter, flip=training.flip)
        return images.div_(HALF_RANGE).sub_(1)


def _free_gpu_memory(device: Device) -> int:
    return torch.cuda.mem_get_info()[0] if device.kind == "cuda" else 0
