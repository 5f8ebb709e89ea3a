"""What people preferred in a blind test, with intervals, and whether they agree.

Votes are rows ``judge, question, kind, left, right, choice``: two candidates, each a
model or ``target``, and ``left``, ``right`` or ``none``. Undecided votes are counted
but left out of rates, so that a rate is that of those who saw a difference.
"""

import itertools
from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import scipy

COLUMNS = ["kind", "model_a", "model_b", "n", "rate", "ci_low", "ci_high", "undecided"]


def preference_rates(votes: pd.DataFrame) -> pd.DataFrame:
    """How often each candidate was preferred to each other one.

    The interval is Wilson's for a binomial share, 95 %. It takes votes as independent;
    a few judges on a few images are less than that.

    Args:
        votes: One row a vote, see the module.

    Returns:
        One row a kind of question and two candidates: ``kind, model_a, model_b, n,
        rate, ci_low, ci_high, undecided``. In ``preference`` questions ``rate`` is the
        share of decided votes for model_a. In ``reality`` questions model_b is
        ``target``, and ``rate`` is the fooling rate: the share that took model_a's
        image for the real one; 0.5 is perfect.
    """
    rows = []
    for (kind, a, b), group in _ordered(votes).groupby(["kind", "a", "b"], sort=True):
        decided = group[group["winner"] != ""]
        wins, n = int((decided["winner"] == a).sum()), len(decided)
        low, high = np.nan, np.nan
        if n:
            interval = scipy.stats.binomtest(wins, n).proportion_ci(method="wilson")
            low, high = interval.low, interval.high
        rate = wins / n if n else np.nan
        rows.append([kind, a, b, n, rate, low, high, len(group) - n])
    return pd.DataFrame(rows, columns=COLUMNS)


def _ordered(votes: pd.DataFrame) -> pd.DataFrame:
    """Votes by candidates a and b, whatever their sides; ``target`` is always b."""
    left, right = votes["left"].to_numpy(object), votes["right"].to_numpy(object)
    swap = (left == "target") | ((right != "target") & (left > right))
    winner = np.select(
        [votes["choice"] == "left", votes["choice"] == "right"], [left, right], ""
    )
    return votes.assign(
        a=np.where(swap, right, left), b=np.where(swap, left, right), winner=winner
    )


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
