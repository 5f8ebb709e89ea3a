import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from image_translation.tracking.backlog import note_end, note_saved, send_backlog
from image_translation.tracking.store import connection, tolerate_store

NOTES = "unsent_runs.jsonl"


class Log:
    """Remembers what a run was told, and fails when told to."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str]] = []
        self.fails = False

    @tolerate_store
    def __call__(self, run_id: str, dataset: str) -> None:
        if self.fails:
            raise MlflowException("API request failed")
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
    log.fails = True
    send_backlog(tmp_path, log)
    assert connection.is_lost
    assert (tmp_path / NOTES).exists()
    log.fails = False
    connection.renew()
    send_backlog(tmp_path, log)
    assert log.told == [(run_id, "colorization.findings")]
    assert status_of(run_id) == "FINISHED"


def test_run_of_another_store_is_forgotten(tmp_path, log):
    note_end(tmp_path, "a" * 32, "FINISHED")
    send_backlog(tmp_path, log)
    assert not connection.is_lost
    assert not (tmp_path / NOTES).exists()
