"""A limit on the time that a translation takes."""

import time
from collections.abc import Callable

import torch
from torch import nn


class TooLongError(Exception):
    """A translation took longer than it may."""


class Deadline:
    """The moment by which work has to be done.

    Args:
        seconds: From now.
        clock: What says how late it is, in seconds.
    """

    def __init__(
        self, seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._clock = clock
        self._end = clock() + seconds

    def check(self) -> None:
        """Go on, or not.

        Raises:
            TooLongError: The moment has passed.
        """
        if self._clock() > self._end:
            raise TooLongError


class Timed(nn.Module):
    """A network that stops at a deadline; a large photograph calls it for every tile.

    Args:
        network: What translates; not changed.
        deadline: When that ends.
    """

    def __init__(self, network: nn.Module, deadline: Deadline) -> None:
        super().__init__()
        self.network, self._deadline = network, deadline

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """As the network does, N×3×S×S in [-1, 1].

        Raises:
            TooLongError: It is too late.
        """
        self._deadline.check()
        return self.network(images)
