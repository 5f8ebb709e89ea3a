import pandas as pd
import pytest

from image_translation.common.errors import InputError
from image_translation.datasets.models import Workspace
from image_translation.metrics import METRICS
from image_translation.pairing.arrays import ScoredPairs
from image_translation.pairing.settings import SealSettings
from image_translation.pipelines.calibration.nodes import calibrate_verdicts
from image_translation.statistics.settings import CalibrationSettings
from image_translation.training import train
from tests.conftest import task_settings
from tests.training.conftest import make_pairs, make_settings

SCORED = ScoredPairs(**vars(make_pairs(12, seed=2)), subset="test", test_set="pairs")


def make_task(*, sealed=False):
    return task_settings(
        unet=make_settings("unet", training__epochs=1, training__replicates=1),
        calibration=CalibrationSettings(
            model="unet", trainings=4, replicates=2, deals=3
        ),
        test=SealSettings(sealed=sealed),
    )


def calibrate(folder, task):
    pairs = make_pairs(6), make_pairs(5, seed=1)
    workspace = Workspace(folder / "calibration", ())
    return calibrate_verdicts(*pairs, SCORED, workspace, task)


def test_many_seeds_are_trained_scored_and_dealt(tmp_path):
    scores, deals = (part.value for part in calibrate(tmp_path, make_task()))
    assert scores.groupby("replicate").size().to_dict() == dict.fromkeys(range(4), 12)
    assert set(METRICS) <= set(scores)
    assert deals["deal"].tolist() == [0, 1, 2]
    assert set(deals["comparisons"]) == {len(METRICS)}  # two simulated models
    assert set(deals["model"]) == {"unet"}


def test_existing_trainings_of_the_task_are_reused(tmp_path):
    task = make_task()
    settings = make_settings("unet", training__epochs=1, training__replicates=1)
    pairs = make_pairs(6), make_pairs(5, seed=1)
    train("unet", settings, *pairs, tmp_path / "unet")
    weights = tmp_path / "unet/replicate-0/weights.safetensors"
    before = weights.stat().st_mtime_ns
    scores, _ = (part.value for part in calibrate(tmp_path, task))
    assert weights.stat().st_mtime_ns == before
    assert (tmp_path / "unet/replicate-3").is_dir()
    assert isinstance(scores, pd.DataFrame)


def test_both_tables_depend_on_how_trainings_are_dealt(tmp_path):
    task = make_task()
    first = calibrate(tmp_path, task)[1].fingerprint
    calibration = task.calibration.model_copy(update={"deals": 4})
    task = task.model_copy(update={"calibration": calibration})
    assert calibrate(tmp_path, task)[1].fingerprint != first


def test_changed_seal_is_an_error(tmp_path):
    with pytest.raises(InputError, match="sealed"):
        calibrate(tmp_path, make_task(sealed=True))
