"""Ctrl-C and SIGTERM as a wish that a training answers between two batches."""

import signal
import threading
from types import FrameType, TracebackType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class TrainingStoppedError(Exception):
    """A training was asked to stop, and has kept all it needs to go on.

    Attributes:
        exit_code: What a shell expects of a process that was ended by this signal.
    """

    def __init__(self, message: str, number: int) -> None:
        super().__init__(message)
        self.exit_code = 128 + number


def resume_hint(forced: bool) -> str:
    """What brings a training that was stopped to its end.

    Args:
        forced: Whether ``training.force`` made it start anew, which it would again.
    """
    without = ", without training.force" if forced else ""
    return f"it goes on from there when the same command runs again{without}"


class StopRequest:
    """Waits for signals, as a context; what it heard stays known after it.

    The first signal is remembered. The second one does what it always does: whoever
    cannot wait for the end of a batch is not held up. In threads other than the main
    one, where Python knows no signals, it hears nothing.

    Attributes:
        number: The signal that was received, or None.
    """

    def __init__(self) -> None:
        self.number: int | None = None
        self._before: dict[int, object] = {}

    def __enter__(self) -> "StopRequest":
        if threading.current_thread() is threading.main_thread():
            self._before = {n: signal.signal(n, self._remember) for n in SIGNALS}
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._restore()

    def _remember(self, number: int, frame: FrameType | None) -> None:
        self.number = number
        self._restore()

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]
        self._before = {}
