"""The runs of a task: where each keeps its log, how it begins and ends."""

import os
import shutil
import socket
import traceback
from collections.abc import Collection
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path

from image_translation.errors import InputError, without_credentials
from image_translation.runs.events import EventLog
from image_translation.runs.exit_codes import ExitCode, describe_failure
from image_translation.runs.record import CutOff, RunRecord, fold
from image_translation.runs.sent import is_pending, read_run_id, read_sent
from image_translation.runs.summary import SUMMARY, write_summary
from image_translation.runs.task_state import TaskFolders, TaskState


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
        trace = without_credentials("".join(traceback.format_exception(error)))
        self.log.append("failed", node=node, **asdict(failure), traceback=trace)

    def fail_once(self, error: BaseException, node: str = "") -> None:
        """Record a failure unless it is recorded already, as by a hook."""
        if describe_failure(error) not in self.read().failures.values():
            self.fail(error, node)

    def conclude(
        self, expected: Collection[str] = (), *, is_mlflow_lost: bool = False
    ) -> ExitCode:
        """Write the summary of the run beside the report.

        Args:
            expected: Nodes that were to run, where they are known.
            is_mlflow_lost: Whether MLflow lacks a part of the results.

        Returns:
            The exit code of the run.

        Raises:
            InputError: The log cannot be read.
        """
        return write_summary(self.folders, self.read(), expected, is_mlflow_lost)


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

    A run that this process has only begun is reused, as is a run with the same key.

    Args:
        folders: The folders of the task.
        key: The scheduler's name of the run.
        has_summary: Whether the run writes the task's summary; the previous summary is
            removed then.
    """
    reused, cut_off = None, None
    for run in list_runs(folders):
        record = _read(run)
        is_bare = record is not None and record.is_bare and run.run_id is None
        if record is None or (is_bare and not record.is_own):
            if record is None or not record.is_active:
                shutil.rmtree(run.folder, ignore_errors=True)
        elif is_bare or (key is not None and record.key == key):
            reused, cut_off = run, record.cut_off
        elif not record.is_over and not record.is_active:
            run.log.append("ended", status="KILLED")
            if record.has_summary:
                cut_off = CutOff(record.began, record.unfinished)
    run = reused or PipelineRun(folders, folders.runs / _name_run())
    run.log.append(
        "began",
        key=key,
        has_summary=has_summary,
        process=[os.getpid(), socket.gethostname()],
        cut_off=cut_off and asdict(cut_off),
        before=TaskState.read(folders).to_dict(),
    )
    if has_summary:
        (folders.reporting / SUMMARY).unlink(missing_ok=True)
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


def is_busy(folders: TaskFolders) -> bool:
    """Whether another process of this host works on a run of the task."""
    records = map(_read, list_runs(folders))
    return any(r is not None and r.has_summary and r.is_active for r in records)


def remove_sent(folders: TaskFolders) -> None:
    """Remove the logs of runs that are over and sent, except the last one."""
    for run in list_runs(folders)[:-1]:
        record = _read(run)
        if record is not None and record.is_over and not is_pending(run.folder):
            shutil.rmtree(run.folder, ignore_errors=True)


def _read(run: PipelineRun) -> RunRecord | None:
    try:
        return run.read()
    except InputError:
        return None


def _name_run() -> str:
    return f"{datetime.now(UTC):%Y-%m-%dT%H-%M-%S-%f}-{os.getpid()}"
