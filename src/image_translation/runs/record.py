"""The state of a pipeline's run, folded from its events."""

import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass, field

import psutil

from image_translation.errors import InputError
from image_translation.runs.events import Event
from image_translation.runs.exit_codes import Failure
from image_translation.runs.task_state import TaskState


@dataclass(frozen=True)
class CutOff:
    """A run that was interrupted without recording its end.

    Attributes:
        began: Seconds since the epoch.
        nodes: Nodes that were running.
    """

    began: float
    nodes: list[str]


@dataclass
class RunRecord:
    """The state of a run.

    A node's state is that of its latest event; retries replace earlier outcomes.

    Attributes:
        began: Seconds since the epoch.
        ended: Time of the last event of a node, or of a failure.
        before: The state on disk when the run began.
        key: The scheduler's name of a run that several processes share.
        has_summary: Whether the run writes the task's summary.
        cut_off: The previous run, if it was interrupted.
        process: Number and host of the process that began the run.
        unfinished: Nodes started but not finished.
        seconds: Duration of each finished node.
        failures: Failure of each failed node; the empty name is for errors outside of
            nodes.
        is_over: Whether the end is recorded.
    """

    began: float
    ended: float
    before: TaskState
    key: str | None = None
    has_summary: bool = True
    cut_off: CutOff | None = None
    process: tuple[int, str] = (0, "")
    unfinished: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    failures: dict[str, Failure] = field(default_factory=dict)
    is_over: bool = False

    @property
    def is_bare(self) -> bool:
        """True if only the beginning is recorded."""
        return not (self.unfinished or self.seconds or self.failures or self.is_over)

    @property
    def is_own(self) -> bool:
        """Whether this process began the run."""
        return self.process == (os.getpid(), socket.gethostname())

    @property
    def is_active(self) -> bool:
        """Whether another process of this host works on the run."""
        number, host = self.process
        if self.is_over or self.key is not None or host != socket.gethostname():
            return False
        try:
            # A later process may have the same number.
            is_same = psutil.Process(number).create_time() <= self.began
        except psutil.Error:
            return False
        return is_same and number != os.getpid()


def fold(events: Sequence[Event]) -> RunRecord:
    """Compute the state of a run.

    Raises:
        InputError: The beginning is missing or unreadable.
    """
    record = None
    try:
        for event in events:
            if event["event"] == "began":
                record = _begin(event)
            elif record is not None:
                _apply(record, event)
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"invalid event: {error!r}") from error
    if record is None:
        raise InputError("the beginning of the run is missing")
    return record


def _begin(event: Event) -> RunRecord:
    return RunRecord(
        event["time"],
        event["time"],
        TaskState.from_dict(event["before"]),
        key=event["key"],
        has_summary=event["has_summary"],
        cut_off=CutOff(**event["cut_off"]) if event["cut_off"] else None,
        process=tuple(event["process"]),
    )


def _apply(record: RunRecord, event: Event) -> None:
    match event["event"]:
        case "ended":
            record.is_over = True
        case "resumed":
            record.is_over = False
        case "started":
            _forget(record, event)
            record.unfinished.append(event["node"])
            record.is_over = False
        case "finished":
            _forget(record, event)
            record.seconds[event["node"]] = event["seconds"]
        case "failed":
            _forget(record, event)
            record.failures[event["node"]] = Failure(event["error"], event["code"])


def _forget(record: RunRecord, event: Event) -> None:
    """Drop the earlier outcome of a node."""
    node = event["node"]
    record.ended = event["time"]
    record.seconds.pop(node, None)
    record.failures.pop(node, None)
    if node in record.unfinished:
        record.unfinished.remove(node)
