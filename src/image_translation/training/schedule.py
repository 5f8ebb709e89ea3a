"""Schedules of the learning rate."""

import math
from typing import Literal

Schedule = Literal["constant", "linear", "cosine"]


def learning_rate_factor(schedule: Schedule, epoch: int, epochs: int) -> float:
    """Factor of the learning rate in an epoch.

    Args:
        schedule: ``constant``; ``linear``, as in the published code of pix2pix: constant
            in the first half of the epochs, then in equal steps towards zero; or
            ``cosine`` (Loshchilov & Hutter 2017, without restarts).
        epoch: From 1.
        epochs: Number of epochs.

    Returns:
        In (0, 1].

    >>> [learning_rate_factor("linear", epoch, 4) for epoch in (1, 2, 3, 4)]
    [1.0, 1.0, 0.6666666666666666, 0.3333333333333333]
    """
    if schedule == "linear":
        constant = epochs // 2
        steps = epochs - constant + 1  # the step after the last epoch reaches zero
        return 1.0 - max(0, epoch - constant) / steps
    if schedule == "cosine":
        return 0.5 * (1 + math.cos(math.pi * (epoch - 1) / epochs))
    return 1.0


def warm_up_factor(batches: int, done: int) -> float:
    """Factor of the learning rate at the start, which rises linearly to 1.

    Goyal et al. 2017, "Accurate, large minibatch SGD", section 2.2.

    Args:
        batches: Length of the warm-up; 0 for none.
        done: Batches before this one, of all epochs.

    >>> [warm_up_factor(4, done) for done in (0, 1, 3, 9)]
    [0.25, 0.5, 1.0, 1.0]
    """
    return min(1.0, (done + 1) / batches) if batches else 1.0
