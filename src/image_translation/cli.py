"""``kedro run`` as its users need it: text stays text, errors are readable."""

import copy
import functools
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
from kedro.framework.cli.project import run as kedro_run
from kedro.framework.cli.utils import KedroCliError, env_option, split_string
from kedro.framework.startup import ProjectMetadata

from image_translation.errors import InputError
from image_translation.pipeline_registry import HUMAN_STUDY, TASKS
from image_translation.training.interruption import TrainingStoppedError


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
    def wrapper(**options: Any) -> Any:
        warnings.filterwarnings("ignore", message="Option '--pipeline' is deprecated")
        warnings.filterwarnings("ignore", message="One or more dataset names contain")
        try:
            return function(**choose_task(options))
        except Exception as error:
            for cause in _causes(error):
                if isinstance(cause, InputError):
                    raise click.ClickException(str(cause)) from error
                if isinstance(cause, TrainingStoppedError):
                    click.echo(str(cause), err=True)
                    raise SystemExit(cause.exit_code) from error
            raise

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


@cli.command()
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    default="site",
    help="The site's folder.",
)
@click.option(
    "--graph",
    type=click.Path(path_type=Path, exists=True),
    help="What kedro viz build has written.",
)
@env_option
@click.pass_obj
def site(
    metadata: ProjectMetadata, output: Path, graph: Path | None, env: str | None
) -> None:
    """Put graph, reports and documentation behind one start page."""
    from image_translation.parameters import LayeredConfigLoader
    from image_translation.reporting.site import build_site

    project = metadata.project_path
    conf = str(project / "conf")
    loader = LayeredConfigLoader(conf, env, base_env="base", default_run_env="local")
    reports = project / loader["globals"]["data"] / "08_reporting"
    page = build_site(output, reports, graph, TASKS)
    click.echo(f"{page}: start it with python -m http.server --directory {output}")
