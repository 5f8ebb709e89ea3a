"""Looks at a test set: how often scores of it came out that nobody had seen before.

Who changes something after a look, and looks again, has begun to choose by the test set.
So every look is counted. Scoring the same predictions again shows nothing new and is no
look. Tables in, tables out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from image_translation.fingerprint import digest

TEST = "test"

SCORING_COLUMNS = ["time", "run", "test_set", "images", "groups", "scored", "runs"]
"""Columns of ``scorings.csv``: one row for every set of test scores of a model.

``time`` and ``run`` are those in which it first came out, ``test_set`` says of which
pairs, ``scored`` is a digest of the scores, ``runs`` in how many runs they came out.
"""

LOOK_COLUMNS = [
    "look",
    "time",
    "run",
    "test_set",
    "images",
    "groups",
    "model",
    "scored",
]
"""Columns of ``looks.csv``: one row a look and model whose scores were new in it.

``look`` counts from 1 for every test set. A row with look 0 says that the test set was
sealed before its first look.
"""


@dataclass(frozen=True)
class Looks:
    """How often a test set was looked at.

    Attributes:
        count: Looks at these pairs as they are prepared now.
        first: Date of the first one, such as ``2026-01-04``; empty without one.
        others: Looks at other test sets of the task, which may share pairs with this one.
        was_sealed: Whether it was sealed before the first look.
    """

    count: int
    first: str
    others: int
    was_sealed: bool


def subset_of(table: pd.DataFrame) -> str:
    """The subset that scores are of: ``test``, or ``validation`` while that is sealed."""
    return str(table["subset"].iloc[0]) if "subset" in table and len(table) else TEST


def count_scoring(
    scorings: pd.DataFrame | None,
    scores: pd.DataFrame,
    test_set: str,
    run: str,
    time: str,
) -> pd.DataFrame:
    """Count that test scores of a model came out.

    Args:
        scorings: Those counted before, or None.
        scores: The scores, as in ``scores.csv``; empty for a model that did not run.
        test_set: What identifies the pairs.
        run: What identifies the run.
        time: When, in ISO 8601.

    Returns:
        ``scorings.csv``: a new row for scores that are new, else one run more.
    """
    known = pd.DataFrame(columns=SCORING_COLUMNS) if scorings is None else scorings
    if scores.empty:
        return known
    scored = _digest_scores(scores)
    is_same = (known["test_set"] == test_set) & (known["scored"] == scored)
    if is_same.any():
        return known.assign(runs=known["runs"] + is_same)
    images, groups = scores["pair_id"].nunique(), scores["group"].nunique()
    row = [time, run, test_set, images, groups, scored, 1]
    return _appended(known, [dict(zip(SCORING_COLUMNS, row, strict=True))])


def gather_looks(
    known: pd.DataFrame | None, scorings: Mapping[str, pd.DataFrame]
) -> pd.DataFrame:
    """Gather the scorings of all models: those of one run are one look.

    Args:
        known: ``looks.csv`` as it was, or None. It remembers what was scored before
            the files of a model were removed.
        scorings: ``scorings.csv`` of each model.

    Returns:
        ``looks.csv``, the first look first.
    """
    rows = [
        {"look": 0, **row, "model": model}
        for model, table in scorings.items()
        for row in table.drop(columns="runs").to_dict("records")
    ]
    table = _appended(_known_looks(known), rows)
    table = table.drop_duplicates(["test_set", "model", "scored"])
    table = table.sort_values("time", kind="stable", ignore_index=True)
    seen = table[table["scored"] != ""]
    number = seen.groupby("test_set")["run"].transform(lambda r: pd.factorize(r)[0] + 1)
    return table.assign(look=number.reindex(table.index, fill_value=0).astype(int))


def note_seal(looks: pd.DataFrame, test_set: str, run: str, time: str) -> pd.DataFrame:
    """Note that a test set is sealed, if nothing is known of it yet.

    Args:
        looks: ``looks.csv``.
        test_set: What identifies the pairs.
        run: What identifies the run.
        time: When, in ISO 8601.
    """
    if (looks["test_set"] == test_set).any():
        return looks
    row = [0, time, run, test_set, 0, 0, "", ""]
    return _appended(looks, [dict(zip(LOOK_COLUMNS, row, strict=True))])


def describe_looks(looks: pd.DataFrame, test_set: str) -> Looks:
    """Count the looks at a test set.

    Args:
        looks: ``looks.csv``.
        test_set: What identifies the pairs.
    """
    is_mine = looks["test_set"] == test_set
    seen, others = looks[is_mine & (looks["look"] > 0)], looks[~is_mine]
    return Looks(
        count=int(seen["look"].max()) if len(seen) else 0,
        first=str(seen["time"].min())[:10] if len(seen) else "",
        others=int(others.groupby("test_set")["look"].max().sum()),
        was_sealed=bool((looks[is_mine]["look"] == 0).any()),
    )


def _known_looks(known: pd.DataFrame | None) -> pd.DataFrame:
    return pd.DataFrame(columns=LOOK_COLUMNS) if known is None else known


def _digest_scores(scores: pd.DataFrame) -> str:
    """Digest of what was scored: the errors of all images stand for the predictions.

    Metrics that are added later do not change it, nor does rounding.
    """
    rows = scores[["pair_id", "replicate", "mse"]].sort_values(["pair_id", "replicate"])
    return digest(rows.to_csv(index=False, float_format="%.9g"))[:16]


def _appended(table: pd.DataFrame, rows: Sequence[Mapping[Any, Any]]) -> pd.DataFrame:
    if not rows:
        return table
    new = pd.DataFrame(rows, columns=table.columns)
    return new if table.empty else pd.concat([table, new], ignore_index=True)
