"""Options that several commands have."""

from typing import Any

import click
from kedro.framework.cli.utils import KedroCliError, split_string

from image_translation.pipeline_registry import OF_ONE_TASK, TASKS


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

    Raises:
        KedroCliError: The task is unknown.
    """
    chosen = [options.get("pipeline"), *(options.get("pipelines") or ())]
    if not set(OF_ONE_TASK) & set(chosen) or options.get("namespaces"):
        return options
    params = dict(options.get("params") or {})
    task = params.pop("task", TASKS[0])
    if task not in TASKS:
        raise KedroCliError(
            f"--params: task is one of {', '.join(TASKS)}, not {task!r}"
        )
    return {**options, "params": params, "namespaces": [task]}


task_option = click.option(
    "--task", type=click.Choice(TASKS), default=TASKS[0], show_default=True
)
params_option = click.option(
    "--params", default="", callback=parse_parameters, help="As in kedro run."
)
