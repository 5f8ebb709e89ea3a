"""Count the looks at a test set: runs that produced new test scores.

Changes after a look, followed by another look, begin to select models by their test
scores. Every look is therefore counted. Scoring the same predictions again produces
nothing new and does not count.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from image_translation.common.fingerprint import digest
from image_translation.common.names import TEST

SCORING_COLUMNS = ["time", "run", "test_set", "images", "groups", "scored", "runs"]
"""Columns of ``scorings.csv``: one row per distinct set of test scores of a model.

``time`` and ``run`` are those of its first run, ``test_set`` identifies the pairs,
``scored`` is a digest of the scores, and ``runs`` is the number of runs that produced
them.
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
"""Columns of ``looks.csv``: one row per look and model with new scores.

``look`` counts from 1 for each test set. A row with look 0 records that the test set was
sealed before its first look.
"""


@dataclass(frozen=True)
class Looks:
    """Number of looks at a test set.

    Attributes:
        count: Looks at the current test set.
        first: Date of the first look, such as ``2026-01-04``; empty without one.
        others: Looks at other test sets of the task, which may share pairs with this one.
        was_sealed: Whether the test set was sealed before the first look.
    """

    count: int
    first: str
    others: int
    was_sealed: bool


def subset_of(table: pd.DataFrame) -> str:
    """Subset of a score table: ``validation`` while the test set is sealed, else ``test``."""
    return str(table["subset"].iloc[0]) if "subset" in table and len(table) else TEST


def count_scoring(
    scorings: pd.DataFrame | None,
    scores: pd.DataFrame,
    test_set: str,
    run: str,
    time: str,
) -> pd.DataFrame:
    """Record test scores of a model.

    Args:
        scorings: Previous ``scorings.csv``, or None.
        scores: Scores as in ``scores.csv``; empty for a model that did not run.
        test_set: Identifier of the pairs.
        run: Identifier of the run.
        time: Time in ISO 8601.

    Returns:
        ``scorings.csv`` with a new row for new scores. Known scores increase ``runs``.
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
    """Merge the scorings of all models; new scores in the same run are one look.

    Args:
        known: Previous ``looks.csv``, or None. It keeps scorings of models whose files
            were removed.
        scorings: ``scorings.csv`` by model.

    Returns:
        ``looks.csv`` in order of time.
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
    """Record that a test set is sealed, unless it is already listed.

    Args:
        looks: ``looks.csv``.
        test_set: Identifier of the pairs.
        run: Identifier of the run.
        time: Time in ISO 8601.

    Returns:
        ``looks.csv``, with a row for the seal if there was none for this test set.
    """
    if (looks["test_set"] == test_set).any():
        return looks
    row = [0, time, run, test_set, 0, 0, "", ""]
    return _appended(looks, [dict(zip(LOOK_COLUMNS, row, strict=True))])


def describe_looks(looks: pd.DataFrame, test_set: str) -> Looks:
    """Count the looks at a test set.

    Args:
        looks: ``looks.csv``.
        test_set: Identifier of the pairs.
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
    """Digest of the MSE of all images, as a substitute for the predictions.

    Independent of rounding, and of metrics that are added later.
    """
    rows = scores[["pair_id", "replicate", "mse"]].sort_values(["pair_id", "replicate"])
    return digest(rows.to_csv(index=False, float_format="%.9g"))[:16]


def _appended(table: pd.DataFrame, rows: Sequence[Mapping[Any, Any]]) -> pd.DataFrame:
    if not rows:
        return table
    new = pd.DataFrame(rows, columns=table.columns)
    return new if table.empty else pd.concat([table, new], ignore_index=True)
