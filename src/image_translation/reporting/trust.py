"""Reliability of verdicts, and the data needed for more of them."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import pandas as pd

from image_translation.common import wording
from image_translation.reporting import formatting
from image_translation.reporting.conclusions import Outcome
from image_translation.statistics.calibration import summarise_calibration
from image_translation.statistics.planning import MOST_GROUPS


@dataclass(frozen=True)
class Trust:
    """Whether the answer can be trusted.

    Attributes:
        word: ``Yes``, ``Partly`` or ``No``.
        reason: The reason, without a full stop.
    """

    word: str
    reason: str


def judge_trust(
    outcomes: Collection[Outcome], *, is_sealed: bool = False, is_leaky: bool = False
) -> Trust:
    """Judge how far verdicts support the ranking.

    Args:
        outcomes: Comparisons of the model with the best mean with each other model.
        is_sealed: Whether scores are of the validation pairs.
        is_leaky: Whether test images are also among the training pairs.
    """
    decided = sum(outcome in ("better", "equal") for outcome in outcomes)
    single = "differ" in outcomes
    refusals = {
        "the models have seen test images": is_leaky,
        "there are too few independent photographs for a verdict": "few" in outcomes,
        "no difference from the best model is established": not (decided or single),
    }
    limits = {
        "the results are of single trainings": single,
        "the validation pairs also selected the epochs": is_sealed,
        f"{decided} of {wording.count(len(outcomes), 'comparison')} with the best model "
        f"{'is' if decided == 1 else 'are'} decided": decided < len(outcomes),
    }
    for word, reasons in (("No", refusals), ("Partly", limits)):
        reason = next((reason for reason, holds in reasons.items() if holds), None)
        if reason:
            return Trust(word, reason)
    return Trust("Yes", "every comparison with the best model is decided")


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
        f"{wording.count(found.replicates, 'training')}: of {found.comparisons:,} comparisons "
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
