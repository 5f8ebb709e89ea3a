"""Stop commands within seconds of SIGINT or SIGTERM, even in a library call."""

import atexit
import os
import select
import signal
import socket
import sys
import threading
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from types import FrameType

from image_translation.hooks.stop import record_stop
from image_translation.training.interruption import SIGNALS, Stopped

SECONDS_TO_STOP = 10.0
"""Seconds after which a process that received a signal is ended."""

SECONDS_TO_RECORD = 2.0

_END = b"\0"


@contextmanager
def stoppable() -> Iterator[None]:
    """Raise `Stopped` on SIGINT and SIGTERM; trainings handle these signals themselves.

    A thread ends the process with the signal's exit code at the second signal, or if the
    first has no effect for ``SECONDS_TO_STOP``, for example during a long library call. It
    does so even after the context, if another thread delays the exit of the interpreter.
    A stopped process exits without freeing its memory, which would take seconds.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    watchdog = _Watchdog()
    handlers = {number: signal.signal(number, _stop) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        watchdog.close()


def _stop(number: int, frame: FrameType | None) -> None:
    raise _stopped(number)


def _stopped(number: int) -> Stopped:
    name = signal.Signals(number).name
    return Stopped(f"Stopped by {name}. Run the same command again to resume", number)


class _Watchdog:
    """Reads the numbers of signals that Python's handler in C writes to a socket.

    So it receives a signal even while the main thread is in a library call, during which
    Python runs no handlers.
    """

    def __init__(self) -> None:
        self._seconds = SECONDS_TO_STOP
        self._reader, self._writer = socket.socketpair()
        self._writer.setblocking(False)
        self._before = signal.set_wakeup_fd(
            self._writer.fileno(), warn_on_full_buffer=False
        )
        self._received: int | None = None
        threading.Thread(target=self._watch, daemon=True).start()
        # Python calls these functions in reverse order, so this one is called late.
        atexit.register(self._exit)

    def close(self) -> None:
        """Stop watching, unless a signal was received."""
        signal.set_wakeup_fd(self._before)
        self._writer.send(_END)

    def _watch(self) -> None:
        number = self._read((*SIGNALS, *_END), None)
        if number in SIGNALS:
            self._received = number
            again = self._read(SIGNALS, self._seconds)
            if again is None:
                _write(f"Not stopped within {self._seconds:g} seconds: process ended\n")
                _record(number)
            os._exit(128 + (again or number))

    def _exit(self) -> None:
        if self._received is not None:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(128 + self._received)

    def _read(self, expected: Collection[int], seconds: float | None) -> int | None:
        """Wait for one of the expected numbers; None after the given seconds."""
        end = time.monotonic() + (seconds or 0)
        left = seconds
        while select.select([self._reader], [], [], left)[0]:
            (number,) = self._reader.recv(1)
            if number in expected:
                return number
            left = seconds and max(0, end - time.monotonic())
        return None


def _record(number: int) -> None:
    """Record the end of the run; give up after ``SECONDS_TO_RECORD``."""
    stopped = _stopped(number)
    thread = threading.Thread(target=record_stop, args=(stopped,), daemon=True)
    thread.start()
    thread.join(SECONDS_TO_RECORD)


def _write(message: str) -> None:
    """Write to standard error without its lock, which the main thread may hold."""
    try:
        os.write(2, message.encode())
    except OSError:  # standard error is closed
        pass
