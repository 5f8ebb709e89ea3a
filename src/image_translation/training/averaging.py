"""Batch statistics of averaged weights."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from image_translation.training.devices import Device
from image_translation.training.plan import choose_pairs
from image_translation.training.tensors import to_tensor

PAIRS = 128
"""Images that the statistics are taken from, or all where there are fewer."""


@torch.no_grad()
def recompute_statistics(
    network: nn.Module, inputs: NDArray[np.uint8], batch_size: int, device: Device
) -> None:
    """Give averaged weights batch statistics of their own.

    Those of the raw weights belong to other activations (Izmailov, Podoprikhin, Garipov,
    Vetrov & Wilson 2018, "Averaging weights leads to wider optima and better
    generalization", section 3.2). As in training, they are the means of the statistics
    of batches; dropout is off, so that the same images give the same statistics.

    Args:
        network: Its batch norms are changed; left in evaluation mode.
        inputs: Training images, uint8, N×S×S×3; ``PAIRS`` of them, evenly spread, are
            read.
        batch_size: Images in a batch of training.
        device: Where the network is, and how exactly it computes.
    """
    network.eval()
    norms = [
        module for module in network.modules() if isinstance(module, nn.BatchNorm2d)
    ]
    if not norms:
        return
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the mean of all batches, not a moving one
        norm.train()
    for positions in choose_pairs(len(inputs), PAIRS).split(batch_size):
        images = to_tensor(inputs[positions.numpy()]).to(device.kind)
        with device.autocast():
            network(images)
    network.eval()
