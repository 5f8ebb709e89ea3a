"""Moving averages of weights, and batch statistics that fit them."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from image_translation.training.devices import Device
from image_translation.training.plan import choose_pairs
from image_translation.training.tensors import to_tensor

PAIRS = 128
"""Images from which batch statistics are computed, or all if there are fewer."""


@torch.no_grad()
def update_average(
    average: nn.Module, network: nn.Module, decay: float, step: int
) -> None:
    """Move averaged weights one step towards the weights of a network.

    The decay rises with the steps, from 2 / 11 by (1 + n) / (10 + n) at step n, up to
    ``decay``, so that the random initial weights are soon forgotten (`num_updates` of
    TensorFlow's ExponentialMovingAverage). Batch statistics stay as they are;
    `recompute_statistics` computes them before they are used.
    """
    decay = min(decay, (1 + step) / (10 + step))
    averages: list[Tensor] = list(average.parameters())
    current: list[Tensor] = list(network.parameters())
    get_ema_multi_avg_fn(decay)(averages, current, None)


@torch.no_grad()
def recompute_statistics(
    network: nn.Module, inputs: NDArray[np.uint8], batch_size: int, device: Device
) -> None:
    """Compute the batch statistics of averaged weights.

    Those of the raw weights belong to other activations (Izmailov, Podoprikhin, Garipov,
    Vetrov & Wilson 2018, "Averaging weights leads to wider optima and better
    generalization", section 3.2). As in training, they are the means of the statistics
    of batches; dropout is off, so that the same images give the same statistics.

    Args:
        network: Its batch norms are changed; it is left in evaluation mode.
        inputs: Training images, uint8, N×S×S×3; ``PAIRS`` of them, evenly spread, are
            read.
        batch_size: Images in a training batch.
        device: Device of the network, and precision.
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
