"""How far verdicts can be trusted here, and what would decide more."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from image_translation.metrics.calibration import summarise_calibration
from image_translation.metrics.planning import MOST_GROUPS
from image_translation.reporting import words


@dataclass(frozen=True)
class PlanRow:
    """A metric, its margin, and the photographs that find it by number of trainings."""

    metric: str
    margin: str
    seed_deviation: str
    groups: Sequence[str]


def tell_calibration(table: pd.DataFrame | None) -> str:
    """Tell how a model compared with itself came out; empty where it was not."""
    if table is None or table.empty:
        return ""
    found = summarise_calibration(table)
    claims = "none was" if not found.false_claims else f"{found.false_claims:,} were"
    return (
        f"{found.trainings} trainings of {found.model}, which differ in their seed alone, "
        f"were dealt {found.deals:,} times to pretended models of "
        f"{words.count(found.replicates, 'training')}: of {found.comparisons:,} comparisons "
        f"of the model with itself {claims} called different, in "
        f"{found.deals_with_claim:,} of {found.deals:,} deals. At most 5 % of deals are "
        "meant to be."
    )


def plan_rows(plan: pd.DataFrame | None) -> tuple[Sequence[int], Sequence[PlanRow]]:
    """Numbers of trainings, and a row a metric."""
    if plan is None or plan.empty:
        return (), ()
    replicates = [int(number) for number in plan["replicates"].unique()]
    rows = [
        PlanRow(
            metric=words.label(str(metric)),
            margin=words.value(str(metric), part["difference"].iloc[0]),
            seed_deviation=words.value(str(metric), part["seed_deviation"].iloc[0]),
            groups=[_photographs(number) for number in part["n_groups"]],
        )
        for metric, part in plan.groupby("metric", sort=False)
    ]
    return replicates, rows


def _photographs(number: float) -> str:
    return f"over {MOST_GROUPS:,}" if pd.isna(number) else words.whole(number)
