"""``kedro clean``: removes what old runs of a task have left."""

import click
from kedro.framework.cli.utils import env_option
from kedro.framework.startup import ProjectMetadata

from image_translation.cli.errors import with_readable_errors
from image_translation.cli.options import task_option
from image_translation.cli.project import open_alone
from image_translation.hooks.project import task_folders

KEPT = 10


@click.command()
@task_option
@click.option(
    "--keep",
    type=click.IntRange(min=0),
    default=KEPT,
    show_default=True,
    help="Number of the newest runs and versions to keep.",
)
@click.option("--dry-run", is_flag=True, help="List what would be removed.")
@env_option
@click.pass_obj
@with_readable_errors
def clean(
    metadata: ProjectMetadata, task: str, keep: int, dry_run: bool, env: str | None
) -> None:
    """Remove old runs and versions of a task, except those in use."""
    from image_translation.registry.retention import find_leftovers

    with open_alone(metadata, task, env) as context:
        leftovers = find_leftovers(
            task_folders(context, task), keep, context.env or "local"
        )
        for leftover in leftovers:
            if not dry_run:
                leftover.remove()
            click.echo(f"{_format(leftover.size)}  {leftover.name}")
    if leftovers:
        done = "Would remove" if dry_run else "Removed"
        total = _format(sum(leftover.size for leftover in leftovers)).strip()
        click.echo(f"{done} {len(leftovers)} items of {task}, {total}")
    else:
        click.echo(f"Nothing to remove of {task}")


def _format(size: int) -> str:
    return f"{size / 1e6:10.2f} MB"
