import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE

from image_translation.tracking.backlog import (
    forget_saved,
    note_end,
    note_saved,
    send_backlog,
)
from image_translation.tracking.store import connection, tolerate_store

NOTES = "unsent_runs.jsonl"


class Log:
    """Remembers what a run was told, and fails when told to."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str]] = []
        self.failure: Exception | None = None

    @tolerate_store
    def __call__(self, run_id: str, dataset: str) -> None:
        if self.failure is not None:
            raise self.failure
        self.told.append((run_id, dataset))


@pytest.fixture
def log(store):
    connection.renew()
    yield Log()
    connection.renew()


@pytest.fixture
def run_id(store):
    return MlflowClient().create_run(store).info.run_id


def status_of(run_id):
    return MlflowClient().get_run(run_id).info.status


def test_run_gets_what_it_has_missed_and_its_end(tmp_path, log, run_id):
    note_saved(tmp_path, run_id, "colorization.findings")
    note_saved(tmp_path, run_id, "colorization.promotion")
    note_end(tmp_path, run_id, "FAILED")
    for _ in range(2):
        send_backlog(tmp_path, log)
    assert log.told == [
        (run_id, "colorization.findings"),
        (run_id, "colorization.promotion"),
    ]
    assert status_of(run_id) == "FAILED"
    assert not (tmp_path / NOTES).exists()


def test_run_that_was_not_ended_goes_on(tmp_path, log, run_id):
    note_saved(tmp_path, run_id, "colorization.findings")
    send_backlog(tmp_path, log)
    assert log.told
    assert status_of(run_id) == "RUNNING"


def test_what_a_later_run_saved_anew_belongs_to_that_run(tmp_path, log, run_id, store):
    later = MlflowClient().create_run(store).info.run_id
    note_saved(tmp_path, run_id, "colorization.findings")
    note_saved(tmp_path, run_id, "colorization.promotion")
    note_saved(tmp_path, later, "colorization.findings")
    send_backlog(tmp_path, log)
    assert sorted(log.told) == sorted(
        [(run_id, "colorization.promotion"), (later, "colorization.findings")]
    )


def test_store_that_fails_again_is_told_later(tmp_path, log, run_id):
    note_saved(tmp_path, run_id, "colorization.findings")
    note_end(tmp_path, run_id, "FINISHED")
    log.failure = MlflowException("API request failed")
    send_backlog(tmp_path, log)
    assert connection.is_lost
    assert (tmp_path / NOTES).exists()
    assert status_of(run_id) == "RUNNING"
    log.failure = None
    connection.renew()
    send_backlog(tmp_path, log)
    assert log.told == [(run_id, "colorization.findings")]
    assert status_of(run_id) == "FINISHED"


def test_run_of_another_store_is_forgotten(tmp_path, log):
    note_end(tmp_path, "a" * 32, "FINISHED")
    send_backlog(tmp_path, log)
    assert not connection.is_lost
    assert not (tmp_path / NOTES).exists()


def test_what_the_store_refuses_is_not_sent_for_ever(tmp_path, log, run_id):
    note_saved(tmp_path, run_id, "colorization.findings")
    note_end(tmp_path, run_id, "FINISHED")
    log.failure = MlflowException("no", error_code=INVALID_PARAMETER_VALUE)
    send_backlog(tmp_path, log)
    assert status_of(run_id) == "FINISHED"
    assert not (tmp_path / NOTES).exists()


def test_run_that_was_begun_again_is_not_ended(tmp_path, log, run_id):
    note_saved(tmp_path, run_id, "colorization.findings")
    note_end(tmp_path, run_id, "FAILED")
    send_backlog(tmp_path, log, going_on=run_id)
    assert log.told
    assert status_of(run_id) == "RUNNING"
    assert not (tmp_path / NOTES).exists()


def test_note_that_comes_while_sending_is_kept(tmp_path, log, run_id, store):
    other = MlflowClient().create_run(store).info.run_id
    note_saved(tmp_path, run_id, "colorization.findings")

    def send_and_note(*told):
        log(*told)
        note_end(tmp_path, other, "FINISHED")

    send_backlog(tmp_path, send_and_note)
    assert status_of(other) == "RUNNING"
    send_backlog(tmp_path, log)
    assert status_of(other) == "FINISHED"


def test_notes_that_another_process_has_sent_are_no_error(tmp_path, log, run_id):
    note_saved(tmp_path, run_id, "colorization.findings")
    send_backlog(tmp_path, lambda *told: send_backlog(tmp_path, log))
    assert log.told == [(run_id, "colorization.findings")]
    assert not (tmp_path / NOTES).exists()


def test_line_that_was_cut_off_costs_no_other(tmp_path, log, run_id, caplog):
    with (tmp_path / NOTES).open("w") as file:
        file.write('{"run": "abc", "sta')
    note_end(tmp_path, run_id, "FINISHED")
    send_backlog(tmp_path, log)
    assert status_of(run_id) == "FINISHED"
    assert "which is no note" in caplog.text


def test_dataset_that_was_changed_by_hand_is_told_to_no_run(tmp_path, log, run_id):
    note_saved(tmp_path, run_id, "colorization.findings")
    note_saved(tmp_path, run_id, "colorization.promotion")
    forget_saved(tmp_path, "colorization.promotion")
    send_backlog(tmp_path, log)
    assert log.told == [(run_id, "colorization.findings")]
