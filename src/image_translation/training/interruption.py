"""Stop on SIGINT and SIGTERM, at once or between two steps of a training."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Stopped(BaseException):
    """A signal requested a stop.

    Like `KeyboardInterrupt`, it is not a subclass of `Exception`: code that continues after
    an error of a file, the network or MLflow must not continue after a stop.

    Attributes:
        exit_code: The exit code that shells report for a process ended by this signal.
    """

    def __init__(self, message: str, number: int) -> None:
        super().__init__(message)
        self.exit_code = 128 + number


def resume_hint(forced: bool) -> str:
    """How to resume a stopped training.

    Args:
        forced: Whether ``training.force`` restarted it, as it would again.
    """
    without = ", without training.force" if forced else ""
    return f"to resume it, run the same command again{without}"


class StopRequest:
    """Context that records a signal instead of stopping, except where `interruptible`.

    The second signal has its usual effect, unless the process is patient. Nothing is
    recorded in threads other than the main one, where Python handles no signals.

    Attributes:
        number: The received signal, or None; remains available after the context.
    """

    active: "StopRequest | None" = None
    """The request of the main thread."""

    is_patient = False
    """Whether further signals are ignored, because another process may forward the first."""

    def __init__(self) -> None:
        self.number: int | None = None
        self.is_interruptible = False
        self._handlers: dict[int, object] = {}

    def __enter__(self) -> "StopRequest":
        if _is_main_thread():
            self._handlers = {n: signal.signal(n, self._record) for n in SIGNALS}
            StopRequest.active = self
        return self

    def __exit__(self, *raised: object) -> None:
        self._restore()
        if StopRequest.active is self:
            StopRequest.active = None

    def stop_if_received(self) -> None:
        """Stop if a signal was recorded.

        Raises:
            Stopped: A signal was recorded.
        """
        if self.number is not None:
            raise Stopped("The run was stopped", self.number)

    def _record(self, number: int, frame: FrameType | None) -> None:
        self.number = number
        if not self.is_patient:
            self._restore()
        if self.is_interruptible:
            self.stop_if_received()

    def _restore(self) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)  # type: ignore[arg-type]
        self._handlers = {}


@contextmanager
def interruptible() -> Iterator[None]:
    """Context in which a signal stops at once, even if a `StopRequest` is active.

    For work that may take long and is cheap to repeat, such as a validation or a call over
    the network.

    Raises:
        Stopped: A signal was received in the context or before it.
    """
    request = StopRequest.active if _is_main_thread() else None
    if request is None:
        yield
        return
    before, request.is_interruptible = request.is_interruptible, True
    try:
        request.stop_if_received()
        yield
    finally:
        request.is_interruptible = before


def _is_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()
