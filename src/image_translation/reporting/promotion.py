"""What the report says of the model in use."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from image_translation.metrics.promotion import ERROR, format_probability
from image_translation.reporting import words

SHOWN = 10
"""Decisions in the table."""


@dataclass(frozen=True)
class DecisionRow:
    """One decision as the table shows it."""

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
    """The section on the model in use."""

    lead: str
    decision: str
    spent: str
    flatters: str
    rows: list[DecisionRow]


def tell_promotion(record: Mapping[str, Any], log: pd.DataFrame) -> PromotionText:
    """Put a decision into words.

    Args:
        record: ``promotion.json``.
        log: ``promotions.csv``.
    """
    in_use = record["in_use"]
    lead = (
        f"In use is version {in_use['version']}: {in_use['model']}, replicate "
        f"{in_use['replicate']}."
        if in_use
        else "Which model is in use could not be found out."
        if record["outcome"] == "not decided" and not record.get("is_sealed")
        else "No model is in use."
    )
    return PromotionText(
        lead,
        f"This run: {record['outcome']} ({record['reason']}).",
        _spent(record),
        _flatters(in_use, log),
        [_row(row) for row in log.iloc[::-1].head(SHOWN).to_dict("records")],
    )


def _spent(record: Mapping[str, Any]) -> str:
    """What the looks at these test images have spent of the error."""
    test = record.get("test")
    if not test or not test.get("looks") or "alpha_left" not in test:
        return ""
    left = format_probability(test["alpha_left"])
    times = words.count(test["looks"], "time")
    return (
        f"Challengers have met champions on these test images {times}. Each look spends a "
        f"part of one error of {ERROR:g}; {left} of it is left for all later looks. New "
        "test images, none of which was looked at, begin anew."
    )


def _flatters(in_use: Mapping[str, Any] | None, log: pd.DataFrame) -> str:
    """A caution where the version in use was chosen by its test score."""
    if not in_use:
        return ""
    won = log[(log["outcome"] == "promoted") & log["look"].notna()]
    if in_use["version"] not in won["challenger_version"].to_list():
        return ""
    return (
        "The version in use was chosen because it was ahead on these test images: its "
        "test score is a maximum over looks, and flatters. Expect a little less on new "
        "images."
    )


def _row(row: Mapping[Any, Any]) -> DecisionRow:
    measured = pd.notna(row["difference"])
    metric, guard = row["metric"], row["guard"]
    return DecisionRow(
        date=str(row["date"])[:16].replace("T", " "),
        outcome=row["outcome"],
        reason=words.text(row["reason"]),
        challenger=_version(row, "challenger"),
        champion=_version(row, "champion"),
        difference=_difference(metric, row["difference"])
        if measured
        else words.NOTHING,
        interval=words.interval(metric, row["ci_low"], row["ci_high"], signs=True)
        if measured
        else "",
        guard=_difference(guard, row["guard_difference"])
        if measured
        else words.NOTHING,
        guard_interval=words.interval(
            guard, row["guard_ci_low"], row["guard_ci_high"], signs=True
        )
        if measured
        else "",
        n_groups=words.whole(row["n_groups"]) if measured else words.NOTHING,
        look=words.whole(row["look"]) if measured else words.NOTHING,
        alpha=format_probability(row.get("alpha", float("nan"))),
    )


def _difference(metric: str, number: float) -> str:
    return f"{words.label(metric)} {words.signed(metric, number)}"


def _version(row: Mapping[Any, Any], role: str) -> str:
    number = row[f"{role}_version"]
    return (
        words.NOTHING if pd.isna(number) else f"{int(number)}: {row[f'{role}_model']}"
    )
