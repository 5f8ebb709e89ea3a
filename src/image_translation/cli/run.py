"""``kedro run``: parameters stay text, errors are readable."""

import copy
import functools
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click
from kedro.framework.cli.project import run as kedro_run
from kedro.io import MemoryDataset
from kedro.utils import find_kedro_project

from image_translation.cli.errors import with_readable_errors
from image_translation.cli.options import choose_task, parse_parameters
from image_translation.cli.project import find_folders
from image_translation.common.errors import InputError
from image_translation.common.names import ENSEMBLE
from image_translation.hooks.stop import reported_stops
from image_translation.pipeline_registry import (
    OPTIONAL_MODELS,
    TASKS,
    all_models,
    all_tasks,
)
from image_translation.runs.events import guarded
from image_translation.runs.exit_codes import ExitCode
from image_translation.runs.pipeline_run import find_run
from image_translation.training.interruption import Stopped


def with_recorded_errors(function: Callable[..., Any]) -> Callable[..., Any]:
    """Record an error that stops a part of a shared run before its hooks are called."""

    @functools.wraps(function)
    def wrapper(*args: Any, **options: Any) -> Any:
        run_id = os.environ.get("MLFLOW_RUN_ID")  # MLflow removes it
        try:
            return function(*args, **options)
        except (Exception, Stopped) as error:
            if run_id is not None:
                _record_error(error, run_id, options)
            raise

    return wrapper


def with_known_namespaces(function: Callable[..., Any]) -> Callable[..., Any]:
    """Name the models in the error about a namespace that does not exist."""

    @functools.wraps(function)
    def wrapper(*args: Any, **options: Any) -> Any:
        try:
            return function(*args, **options)
        except ValueError as error:
            if "following namespaces" not in str(error):
                raise
            raise InputError(
                f"--namespaces: {', '.join(options['namespaces'])}: not in this pipeline, "
                f"which has the models {', '.join(all_models())}. An ensemble, "
                f"<model>{ENSEMBLE}, also needs --params ensemble=true, and "
                f"{', '.join(OPTIONAL_MODELS)} --params <task>.<model>.enabled=true"
            ) from error

    return wrapper


@guarded()
def _record_error(error: BaseException, run_id: str, options: dict[str, Any]) -> None:
    chosen = [options.get("pipeline"), *(options.get("pipelines") or ())]
    tasks = [name for name in chosen if name] or [TASKS[0]]
    nodes: Sequence[str] = options.get("node_names") or ()
    if len(tasks) == 1 and tasks[0] in all_tasks():
        project = find_kedro_project(Path.cwd()) or Path.cwd()
        folders = find_folders(project, tasks[0], options.get("env"))
        if (run := find_run(folders, run_id)) is not None:
            run.fail_once(error, nodes[0] if len(nodes) == 1 else "")


def _has_failed_photos(outputs: Any) -> bool:
    """Whether a translation of a folder failed for some photographs."""
    if not outputs:
        return False
    from image_translation.translation.ledger import Outcome

    results = [
        output.load()
        for output in outputs.values()
        if isinstance(output, MemoryDataset)
    ]
    return any(isinstance(result, Outcome) and result.failures for result in results)


def _project_run() -> click.Command:
    command = copy.copy(kedro_run)
    callback: Any = kedro_run.callback
    readable_choice = with_readable_errors(choose_task)
    known = with_known_namespaces(callback)
    recorded = with_readable_errors(with_recorded_errors(reported_stops()(known)))

    @functools.wraps(callback)
    def run_pipeline(*args: Any, **options: Any) -> Any:
        options = readable_choice(options)
        if options.pop("dry_run", False):
            from image_translation.cli.dry_run import list_work

            return with_readable_errors(list_work)(options)
        outputs = recorded(*args, **options)
        if _has_failed_photos(outputs):
            raise SystemExit(ExitCode.PHOTOS_FAILED)
        return outputs

    command.callback = run_pipeline
    command.params = [copy.copy(option) for option in kedro_run.params]
    command.params.append(
        click.Option(
            ["--dry-run"],
            is_flag=True,
            help="List what would be made and why, without making it.",
        )
    )
    for option in command.params:
        if option.name == "params":
            option.callback = parse_parameters
    return command


run = _project_run()
