"""``kedro run`` as its users need it: text stays text, errors are readable."""

import copy
import functools
import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click
from kedro.framework.cli.project import run as kedro_run
from kedro.framework.cli.utils import KedroCliError, env_option, split_string
from kedro.framework.session import KedroSession
from kedro.framework.startup import ProjectMetadata
from kedro.io import CatalogProtocol

from image_translation.errors import InputError
from image_translation.hooks import send_task
from image_translation.pipeline_registry import HUMAN_STUDY, TASKS
from image_translation.tracking.store import connection
from image_translation.training.interruption import TrainingStoppedError

if TYPE_CHECKING:
    from image_translation.tracking.promotion import Promotion

UNSENT = (
    "MLflow could not be reached to the end ({failure}). Everything is on disk; "
    "what MLflow has missed is sent by the next run, or by: make send"
)


@click.group()
def cli() -> None:
    """Commands of this project."""


def parse_parameters(
    context: click.Context, option: click.Parameter, value: str | dict
) -> dict[str, Any]:
    """Read ``name=value,…`` into nested names; every value stays the text it is.

    The parameter schema types the values. YAML would make ``on`` a boolean and
    ``007`` the number 7 before anybody could ask for the text.

    Raises:
        KedroCliError: An item is not of the form ``name=value``.
    """
    if isinstance(value, dict):
        return value
    parameters: dict[str, Any] = {}
    for item in split_string(context, option, value):
        name, separator, text = item.partition("=")
        if not separator or not all(name.strip().split(".")):
            raise KedroCliError(
                f"--params: {item!r} is not of the form name=value. A comma separates"
                " parameters; a value with a comma goes into conf/local/parameters.yml"
            )
        *path, last = name.strip().split(".")
        block = parameters
        for part in path:
            block = block.setdefault(part, {})
            if not isinstance(block, dict):
                raise KedroCliError(
                    f"--params: {name.strip()!r} is both value and block"
                )
        block[last] = text
    return parameters


def choose_task(options: dict[str, Any]) -> dict[str, Any]:
    """Run the human study of one task: ``task=<task>`` among its parameters.

    Raises:
        KedroCliError: There is no such task.
    """
    chosen = [options.get("pipeline"), *(options.get("pipelines") or ())]
    if HUMAN_STUDY not in chosen or options.get("namespaces"):
        return options
    params = dict(options.get("params") or {})
    task = params.pop("task", TASKS[0])
    if task not in TASKS:
        raise KedroCliError(
            f"--params: task is one of {', '.join(TASKS)}, not {task!r}"
        )
    return {**options, "params": params, "namespaces": [task]}


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__


def _with_readable_errors(function: Any) -> Callable[..., Any]:
    @functools.wraps(function)
    def wrapper(*args: Any, **options: Any) -> Any:
        warnings.filterwarnings("ignore", message="Option '--pipeline' is deprecated")
        warnings.filterwarnings("ignore", message="One or more dataset names contain")
        try:
            returned = function(*args, **choose_task(options))
        except Exception as error:
            for cause in _causes(error):
                if isinstance(cause, InputError):
                    raise click.ClickException(str(cause)) from error
                if isinstance(cause, TrainingStoppedError):
                    click.echo(str(cause), err=True)
                    raise SystemExit(cause.exit_code) from error
            raise
        if connection.is_lost:
            click.echo(UNSENT.format(failure=connection.failure), err=True)
            raise SystemExit(os.EX_TEMPFAIL)
        return returned

    return wrapper


def _project_run() -> click.Command:
    command = copy.copy(kedro_run)
    command.callback = _with_readable_errors(kedro_run.callback)
    command.params = [copy.copy(option) for option in kedro_run.params]
    for option in command.params:
        if option.name == "params":
            option.callback = parse_parameters
    return command


run = _project_run()
cli.add_command(run, "run")

task_option = click.option("--task", type=click.Choice(TASKS), default=TASKS[0])


@cli.command()
@env_option
@click.pass_obj
@_with_readable_errors
def send(metadata: ProjectMetadata, env: str | None) -> None:
    """Send MLflow what it has missed, of all tasks, without training."""
    with _catalog(metadata, env) as catalog:
        for task in TASKS:
            send_task(catalog, task)


@cli.command()
@task_option
@env_option
@click.pass_obj
@_with_readable_errors
def rollback(metadata: ProjectMetadata, task: str, env: str | None) -> None:
    """Put the model that was in use before into use again."""
    from image_translation.tracking.promotion import roll_back

    with _catalog(metadata, env) as catalog:
        log = catalog.load(f"{task}.remembered_promotions")
        _keep(catalog, task, roll_back(task, log))


@cli.command()
@task_option
@click.option("--version", type=int, required=True, help="Of the registered model.")
@env_option
@click.pass_obj
@_with_readable_errors
def promote(
    metadata: ProjectMetadata, task: str, version: int, env: str | None
) -> None:
    """Put a version of a task's model into use by hand."""
    from image_translation.tracking.promotion import promote_by_hand

    with _catalog(metadata, env) as catalog:
        log = catalog.load(f"{task}.remembered_promotions")
        _keep(catalog, task, promote_by_hand(task, version, log))


@contextmanager
def _catalog(metadata: ProjectMetadata, env: str | None) -> Iterator[CatalogProtocol]:
    """The project's catalog, with MLflow set up as in a run."""
    with KedroSession.create(metadata.project_path, env=env) as session:
        yield session.load_context().catalog  # type: ignore[attr-defined]


def _keep(catalog: CatalogProtocol, task: str, promotion: "Promotion") -> None:
    catalog.save(f"{task}.promotion", promotion.record)
    catalog.save(f"{task}.promotions", promotion.log)
    click.echo(f"{task}: {promotion.record['reason']}")
