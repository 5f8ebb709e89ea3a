from types import SimpleNamespace

import pytest
from kedro.framework.hooks.manager import _create_hook_manager
from kedro.io import AbstractDataset, DataCatalog, MemoryDataset
from kedro.pipeline import Node, Pipeline
from kedro.runner import SequentialRunner, ThreadRunner
from mlflow import MlflowClient

from image_translation.hooks.run_events import RunEventHooks
from image_translation.reporting.answer import Answer
from image_translation.runs.backlog import send_backlog
from image_translation.runs.events import EventLog
from image_translation.runs.exit_codes import Failure
from image_translation.runs.pipeline_run import begin_run, list_runs
from image_translation.runs.task_state import TaskFolders

MAKE, USE = "colorization.make", "colorization.use"


def make():
    return 1, 2


def use(number):
    """Has nothing to save."""


class SavedBy(AbstractDataset):
    """Saved by a function."""

    def __init__(self, function):
        self.function = function

    def save(self, data):
        self.function(data)

    def load(self):
        raise NotImplementedError

    def _describe(self):
        return {}


@pytest.fixture
def folders(tmp_path):
    return TaskFolders(tmp_path / "data", "colorization")


@pytest.fixture
def summary(folders):
    return folders.reporting / "run_summary.md"


def last(folders):
    return list_runs(folders)[-1]


@pytest.fixture
def run(tmp_path):
    """Runs two nodes as a session does; the second output is saved by a function."""
    outputs = ["colorization.a", "colorization.b"]
    pipeline = Pipeline(
        [
            Node(make, None, outputs, name="make", namespace="colorization"),
            Node(use, outputs[0], None, name="use", namespace="colorization"),
        ]
    )

    def run(save=lambda number: None, runner=SequentialRunner):
        hooks = _create_hook_manager()
        hooks.register(RunEventHooks())
        context = SimpleNamespace(
            config_loader={"globals": {"data": "data"}}, project_path=tmp_path
        )
        datasets = MemoryDataset(), SavedBy(save)
        catalog = DataCatalog(dict(zip(outputs, datasets, strict=True)))
        told = {"run_params": {}, "pipeline": pipeline, "catalog": catalog}
        hooks.hook.after_context_created(context=context)
        hooks.hook.before_pipeline_run(**told)
        try:
            runner().run(pipeline, catalog, hooks)
        except Exception as error:
            hooks.hook.on_pipeline_error(error=error, **told)
            raise
        hooks.hook.after_pipeline_run(run_result={}, **told)

    return run


@pytest.mark.parametrize("runner", [SequentialRunner, ThreadRunner])
def test_node_has_come_to_its_end_when_all_is_saved(run, folders, summary, runner):
    seen = []
    run(lambda number: seen.append(last(folders).read()), runner)
    assert [record.unfinished for record in seen] == [[MAKE]]
    assert not seen[0].seconds
    record = last(folders).read()
    assert set(record.seconds) == {MAKE, USE}
    assert record.is_over
    assert "colorization: finished" in summary.read_text("utf-8")


def test_node_is_named_whose_output_cannot_be_saved(run, folders, summary):
    def save(number):
        raise RuntimeError("the disk is full")

    with pytest.raises(Exception, match="the disk is full"):
        run(save)
    record = last(folders).read()
    assert list(record.failures) == [MAKE]
    assert "the disk is full" in record.failures[MAKE].error
    assert not record.seconds
    assert f"**{MAKE}**" in summary.read_text("utf-8")


def test_node_that_is_killed_in_saving_has_not_come_to_its_end(run, folders):
    def save(number):
        raise SystemExit  # of which Kedro tells no hook

    with pytest.raises(SystemExit):
        run(save)
    record = last(folders).read()
    assert record.unfinished == [MAKE]
    assert not (record.seconds or record.is_over)


def test_log_that_cannot_be_written_hides_no_error(run, folders, monkeypatch):
    def refuse(*args, **values):
        raise OSError("no space left")

    def save(number):
        monkeypatch.setattr(EventLog, "append", refuse)
        raise RuntimeError("the error of the run")

    with pytest.raises(Exception, match="the error of the run"):
        run(save)


def test_log_that_cannot_be_begun_ends_no_run(run, folders, caplog):
    folders.intermediate.mkdir(parents=True)
    folders.runs.touch()
    run()
    assert "Could not record the run" in caplog.text


def test_part_of_a_shared_run_appends_to_its_log(run, folders, summary, monkeypatch):
    shared = begin_run(folders, "night 1")
    shared.run_id = "a" * 32
    shared.fail(ValueError("no"), "elsewhere")
    monkeypatch.setenv("MLFLOW_RUN_ID", "a" * 32)
    monkeypatch.setattr(RunEventHooks, "_tags", lambda *args: {})
    for function in ("backlog.send_backlog", "backlog.send_run"):
        monkeypatch.setattr(f"image_translation.runs.{function}", lambda *_: None)
    leave = "image_translation.runs.parent_runs.leave_parent"
    monkeypatch.setattr(leave, lambda run_id: None)
    run()
    record = shared.read()
    assert record.key == "night 1"
    assert record.failures == {"elsewhere": Failure("ValueError: no", 1)}
    assert set(record.seconds) == {MAKE, USE}
    assert not record.is_over
    assert not summary.exists()


def test_interrupted_run_is_killed_in_mlflow_and_named_in_the_summary(
    run, folders, summary, store
):
    left = begin_run(folders)
    left.run_id = run_id = MlflowClient().create_run(store).info.run_id
    left.log.append("started", node="colorization.unet.train")
    run()
    send_backlog(folders, lambda *_: None)
    assert MlflowClient().get_run(run_id).info.status == "KILLED"
    assert "was interrupted in colorization.unet.train." in summary.read_text("utf-8")
    run()
    assert "interrupted" not in summary.read_text("utf-8")


def test_run_with_a_report_ends_with_the_answer_and_its_path(
    run, folders, caplog, monkeypatch
):
    monkeypatch.setattr(RunEventHooks, "_includes_report", lambda self: True)
    answer = Answer("unet is best.", "", "By itself, the adversarial loss harms.")
    where = "image_translation.runs.summary.read_answer"
    monkeypatch.setattr(where, lambda reporting: answer)
    with caplog.at_level("INFO", logger="image_translation.hooks"):
        run()
    report = folders.reporting / "report.html"
    assert caplog.messages[-3:] == [*str(answer).splitlines(), f"Report: {report}"]
