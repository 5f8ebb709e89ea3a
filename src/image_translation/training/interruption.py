"""Graceful stop on SIGINT and SIGTERM."""

import signal
import threading
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class TrainingStoppedError(Exception):
    """A training was stopped by a signal.

    Attributes:
        exit_code: The exit code that shells report for a process ended by this signal.
    """

    def __init__(self, message: str, number: int) -> None:
        super().__init__(message)
        self.exit_code = 128 + number


def resume_hint(forced: bool) -> str:
    """How to resume a stopped training.

    Args:
        forced: Whether ``training.force`` started it anew, as it would again.
    """
    without = ", without training.force" if forced else ""
    return f"to resume it, run the same command again{without}"


class StopRequest:
    """Context that records a signal instead of ending the process.

    The second signal has its usual effect. In threads other than the main one, where
    Python handles no signals, nothing is recorded.

    Attributes:
        number: The received signal, or None; remains available after the context.
    """

    def __init__(self) -> None:
        self.number: int | None = None
        self._handlers: dict[int, object] = {}

    def __enter__(self) -> "StopRequest":
        if threading.current_thread() is threading.main_thread():
            self._handlers = {n: signal.signal(n, self._record) for n in SIGNALS}
        return self

    def __exit__(self, *raised: object) -> None:
        self._restore()

    def _record(self, number: int, frame: FrameType | None) -> None:
        self.number = number
        self._restore()

    def _restore(self) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)  # type: ignore[arg-type]
        self._handlers = {}
