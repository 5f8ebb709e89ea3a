"""What people prefer in a blind test, with intervals, and whether they agree.

Votes are rows ``judge, question, kind, group, left, right, choice``: the image's group,
two candidates, each a model or ``target``, and ``left``, ``right`` or ``none``. An
undecided vote counts half for each side.

Votes are not independent: those of one judge share a taste, those on one image share
what is in it. Images (by group) and judges are two crossed samples, and both are part
of every interval and test.
"""

import itertools
from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
import scipy
from numpy.typing import ArrayLike, NDArray

from image_translation.metrics.statistics import CONFIDENCE, Floats, holm

Codes = NDArray[np.int64]

COLUMNS = [
    "kind",
    "model_a",
    "model_b",
    "n",
    "rate",
    "ci_low",
    "ci_high",
    "undecided",
    "n_images",
    "n_groups",
    "n_judges",
    "p_value",
    "p_adjusted",
    "verdict",
]

EVEN = 0.5
TOLD_APART = "told from the real one"
TAKEN_FOR_REAL = "taken for real more often than the real one"
UNDECIDED = "undecided"
TOO_FEW = "too few judges or images"
"""Even unanimous votes would not have been enough."""

_ADDED = 2
"""Votes added to each side, "add two successes and two failures" (Agresti & Coull 1998,
"Approximate is better than 'exact'", section 2): unanimous votes keep a variance."""


def preference_rates(votes: pd.DataFrame) -> pd.DataFrame:
    """How often each candidate was preferred to each other one.

    The 95 % interval and the p-value against 0.5 come from a two-way cluster-robust
    variance, see ``estimate_share``; p-values are corrected by Holm's method over all
    rows of both kinds. The votes of a single judge say nothing about other people:
    interval and verdict are then about this judge.

    Args:
        votes: One row a vote, see the module, with ``pair_id``.

    Returns:
        One row a kind of question and two candidates. In ``preference`` questions
        ``rate`` is the share of votes for model_a. In ``reality`` questions model_b is
        ``target``, and ``rate`` is the fooling rate: the share that took model_a's
        image for the real one; 0.5 is perfect. ``n`` counts decided votes, ``n_groups``
        independent images; ``verdict`` is ``<model> is preferred``, ``told from the
        real one``, ``taken for real more often than the real one``, ``undecided`` or
        ``too few judges or images``.
    """
    rows, attainable = [], []
    for (kind, a, b), group in _ordered(votes).groupby(["kind", "a", "b"], sort=True):
        decided = int((group["winner"] != "").sum())
        share = estimate_share(group["for_a"], group["group"], group["judge"])
        attainable.append(share.attainable)
        rows.append(
            {
                "kind": kind,
                "model_a": a,
                "model_b": b,
                "n": decided,
                "rate": share.rate,
                "ci_low": share.low,
                "ci_high": share.high,
                "undecided": len(group) - decided,
                "n_images": group["pair_id"].nunique(),
                "n_groups": group["group"].nunique(),
                "n_judges": group["judge"].nunique(),
                "p_value": share.p_value,
            }
        )
    table = pd.DataFrame(rows, columns=COLUMNS)
    table["p_adjusted"] = holm(table["p_value"])
    # Holm compares the smallest of m p-values with 0.05 / m.
    tests = table["p_value"].notna().sum()
    table["verdict"] = [
        _judge(row, best * tests)
        for (_, row), best in zip(table.iterrows(), attainable, strict=True)
    ]
    return table


def _judge(row: pd.Series, attainable: float) -> str:
    """The verdict on two candidates.

    Args:
        row: Their row of the table.
        attainable: The corrected p-value that unanimous votes would have had.
    """
    significance = 1 - CONFIDENCE
    if row["p_adjusted"] < significance:
        return _claim(row) + (" by this judge" if row["n_judges"] == 1 else "")
    return UNDECIDED if attainable < significance else TOO_FEW


def _claim(row: pd.Series) -> str:
    ahead = row["rate"] > EVEN
    if row["kind"] == "preference":
        return f"{row['model_a'] if ahead else row['model_b']} is preferred"
    return TAKEN_FOR_REAL if ahead else TOLD_APART


class Share(NamedTuple):
    """The share of votes for one of two candidates.

    Attributes:
        rate: The share, undecided votes counted half.
        low: Lower end of its 95 % interval; NaN for a single image, as is all below.
        high: Upper end.
        p_value: Two-sided, of the hypothesis that the share is 0.5.
        attainable: The p-value that unanimous votes would have had.
    """

    rate: float
    low: float
    high: float
    p_value: float
    attainable: float


def estimate_share(votes: ArrayLike, groups: ArrayLike, judges: ArrayLike) -> Share:
    """Share of votes with an interval over images and judges.

    The variance is that of two-way clusters, V(groups) + V(judges) - V(cells)
    (Cameron, Gelbach & Miller 2011, "Robust inference with multiway clustering"),
    never less than V(groups), V(judges) or that of independent votes. For one judge
    it is V(groups). The reference is Student's t with min(groups, judges) - 1 degrees
    of freedom; no p-value is below that of as many unanimous judges or images,
    2^-freedom. Two votes are added to each side. ``benchmarks/blind_test.py`` measures
    the error that remains.

    Args:
        votes: 1 for the candidate, 0 against it, 0.5 undecided.
        groups: The image's group of each vote.
        judges: The judge of each vote.
    """
    values = np.asarray(votes, dtype=np.float64)
    group, judge = (pd.factorize(np.asarray(c))[0] for c in (groups, judges))
    rate, n = float(values.mean()), len(values)
    n_groups, n_judges = group.max() + 1, judge.max() + 1
    if n_groups < 2:
        return Share(rate, np.nan, np.nan, np.nan, np.nan)
    freedom = (min(n_groups, n_judges) if n_judges > 1 else n_groups) - 1
    centre, independent = _add_votes(rate, n)
    variance = _two_way_variance(values - rate, group, judge)
    error = np.sqrt(max(variance, independent))
    margin = scipy.special.stdtrit(freedom, (1 + CONFIDENCE) / 2) * error
    unanimous, least = _add_votes(1.0, n)
    return Share(
        rate=rate,
        low=max(centre - margin, 0.0),
        high=min(centre + margin, 1.0),
        p_value=_p_value((centre - EVEN) / error, freedom),
        attainable=_p_value((unanimous - EVEN) / np.sqrt(least), freedom),
    )


def _add_votes(rate: float, n: int) -> tuple[float, float]:
    """A share with votes added to both sides, and its variance if all are independent."""
    share = (rate * n + _ADDED) / (n + 2 * _ADDED)
    return share, share * (1 - share) / (n + 2 * _ADDED)


def _two_way_variance(residuals: Floats, group: Codes, judge: Codes) -> float:
    """Variance of the mean of votes that are clustered by group and by judge."""
    cell = pd.factorize(group * (judge.max() + 1) + judge)[0]
    groups, judges, cells = (
        _cluster_variance(residuals, codes) for codes in (group, judge, cell)
    )
    return max(groups + judges - cells, groups, judges)


def _cluster_variance(residuals: Floats, cluster: Codes) -> float:
    """Cluster-robust variance of a mean, with G / (G - 1); 0 for a single cluster."""
    sums = np.bincount(cluster, weights=residuals)
    correction = len(sums) / max(len(sums) - 1, 1)
    return float(correction * (sums**2).sum() / len(residuals) ** 2)


def _p_value(t: float, freedom: int) -> float:
    """Two-sided; never below that of a sign test whose clusters are unanimous.

    Where every judge always takes the same side, a few agree by chance and t sees no
    variance.
    """
    return float(max(2 * scipy.special.stdtr(freedom, -abs(t)), 0.5**freedom))


def _ordered(votes: pd.DataFrame) -> pd.DataFrame:
    """Votes by candidates a and b, whatever their sides; ``target`` is always b.

    ``for_a`` is 1 for a, 0 for b and 0.5 for neither.
    """
    left, right = votes["left"].to_numpy(object), votes["right"].to_numpy(object)
    swap = (left == "target") | ((right != "target") & (left > right))
    winner = np.select(
        [votes["choice"] == "left", votes["choice"] == "right"], [left, right], ""
    )
    a, b = np.where(swap, right, left), np.where(swap, left, right)
    for_a = np.select([winner == a, winner == b], [1.0, 0.0], EVEN)
    return votes.assign(a=a, b=b, winner=winner, for_a=for_a)


@dataclass(frozen=True)
class Agreement:
    """How far judges agree.

    Attributes:
        n_judges: How many there are.
        n_questions: Questions that at least two of them decided.
        raw: Share of pairs of judges who chose the same, over these questions.
        alpha: Krippendorff's alpha: 1 agreement, 0 chance; NaN where all votes are the
            same or no question has two.
    """

    n_judges: int
    n_questions: int
    raw: float
    alpha: float


def judge_agreement(votes: pd.DataFrame) -> Agreement:
    """Raw agreement and Krippendorff's alpha of the judges; undecided is missing.

    Args:
        votes: One row a vote, see the module.
    """
    decided = votes[votes["choice"] != "none"]
    units = [list(group) for _, group in decided.groupby("question")["choice"]]
    shared = [unit for unit in units if len(unit) > 1]
    pairs = [a == b for unit in shared for a, b in itertools.combinations(unit, 2)]
    return Agreement(
        n_judges=votes["judge"].nunique(),
        n_questions=len(shared),
        raw=float(np.mean(pairs)) if pairs else float("nan"),
        alpha=krippendorff_alpha(units),
    )


def krippendorff_alpha(units: Iterable[Sequence[Hashable]]) -> float:
    """Krippendorff's alpha for nominal data with any number of missing values.

    With o(c, k) the coincidences of values c and k (each ordered pair within a unit of
    m values adds 1 / (m − 1)), n(c) their sums and n the sum of all,
    alpha = 1 − (n − 1) · Σ o(c, k) / Σ n(c) · n(k), both over c ≠ k.

    Source: Krippendorff (2011), Computing Krippendorff's Alpha-Reliability, part C.

    Args:
        units: For each thing judged, the values that it was given.

    Returns:
        1 for perfect agreement, 0 for that of chance, less for less; NaN where nothing
        varies or no unit has two values.

    Examples:
        >>> round(krippendorff_alpha(["ab", "aa", "bb", "bb"]), 3)
        0.533
    """
    sums: Counter[Hashable] = Counter()
    observed = 0.0
    for unit in units:
        if len(unit) < 2:
            continue
        sums.update(unit)
        unequal = sum(a != b for a, b in itertools.permutations(unit, 2))
        observed += unequal / (len(unit) - 1)
    n = sum(sums.values())
    expected = n * n - sum(count * count for count in sums.values())
    return 1 - (n - 1) * observed / expected if expected else float("nan")
