"""Describe promotions in the report."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from image_translation.common import wording
from image_translation.reporting import formatting
from image_translation.statistics.promotion_rule import ERROR, format_probability

SHOWN = 10
"""Number of decisions in the table."""


@dataclass(frozen=True)
class DecisionRow:
    """One decision in the table."""

    date: str
    outcome: str
    reason: str
    challenger: str
    champion: str
    difference: str
    interval: str
    guard: str
    guard_interval: str
    n_groups: str
    look: str
    alpha: str


@dataclass(frozen=True)
class PromotionText:
    """The section on the champion."""

    lead: str
    decision: str
    spent: str
    selection_bias: str
    rows: list[DecisionRow]


def describe_promotion(record: Mapping[str, Any], log: pd.DataFrame) -> PromotionText:
    """Describe a promotion decision.

    Args:
        record: ``promotion.json``.
        log: ``promotions.csv``.
    """
    in_use = record["in_use"]
    lead = (
        f"The champion is version {in_use['version']}: {in_use['model']}, replicate "
        f"{in_use['replicate']}."
        if in_use
        else "The champion could not be determined."
        if record["outcome"] == "not decided" and not record.get("is_sealed")
        else "There is no champion."
    )
    return PromotionText(
        lead,
        f"This run: {record['outcome']} ({record['reason']}).",
        _spent(record),
        _describe_selection_bias(in_use, log),
        [_row(row) for row in log.iloc[::-1].head(SHOWN).to_dict("records")],
    )


def _spent(record: Mapping[str, Any]) -> str:
    """Describe the error rate used by comparisons on these test images."""
    test = record.get("test")
    if not test or not test.get("looks") or "alpha_left" not in test:
        return ""
    left = format_probability(test["alpha_left"])
    times = wording.count(test["looks"], "time")
    return (
        f"Challengers were compared with champions on these test images {times}. All "
        f"comparisons share an error rate of {ERROR:g}; {left} of it remains for later "
        "ones. The count restarts for entirely new test images."
    )


def _describe_selection_bias(
    in_use: Mapping[str, Any] | None, log: pd.DataFrame
) -> str:
    """A caution if the champion was selected by its test score."""
    if not in_use:
        return ""
    won = log[(log["outcome"] == "promoted") & log["look"].notna()]
    if in_use["version"] not in won["challenger_version"].to_list():
        return ""
    return (
        "The champion was selected because it was better on these test images: its test "
        "score is a maximum over comparisons, and therefore optimistic. Expect slightly "
        "lower scores on new images."
    )


def _row(row: Mapping[Any, Any]) -> DecisionRow:
    measured = pd.notna(row["difference"])
    metric, guard = row["metric"], row["guard"]
    return DecisionRow(
        date=str(row["date"])[:16].replace("T", " "),
        outcome=row["outcome"],
        reason=formatting.text(row["reason"]),
        challenger=_version(row, "challenger"),
        champion=_version(row, "champion"),
        difference=_difference(metric, row["difference"])
        if measured
        else formatting.NOTHING,
        interval=formatting.interval(metric, row["ci_low"], row["ci_high"], signs=True)
        if measured
        else "",
        guard=_difference(guard, row["guard_difference"])
        if measured
        else formatting.NOTHING,
        guard_interval=formatting.interval(
            guard, row["guard_ci_low"], row["guard_ci_high"], signs=True
        )
        if measured
        else "",
        n_groups=formatting.whole(row["n_groups"]) if measured else formatting.NOTHING,
        look=formatting.whole(row["look"]) if measured else formatting.NOTHING,
        alpha=format_probability(row.get("alpha", float("nan"))),
    )


def _difference(metric: str, number: float) -> str:
    return f"{formatting.label(metric)} {formatting.signed(metric, number)}"


def _version(row: Mapping[Any, Any], role: str) -> str:
    number = row[f"{role}_version"]
    return (
        formatting.NOTHING
        if pd.isna(number)
        else f"{int(number)}: {row[f'{role}_model']}"
    )
