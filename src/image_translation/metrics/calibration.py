"""Do verdicts keep their promise on these images? A model is compared with itself.

Trainings of one model that differ in their seed alone are dealt to pretended models.
Whatever is then called better is a false claim.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import pandas as pd

from image_translation.metrics.comparison import TRAININGS_DIFFER, compare_pairs

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
    """What came of all deals together.

    Attributes:
        model: The model that was compared with itself.
        trainings: Trainings of it that were dealt.
        replicates: Trainings of a pretended model.
        comparisons: All comparisons.
        false_claims: Those that claimed a difference.
        deals: Number of deals, each as large as a task.
        deals_with_claim: Deals with any false claim; 5 % are promised at most.
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
    """Compare trainings of one model as if they were of several.

    Args:
        scores: ``scores.csv`` of one model, with at least twice as many replicates.
        model: Its name.
        replicates: Trainings of each pretended model.
        deals: How often the trainings are dealt anew; the same trainings come up again
            and again, so many deals tell little more than some hundred.
        margins: As for `compare_pairs`.

    Returns:
        One row a deal: ``model, deal, replicates, models, comparisons, false_claims``. A
        claim that trainings differ counts, although it is true, where ``replicates`` is
        1: it shows what would be claimed of models.

    Raises:
        ValueError: There are too few replicates for two pretended models.
    """
    seeds = scores["replicate"].unique()
    models = len(seeds) // replicates
    if models < 2:
        raise ValueError(
            f"{len(seeds)} trainings of {model} are too few for two pretended models of "
            f"{replicates}; train at least {2 * replicates}"
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
    """Add up the deals of `calibrate`."""
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
    """Pretended models, each with its own trainings, numbered from 0."""
    dealt = {}
    for model in range(models):
        own = seeds[model * replicates : (model + 1) * replicates]
        numbers = {seed: number for number, seed in enumerate(own)}
        part = scores[scores["replicate"].isin(own)]
        dealt[f"pretended {model}"] = part.assign(
            replicate=part["replicate"].map(numbers)
        )
    return dealt
