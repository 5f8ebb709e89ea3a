"""The journal of a run: what its nodes did, kept on disk line by line.

Several processes may write to it, as when every node of a run is a process of its own.
"""

import json
import logging
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import psutil

from image_translation.common.files import write_text
from image_translation.errors import InputError
from image_translation.runs.exit_codes import Failure, describe_failure
from image_translation.scheduling.state import TaskFolders, TaskState

logger = logging.getLogger(__name__)

JOURNAL, SUMMARY, LOCK = "run_journal.jsonl", "run_summary.md", "run.lock"


@dataclass(frozen=True)
class CutOff:
    """A run that was begun and never ended.

    Attributes:
        began: When, in seconds since the epoch.
        nodes: Those that were running.
    """

    began: float
    nodes: list[str]


@dataclass
class RunRecord:
    """What a journal tells of a run.

    A node stands where its last entry puts it: when it is tried again, what became of it
    before is left out.

    Attributes:
        began: When, in seconds since the epoch.
        ended: When the last entry of a node, or of a failure, was made.
        before: What was on disk when it began.
        key: What a scheduler calls the run.
        parent: Id of its run in MLflow.
        cut_off: The run before, if that was cut off.
        left: Ids of the runs in MLflow that were cut off, and of which MLflow was not told.
        process: The process that began it, and its host.
        unfinished: Nodes that were started, and did not come to their end so far.
        seconds: Node → how long it took; only those that came to their end.
        failures: Node → why it failed. The empty name stands for what happened outside
            of nodes.
        is_over: Whether its end was told.
    """

    began: float
    ended: float
    before: TaskState
    key: str | None = None
    parent: str | None = None
    cut_off: CutOff | None = None
    left: list[str] = field(default_factory=list)
    process: tuple[int, str] = (0, "")
    unfinished: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    failures: dict[str, Failure] = field(default_factory=dict)
    is_over: bool = False

    @property
    def is_bare(self) -> bool:
        """Whether nothing more is known of it than that it began."""
        nodes = self.unfinished or self.seconds or self.failures
        return not (nodes or self.parent or self.is_over)

    @property
    def is_going_on(self) -> bool:
        """Whether another process of this host is at work on it."""
        number, host = self.process
        if self.is_over or self.key is not None or host != socket.gethostname():
            return False
        try:
            # The number may be that of a later process by now.
            is_its = psutil.Process(number).create_time() <= self.began
        except psutil.Error:
            return False
        return is_its and number != os.getpid()

    def add(self, entry: Any) -> None:
        """Take in an entry of the journal; what is none is left out."""
        match entry:
            case {"event": "parent", "run": run_id}:
                self.parent = run_id
            case {"event": "ended"}:
                self.is_over = True
            case {"event": "killed"}:
                self.left = []
            case {"event": "started", "time": when, "node": node}:
                self._move_on(node, when)
                self.unfinished.append(node)
                self.is_over = False
            case {"event": "finished", "time": when, "node": node, "seconds": seconds}:
                self._move_on(node, when)
                self.seconds[node] = seconds
            case {
                "event": "failed",
                "time": when,
                "node": node,
                "error": error,
                "code": code,
            }:
                self._move_on(node, when)
                self.failures[node] = Failure(error, code)

    def _move_on(self, node: str, when: float) -> None:
        self.ended = when
        self.seconds.pop(node, None)
        self.failures.pop(node, None)
        if node in self.unfinished:
            self.unfinished.remove(node)


class Journal:
    """The journal of the last run of a task.

    Args:
        folders: Those of the task.
    """

    def __init__(self, folders: TaskFolders) -> None:
        self.folders = folders
        self.path: Path = folders.intermediate / JOURNAL

    def begin(self, key: str | None = None) -> RunRecord:
        """Start anew with what is on disk; the summary of the run before goes.

        A run before that has not ended was cut off, unless it is this one: has the same
        key, or has only begun, as when `kedro nightly` begins before its session does.

        Args:
            key: What a scheduler calls the run.

        Returns:
            What the journal tells so far.
        """
        last = self._last()
        cut_off, parent, left = None, None, last.left if last else []
        if last and (last.is_bare or (key is not None and last.key == key)):
            cut_off, parent = last.cut_off, last.parent
        elif last and not last.is_over and not last.is_going_on:
            cut_off = CutOff(last.began, last.unfinished)
            left = [*left, *filter(None, [last.parent])]
        line = _line(
            event="begin",
            key=key,
            parent=parent,
            cut_off=cut_off and asdict(cut_off),
            left=left,
            process=[os.getpid(), socket.gethostname()],
            before=TaskState.read(self.folders).to_dict(),
        )
        (self.folders.reporting / SUMMARY).unlink(missing_ok=True)
        write_text(self.path, line)
        return self.read()

    def note_parent(self, run_id: str) -> None:
        """Note which run in MLflow it is."""
        self._add(event="parent", run=run_id)

    def note_killed(self) -> None:
        """Note that MLflow was told of all runs that were cut off."""
        self._add(event="killed")

    def is_busy(self) -> bool:
        """Whether another process is at work on the run that it tells of."""
        last = self._last()
        return last is not None and last.is_going_on

    def start(self, node: str) -> None:
        """Note that a node begins, or is tried again."""
        self._add(event="started", node=node)

    def finish(self, node: str, seconds: float) -> None:
        """Note that a node came to its end."""
        self._add(event="finished", node=node, seconds=round(seconds, 3))

    def fail(self, error: BaseException, node: str = "") -> None:
        """Note that a node, or the run outside of nodes, failed."""
        failure = describe_failure(error)
        self._add(event="failed", node=node, error=failure.error, code=failure.code)

    def end(self) -> None:
        """Note that the run is over, and its end told."""
        self._add(event="ended")

    def read(self) -> RunRecord:
        """What the journal tells; a line that cannot be read is left out.

        Raises:
            InputError: There is none, or not even its beginning can be read.
        """
        try:
            text = self.path.read_text("utf-8", errors="replace")
            first, *lines = filter(None, text.splitlines())
            record = _begun(json.loads(first))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(f"{self.path} tells of no run: {error}") from error
        for line in lines:
            record.add(self._parse(line))
        return record

    def _last(self) -> RunRecord | None:
        try:
            return self.read()
        except InputError:
            return None

    def _parse(self, line: str) -> Any:
        try:
            return json.loads(line)
        except ValueError:
            logger.warning("%s: ignoring %r, which is no entry", self.path, line)
            return None

    def _add(self, **entry: Any) -> None:
        with self.path.open("a", encoding="utf-8") as file:
            file.write(_line(**entry))


def _line(**entry: Any) -> str:
    # A line that a full disk has cut off then spoils no other.
    return "\n" + json.dumps({"time": time.time(), **entry})


def _begun(first: dict[str, Any]) -> RunRecord:
    return RunRecord(
        first["time"],
        first["time"],
        TaskState.from_dict(first["before"]),
        key=first["key"],
        parent=first["parent"],
        cut_off=CutOff(**first["cut_off"]) if first["cut_off"] else None,
        left=first["left"],
        process=tuple(first["process"]),
    )


@contextmanager
def bookkeeping() -> Iterator[None]:
    """Log what cannot be noted: it ends no run, and hides no error that did."""
    try:
        yield
    except Exception as error:
        logger.error(
            "What the run did cannot be noted: %s", describe_failure(error).error
        )
