"""Preferences of human judges in a blind test, with intervals, and their agreement.

Votes are rows ``judge, question, kind, group, left, right, choice``: ``group`` is the
group of the image, ``left`` and ``right`` are two candidates, each a model or ``target``,
and ``choice`` is ``left``, ``right`` or ``none``. An undecided vote counts half for each
candidate.

Votes are not independent: votes of one judge share a taste, votes on one image share its
content. Groups of images and judges are two crossed random samples, and all intervals and
tests account for both.
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

from image_translation.metrics.interval import CONFIDENCE
from image_translation.statistics.groups import Floats
from image_translation.statistics.multiple_testing import holm

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
TOLD_APART = "distinguishable from the target"
TAKEN_FOR_REAL = "taken for real more often than the real one"
UNDECIDED = "undecided"
TOO_FEW = "too few judges or images"
"""Verdict if even unanimous votes would not have been significant."""

_ADDED = 2
"""Votes added for each candidate, "add two successes and two failures" (Agresti & Coull
1998, "Approximate is better than 'exact'", section 2), so that unanimous votes have a
positive variance."""


def preference_rates(votes: pd.DataFrame) -> pd.DataFrame:
    """Preference rates of all pairs of candidates.

    The 95 % interval and the p-value against 0.5 use a two-way cluster-robust variance,
    see ``estimate_share``. P-values are corrected by Holm's method over all rows of both
    kinds. With a single judge, interval and verdict apply to this judge only.

    Args:
        votes: One row per vote with the columns described in the module and ``pair_id``.

    Returns:
        One row per kind of question and pair of candidates. In ``preference`` questions
        ``rate`` is the share of votes for model_a. In ``reality`` questions model_b is
        ``target``, and ``rate`` is the fooling rate: the share of votes that took
        model_a's image for the real one; 0.5 is perfect. ``n`` counts decided votes,
        ``n_groups`` independent images. ``verdict`` is ``<model> is preferred``,
        ``distinguishable from the target``, ``taken for real more often than the real
        one``, ``undecided`` or ``too few judges or images``.
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
    """Verdict on a row of the table.

    ``attainable`` is the corrected p-value that unanimous votes would have.
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
    """Share of votes for one of two candidates.

    All attributes except ``rate`` are NaN for a single group of images.

    Attributes:
        rate: Share of votes; undecided votes count half.
        low: Lower end of its 95 % interval.
        high: Upper end of its 95 % interval.
        p_value: Two-sided p-value of the hypothesis that the share is 0.5.
        attainable: P-value that unanimous votes would have.
    """

    rate: float
    low: float
    high: float
    p_value: float
    attainable: float


def estimate_share(votes: ArrayLike, groups: ArrayLike, judges: ArrayLike) -> Share:
    """Share of votes with an interval that accounts for images and judges.

    The variance is that of two-way clusters, V(groups) + V(judges) - V(cells)
    (Cameron, Gelbach & Miller 2011, "Robust inference with multiway clustering"), but
    at least V(groups), V(judges) and the variance of independent votes. For one judge
    it is V(groups). The reference is Student's t with min(groups, judges) - 1 degrees
    of freedom. P-values are at least 2^-freedom, the p-value of as many unanimous judges
    or images. Two votes are added for each candidate. ``benchmarks/blind_test.py``
    measures the remaining error.

    Args:
        votes: 1 for the candidate, 0 against it, 0.5 if undecided.
        groups: Group of the image of each vote.
        judges: Judge of each vote.
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
    """Share with votes added for both candidates, and its variance for independent votes."""
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
    """Two-sided p-value, at least that of a sign test with unanimous clusters.

    If each judge always prefers the same candidate, a few judges can agree by chance. The
    variance is then 0, and t alone would be significant.
    """
    return float(max(2 * scipy.special.stdtr(freedom, -abs(t)), 0.5**freedom))


def _ordered(votes: pd.DataFrame) -> pd.DataFrame:
    """Votes by candidates a and b, independent of position; ``target`` is always b.

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
    """Agreement between judges.

    Attributes:
        n_judges: Number of judges.
        n_questions: Number of questions decided by at least two judges.
        raw: Share of pairs of judges with the same choice, over these questions.
        alpha: Krippendorff's alpha: 1 for perfect agreement, 0 for chance; NaN if all
            votes are equal or no question was decided twice.
    """

    n_judges: int
    n_questions: int
    raw: float
    alpha: float


def judge_agreement(votes: pd.DataFrame) -> Agreement:
    """Raw agreement and Krippendorff's alpha; undecided votes count as missing.

    Args:
        votes: One row per vote with the columns described in the module.
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
        units: The values assigned to each unit.

    Returns:
        1 for perfect agreement, 0 for agreement by chance, negative for less; NaN if
        all values are equal or no unit has two values.

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
