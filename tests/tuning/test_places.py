import pytest
from sqlalchemy import text

from image_translation.tuning.places import Places, TrialTakenError, open_study


@pytest.fixture
def workers(tmp_path):
    """Two workers of a study of two trials, on machines that share only the database."""

    def join(name):
        url = f"sqlite:///{tmp_path / 'studies.db'}"
        study, storage = open_study("study", "digest", "maximize", url, heartbeat=60)
        return Places(study, storage, tmp_path / name, count=2)

    return join("here"), join("there")


def test_workers_that_begin_together_make_no_more_places(workers):
    for worker in workers:
        worker.__post_init__()
        assert [trial.number for trial in worker.trials()] == [0, 1]


def test_a_living_worker_keeps_its_trial(workers):
    here, there = workers
    with here.take() as mine, there.take() as other:
        assert mine is not None and other is not None and mine != other
        with there.take() as nothing:
            assert nothing is None
        here.check_is_mine(mine)


def test_a_dead_workers_trial_is_taken_up_elsewhere(workers):
    here, there = workers
    with here.take() as mine:
        with here.storage.engine.begin() as connection:
            connection.execute(
                text("UPDATE trial_heartbeats SET heartbeat = '2000-01-01 00:00:00'")
            )
        with there.take() as taken:
            assert taken == mine
            with pytest.raises(TrialTakenError):
                here.check_is_mine(mine)


def test_a_trial_that_is_left_waits_for_the_next(workers):
    here, there = workers
    with here.take() as mine:
        here.release(mine)
    with there.take() as taken:
        assert taken == mine
