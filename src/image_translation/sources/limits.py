"""Limits of downloads: size, number of files and total time."""

import contextvars
import ctypes
import threading
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

MAX_BYTES = 200 << 30
"""Maximum size of a download in bytes, unless the free disk space is less."""

MAX_SECONDS = 12 * 3600.0
"""Maximum duration of a download in seconds."""

MAX_FILES = 500_000
"""Maximum number of files of a download."""

REMEDY = "download it yourself, and pass the folder or the archive"

_SECONDS_BETWEEN_LOOKS = 0.5
_SECONDS_TO_STOP = 5.0


class DownloadLimitError(Exception):
    """A download exceeded a limit; the message names it."""


class Meter:
    """Counts the bytes of a download.

    Args:
        limit: Maximum number of bytes.
    """

    def __init__(self, limit: int) -> None:
        self._left, self._limit = limit, limit
        self.is_exceeded = False

    def add(self, count: int) -> None:
        """Count received bytes.

        Raises:
            DownloadLimitError: More bytes were received than allowed.
        """
        self._left -= count
        self.require(0)

    def require(self, count: int) -> None:
        """Check that this number of further bytes is allowed.

        Raises:
            DownloadLimitError: The bytes exceed the limit.
        """
        if count > self._left or self.is_exceeded:
            self.is_exceeded = True
            raise DownloadLimitError(
                f"is larger than {self._limit / 2**30:,.1f} GiB (the limit or the free "
                "disk space)"
            )


def run_limited(
    work: Callable[[], T], seconds: float, watch: Callable[[], object] = lambda: None
) -> T:
    """Run a download in a thread, to limit its total time.

    A client may wait for a server forever, or receive single bytes at long intervals.

    Args:
        work: The download.
        seconds: Its maximum duration.
        watch: Called at most twice a second, and at the end; an error that it raises
            stops the download.

    Raises:
        DownloadLimitError: The download takes longer.
    """
    done = threading.Event()
    results: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(work())
        except BaseException as error:  # noqa: BLE001 - raised in the caller's thread
            errors.append(error)
        finally:
            done.set()

    context = contextvars.copy_context()
    thread = threading.Thread(target=context.run, args=(run,), daemon=True)
    thread.start()
    end = time.monotonic() + seconds
    pause = _SECONDS_BETWEEN_LOOKS
    try:
        while not done.wait(min(pause, end - time.monotonic())):
            start = time.monotonic()
            watch()
            pause = max(pause, 10 * (time.monotonic() - start))
            if time.monotonic() >= end:
                raise DownloadLimitError(f"takes longer than {seconds / 3600:g} hours")
    except BaseException:
        _stop(thread)
        raise
    if errors:
        raise errors[0]
    watch()
    return results[0]


def _stop(thread: threading.Thread) -> None:
    """Raise ``SystemExit`` in a thread at its next instruction."""
    if thread.ident is not None:
        ctypes.pythonapi.PyThreadState_SetAsyncExc(
            ctypes.c_ulong(thread.ident), ctypes.py_object(SystemExit)
        )
    thread.join(_SECONDS_TO_STOP)
