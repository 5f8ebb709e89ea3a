"""Batches of augmented pairs as tensors, read from memory-mapped arrays."""

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from image_translation.pairing.arrays import PairArrays
from image_translation.training.augmentation import augment, change_tone
from image_translation.training.devices import Device
from image_translation.training.plan import EpochPlan, choose_pairs, plan_epoch
from image_translation.training.settings import TrainingSettings
from image_translation.training.tensors import HALF_RANGE

SHARE_OF_GPU = 0.4
"""Data sets smaller than this share of the free GPU memory are kept on the GPU."""


class Batch(NamedTuple):
    """Pairs of one batch, and its part in a step of the optimizer.

    A step takes the gradients of a group of ``training.accumulate`` batches, in all
    processes.

    Attributes:
        inputs: N×3×S×S in [-1, 1].
        targets: N×3×S×S in [-1, 1].
        total: Pairs of the batch in all processes.
        weight: Pairs of this process, relative to the mean over processes of the pairs
            in the group; 0 in a process without any, which takes part with another's.
        is_last: Whether the batch is the last of its group.
    """

    inputs: Tensor
    targets: Tensor
    total: int
    weight: float = 1.0
    is_last: bool = True


class Batches:
    """The training pairs of every epoch, augmented, in batches.

    Args:
        pairs: The pairs; read when they are needed, or kept on the GPU if they fit.
        training: Number of pairs, batch size, augmentation and seed.
        replicate: Number of the replicate; added to the seed.
        device: Device of the batches.
        rank: Rank of this process; each takes its part of every batch.
        world: Number of processes.
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
        self._images = [self._hold(a) for a in (pairs.inputs, pairs.targets)]

    def __len__(self) -> int:
        return math.ceil(self._count / self._training.batch_size)

    def epoch(self, number: int, start: int = 0) -> Iterator[Batch]:
        """The batches of an epoch; the last one may be smaller.

        Args:
            number: Of the epoch, from 1.
            start: The first batch to yield, from 0.
        """
        plan = plan_epoch(self._count, self._seed, number)
        plan = replace(plan, order=self._chosen[plan.order])
        size, accumulate = self._training.batch_size, self._training.accumulate
        for index in range(start, len(self)):
            whole = plan[index * size : (index + 1) * size]
            own = whole[slice(self._rank, None, self._world)]
            count = len(own.order)
            taken = own if count else whole[:1]
            inputs, targets = (self._read(images, taken) for images in self._images)
            group = index // accumulate * accumulate * size  # its first pair
            pairs = min(accumulate * size, self._count - group)
            is_last = (index + 1) % accumulate == 0 or index + 1 == len(self)
            weight = count * self._world / pairs
            yield Batch(inputs, targets, len(whole.order), weight, is_last)

    def _hold(self, images: NDArray[np.uint8]) -> NDArray[np.uint8] | Tensor:
        if not self._is_held:
            return images
        return torch.from_numpy(np.array(images)).to(self._device.kind)

    def _read(self, images: NDArray[np.uint8] | Tensor, plan: EpochPlan) -> Tensor:
        if isinstance(images, Tensor):
            pixels = images[plan.order.to(images.device)]
        else:
            pixels = torch.from_numpy(images[plan.order.numpy()]).to(self._device.kind)
        # Resized as floats: 8-bit images would be rounded, and only on a CPU.
        floats = pixels.permute(0, 3, 1, 2).float()  # (N, 3, S, S), channels last
        training = self._training
        changed = augment(
            floats,
            plan,
            jitter=training.jitter,
            flip=training.flip,
            random_jitter=training.random_jitter,
        )
        changed = change_tone(
            changed, plan, gamma=training.gamma, chroma=training.chroma
        )
        return changed.div_(HALF_RANGE).sub_(1)


def _free_gpu_memory(device: Device) -> int:
    return torch.cuda.mem_get_info()[0] if device.kind == "cuda" else 0
