from types import SimpleNamespace

import pytest
from kedro.framework.hooks import hook_impl
from kedro.framework.hooks.manager import _create_hook_manager
from kedro.io import DataCatalog
from kedro.pipeline import Node, Pipeline

from image_translation.hooks.run_events import RunEventHooks
from image_translation.hooks.stop import StopHooks, record_stop, reported_stops
from image_translation.runs.pipeline_run import list_runs
from image_translation.runs.store import connection
from image_translation.runs.task_state import TaskFolders
from image_translation.training.interruption import Stopped


def make():
    return 1


PIPELINE = Pipeline(
    [Node(make, None, "colorization.a", name="make", namespace="colorization")]
)
STOP = Stopped("stopped by SIGTERM", 15)


class OtherHooks:
    """Of a plugin."""

    def __init__(self):
        self.errors = []
        self.problem = None

    @hook_impl
    def on_pipeline_error(self, error):
        self.errors.append(error)
        if self.problem is not None:
            raise self.problem


@pytest.fixture
def others():
    return OtherHooks()


@pytest.fixture
def begin(tmp_path, others, monkeypatch):
    """Begins a run, and returns its hooks and what they are called with."""
    monkeypatch.setattr(StopHooks, "running", None)

    def begin():
        hooks, events = _create_hook_manager(), RunEventHooks()
        for each in (StopHooks(events), events, others):
            hooks.register(each)
        context = SimpleNamespace(
            config_loader={"globals": {"data": "data"}},
            project_path=tmp_path,
            _hook_manager=hooks,
        )
        told = {"run_params": {}, "pipeline": PIPELINE, "catalog": DataCatalog()}
        hooks.hook.after_context_created(context=context)
        hooks.hook.before_pipeline_run(**told)
        return hooks, told

    yield begin
    connection.renew()


@pytest.fixture
def last(tmp_path):
    def last():
        return list_runs(TaskFolders(tmp_path / "data", "colorization"))[-1].read()

    return last


def stop():
    with pytest.raises(Stopped), reported_stops():
        raise STOP


def test_stop_is_reported_to_all_hooks(begin, others, last, tmp_path):
    begin()
    stop()
    assert others.errors == [STOP]
    assert last().is_over
    assert [failure.code for failure in last().failures.values()] == [143]
    (summary,) = tmp_path.rglob("run_summary.md")
    assert "stopped by SIGTERM" in summary.read_text("utf-8")


def test_stop_is_recorded_even_if_a_hook_fails(begin, others, last):
    begin()
    others.problem = RuntimeError("interrupted import")
    stop()
    assert last().is_over


def test_run_that_has_ended_is_not_reported(begin, others, last):
    hooks, told = begin()
    hooks.hook.after_pipeline_run(run_result={}, **told)
    stop()
    assert others.errors == []
    assert not last().failures


def test_stop_is_recorded_once_without_hooks(begin, others, last):
    begin()
    record_stop(STOP)
    assert last().is_over
    assert others.errors == []
    stop()
    assert len(last().failures) == 1


def test_run_that_was_broken_off_is_reported_by_the_next_one(begin, others, last):
    begin()  # ended by an exception that Kedro reports to no hook
    begin()
    assert [type(error) for error in others.errors] == [KeyboardInterrupt]


def test_without_a_run_nothing_is_reported(begin, others):
    stop()
    record_stop(STOP)
    assert others.errors == []
