"""The runs of a task: where each keeps its log, how it begins and ends."""

import os
import shutil
import traceback
from contextlib import AbstractContextManager
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path

from image_translation.common.errors import InputError
from image_translation.common.files import is_locked, lock
from image_translation.common.secrets import mask_address
from image_translation.runs.events import EventLog
from image_translation.runs.exit_codes import describe_failure
from image_translation.runs.mlflow_position import is_pending, read_run_id, read_sent
from image_translation.runs.record import CutOff, RunRecord, fold
from image_translation.runs.task_state import TaskFolders, TaskState

ACTIVE = "active-{pid}.lock"
SUMMARY = "run_summary.md"


class PipelineRun:
    """One run of a task's pipelines.

    Args:
        folders: The folders of the task.
        folder: The folder of the run.
    """

    def __init__(self, folders: TaskFolders, folder: Path) -> None:
        self.folders = folders
        self.folder = folder
        self.log = EventLog(folder)

    @property
    def run_id(self) -> str | None:
        """The run in MLflow."""
        return read_run_id(self.folder)

    @run_id.setter
    def run_id(self, run_id: str) -> None:
        sent = read_sent(self.folder)
        if sent.run_id != run_id:
            replace(sent, run_id=run_id).write(self.folder)

    def read(self) -> RunRecord:
        """The state of the run.

        Raises:
            InputError: The log cannot be read.
        """
        try:
            return fold(self.log.read())
        except (OSError, InputError) as error:
            raise InputError(f"{self.log.path} cannot be read: {error}") from error

    def fail(self, error: BaseException, node: str = "") -> None:
        """Record the failure of a node, or of the run outside of nodes."""
        failure = describe_failure(error)
        trace = mask_address("".join(traceback.format_exception(error)))
        self.log.append("failed", node=node, **asdict(failure), traceback=trace)

    def fail_once(self, error: BaseException, node: str = "") -> None:
        """Record a failure unless it is recorded already, as by a hook."""
        if describe_failure(error) not in self.read().failures.values():
            self.fail(error, node)

    def hold(self) -> AbstractContextManager[None]:
        """Mark the run as active until the context, or this process, ends."""
        return lock(self.folder / ACTIVE.format(pid=os.getpid()), wait=True)

    @property
    def is_active(self) -> bool:
        return any(map(is_locked, self.folder.glob(ACTIVE.replace("{pid}", "*"))))


def list_runs(folders: TaskFolders) -> list[PipelineRun]:
    """The runs whose logs are kept, oldest first."""
    return [PipelineRun(folders, path) for path in sorted(folders.runs.glob("*/"))]


def find_run(folders: TaskFolders, run_id: str) -> PipelineRun | None:
    """The run with an id in MLflow."""
    return next((run for run in list_runs(folders) if run.run_id == run_id), None)


def begin_run(
    folders: TaskFolders, key: str | None = None, *, has_summary: bool = True
) -> PipelineRun:
    """Start the log of a run, and record the end of interrupted ones.

    A run that has only begun, or has the same key, is reused.

    Args:
        folders: The folders of the task.
        key: The scheduler's name of the run.
        has_summary: Whether the run writes the task's summary; the previous summary is
            removed then.
    """
    if has_summary:
        (folders.reporting / SUMMARY).unlink(missing_ok=True)
    run, cut_off = PipelineRun(folders, folders.runs / _name_run()), None
    for other in list_runs(folders):
        record = _read(other)
        if record is None:
            continue
        is_same = key is not None and record.key == key
        is_bare = record.is_bare and other.run_id is None
        if is_same or (is_bare and not other.is_active):
            run, cut_off = other, record.cut_off or cut_off
            if record.is_over:
                run.log.append("resumed")
        elif not record.is_over and not other.is_active:
            other.log.append("ended", status="KILLED")
            if record.has_summary:
                cut_off = CutOff(record.began, record.unfinished)
    run.log.append(
        "began",
        key=key,
        has_summary=has_summary,
        cut_off=cut_off and asdict(cut_off),
        before=TaskState.read(folders).model_dump(),
    )
    return run


def join_run(folders: TaskFolders, run_id: str) -> PipelineRun:
    """The run that several processes share; begun here if no process has."""
    run = find_run(folders, run_id)
    if run is None:
        run = begin_run(folders, run_id)
        run.run_id = run_id
    elif run.read().is_over:
        run.log.append("resumed")
    return run


def remove_sent(folders: TaskFolders) -> None:
    """Remove the logs of runs that are over and sent; the last one stays."""
    for run in list_runs(folders)[:-1]:
        record = _read(run)
        is_over = record is None or record.is_over
        if is_over and not is_pending(run.folder):
            shutil.rmtree(run.folder, ignore_errors=True)


def _read(run: PipelineRun) -> RunRecord | None:
    try:
        return run.read()
    except InputError:
        return None


def _name_run() -> str:
    return f"{datetime.now(UTC):%Y-%m-%dT%H-%M-%S-%f}-{os.getpid()}"
