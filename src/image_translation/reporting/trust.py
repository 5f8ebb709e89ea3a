"""Reliability of verdicts, and the data needed for more of them."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from image_translation.reporting import formatting
from image_translation.statistics.calibration import summarise_calibration
from image_translation.statistics.planning import MOST_GROUPS


@dataclass(frozen=True)
class PlanRow:
    """A metric, its margin, and the number of photographs by number of trainings."""

    metric: str
    margin: str
    seed_deviation: str
    groups: Sequence[str]


def describe_calibration(table: pd.DataFrame | None) -> str:
    """Describe the comparison of a model with itself; empty without one."""
    if table is None or table.empty:
        return ""
    found = summarise_calibration(table)
    claims = "none was" if not found.false_claims else f"{found.false_claims:,} were"
    return (
        f"{found.trainings} trainings of {found.model}, which differ only in their seed, "
        f"were assigned {found.deals:,} times to pseudo-models of "
        f"{formatting.count(found.replicates, 'training')}: of {found.comparisons:,} comparisons "
        f"of the model with itself {claims} called different, in "
        f"{found.deals_with_claim:,} of {found.deals:,} assignments. The nominal rate is "
        "at most 5 % of assignments."
    )


def plan_rows(plan: pd.DataFrame | None) -> tuple[Sequence[int], Sequence[PlanRow]]:
    """Numbers of trainings, and one row per metric."""
    if plan is None or plan.empty:
        return (), ()
    replicates = [int(number) for number in plan["replicates"].unique()]
    rows = [
        PlanRow(
            metric=formatting.label(str(metric)),
            margin=formatting.value(str(metric), part["difference"].iloc[0]),
            seed_deviation=formatting.value(
                str(metric), part["seed_deviation"].iloc[0]
            ),
            groups=[_photographs(number) for number in part["n_groups"]],
        )
        for metric, part in plan.groupby("metric", sort=False)
    ]
    return replicates, rows


def _photographs(number: float) -> str:
    return f"over {MOST_GROUPS:,}" if pd.isna(number) else formatting.whole(number)
