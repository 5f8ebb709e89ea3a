"""Parent runs that several processes write to, begun and ended by neither of them."""

import time
from datetime import datetime
from uuid import uuid4

from image_translation.errors import InputError
from image_translation.tracking.store import client, require_store, tolerate_store

KEY_TAG = "scheduled_run"

_PROCESS = f"untracked-{uuid4().hex[:12]}"


def current_parent() -> str | None:
    """The run that kedro-mlflow has started in this process, if it has."""
    import mlflow

    active = mlflow.active_run()
    return active.info.run_id if active else None


def identify_run() -> str:
    """The id of the parent run; in a process that is not tracked, a name for this process."""
    return current_parent() or _PROCESS


@require_store
def begin_parent(experiment_id: str, task: str, key: str, known: str | None) -> str:
    """Begin a parent run, or go on with the one that was begun for the same key.

    Other machines may use the same keys, and the same store.

    Args:
        experiment_id: The experiment of the task.
        task: Name of the task, and of the run.
        key: What a scheduler calls the run.
        known: The run that this machine has begun for the key, if it has.

    Returns:
        The run's id.

    Raises:
        InputError: The store refuses it.
    """
    if known is not None and _is_there(known, experiment_id):
        keep_running(known)
        return known
    tags = {KEY_TAG: key, "task": task}
    name = _name(task, time.time())
    return client().create_run(experiment_id, tags=tags, run_name=name).info.run_id


def _is_there(run_id: str, experiment_id: str) -> bool:
    from mlflow.exceptions import MlflowException

    try:
        info = client().get_run(run_id).info
    except MlflowException as error:
        if error.error_code == "RESOURCE_DOES_NOT_EXIST":  # another store than before
            return False
        raise
    return info.lifecycle_stage == "active" and info.experiment_id == experiment_id


def check_parent(run_id: str, experiment_id: str) -> None:
    """Make sure that a run can be joined.

    Raises:
        InputError: It is not in this store, or belongs to another task.
    """
    from mlflow.exceptions import MlflowException

    try:
        run = client().get_run(run_id)
    except MlflowException as error:
        raise InputError(
            f"MLFLOW_RUN_ID: there is no run {run_id} in this MLflow store; unset it, or "
            "begin a run with kedro shared-run begin"
        ) from error
    if run.info.experiment_id != experiment_id:
        raise InputError(
            f"MLFLOW_RUN_ID: the run {run_id} belongs to another task's experiment"
        )


@tolerate_store
def keep_running(run_id: str) -> None:
    """Mark a run as going on, whatever a process that is done has made of it."""
    client().update_run(run_id, status="RUNNING")


@tolerate_store
def kill_parent(run_id: str) -> None:
    """Mark a run as killed that still goes on for the store, though nobody works on it."""
    if client().get_run(run_id).info.status == "RUNNING":
        client().set_terminated(run_id, "KILLED")


@tolerate_store
def leave_parent(run_id: str) -> None:
    """Let go of a run that goes on in other processes."""
    import mlflow

    # kedro-mlflow starts the run once more for every node; MLflow would end at exit
    # what is still open.
    while mlflow.active_run():
        mlflow.end_run("RUNNING")
    keep_running(run_id)


@tolerate_store
def end_parent(run_id: str, task: str, *, is_fine: bool) -> None:
    """End a parent run when all its processes are done.

    Args:
        run_id: The run.
        task: Name of the task.
        is_fine: Whether all that was to be done was done.
    """
    client().set_terminated(run_id, "FINISHED" if is_fine else "FAILED")
    run = client().get_run(run_id)
    # kedro-mlflow writes down name and command of the process that came last.
    client().set_tag(run_id, "mlflow.runName", _name(task, run.info.start_time / 1000))
    client().set_tag(run_id, "kedro_command", f"kedro run --pipelines={task}")
    if "node_names" in run.data.tags:
        client().delete_tag(run_id, "node_names")


def _name(task: str, began: float) -> str:
    return f"{task} {datetime.fromtimestamp(began):%Y-%m-%d %H:%M}"
