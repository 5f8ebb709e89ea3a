"""A limit on the time that a translation takes."""

import time
from collections.abc import Callable


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
