"""``kedro send``: upload of results that MLflow lacks."""

from functools import partial

import click
from kedro.framework.cli.utils import env_option
from kedro.framework.startup import ProjectMetadata

from image_translation.cli.errors import with_readable_errors
from image_translation.cli.project import open_context
from image_translation.hooks.logged_datasets import log_dataset
from image_translation.hooks.project import task_folders
from image_translation.pipeline_registry import TASKS


@click.command()
@env_option
@click.pass_obj
@with_readable_errors
def send(metadata: ProjectMetadata, env: str | None) -> None:
    """Upload unsent results of all tasks to MLflow, without training."""
    from image_translation.runs.backlog import send_backlog

    with open_context(metadata, env) as context:
        for task in TASKS:
            folders = task_folders(context, task)
            send_backlog(folders, partial(log_dataset, context.catalog))
