"""The lock of a task's data: for one process, or several that share the work.

A run, ``kedro nightly``, ``kedro send``, ``kedro clean`` and promotions hold the lock
alone. The nodes of a shared run (a DAG) and the workers of a tuning share it. A shared run
excludes other commands until it is ended, even while none of its nodes is running.
"""

import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from image_translation.common.errors import InputError
from image_translation.common.files import LockedError, is_locked, lock
from image_translation.runs.pipeline_run import list_runs
from image_translation.runs.task_state import TaskFolders

LOCK = "run.lock"
SHARED = "shared-*.lock"

STALE_SECONDS = 24 * 3600.0
"""Time without an event after which a shared run counts as abandoned."""

PATIENCE = 1.0
"""Seconds to wait for processes that hold the lock only to check for other holders."""

_held: dict[Path, int] = {}
"""Locks that this process holds alone, with the number of nested holders."""


@contextmanager
def hold_alone(folders: TaskFolders, key: str | None = None) -> Iterator[None]:
    """Hold the lock of a task's data alone; nested calls in a process are allowed.

    Args:
        folders: The folders of the task.
        key: Key of the shared run that this process begins.

    Raises:
        LockedError: Another process works on the task.
    """
    path = folders.intermediate / LOCK
    if path in _held:
        _held[path] += 1
        try:
            yield
        finally:
            _held[path] -= 1
        return
    with ExitStack() as stack:
        stack.enter_context(_lock(path, folders.task))
        for other in folders.intermediate.glob(SHARED):
            if is_locked(other):
                holder = other.read_text("utf-8").strip()
                raise LockedError(_in_use(folders.task, holder))
        _check_shared_runs(folders, key)
        _held[path] = 1
        stack.callback(_held.pop, path)
        yield


@contextmanager
def hold_shared(folders: TaskFolders, run_id: str | None = None) -> Iterator[None]:
    """Share the lock of a task's data with other processes that do the same work.

    Args:
        folders: The folders of the task.
        run_id: Id in MLflow of the shared run that this process belongs to.

    Raises:
        LockedError: Another process holds the lock alone, or a shared run is active.
    """
    own = folders.intermediate / SHARED.replace("*", str(os.getpid()))
    with ExitStack() as stack:
        with _lock(folders.intermediate / LOCK, folders.task):
            _check_shared_runs(folders, run_id)
            stack.callback(own.unlink, missing_ok=True)
            stack.enter_context(lock(own))
        yield


def _check_shared_runs(folders: TaskFolders, own: str | None) -> None:
    """Raise if another shared run is open; `own` is the key or id of the own run."""
    for run in list_runs(folders):
        try:
            record = run.read()
        except InputError:
            continue
        if own is not None and own in (run.run_id, record.key):
            continue
        is_open = record.key is not None and not record.is_over
        is_stale = time.time() - record.ended > STALE_SECONDS
        if is_open and (run.is_active or not is_stale):
            raise LockedError(
                f"{_in_use(folders.task, f'the shared run {run.run_id}')}. If it was "
                f"abandoned, end it, with its --env: MLFLOW_RUN_ID={run.run_id} kedro "
                f"shared-run end --task={folders.task}"
            )


@contextmanager
def _lock(path: Path, task: str) -> Iterator[None]:
    with ExitStack() as stack:
        try:
            stack.enter_context(lock(path, wait=PATIENCE))
        except LockedError as error:
            raise LockedError(_in_use(task, str(error))) from error
        yield


def _in_use(task: str, holder: str) -> str:
    return f"another command works on the data of {task}: {holder}"
