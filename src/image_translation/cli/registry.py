"""``kedro rollback`` and ``kedro promote``: the champion, changed by hand."""

from typing import TYPE_CHECKING, Any

import click
from kedro.framework.cli.utils import env_option
from kedro.framework.startup import ProjectMetadata

from image_translation.cli.errors import with_readable_errors
from image_translation.cli.options import task_option
from image_translation.cli.project import open_alone
from image_translation.hooks.project import task_folders
from image_translation.runs.pipeline_run import list_runs

if TYPE_CHECKING:
    from image_translation.registry.promotion import Promotion


@click.command()
@task_option
@env_option
@click.pass_obj
@with_readable_errors
def rollback(metadata: ProjectMetadata, task: str, env: str | None) -> None:
    """Roll back to the previous champion."""
    from image_translation.registry.promotion import roll_back

    with open_alone(metadata, task, env) as context:
        log = context.catalog.load(f"{task}.remembered_promotions")
        _save(context, task, roll_back(task, log))


@click.command()
@task_option
@click.option("--version", type=int, required=True, help="Of the registered model.")
@env_option
@click.pass_obj
@with_readable_errors
def promote(
    metadata: ProjectMetadata, task: str, version: int, env: str | None
) -> None:
    """Make a version of a task's model the champion."""
    from image_translation.registry.promotion import promote_by_hand

    with open_alone(metadata, task, env) as context:
        log = context.catalog.load(f"{task}.remembered_promotions")
        _save(context, task, promote_by_hand(task, version, log))


def _save(context: Any, task: str, promotion: "Promotion") -> None:
    dataset = f"{task}.promotion"
    for run in list_runs(task_folders(context, task))[-1:]:
        run.log.append("replaced", dataset=dataset)
    context.catalog.save(dataset, promotion.record)
    context.catalog.save(f"{task}.promotions", promotion.log)
    reason = promotion.record["reason"]
    click.echo(f"{task}: {reason}; the task's next run updates the report")
