"""Readable errors, signals and exit codes for all commands."""

import functools
import warnings
from collections.abc import Callable
from typing import Any, NoReturn

import click

from image_translation.cli.options import check_names
from image_translation.cli.stopping import stoppable
from image_translation.runs.exit_codes import ExitCode, Failure, known_failure
from image_translation.runs.store import connection, describe_mlflow_error
from image_translation.training.interruption import Stopped


def report_unsent(failure: str | None) -> None:
    """Print that MLflow lacks results, and the remedy.

    Args:
        failure: The reason.
    """
    click.echo(
        f"The connection to MLflow was lost ({failure}). All results are on disk; the"
        " next run uploads the rest, as does: make send",
        err=True,
    )


def with_readable_errors(function: Callable[..., Any]) -> Callable[..., Any]:
    """Show known errors and stops without a traceback, and exit with their codes.

    Misspelt pipelines and environments are errors before the function is called.
    """

    @functools.wraps(function)
    def wrapper(*args: Any, **options: Any) -> Any:
        warnings.filterwarnings("ignore", message="Option '--pipeline' is deprecated")
        warnings.filterwarnings("ignore", message="One or more dataset names contain")
        try:
            with stoppable():
                check_names(options)
                returned = function(*args, **options)
        except (Exception, Stopped) as error:
            if failure := known_failure(error):
                _exit(failure)
            if message := describe_mlflow_error(error):
                raise click.ClickException(message) from error
            raise
        if connection.is_lost:
            report_unsent(connection.failure)
            raise SystemExit(ExitCode.MLFLOW_LOST)
        return returned

    return wrapper


def _exit(failure: Failure) -> NoReturn:
    is_error = failure.code not in (ExitCode.INTERRUPTED, ExitCode.TERMINATED)
    click.echo(f"Error: {failure.error}" if is_error else failure.error, err=True)
    raise SystemExit(failure.code)
