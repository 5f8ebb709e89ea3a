import os
import shutil
import signal
from types import SimpleNamespace

import click
import pytest
from click.testing import CliRunner
from kedro.framework.cli.utils import KedroCliError
from mlflow.exceptions import MlflowException

from image_translation.cli import (
    _signals_as_errors,
    _with_readable_errors,
    parse_parameters,
    run,
    site,
)
from image_translation.errors import InputError
from tests.conftest import PROJECT


def parse(text):
    return parse_parameters(click.Context(run), run.params[0], text)


def test_parameters_are_nested_and_stay_text():
    assert parse("source=on, training.epochs=007,training.seed=1") == {
        "source": "on",
        "training": {"epochs": "007", "seed": "1"},
    }


@pytest.mark.parametrize("value", ["a b", "a: b", "a #b", "${a}", "a=b", "Übung/é"])
def test_value_may_hold_what_yaml_would_read_otherwise(value):
    assert parse(f"source={value}") == {"source": value}


@pytest.mark.parametrize("text", ["source", "=x", "a..b=1", "a=1,a.b=2"])
def test_malformed_parameter_is_refused(text):
    with pytest.raises(KedroCliError, match="--params"):
        parse(text)


def test_input_error_anywhere_in_the_chain_is_shown_without_traceback():
    @click.command()
    @_with_readable_errors
    def command():
        try:
            raise InputError("no folder x; pass another one")
        except InputError as error:
            raise RuntimeError("wrapped") from error

    result = CliRunner().invoke(command)
    assert result.exit_code == 1
    assert result.output == "Error: no folder x; pass another one\n"


def test_error_of_mlflow_is_shown_without_traceback_and_credentials():
    @click.command()
    @_with_readable_errors
    def command():
        raise MlflowException("API request to http://user:secret@host/api failed")

    result = CliRunner().invoke(command)
    assert result.exit_code == 1
    assert result.output == "Error: MLflow: API request to http://host/api failed\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_is_an_error_that_hooks_hear_of(number):
    heard = []
    before = signal.getsignal(number)

    @click.command()
    @_with_readable_errors
    @_signals_as_errors()
    def command():
        try:
            os.kill(os.getpid(), number)
        except Exception as error:  # as Kedro does before it calls on_pipeline_error
            heard.append(error)
            raise

    result = CliRunner().invoke(command)
    assert result.exit_code == 128 + number
    assert "goes on from there" in result.output
    assert len(heard) == 1
    assert signal.getsignal(number) == before


def test_other_errors_keep_their_traceback():
    @click.command()
    @_with_readable_errors
    def command():
        raise RuntimeError("a bug")

    assert isinstance(CliRunner().invoke(command).exception, RuntimeError)


def test_site_takes_the_reports_of_the_environment(tmp_path):
    shutil.copytree(PROJECT / "conf/base", tmp_path / "conf/base")
    shutil.copytree(PROJECT / "conf/smoke", tmp_path / "conf/smoke")
    reports = tmp_path / "data/smoke/08_reporting/monet"
    reports.mkdir(parents=True)
    (reports / "report.html").write_text("who is better", "utf-8")
    result = CliRunner().invoke(
        site,
        ["--env=smoke", f"--output={tmp_path / 'site'}"],
        obj=SimpleNamespace(project_path=tmp_path),
    )
    assert result.exit_code == 0, result.output
    page = tmp_path / "site/reports/monet/report.html"
    assert page.read_text("utf-8") == "who is better"
    assert "reports/monet/report.html" in (tmp_path / "site/index.html").read_text()
