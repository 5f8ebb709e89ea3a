import contextlib
import functools
import os
import shutil
import signal
import warnings
from types import SimpleNamespace
from unittest import mock

import click
import pytest
from click.testing import CliRunner
from kedro.framework.startup import bootstrap_project
from kedro.pipeline import Node, Pipeline
from mlflow.exceptions import MlflowException

from image_translation.cli import scheduled, stopping
from image_translation.cli.errors import with_readable_errors
from image_translation.cli.options import choose_task, parse_parameters
from image_translation.cli.pages import site
from image_translation.cli.run import (
    run,
    with_known_namespaces,
    with_recorded_errors,
)
from image_translation.common import foreign_warnings
from image_translation.common.errors import InputError
from image_translation.runs.exit_codes import Failure
from image_translation.runs.pipeline_run import begin_run
from image_translation.runs.task_state import TaskFolders
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
    with pytest.raises(
        click.BadParameter, match="is not of the form|is both value and"
    ):
        parse(text)


def test_former_name_of_a_model_is_accepted_in_namespaces():
    options = {"pipeline": "monet", "namespaces": ["monet.recommended", "monet.unet"]}
    assert choose_task(options)["namespaces"] == ["monet.residual_unet", "monet.unet"]


def test_unknown_namespace_is_an_error_that_names_the_models():
    pipeline = Pipeline([Node(abs, "x", "y", namespace="monet.unet")])

    @with_known_namespaces
    def filter_pipeline(namespaces):
        pipeline.filter(node_namespaces=namespaces)

    filter_pipeline(namespaces=["monet.unet"])
    with pytest.raises(InputError, match=r"monet\.unett: .* unet, .*ensemble=true"):
        filter_pipeline(namespaces=["monet.unett"])


def test_input_error_anywhere_in_the_chain_is_shown_without_traceback():
    @click.command()
    @with_readable_errors
    def command():
        try:
            raise InputError("no folder x; pass another one")
        except InputError as error:
            raise RuntimeError("wrapped") from error

    result = CliRunner().invoke(command)
    assert result.exit_code == 3
    assert result.output == "Error: no folder x; pass another one\n"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"env": "smok"}, "--env: 'smok' does not exist; did you mean smoke?"),
        ({"pipeline": "monnet"}, "'monnet' does not exist; did you mean monet?"),
        ({"pipelines": ["xyz"]}, "'xyz' does not exist; known: __default__, calib"),
    ],
)
def test_misspelt_name_is_one_line_with_the_nearest(options, message, monkeypatch):
    monkeypatch.chdir(PROJECT)
    bootstrap_project(PROJECT)
    command = click.Command("run", callback=with_readable_errors(lambda **_: None))
    command.callback = functools.partial(command.callback, **options)
    result = CliRunner().invoke(command)
    assert result.exit_code == 3
    assert message in result.output
    assert len(result.output.splitlines()) == 1


@pytest.mark.parametrize(
    ("counts", "said"),
    [([0, 0], "Nothing to send"), ([1, 2], "Sent to MLflow: 3 trainings and runs")],
)
def test_send_reports_what_was_sent(counts, said, tmp_path, monkeypatch):
    context = SimpleNamespace(
        config_loader={"globals": {"data": "data"}}, project_path=tmp_path, catalog={}
    )
    opened = contextlib.nullcontext(context)
    monkeypatch.setattr(scheduled, "open_context", lambda *_: opened)
    monkeypatch.setattr(scheduled, "all_tasks", lambda: ("monet", "cartoon"))
    numbers = iter(counts)
    backlog = "image_translation.runs.backlog.send_backlog"
    monkeypatch.setattr(backlog, lambda *_: next(numbers))
    assert said in CliRunner().invoke(scheduled.send, obj=object()).output


def test_warning_of_a_library_is_not_shown(monkeypatch):
    shown = []
    monkeypatch.setattr(warnings, "showwarning", lambda *args, **_: shown.append(args))
    foreign_warnings.ignore()
    for message in (f"\x1b[33m{foreign_warnings.UNWANTED}", "another"):
        warnings.showwarning(message, UserWarning, "file", 1)
    assert [args[0] for args in shown] == ["another"]


def test_error_of_mlflow_is_shown_without_traceback_and_credentials():
    @click.command()
    @with_readable_errors
    def command():
        raise MlflowException("API request to http://user:secret@host/api failed")

    result = CliRunner().invoke(command)
    assert result.exit_code == 1
    assert result.output == "Error: MLflow: API request to http://host/api failed\n"


@pytest.fixture
def surviving(monkeypatch):
    """A signal ends the command and not the process of the tests."""
    monkeypatch.setattr(stopping, "SECONDS_TO_STOP", 3600)
    monkeypatch.setattr(stopping, "atexit", mock.Mock())
    yield
    signal.set_wakeup_fd(-1)


@pytest.mark.usefixtures("surviving")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_stops_what_survives_errors(number):
    before = signal.getsignal(number)

    @click.command()
    @with_readable_errors
    def command():
        with contextlib.suppress(Exception):
            os.kill(os.getpid(), number)

    result = CliRunner().invoke(command)
    assert result.exit_code == 128 + number
    assert "to resume" in result.output
    assert signal.getsignal(number) == before


@pytest.fixture
def shared(tmp_path, monkeypatch):
    """A shared run of which this process does a part."""
    shutil.copytree(PROJECT / "conf/base", tmp_path / "conf/base")
    (tmp_path / "conf/local").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_RUN_ID", "a" * 32)
    shared = begin_run(TaskFolders(tmp_path / "data", "monet"), "night 1")
    shared.run_id = "a" * 32
    return shared


@pytest.mark.parametrize(
    ("nodes", "named"), [(["monet.score"], "monet.score"), (["a", "b"], ""), ([], "")]
)
def test_error_before_the_hooks_of_a_part_is_recorded(shared, nodes, named):
    @with_recorded_errors
    def run_part(**options):
        os.environ.pop("MLFLOW_RUN_ID")  # as MLflow does
        raise InputError("training.epochs: at least 1")

    with pytest.raises(InputError):
        run_part(pipeline="", pipelines=["monet"], node_names=nodes, env=None)
    assert shared.read().failures == {named: Failure("training.epochs: at least 1", 3)}


def test_error_is_recorded_once(shared):
    @with_recorded_errors
    def run_part(**options):
        error = InputError("no folder x")
        shared.fail(error, "monet.list_source")
        raise error

    with pytest.raises(InputError):
        run_part(pipelines=["monet"])
    assert list(shared.read().failures) == ["monet.list_source"]


def test_missing_log_hides_no_error(tmp_path, monkeypatch):
    @with_recorded_errors
    def run_part(**options):
        raise InputError("no folder x")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_RUN_ID", "a" * 32)
    with pytest.raises(InputError, match="no folder x"):
        run_part()


def test_other_errors_keep_their_traceback():
    @click.command()
    @with_readable_errors
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
