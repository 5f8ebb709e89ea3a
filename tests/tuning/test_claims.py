import pytest
from sqlalchemy import text

from image_translation.tuning.claims import TrialClaims, TrialTakenError, open_study


@pytest.fixture
def workers(tmp_path):
    """Two workers of a study of two trials, on machines that share only the database."""

    def join(name):
        url = f"sqlite:///{tmp_path / 'studies.db'}"
        study, storage = open_study("study", "digest", "maximize", url, heartbeat=60)
        return TrialClaims(study, storage, tmp_path / name, count=2)

    return join("here"), join("there")


def test_concurrent_workers_create_no_extra_trials(workers):
    for worker in workers:
        worker.__post_init__()
        assert [trial.number for trial in worker.trials()] == [0, 1]


def test_a_living_worker_keeps_its_trial(workers):
    here, there = workers
    with here.claim() as mine, there.claim() as other:
        assert mine is not None and other is not None and mine != other
        with there.claim() as nothing:
            assert nothing is None
        here.check_claim(mine)


def test_trial_of_a_dead_worker_is_taken_over(workers):
    here, there = workers
    with here.claim() as mine:
        with here.storage.engine.begin() as connection:
            connection.execute(
                text("UPDATE trial_heartbeats SET heartbeat = '2000-01-01 00:00:00'")
            )
        with there.claim() as taken:
            assert taken == mine
            with pytest.raises(TrialTakenError):
                here.check_claim(mine)


def test_released_trial_is_claimed_by_the_next_worker(workers):
    here, there = workers
    with here.claim() as mine:
        here.release(mine)
    with there.claim() as taken:
        assert taken == mine
