"""Options that several commands have."""

import difflib
import os
from collections.abc import Collection
from pathlib import Path
from typing import Any

import click
from kedro.framework.cli.utils import KedroCliError, split_string
from kedro.utils import find_kedro_project

from image_translation.common.errors import InputError
from image_translation.config.data_sets import declare_data_set, declare_data_sets
from image_translation.pipeline_registry import (
    OF_ONE_TASK,
    OWN,
    RENAMED_MODELS,
    TASKS,
    all_pipelines,
    all_tasks,
)


def parse_parameters(
    context: click.Context, option: click.Parameter, value: str | dict
) -> dict[str, Any]:
    """Parse ``name=value,…`` into nested names; every value stays text.

    The settings classes convert the values. YAML would read ``on`` as a boolean and
    ``007`` as the number 7.

    Raises:
        BadParameter: An item is not of the form ``name=value``.
    """
    if isinstance(value, dict):
        return value
    parameters: dict[str, Any] = {}
    for item in split_string(context, option, value):
        name, separator, text = item.partition("=")
        if not separator or not all(name.strip().split(".")):
            raise click.BadParameter(
                f"{item!r} is not of the form name=value. A comma separates"
                " parameters; a value with a comma goes into conf/local/parameters.yml"
            )
        *path, last = name.strip().split(".")
        block = parameters
        for part in path:
            block = block.setdefault(part, {})
            if not isinstance(block, dict):
                raise click.BadParameter(f"{name.strip()!r} is both value and block")
        block[last] = text
    return parameters


def choose_task(options: dict[str, Any]) -> dict[str, Any]:
    """Move ``task=<task>`` from the parameters of a pipeline to its namespaces.

    Former names of models in namespaces are replaced.

    Raises:
        KedroCliError: The task is unknown.
    """
    options = _name_data_set(options)
    namespaces = [_present_namespace(n) for n in options.get("namespaces") or ()]
    options = {**options, "namespaces": namespaces}
    chosen = [options.get("pipeline"), *(options.get("pipelines") or ())]
    if not set(OF_ONE_TASK) & set(chosen) or options.get("namespaces"):
        return options
    params = dict(options.get("params") or {})
    task = params.pop("task", TASKS[0])
    if task not in all_tasks():
        raise KedroCliError(
            f"--params: task is one of {', '.join(all_tasks())}, not {task!r}"
        )
    return {**options, "params": params, "namespaces": [task]}


def _name_data_set(options: dict[str, Any]) -> dict[str, Any]:
    """Replace the pipeline ``custom`` by that of the data set ``name=<name>``.

    Raises:
        KedroCliError: Another pipeline is run.
        InputError: The name cannot be used.
    """
    params = dict(options.get("params") or {})
    name = params.pop("name", None)
    if name is None:
        return options
    chosen = [options.get("pipeline"), *(options.get("pipelines") or ())]
    if [pipeline for pipeline in chosen if pipeline] != [OWN]:
        raise KedroCliError(
            f"--params: name={name} names a data set of --pipeline={OWN}; pass "
            f"task={name} to other pipelines"
        )
    declare_data_set(name)
    return {**options, "params": params, "pipeline": name, "pipelines": ()}


def _declare_tasks() -> None:
    declare_data_sets(find_kedro_project(Path.cwd()) or Path.cwd())


def _check_task(context: click.Context, option: click.Parameter, value: str) -> str:
    _declare_tasks()
    if value not in all_tasks():
        raise click.BadParameter(f"{value!r} is not one of {', '.join(all_tasks())}")
    return value


def _present_namespace(namespace: str) -> str:
    task, _, model = namespace.partition(".")
    return f"{task}.{RENAMED_MODELS[model]}" if model in RENAMED_MODELS else namespace


def check_names(options: dict[str, Any]) -> None:
    """Check the pipelines and the environment of a command.

    Raises:
        InputError: One does not exist; the message proposes the nearest name.
    """
    from kedro.framework.project import settings

    _declare_tasks()
    env = options.get("env") or os.environ.get("KEDRO_ENV")
    if env and (project := find_kedro_project(Path.cwd())) is not None:
        folders = (project / settings.CONF_SOURCE).glob("*/")
        default = settings.CONFIG_LOADER_ARGS["default_run_env"]
        _check_name("--env", env, {default, *(folder.name for folder in folders)})
    chosen = [options.get("pipeline"), *(options.get("pipelines") or ())]
    for name in filter(None, chosen):
        _check_name("--pipeline", name, all_pipelines())


def _check_name(option: str, name: str, known: Collection[str]) -> None:
    if name in known:
        return
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(sorted(known))}"
    raise InputError(f"{option}: {name!r} does not exist; {hint}")


task_option = click.option(
    "--task",
    default=TASKS[0],
    show_default=True,
    callback=_check_task,
    help=f"{', '.join(TASKS)}, or the name of an own data set.",
)
params_option = click.option(
    "--params", default="", callback=parse_parameters, help="As in kedro run."
)
