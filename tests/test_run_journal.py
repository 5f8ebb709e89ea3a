from types import SimpleNamespace

import pytest
from kedro.framework.hooks.manager import _create_hook_manager
from kedro.io import AbstractDataset, DataCatalog, MemoryDataset
from kedro.pipeline import Node, Pipeline
from kedro.runner import SequentialRunner, ThreadRunner
from mlflow import MlflowClient

from image_translation.run_journal import RunJournalHooks, take_over
from image_translation.runs.exit_codes import Failure
from image_translation.scheduling.journal import Journal
from image_translation.scheduling.state import TaskFolders

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
def journal(tmp_path):
    return Journal(TaskFolders(tmp_path / "data", "colorization"))


@pytest.fixture
def summary(journal):
    return journal.folders.reporting / "run_summary.md"


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
        hooks.register(RunJournalHooks())
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
def test_node_has_come_to_its_end_when_all_is_saved(run, journal, summary, runner):
    seen = []
    run(lambda number: seen.append(journal.read()), runner)
    assert [record.unfinished for record in seen] == [[MAKE]]
    assert not seen[0].seconds
    record = journal.read()
    assert set(record.seconds) == {MAKE, USE}
    assert record.is_over
    assert "colorization: finished" in summary.read_text("utf-8")


def test_node_is_named_whose_output_cannot_be_saved(run, journal, summary):
    def save(number):
        raise RuntimeError("the disk is full")

    with pytest.raises(Exception, match="the disk is full"):
        run(save)
    record = journal.read()
    assert list(record.failures) == [MAKE]
    assert "the disk is full" in record.failures[MAKE].error
    assert not record.seconds
    assert f"**{MAKE}**" in summary.read_text("utf-8")


def test_node_that_is_killed_in_saving_has_not_come_to_its_end(run, journal):
    def save(number):
        raise SystemExit  # of which Kedro tells no hook

    with pytest.raises(SystemExit):
        run(save)
    record = journal.read()
    assert record.unfinished == [MAKE]
    assert not (record.seconds or record.is_over)


def test_journal_that_cannot_be_written_hides_no_error(run, journal, monkeypatch):
    def refuse(*args):
        raise OSError("no space left")

    def save(number):
        for method in ("fail", "start", "finish", "end"):
            monkeypatch.setattr(Journal, method, refuse)
        raise RuntimeError("the error of the run")

    with pytest.raises(Exception, match="the error of the run"):
        run(save)


def test_journal_that_cannot_be_begun_ends_no_run(run, journal, caplog):
    journal.path.mkdir(parents=True)
    run()
    assert "What the run did cannot be noted" in caplog.text


def test_part_of_a_run_goes_on_with_its_journal(run, journal, summary, monkeypatch):
    journal.begin("night 1")
    journal.fail(ValueError("no"), "elsewhere")
    monkeypatch.setenv("MLFLOW_RUN_ID", "a" * 32)
    run()
    record = journal.read()
    assert record.key == "night 1"
    assert record.failures == {"elsewhere": Failure("ValueError: no", 1)}
    assert set(record.seconds) == {MAKE, USE}
    assert not summary.exists()


def test_run_after_one_that_was_cut_off_ends_it_in_mlflow_and_says_so(
    run, journal, summary, store
):
    left = MlflowClient().create_run(store).info.run_id
    journal.begin()
    journal.note_parent(left)
    journal.start("colorization.unet.train")
    run()
    assert MlflowClient().get_run(left).info.status == "KILLED"
    assert "was cut off in colorization.unet.train." in summary.read_text("utf-8")
    run()
    assert "cut off" not in summary.read_text("utf-8")


def test_run_that_goes_on_is_not_ended_in_mlflow(journal, store):
    going_on = MlflowClient().create_run(store).info.run_id
    journal.begin()
    journal.note_parent(going_on)
    take_over(journal, journal.begin(), going_on)
    assert MlflowClient().get_run(going_on).info.status == "RUNNING"
    assert journal.read().parent == going_on
