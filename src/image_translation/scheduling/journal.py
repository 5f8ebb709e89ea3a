"""The journal of a run: what its nodes did, kept on disk line by line.

Several processes may write to it, as when every node of a run is a process of its own.
"""

import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from image_translation.errors import InputError, causes, without_credentials
from image_translation.scheduling.state import TaskFolders, TaskState

JOURNAL, SUMMARY, LOCK = "run_journal.jsonl", "run_summary.md", "run.lock"

FAILED, INTERRUPTED = 1, 130
"""Exit codes of errors that say nothing better, and of Ctrl-C."""


@dataclass(frozen=True)
class Failure:
    """Why a node, or a run, did not come to its end.

    Attributes:
        error: What a person is told.
        code: What the run's process ends with.
    """

    error: str
    code: int

    @classmethod
    def of(cls, error: BaseException) -> "Failure":
        """Tell an error, or what is known to have caused it."""
        for cause in causes(error):
            if hasattr(cause, "exit_code"):
                return cls(str(cause), cause.exit_code)
        if isinstance(error, KeyboardInterrupt):
            return cls(repr(error), INTERRUPTED)
        told = without_credentials(str(error))
        return cls(f"{type(error).__name__}: {told}" if told else repr(error), FAILED)


@dataclass
class RunRecord:
    """What a journal tells of a run.

    Attributes:
        began: When, in seconds since the epoch.
        ended: When the last entry was made.
        before: What was on disk when it began.
        seconds: Node → how long it took; only those that came to their end.
        failures: Node → why it failed; one that came to its end later is left out. The
            empty name stands for what happened outside of nodes.
    """

    began: float
    ended: float
    before: TaskState
    seconds: dict[str, float] = field(default_factory=dict)
    failures: dict[str, Failure] = field(default_factory=dict)


class Journal:
    """The journal of the last run of a task.

    Args:
        folders: Those of the task.
    """

    def __init__(self, folders: TaskFolders) -> None:
        self.folders = folders
        self.path: Path = folders.intermediate / JOURNAL

    def begin(self) -> None:
        """Start anew with what is on disk; the summary of the run before goes."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        (self.folders.reporting / SUMMARY).unlink(missing_ok=True)
        self.path.unlink(missing_ok=True)
        self._add(event="begin", before=TaskState.read(self.folders).to_dict())

    def finish(self, node: str, seconds: float) -> None:
        """Note that a node came to its end."""
        self._add(event="finished", node=node, seconds=round(seconds, 3))

    def fail(self, error: BaseException, node: str = "") -> None:
        """Note that a node, or the run outside of nodes, failed."""
        failure = Failure.of(error)
        self._add(event="failed", node=node, error=failure.error, code=failure.code)

    def read(self) -> RunRecord:
        """What the journal tells.

        Raises:
            InputError: There is none.
        """
        try:
            lines = self.path.read_text("utf-8").splitlines()
            first, *entries = map(json.loads, lines)
            record = RunRecord(
                first["time"], first["time"], TaskState.from_dict(first["before"])
            )
        except (OSError, ValueError, KeyError) as error:
            raise InputError(f"{self.path} tells of no run: {error}") from error
        for entry in entries:
            record.ended = entry["time"]
            node = entry["node"]
            if entry["event"] == "finished":
                record.seconds[node] = entry["seconds"]
                record.failures.pop(node, None)
            else:
                record.failures[node] = Failure(entry["error"], entry["code"])
        return record

    def _add(self, **entry: Any) -> None:
        line = json.dumps({"time": time.time(), **entry}) + "\n"
        with self.path.open("a", encoding="utf-8") as file:
            file.write(line)
