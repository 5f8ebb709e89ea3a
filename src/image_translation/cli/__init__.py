"""Commands of this project: ``kedro run`` and its own."""

import click

from image_translation.cli.app import app
from image_translation.cli.registry import promote, rollback
from image_translation.cli.run import run
from image_translation.cli.scheduled import nightly, shared_run
from image_translation.cli.send import send
from image_translation.cli.site import site

__all__ = ["cli", "run"]


@click.group()
def cli() -> None:
    """Commands of this project."""


for command in (run, nightly, shared_run, send, rollback, promote, app, site):
    cli.add_command(command)
