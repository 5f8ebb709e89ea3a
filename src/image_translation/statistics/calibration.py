"""Measure the false claim rate of verdicts by comparing a model with itself.

Trainings of one model that differ only in their seeds are assigned at random to simulated models.
Every verdict that names a better model is then a false claim.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import pandas as pd

from image_translation.statistics.comparison import TRAININGS_DIFFER, compare_pairs

CALIBRATION_COLUMNS = [
    "model",
    "deal",
    "replicates",
    "models",
    "comparisons",
    "false_claims",
]

_SEED = 20260


class CalibrationSummary(NamedTuple):
    """Totals over all deals.

    Attributes:
        model: Name of the model that was compared with itself.
        trainings: Number of its trainings.
        replicates: Trainings per simulated model.
        comparisons: Number of comparisons.
        false_claims: Comparisons that claimed a difference.
        deals: Number of deals; each is corrected like one task.
        deals_with_claim: Deals with at least one false claim; the nominal bound is 5 %.
    """

    model: str
    trainings: int
    replicates: int
    comparisons: int
    false_claims: int
    deals: int
    deals_with_claim: int


def calibrate(
    scores: pd.DataFrame,
    model: str,
    replicates: int,
    deals: int,
    *,
    margins: Mapping[str, float | None] = MappingProxyType({}),
) -> pd.DataFrame:
    """Compare trainings of one model as if they belonged to several models.

    Args:
        scores: ``scores.csv`` of one model, with at least ``2 * replicates`` trainings.
        model: Name of the model.
        replicates: Trainings per simulated model.
        deals: Number of random assignments of trainings to simulated models. All deals
            reuse the same trainings, so more than a few hundred add little information.
        margins: As for `compare_pairs`.

    Returns:
        One row per deal: ``model, deal, replicates, models, comparisons,
        false_claims``. If ``replicates`` is 1, verdicts that trainings differ count as
        false claims. They are true, but show how often a test that ignores the seeds
        would claim a difference between models.

    Raises:
        ValueError: There are too few replicates for two simulated models.
    """
    seeds = scores["replicate"].unique()
    models = len(seeds) // replicates
    if models < 2:
        raise ValueError(
            f"{len(seeds)} trainings of {model} are too few for two simulated models with "
            f"{replicates} each; train at least {2 * replicates}"
        )
    random = np.random.default_rng(_SEED)
    rows = []
    for deal in range(deals):
        dealt = _deal(scores, random.permutation(seeds), replicates, models)
        verdicts = compare_pairs(dealt, margins=margins)["verdict"]
        claims = verdicts.str.endswith(" is better") | (verdicts == TRAININGS_DIFFER)
        rows.append((model, deal, replicates, models, len(verdicts), int(claims.sum())))
    return pd.DataFrame(rows, columns=CALIBRATION_COLUMNS)


def summarise_calibration(table: pd.DataFrame) -> CalibrationSummary:
    """Sum up the table of `calibrate`."""
    first = table.iloc[0]
    return CalibrationSummary(
        model=str(first["model"]),
        trainings=int(first["models"] * first["replicates"]),
        replicates=int(first["replicates"]),
        comparisons=int(table["comparisons"].sum()),
        false_claims=int(table["false_claims"].sum()),
        deals=len(table),
        deals_with_claim=int((table["false_claims"] > 0).sum()),
    )


def _deal(
    scores: pd.DataFrame, seeds: np.ndarray, replicates: int, models: int
) -> dict[str, pd.DataFrame]:
    """Scores by simulated model, with replicates numbered from 0."""
    dealt = {}
    for model in range(models):
        own = seeds[model * replicates : (model + 1) * replicates]
        numbers = {seed: number for number, seed in enumerate(own)}
        part = scores[scores["replicate"].isin(own)]
        dealt[f"simulated {model}"] = part.assign(
            replicate=part["replicate"].map(numbers)
        )
    return dealt
