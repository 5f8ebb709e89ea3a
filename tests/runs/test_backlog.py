import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE

from image_translation.runs.backlog import send_backlog
from image_translation.runs.mlflow_position import is_pending
from image_translation.runs.pipeline_run import begin_run, join_run, list_runs
from image_translation.runs.store import connection


class Log:
    """Remembers the logged datasets, and fails on request."""

    def __init__(self) -> None:
        self.logged: list[tuple[str, str]] = []
        self.failure: Exception | None = None

    def __call__(self, run_id: str, dataset: str) -> None:
        if self.failure is not None:
            raise self.failure
        self.logged.append((run_id, dataset))


@pytest.fixture
def log(store):
    connection.renew()
    yield Log()
    connection.renew()


@pytest.fixture
def begin(task, store):
    """Begins a run that MLflow knows."""

    def begin():
        run = begin_run(task.folders)
        run.run_id = MlflowClient().create_run(store).info.run_id
        return run

    return begin


@pytest.fixture
def run(begin):
    return begin()


def save(run, *datasets):
    for name in datasets:
        run.log.append("saved", dataset=f"colorization.{name}")


def status_of(run):
    return MlflowClient().get_run(run.run_id).info.status


def test_run_receives_its_datasets_and_its_end_once(task, log, run):
    save(run, "findings", "promotion")
    run.log.append("ended", status="FAILED")
    assert [send_backlog(task.folders, log) for _ in range(2)] == [1, 0]
    assert log.logged == [
        (run.run_id, "colorization.findings"),
        (run.run_id, "colorization.promotion"),
    ]
    assert status_of(run) == "FAILED"
    assert not is_pending(run.folder)


def test_run_without_end_stays_running(task, log, run):
    save(run, "findings")
    send_backlog(task.folders, log)
    assert log.logged
    assert status_of(run) == "RUNNING"


def test_dataset_that_a_later_run_saved_belongs_to_that_run(task, log, run, begin):
    save(run, "findings", "promotion")
    run.log.append("ended", status="FINISHED")
    later = begin()
    save(later, "findings")
    expected = [
        (run.run_id, "colorization.promotion"),
        (later.run_id, "colorization.findings"),
    ]
    send_backlog(task.folders, log)
    assert sorted(log.logged) == sorted(expected)


def test_events_are_kept_while_the_store_fails(task, log, run):
    save(run, "findings")
    run.log.append("ended", status="FINISHED")
    log.failure = MlflowException("API request failed")
    send_backlog(task.folders, log)
    assert connection.is_lost
    assert is_pending(run.folder)
    assert status_of(run) == "RUNNING"
    log.failure = None
    connection.renew()
    send_backlog(task.folders, log)
    assert log.logged == [(run.run_id, "colorization.findings")]
    assert status_of(run) == "FINISHED"


def test_run_of_another_store_is_skipped(task, log):
    run = begin_run(task.folders)
    run.run_id = "a" * 32
    save(run, "findings")
    run.log.append("ended", status="FINISHED")
    send_backlog(task.folders, log)
    assert not connection.is_lost
    assert not log.logged
    assert not is_pending(run.folder)


def test_rejected_dataset_is_not_sent_again(task, log, run):
    save(run, "findings")
    run.log.append("ended", status="FINISHED")
    log.failure = MlflowException("no", error_code=INVALID_PARAMETER_VALUE)
    send_backlog(task.folders, log)
    assert status_of(run) == "FINISHED"
    assert not is_pending(run.folder)


def test_unreadable_dataset_is_named_in_a_warning(task, log, run, caplog):
    save(run, "findings")
    run.log.append("ended", status="FINISHED")
    log.failure = ValueError("half a table")
    send_backlog(task.folders, log)
    assert "Not logged to MLflow: colorization.findings" in caplog.text
    assert status_of(run) == "FINISHED"


def test_resumed_run_stays_running(task, log, run):
    save(run, "findings")
    run.log.append("ended", status="FAILED")
    join_run(task.folders, run.run_id)
    send_backlog(task.folders, log)
    assert log.logged
    assert status_of(run) == "RUNNING"
    assert not is_pending(run.folder)


def test_event_that_comes_while_sending_is_kept(task, log, run):
    save(run, "findings")

    def log_and_end(*dataset):
        log(*dataset)
        run.log.append("ended", status="FINISHED")

    send_backlog(task.folders, log_and_end)
    assert status_of(run) == "RUNNING"
    send_backlog(task.folders, log)
    assert status_of(run) == "FINISHED"


def test_interrupted_run_is_killed_in_mlflow_unless_it_ended_there(task, log, begin):
    killed = begin().run_id
    ended = begin().run_id
    MlflowClient().set_terminated(ended, "FINISHED")
    begin()
    send_backlog(task.folders, log)
    status = [MlflowClient().get_run(id_).info.status for id_ in (killed, ended)]
    assert status == ["KILLED", "FINISHED"]
    assert len(list_runs(task.folders)) == 1


def test_torn_line_costs_no_other_event(task, log, run):
    with run.log.path.open("a") as file:
        file.write('\n{"event": "saved", "data')
    run.log.append("ended", status="FINISHED")
    send_backlog(task.folders, log)
    assert status_of(run) == "FINISHED"


def test_dataset_that_was_replaced_by_hand_is_not_sent(task, log, run):
    save(run, "findings", "promotion")
    run.log.append("replaced", dataset="colorization.promotion")
    send_backlog(task.folders, log)
    assert log.logged == [(run.run_id, "colorization.findings")]
