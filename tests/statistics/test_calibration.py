"""Calibration of verdicts: trainings of one real model dealt to simulated models.

``seeds.npz`` holds the scores of 15 trainings of each of three models on 306 test
photographs of the Kaggle data set theblackmamba31/landscape-image-colorization: 64 pixels,
first block of 16 channels, 400 training pairs, 6 epochs, batch 8. To create such scores,
run with ``training.replicates=15`` and these settings.
"""

from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from image_translation.statistics.calibration import (
    CALIBRATION_COLUMNS,
    calibrate,
    summarise_calibration,
)
from image_translation.statistics.comparison import compare_pairs

MODELS = ("autoencoder", "unet", "pix2pix")
DEALS = 8


@cache
def load_scores(model: str) -> pd.DataFrame:
    with np.load(Path(__file__).with_name("seeds.npz")) as kept:
        values, groups, names = kept[model], kept["groups"], kept["metrics"]
    return pd.concat(
        [
            pd.DataFrame(values[:, replicate].astype(float), columns=names).assign(
                pair_id=[f"{number:016x}" for number in range(len(values))],
                group=[f"photo-{number:03}" for number in groups],
                replicate=replicate,
            )
            for replicate in range(values.shape[1])
        ],
        ignore_index=True,
    )


def take(model: str, replicates: list[int]) -> pd.DataFrame:
    scores = load_scores(model)
    numbers = {seed: number for number, seed in enumerate(replicates)}
    part = scores[scores["replicate"].isin(replicates)]
    return part.assign(replicate=part["replicate"].map(numbers))


@pytest.mark.parametrize("replicates", [3, 5])
@pytest.mark.parametrize("model", MODELS)
def test_trainings_of_one_model_are_rarely_claimed_to_differ(model, replicates):
    found = summarise_calibration(
        calibrate(load_scores(model), model, replicates, DEALS)
    )
    assert found.deals == DEALS
    # At a rate of 7 %, 8 deals contain at most one claim in nine cases out of ten.
    assert found.deals_with_claim <= 1
    assert found.false_claims <= 0.01 * found.comparisons


@pytest.mark.parametrize("model", MODELS)
def test_single_trainings_differ_but_no_model_is_called_better(model):
    dealt = {f"simulated {seed}": take(model, [seed]) for seed in range(5)}
    verdicts = compare_pairs(dealt)["verdict"]
    assert not verdicts.str.endswith("is better").any()
    # Only photographs enter the error, so that these trainings are found to differ.
    assert (verdicts == "these trainings differ").mean() > 0.3


@pytest.mark.parametrize("rival", ["unet", "pix2pix"])
def test_real_differences_between_models_are_found(rival):
    found = []
    for start in range(0, 15, 3):
        seeds = list(range(start, start + 3))
        scores = {model: take(model, seeds) for model in MODELS}
        table = compare_pairs(scores)
        rows = table[
            table["metric"].isin(["psnr", "ssim"])
            & (table[["model_a", "model_b"]] == "autoencoder").any(axis=1)
            & (table[["model_a", "model_b"]] == rival).any(axis=1)
        ]
        found += list(rows["verdict"] == f"{rival} is better")
    assert len(found) == 10
    assert np.mean(found) >= 0.85


def make_scores(replicates: int, shift: float = 0.0, n: int = 20) -> pd.DataFrame:
    random = np.random.default_rng(0)
    images = random.normal(25, 2, n)
    return pd.concat(
        [
            pd.DataFrame(
                {
                    "pair_id": np.arange(n),
                    "group": np.arange(n),
                    "replicate": replicate,
                    "psnr": images + random.normal(0, 0.1, n) + shift * replicate,
                }
            )
            for replicate in range(replicates)
        ]
    )


def test_each_deal_is_a_row_with_its_number_of_comparisons():
    table = calibrate(make_scores(7), "unet", replicates=2, deals=4)
    assert list(table.columns) == CALIBRATION_COLUMNS
    assert table["deal"].tolist() == [0, 1, 2, 3]
    assert set(table["models"]) == {3}  # one training is left over
    assert set(table["comparisons"]) == {3}


def test_trainings_that_differ_count_as_false_claims_with_one_replicate():
    table = calibrate(make_scores(4, shift=1.0), "unet", replicates=1, deals=2)
    found = summarise_calibration(table)
    assert found.false_claims == found.comparisons == 12
    assert found.deals_with_claim == found.deals == 2
    assert (found.model, found.trainings, found.replicates) == ("unet", 4, 1)


def test_too_few_trainings_raise_an_error_with_the_required_number():
    with pytest.raises(ValueError, match=r"5 trainings of unet .* at least 6"):
        calibrate(make_scores(5), "unet", replicates=3, deals=1)


def test_deals_are_reproducible():
    first, second = (calibrate(make_scores(6), "unet", 3, 3) for _ in range(2))
    pd.testing.assert_frame_equal(first, second)
