"""Time limit of a translation."""

import io
import time
from collections.abc import Callable
from typing import Any, BinaryIO

from PIL import ImageFile

_PART = 2**14


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


class TimedReader(io.RawIOBase):
    """A file that raises ``TooLongError`` when it is read after a deadline.

    Decoders read in blocks, some of them byte by byte, so a crafted file can keep them
    busy for hours.
    """

    def __init__(self, file: BinaryIO, deadline: Deadline) -> None:
        self._file, self._deadline = file, deadline

    def read(self, size: int = -1, /) -> bytes:
        """Read bytes, as a file does; at most ``_PART`` bytes of Pillow's largest block."""
        self._deadline.check()
        # Pillow processes the comments of a block in quadratic time. After a short read,
        # it asks for the rest.
        return self._file.read(_PART if size == ImageFile.SAFEBLOCK else size)

    def readinto(self, buffer: Any, /) -> int:
        """Read bytes into a buffer, as a file does."""
        self._deadline.check()
        return self._file.readinto(buffer)  # type: ignore[attr-defined]

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Move to a position, as a file does."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """The current position, as of a file."""
        return self._file.tell()

    def readable(self) -> bool:
        """True."""
        return True

    def seekable(self) -> bool:
        """True."""
        return True
