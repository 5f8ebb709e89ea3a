"""Commands for schedulers: ``kedro nightly``, ``kedro shared-run``, ``kedro send``."""

import logging
import os
import traceback
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import click
from kedro.framework.cli.utils import env_option
from kedro.framework.project import pipelines
from kedro.framework.session import KedroSession
from kedro.framework.startup import ProjectMetadata

from image_translation.cli.errors import report_unsent, with_readable_errors
from image_translation.cli.options import params_option, task_option
from image_translation.cli.project import find_folders, open_context
from image_translation.common import wording
from image_translation.common.errors import InputError, first_line
from image_translation.common.files import LockedError
from image_translation.common.secrets import mask_address
from image_translation.hooks.logged_datasets import log_dataset
from image_translation.hooks.project import task_folders
from image_translation.hooks.stop import reported_stops
from image_translation.hooks.tracking import set_experiment
from image_translation.pipeline_registry import all_tasks
from image_translation.runs.exit_codes import ExitCode, Failure, describe_failure
from image_translation.runs.pipeline_run import (
    SUMMARY,
    PipelineRun,
    begin_run,
    find_run,
    join_run,
    list_runs,
)
from image_translation.runs.store import connection
from image_translation.runs.summary import write_summary
from image_translation.runs.task_lock import hold_alone
from image_translation.runs.task_state import TaskFolders
from image_translation.training.interruption import Stopped

logger = logging.getLogger(__name__)

FINE = (ExitCode.FINISHED, ExitCode.MODEL_FAILED, ExitCode.CHAMPION_LOST)
"""Codes of runs that finished."""


@click.command()
@task_option
@env_option
@params_option
@click.pass_obj
@with_readable_errors
def nightly(
    metadata: ProjectMetadata, task: str, env: str | None, params: dict[str, Any]
) -> None:
    """Run a task unattended: one run at a time, with a summary and an exit code."""
    folders = find_folders(metadata.project_path, task, env)
    try:
        with hold_alone(folders):
            code = _run_task(metadata.project_path, folders, env, params)
    except LockedError as error:
        click.echo(f"Not run: {error}", err=True)
        code = ExitCode.LOCKED
    raise SystemExit(code)


def _run_task(
    project: Path, folders: TaskFolders, env: str | None, params: dict[str, Any]
) -> ExitCode:
    """Run a task and write its summary, whatever happens."""
    run, failure = begin_run(folders), None
    try:
        session: Any = KedroSession.create(project, env=env, runtime_params=params)
        with session, reported_stops():
            session.run(pipeline_names=[folders.task])
    except BaseException as error:
        failure = _report(error, folders.task)
        run.fail_once(error)
    if not run.read().is_over:
        run.log.append("ended", status="FAILED")
    code = write_summary(run, is_mlflow_lost=connection.is_lost)
    if failure is None and connection.is_lost:
        report_unsent(connection.failure)
    _report_code(code, folders)
    return code


def _report(error: BaseException, task: str) -> Failure:
    """Print the reason of a failed run; the log has the traceback of an unknown one."""
    failure = describe_failure(error)
    if failure.code == ExitCode.FAILED:
        trace = mask_address("".join(traceback.format_exception(error)))
        logger.error("%s failed\n%s", task, trace)
    click.echo(failure.error, err=True)
    return failure


def _report_code(code: ExitCode, folders: TaskFolders) -> None:
    click.echo(f"Exit code {code:d}; see {folders.reporting / SUMMARY}", err=True)


@click.group("shared-run")
def shared_run() -> None:
    """A run made of several processes: one MLflow run, one summary."""


@shared_run.command()
@task_option
@env_option
@click.option("--key", required=True, help="The scheduler's name of the run.")
@click.pass_obj
@with_readable_errors
def begin(metadata: ProjectMetadata, task: str, env: str | None, key: str) -> None:
    """Start a shared run and print its id (export it as MLFLOW_RUN_ID)."""
    run = _begin_alone(find_folders(metadata.project_path, task, env), key)
    try:
        run_id = _begin_shared(metadata, run, env, key)
    except (Exception, Stopped) as error:
        failure = _report(error, task)
        run.fail_once(error)
        raise SystemExit(failure.code) from error
    click.echo(run_id)


def _begin_alone(folders: TaskFolders, key: str) -> PipelineRun:
    """Begin a shared run while no other run works on the task."""
    try:
        with hold_alone(folders, key):
            return begin_run(folders, key)
    except LockedError as error:
        click.echo(f"Not run: {error}", err=True)
        raise SystemExit(ExitCode.LOCKED) from error


def _begin_shared(
    metadata: ProjectMetadata, run: PipelineRun, env: str | None, key: str
) -> str:
    """Start a shared run if its parameters are valid; returns its id in MLflow."""
    from image_translation.runs.backlog import send_backlog
    from image_translation.runs.parent_runs import begin_parent

    task = run.folders.task
    with open_context(metadata, env) as context:
        _ = context.params  # the same for all nodes
        experiment_id = set_experiment(context, task)
        run.run_id = run_id = begin_parent(experiment_id, task, key, run.run_id)
        send_backlog(run.folders, partial(log_dataset, context.catalog))
    return run_id


@shared_run.command()
@task_option
@env_option
@click.pass_obj
@with_readable_errors
def end(metadata: ProjectMetadata, task: str, env: str | None) -> None:
    """End a shared run: write its summary, and exit with its status."""
    folders = find_folders(metadata.project_path, task, env)
    run_id = os.environ.get("MLFLOW_RUN_ID")
    nodes = [node.name for node in pipelines[task].nodes]
    run = _find_ended(folders, run_id)
    try:
        code = write_summary(run, nodes)
    except InputError as error:
        click.echo(str(error), err=True)
        code = ExitCode.FAILED
    is_fine = code in FINE
    status = "FINISHED" if is_fine else "FAILED"
    run.log.append("ended", status=status, shared_by=task)
    if run_id and (failure := _send_end(metadata, run, env)) is not None:
        report_unsent(failure)
        if is_fine:
            code = write_summary(run, nodes, is_mlflow_lost=True)
    _report_code(code, folders)
    raise SystemExit(code)


def _find_ended(folders: TaskFolders, run_id: str | None) -> PipelineRun:
    """The run to end; without an id, the latest one if it failed before it had one."""
    if run_id:
        return find_run(folders, run_id) or join_run(folders, run_id)
    with suppress(InputError, IndexError):
        run = list_runs(folders)[-1]
        record = run.read()
        if set(record.failures) == {""} and not (record.seconds or record.is_over):
            return run
    return begin_run(folders)


def _send_end(
    metadata: ProjectMetadata, run: PipelineRun, env: str | None
) -> str | None:
    """Send the end of a shared run to MLflow; returns the reason of a failure."""
    from mlflow.exceptions import MlflowException

    from image_translation.runs.backlog import send_run

    try:
        with open_context(metadata, env) as context:
            set_experiment(context, run.folders.task)
            send_run(run.folder, partial(log_dataset, context.catalog))
    except (InputError, MlflowException) as error:
        return mask_address(first_line(error))
    return connection.failure


@click.command()
@env_option
@click.pass_obj
@with_readable_errors
def send(metadata: ProjectMetadata, env: str | None) -> None:
    """Upload unsent results of all tasks to MLflow, without training."""
    from image_translation.runs.backlog import send_backlog

    count, is_complete = 0, True
    with open_context(metadata, env) as context:
        for task in all_tasks():
            folders = task_folders(context, task)
            try:
                with hold_alone(folders):
                    log = partial(log_dataset, context.catalog)
                    count += send_backlog(folders, log)
            except LockedError as error:
                is_complete = False
                click.echo(
                    f"Not sent: {error}\nThe next run of {task} uploads its results",
                    err=True,
                )
    if count:
        click.echo(
            f"Sent to MLflow: {wording.count(count, 'training or run', 'trainings and runs')}"
        )
    elif is_complete and not connection.is_lost:
        click.echo("Nothing to send: MLflow has all results")
