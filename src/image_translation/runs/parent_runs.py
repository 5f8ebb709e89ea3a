"""Parent runs in MLflow, and those that several processes share."""

import time
from datetime import datetime
from uuid import uuid4

from image_translation.common.errors import InputError
from image_translation.runs.store import client, find_run, require_store, tolerate_store

KEY_TAG = "scheduled_run"

_PROCESS = f"untracked-{uuid4().hex[:12]}"


def current_parent() -> str | None:
    """The run that kedro-mlflow started in this process, or None."""
    import mlflow

    active = mlflow.active_run()
    return active.info.run_id if active else None


def identify_run() -> str:
    """The id of the parent run, or a name for this process where nothing is tracked."""
    return current_parent() or _PROCESS


@require_store
def begin_parent(experiment_id: str, task: str, key: str, known: str | None) -> str:
    """Create a parent run, or resume the one of the same key.

    Other machines may use the same keys and the same store.

    Args:
        experiment_id: The experiment of the task.
        task: Name of the task, and of the run.
        key: The scheduler's name of the run.
        known: The run that this machine created for the key, or None.

    Returns:
        The run's id.

    Raises:
        InputError: The store rejects it.
    """
    run = find_run(known) if known is not None else None
    if run is not None and run.info.experiment_id == experiment_id:
        keep_running(run.info.run_id)
        return run.info.run_id
    tags = {KEY_TAG: key, "task": task}
    name = _name(task, time.time())
    return client().create_run(experiment_id, tags=tags, run_name=name).info.run_id


def check_parent(run_id: str, experiment_id: str) -> None:
    """Check that a run can be joined.

    Raises:
        InputError: The run is not in this store, or belongs to another task.
    """
    from mlflow.exceptions import MlflowException

    try:
        run = client().get_run(run_id)
    except MlflowException as error:
        raise InputError(
            f"MLFLOW_RUN_ID: this MLflow store has no run {run_id}; unset it, or "
            "begin a run with kedro shared-run begin"
        ) from error
    if run.info.experiment_id != experiment_id:
        raise InputError(
            f"MLFLOW_RUN_ID: the run {run_id} belongs to another task's experiment"
        )


@tolerate_store
def keep_running(run_id: str) -> None:
    """Set a run to RUNNING; a process that exits sets it to FINISHED."""
    client().update_run(run_id, status="RUNNING")


@tolerate_store
def leave_parent(run_id: str) -> None:
    """Close a run in this process; it continues in others."""
    import mlflow

    # kedro-mlflow starts the run again for every node; at exit MLflow would end the
    # ones that are still open.
    while mlflow.active_run():
        mlflow.end_run("RUNNING")
    keep_running(run_id)


def rename_parent(run_id: str, task: str) -> None:
    """Restore name and command of a parent run when all its processes are done.

    kedro-mlflow writes those of the process that came last.
    """
    run = client().get_run(run_id)
    client().set_tag(run_id, "mlflow.runName", _name(task, run.info.start_time / 1000))
    client().set_tag(run_id, "kedro_command", f"kedro run --pipelines={task}")
    if "node_names" in run.data.tags:
        client().delete_tag(run_id, "node_names")


def _name(task: str, began: float) -> str:
    return f"{task} {datetime.fromtimestamp(began):%Y-%m-%d %H:%M}"
