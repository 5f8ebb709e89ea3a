"""Time limit of a translation."""

import time
from collections.abc import Callable


class TooLongError(Exception):
    """A translation exceeded its time limit."""


class Deadline:
    """A point in time by which work must be done.

    Args:
        seconds: Time from now.
        clock: Returns the current time in seconds.
    """

    def __init__(
        self, seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._clock = clock
        self._end = clock() + seconds

    def check(self) -> None:
        """Raise an error after the deadline.

        Raises:
            TooLongError: The deadline has passed.
        """
        if self._clock() > self._end:
            raise TooLongError
