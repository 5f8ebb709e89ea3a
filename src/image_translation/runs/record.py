"""The state of a pipeline's run, folded from its events."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from image_translation.common.errors import InputError
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
    unfinished: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    failures: dict[str, Failure] = field(default_factory=dict)
    is_over: bool = False

    @property
    def is_bare(self) -> bool:
        """True if only the beginning is recorded."""
        return not (self.unfinished or self.seconds or self.failures or self.is_over)


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
        TaskState.model_validate(event["before"]),
        key=event["key"],
        has_summary=event["has_summary"],
        cut_off=CutOff(**event["cut_off"]) if event["cut_off"] else None,
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
