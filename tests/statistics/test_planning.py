import numpy as np
import pandas as pd
import pytest
import scipy.stats

from image_translation.statistics.planning import MOST_GROUPS, PLAN_COLUMNS, plan_study

IMAGES, SEEDS, TESTS, MODELS = 1.5, 0.2, 9, 4


def make_tables(seeds=SEEDS, replicates=3):
    names = ["pix2pix", "unet", "autoencoder", "autoencoder_gan"]
    comparison = pd.DataFrame(
        {
            "model": [*names, "copy_input"],
            "metric": "psnr",
            "n_replicates": [replicates] * MODELS + [1],
            "seed_deviation": [seeds] * MODELS + [np.nan],
        }
    )
    verdicts = pd.DataFrame(
        {
            "model_a": ["pix2pix", "pix2pix", "unet"],
            "model_b": ["unet", "autoencoder", "copy_input"],
            "metric": "psnr",
            "difference": [0.3, -0.6, 9.0],
            "effect_size": [0.2, -0.4, 0.1],  # 1.5 dB, 1.5 dB, and 90 dB for a baseline
            "n_tests": TESTS,
        }
    )
    return comparison, verdicts


def power(size, groups, replicates):
    """Power of a two-sided t-test, by SciPy's noncentral t distribution."""
    of_images, of_seeds = IMAGES**2 / groups, 2 * SEEDS**2 / replicates
    variance = of_images + of_seeds
    df = variance**2 / (
        of_images**2 / (groups - 1) + of_seeds**2 / (MODELS * (replicates - 1))
    )
    critical = scipy.stats.t.ppf(1 - 0.05 / TESTS / 2, df)
    return scipy.stats.nct.sf(critical, df, size / np.sqrt(variance))


def test_planned_number_is_the_smallest_with_the_required_power():
    plan = plan_study(*make_tables(), {"psnr": 0.8})
    assert list(plan.columns) == PLAN_COLUMNS
    for _, row in plan.iterrows():
        groups, replicates = int(row["n_groups"]), int(row["replicates"])
        assert power(0.8, groups, replicates) >= 0.8
        assert power(0.8, groups - 1, replicates) < 0.8


def test_deviations_are_those_of_trained_models():
    row = plan_study(*make_tables(), {"psnr": 0.8}).iloc[0]
    assert row["group_deviation"] == pytest.approx(IMAGES)
    assert row["seed_deviation"] == pytest.approx(SEEDS)


def test_more_trainings_require_fewer_photographs():
    groups = plan_study(*make_tables(), {"psnr": 0.8})["n_groups"]
    assert groups.is_monotonic_decreasing
    assert groups.iloc[0] > groups.iloc[-1]


def test_seed_variance_that_is_too_large_gives_no_number():
    plan = plan_study(*make_tables(seeds=2.0), {"psnr": 0.1})
    assert plan["n_groups"].isna().all()
    assert MOST_GROUPS >= 10_000


def test_planned_number_is_at_least_that_required_for_a_verdict():
    assert (
        plan_study(*make_tables(seeds=0.001), {"psnr": 50.0})["n_groups"] == 10
    ).all()


def test_metrics_without_margin_are_omitted():
    assert plan_study(*make_tables(), {"psnr": None, "ssim": 0.01}).empty


def test_one_training_each_gives_no_plan():
    comparison, verdicts = make_tables(replicates=1)
    assert plan_study(comparison, verdicts, {"psnr": 0.8}).empty


def test_task_without_comparisons_gives_no_plan():
    nothing = pd.DataFrame(columns=[*make_tables()[1].columns])
    assert plan_study(make_tables()[0], nothing, {"psnr": 0.8}).empty
