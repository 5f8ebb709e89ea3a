"""Score tables of a model's predictions."""

import numpy as np
import pandas as pd
import pytest

from image_translation.common.stamps import Stamp
from image_translation.datasets.fingerprinted import FingerprintedCSVDataset
from image_translation.datasets.predictions import (
    PredictionBatch,
    read_predictions,
    write_predictions,
)
from image_translation.metrics.realism import set_metrics
from image_translation.metrics.settings import LearnedMetricsSettings
from image_translation.pairing.arrays import ScoredPairs
from image_translation.pairing.settings import SealSettings
from image_translation.pipelines.model.nodes import (
    score_prediction_sets,
    score_predictions,
)
from tests.training.conftest import SIZE, make_pairs

KEYS = ["pair_id", "group", "replicate"]
NO_WEIGHTS = LearnedMetricsSettings.model_validate(
    dict.fromkeys(LearnedMetricsSettings.model_fields)
)
OPEN = SealSettings(sealed=False)


@pytest.fixture
def test_pairs():
    pairs = make_pairs(4)
    return ScoredPairs(**vars(pairs), subset="test", test_set="")


@pytest.fixture
def predictions(tmp_path, test_pairs):
    ids = test_pairs.index["pair_id"].tolist()

    def save(replicates):
        batches = [
            PredictionBatch(k, ids, np.roll(test_pairs.targets, k, axis=2))
            for k in range(replicates)
        ]
        Stamp(tmp_path).update(
            f"{replicates}", lambda: write_predictions(tmp_path, batches)
        )
        return read_predictions(tmp_path)

    return save


def test_set_scores_have_the_rows_of_the_scores(predictions, test_pairs):
    inputs = predictions(2), test_pairs, NO_WEIGHTS, OPEN
    scores = score_predictions(*inputs).value
    sets = score_prediction_sets(*inputs).value
    assert list(sets) == [*KEYS, *set_metrics(SIZE)]
    pd.testing.assert_frame_equal(sets[KEYS], scores[KEYS])
    means = sets.drop(columns=["pair_id", "group"]).groupby("replicate").mean()
    assert means.loc[0, "swd"] == 0  # the targets themselves
    assert np.isfinite(means).all(axis=None)


def test_model_that_did_not_run_has_empty_tables(predictions, test_pairs):
    table = score_prediction_sets(predictions(0), test_pairs, NO_WEIGHTS, OPEN).value
    assert table.empty
    assert list(table) == [*KEYS, *set_metrics(SIZE)]


def test_set_scores_of_a_single_group_are_loaded_as_missing(
    predictions, test_pairs, tmp_path
):
    test_pairs.index["group"] = "NA"
    table = score_prediction_sets(predictions(1), test_pairs, NO_WEIGHTS, OPEN)
    dataset = FingerprintedCSVDataset(
        filepath=str(tmp_path / "set_scores.csv"),
        load_args={
            "dtype": {"pair_id": str, "group": str},
            "keep_default_na": False,
            "na_values": "",
        },
        save_args={"index": False},
    )
    dataset.save(table)
    found = dataset.load()
    assert set(found["group"]) == {"NA"}
    assert found["swd"].isna().all()
