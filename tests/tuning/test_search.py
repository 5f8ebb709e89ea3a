import json
import subprocess
import sys
from pathlib import Path

import optuna
import pandas as pd
import pytest

from image_translation.common.errors import InputError
from image_translation.pairing.arrays import PairArrays
from image_translation.training import fit
from image_translation.training.interruption import Stopped
from image_translation.training.settings import ModelSettings
from image_translation.tuning.results import join_trials, with_best
from image_translation.tuning.search import DATABASE
from image_translation.tuning.space import grid_point
from tests.conftest import ENVIRONMENT, PROJECT
from tests.training.conftest import make_pairs, make_settings
from tests.tuning.conftest import make_tuning, run_tuning

TRIALS = 5
"""Of a study that workers share; theirs agree on it."""


class Stopper:
    """Ends a trial after an epoch, as a signal would."""

    def __init__(self, epochs, error=None):
        self.left = epochs
        self.error = error or Stopped("stopped", 15)
        self.closed = 0
        self.seen = []

    def on_start(self, replicate, folder, settings, cost):
        self.folder = folder

    def on_epoch(self, epoch, metrics, samples):
        if not metrics:
            return
        self.seen.append((self.folder.name, epoch))
        self.left -= 1
        if self.left == 0:
            raise self.error

    def on_end(self, trained):
        pass

    def close(self):
        self.closed += 1


@pytest.fixture(scope="module")
def pairs():
    return make_pairs(6, seed=0), make_pairs(5, seed=1)


@pytest.fixture(scope="module")
def tuned(tmp_path_factory, pairs):
    """A study with its three trials, and its folder."""
    folder = tmp_path_factory.mktemp("tuning")
    return run_tuning(folder, pairs), folder


def compared(trials):
    return trials.drop(columns=["seconds"])


def test_first_trial_is_the_unchanged_model(tuned):
    first = tuned[0].trials.iloc[0]
    settings = make_settings("unet")
    assert first["training.learning_rate"] == settings.training.learning_rate
    assert first["training.schedule"] == settings.training.schedule


def test_best_trial_is_selected_and_only_its_weights_are_kept(tuned):
    found, folder = tuned
    trials = found.trials
    assert trials["state"].tolist() == ["complete"] * 3
    assert found.best == trials["score"].idxmax()
    assert found.score == trials["score"].max()
    kept = [path.parent.name for path in folder.rglob("weights.safetensors")]
    assert kept == [f"trial-{found.best}"]
    assert not list(folder.rglob("checkpoint*"))
    description = json.loads(
        (folder / found.study / "trial-1" / "trial.json").read_text()
    )
    assert (
        description["parameters"]["training.schedule"] == trials["training.schedule"][1]
    )


def test_selected_settings_reproduce_the_score(tuned, pairs, tmp_path):
    found, _ = tuned
    settings = ModelSettings.model_validate(found.settings.model_dump())
    assert fit(settings, *pairs, tmp_path).validation_score == found.score


def test_realism_scores_trials_too(tmp_path, pairs):
    settings = make_settings("unet", training__select_by="swd")
    found = run_tuning(tmp_path, pairs, settings=settings, trials=2, epochs=1)
    assert found.metric == "swd"
    assert found.score == found.trials["score"].min() > 0


def test_last_epoch_is_rejected_as_criterion(tmp_path, pairs):
    settings = make_settings("unet", training__select_by="last")
    with pytest.raises(
        InputError, match="training.select_by: last is not a metric.* swd"
    ):
        run_tuning(tmp_path, pairs, settings=settings)
    assert not list(tmp_path.iterdir())


def test_complete_study_is_skipped_and_can_be_extended(tuned, pairs):
    found, folder = tuned
    stopper = Stopper(99)
    again = run_tuning(folder, pairs, observers=[stopper])
    assert stopper.seen == []
    pd.testing.assert_frame_equal(again.trials, found.trials)
    more = run_tuning(folder, pairs, trials=4, observers=[stopper])
    assert {name for name, _ in stopper.seen} == {"trial-3"}
    pd.testing.assert_frame_equal(more.trials[:3], found.trials, check_dtype=False)


def test_other_space_or_data_is_another_study(tuned, pairs):
    found, folder = tuned
    other = run_tuning(folder, pairs, trials=1, search="training.schedule")
    assert other.study != found.study
    train, validation = pairs
    renamed = PairArrays(train.inputs, train.targets, train.index, "other data")
    assert run_tuning(folder, (renamed, validation), trials=1).study != found.study


def test_named_study_rejects_another_space(pairs, tmp_path):
    run_tuning(tmp_path, pairs, trials=1, study="mine")
    with pytest.raises(InputError, match=r"tuning\.study: mine-unet"):
        run_tuning(tmp_path, pairs, trials=1, study="mine", seed=1)


def test_stopped_trial_resumes_from_its_checkpoint(tuned, pairs, tmp_path):
    found, _ = tuned
    with pytest.raises(Stopped):
        # after the second epoch of the second trial, which is saved and reported
        run_tuning(tmp_path, pairs, observers=[Stopper(4)])
    stopper = Stopper(99)
    again = run_tuning(tmp_path, pairs, observers=[stopper])
    assert stopper.seen == [("trial-2", 1), ("trial-2", 2)]
    pd.testing.assert_frame_equal(compared(again.trials), compared(found.trials))


def test_bad_trial_is_pruned(pairs, tmp_path):
    space = {"training.learning_rate": {"choices": "0.002|1e-9"}}
    stopper = Stopper(99)
    found = run_tuning(
        tmp_path, pairs, trials=2, sampler="grid", pruner="median", startup=1,
        space=space, seed=first_seed(space, 0.002), observers=[stopper], epochs=3,
    )  # fmt: skip
    bad = found.trials.iloc[1]
    assert (bad["training.learning_rate"], bad["state"], bad["epochs"]) == (
        1e-9,
        "pruned",
        1,
    )
    assert "worse than the median" in bad["reason"] and stopper.closed == 1
    assert found.best == 0


def first_seed(space, value):
    """A seed with which a grid begins with the value."""
    dimensions = make_tuning(space=space).space
    (name,) = dimensions
    return next(s for s in range(99) if grid_point(dimensions, 0, s)[name] == value)


def test_failed_trials_have_a_reason(pairs, tmp_path):
    space = {"training.learning_rate": {"choices": "0.002|1e30"}}
    found = run_tuning(tmp_path, pairs, trials=2, sampler="grid", space=space)
    failed = found.trials.set_index("training.learning_rate").loc[1e30]
    assert failed["state"] == "failed" and "diverged" in failed["reason"]
    assert found.chosen == {"training.learning_rate": 0.002}


def test_input_error_of_a_trial_is_a_failure(pairs, tmp_path):
    stopper = Stopper(1, InputError("the network is too deep"))
    found = run_tuning(tmp_path, pairs, trials=2, observers=[stopper])
    assert found.trials["state"].tolist() == ["failed", "complete"]
    assert found.trials["reason"][0] == "the network is too deep"


def test_incompatible_values_are_pruned(pairs, tmp_path):
    space = {"objective.l1": {"choices": "0|1"}}
    found = run_tuning(tmp_path, pairs, trials=2, sampler="grid", space=space)
    pruned = found.trials.set_index("objective.l1").loc[0]
    assert pruned["state"] == "pruned" and "objective.l1" in pruned["reason"]


def test_values_incompatible_with_the_data_are_pruned(pairs, tmp_path, monkeypatch):
    def refuse(*_):
        raise InputError("network.levels: must be at most 5")

    monkeypatch.setattr("image_translation.training.state.TrainingState.start", refuse)
    found = run_tuning(tmp_path, pairs, trials=1)
    assert found.trials["state"].tolist() == ["pruned"]
    assert found.trials["reason"].tolist() == ["network.levels: must be at most 5"]


def test_study_without_a_score_is_an_error(pairs, tmp_path):
    space = {"training.learning_rate": {"choices": "1e30"}}
    found = run_tuning(tmp_path, pairs, trials=1, sampler="grid", space=space)
    assert found.best is None and len(join_trials([found])) == 1
    with pytest.raises(InputError, match="diverged"):
        with_best([found])


def test_model_without_dimensions_runs_once(pairs, tmp_path):
    found = run_tuning(tmp_path, pairs, search="objective.l1")
    assert len(found.trials) == 1 and found.chosen == {}


def test_unusable_storage_is_an_error(pairs, tmp_path):
    with pytest.raises(InputError, match=r"tuning\.storage"):
        run_tuning(tmp_path, pairs, storage="nosql://host/db")


@pytest.fixture(scope="module")
def tuned_alone(pairs, tmp_path_factory):
    """The trials of a study that one worker made without a cut."""
    folder = tmp_path_factory.mktemp("alone")
    run_tuning(folder, pairs, trials=TRIALS)
    return read_trials(folder)


def test_killed_worker_loses_no_trial(tuned_alone, pairs, tmp_path):
    dead = start_worker(tmp_path, 3)
    output, errors = dead.communicate()
    assert dead.returncode == -9, errors
    assert output.split() == ["trial-0"]
    assert list(tmp_path.rglob("trial-1/checkpoint.pt"))
    stopper = Stopper(99)
    run_tuning(tmp_path, pairs, trials=TRIALS, observers=[stopper])
    rest = [(f"trial-{n}", epoch) for n in range(2, TRIALS) for epoch in (1, 2)]
    assert stopper.seen == [("trial-1", 2), *rest]
    assert read_trials(tmp_path) == tuned_alone


def test_two_workers_share_the_trials_of_a_study(tuned_alone, pairs, tmp_path):
    other = start_worker(tmp_path)
    stopper = Stopper(99)
    run_tuning(tmp_path, pairs, trials=TRIALS, observers=[stopper])
    output, errors = other.communicate()
    assert other.returncode == 0, errors
    mine = [name for name, epoch in stopper.seen if epoch == 2]
    assert sorted([*mine, *output.split()]) == [f"trial-{n}" for n in range(TRIALS)]
    trials = read_trials(tmp_path)
    assert [trials[n][0] for n in range(TRIALS)] == ["COMPLETE"] * TRIALS
    assert len(trials) == TRIALS and trials[0] == tuned_alone[0]


def start_worker(*arguments):
    return subprocess.Popen(
        [sys.executable, "-m", "tests.tuning.worker", *map(str, arguments)],
        cwd=PROJECT,
        env=ENVIRONMENT,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def read_trials(folder: Path):
    """Content of the database."""
    url = f"sqlite:///{folder / DATABASE}"
    (summary,) = optuna.get_all_study_summaries(url)
    study = optuna.load_study(study_name=summary.study_name, storage=url)
    return {t.number: (t.state.name, t.params, t.value) for t in study.trials}
