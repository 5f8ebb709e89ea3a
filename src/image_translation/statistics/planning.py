"""Sample sizes: photographs and trainings required to find a difference."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import scipy

from image_translation.common.names import BASELINES
from image_translation.statistics.comparison import (
    MIN_GROUPS,
    SIGNIFICANCE,
)
from image_translation.statistics.power import detectable

PLAN_COLUMNS = [
    "metric",
    "difference",
    "replicates",
    "n_groups",
    "group_deviation",
    "seed_deviation",
]
TRAININGS = (3, 5, 10)
"""Numbers of trainings per model to plan for."""

MOST_GROUPS = 100_000
"""Upper limit of the search; beyond it, no number of photographs is reported."""


def plan_study(
    comparison: pd.DataFrame,
    verdicts: pd.DataFrame,
    margins: Mapping[str, float | None],
) -> pd.DataFrame:
    """Number of photographs that finds a difference as large as the margin.

    Based on the observed deviations: the median deviation between groups over all pairs
    of trained models, and the seed deviation pooled over the models. The power is 80 %
    after a Bonferroni correction for the observed number of comparisons, which is
    slightly more conservative than the test.

    Args:
        comparison: ``comparison.csv``, with at least two trainings of a model.
        verdicts: ``verdicts.csv``.
        margins: Differences to find, by metric; metrics with None are omitted.

    Returns:
        One row per metric and number of trainings: ``metric, difference, replicates,
        n_groups`` (NaN if no number of photographs suffices), ``group_deviation,
        seed_deviation``. Empty if no model has more than one training.
    """
    rows = []
    for metric, margin in margins.items():
        pairs = verdicts[
            (verdicts["metric"] == metric)
            & ~verdicts["model_a"].isin(BASELINES)
            & ~verdicts["model_b"].isin(BASELINES)
        ]
        own = comparison[
            (comparison["metric"] == metric) & (comparison["n_replicates"] > 1)
        ]
        spreads = (pairs["difference"] / pairs["effect_size"]).astype(float).abs()
        spreads = spreads[np.isfinite(spreads)]
        if margin is None or spreads.empty or own.empty:
            continue
        images, seeds = float(spreads.median()), float(_pooled(own))
        tests = int(pairs["n_tests"].max())
        for replicates in TRAININGS:
            groups = _find_groups(
                margin, images, seeds, replicates, len(own), SIGNIFICANCE / tests
            )
            rows.append((metric, margin, replicates, groups, images, seeds))
    return pd.DataFrame(rows, columns=PLAN_COLUMNS)


def _pooled(models: pd.DataFrame) -> float:
    freedom = models["n_replicates"] - 1
    return np.sqrt((models["seed_deviation"] ** 2 * freedom).sum() / freedom.sum())


def _find_groups(
    size: float, images: float, seeds: float, replicates: int, models: int, level: float
) -> float:
    """Smallest number of groups that finds a difference of this size; NaN if none does."""

    def finds(groups: int) -> bool:
        of_images, of_seeds = images**2 / groups, 2 * seeds**2 / replicates
        variance = of_images + of_seeds
        freedom = of_images**2 / (groups - 1)
        freedom += of_seeds**2 / (models * (replicates - 1))
        df = variance**2 / freedom
        critical = scipy.special.stdtrit(df, 1 - level / 2)
        return bool(detectable(np.sqrt(variance), df, critical) <= size)

    low, high = MIN_GROUPS, MOST_GROUPS
    if not finds(high):
        return np.nan
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if finds(middle) else (middle + 1, high)
    return float(low)
