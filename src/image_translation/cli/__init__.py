"""Commands of this project: ``kedro run`` and its own."""

import click

from image_translation.cli.clean import clean
from image_translation.cli.pages import app, site
from image_translation.cli.registry import promote, rollback
from image_translation.cli.run import run
from image_translation.cli.scheduled import nightly, send, shared_run

__all__ = ["cli", "run"]


@click.group()
def cli() -> None:
    """Commands of this project."""


for command in (run, nightly, shared_run, send, rollback, promote, clean, app, site):
    cli.add_command(command)
