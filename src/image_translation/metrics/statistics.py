"""Group means, multiple testing corrections and detectable differences.

Inference on models and seeds is in `image_translation.metrics.inference`.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd
import scipy
from numpy.typing import ArrayLike, NDArray

CONFIDENCE = 0.95

REACHED = 1 - 1e-6
"""Factor of a statistic that a draw must reach, so that rounding errors do not matter."""

POWER = 0.8
"""Probability that a detectable difference is found."""

LARGEST_SOLVED = 100.0
"""Largest critical value for which the noncentral t distribution is solved."""

Floats = NDArray[np.float64]


class Interval(NamedTuple):
    """A mean with its confidence interval.

    Attributes:
        mean: Estimate of the mean.
        low: Lower end; NaN for fewer than two groups.
        high: Upper end; NaN for fewer than two groups.
    """

    mean: float
    low: float
    high: float


def deviation(values: ArrayLike) -> float:
    """Sample standard deviation; NaN for fewer than two values."""
    values = np.asarray(values, dtype=np.float64)
    return float(values.std(ddof=1)) if len(values) > 1 else np.nan


def group_means(values: ArrayLike, groups: ArrayLike) -> Floats:
    """Mean of each group, in sorted order of the groups; NaN values are ignored.

    Args:
        values: One value per image.
        groups: Group of each image.

    Returns:
        One mean per group that has a value.
    """
    sums, counts = sum_groups(np.asarray(values, dtype=np.float64)[:, None], groups)
    present = counts[:, 0] > 0
    return sums[present, 0] / counts[present, 0]


def sum_groups(values: Floats, groups: ArrayLike) -> tuple[Floats, Floats]:
    """Sums and counts of each group; NaN values are ignored.

    Args:
        values: Images × columns.
        groups: Group of each image.

    Returns:
        Sums and counts, groups × columns each.

    Raises:
        ValueError: The arguments differ in length, or a group is missing.
    """
    groups = np.asarray(groups)
    if len(groups) != len(values):
        raise ValueError(f"{len(values)} values with {len(groups)} groups")
    codes, labels = pd.factorize(groups, sort=True)
    if (codes < 0).any():
        raise ValueError("a value has no group")
    counted = ~np.isnan(values)
    sums = np.zeros((len(labels), values.shape[1]))
    counts = np.zeros_like(sums)
    np.add.at(sums, codes, np.where(counted, values, 0))
    np.add.at(counts, codes, counted)
    return sums, counts


def holm(p_values: ArrayLike) -> Floats:
    """Adjust p-values for multiple comparisons (Holm 1979).

    Controls the familywise error rate: if each p-value is valid by itself, the
    probability of any false claim is at most the level.

    Args:
        p_values: One p-value per comparison; NaN for a comparison that was not tested.

    Returns:
        Adjusted p-values in the same order; NaN stays NaN and is not counted.

    Examples:
        >>> holm([0.01, 0.04, 0.03]).tolist()
        [0.03, 0.06, 0.06]
    """
    p_values = np.asarray(p_values, dtype=np.float64)
    tested = np.flatnonzero(~np.isnan(p_values))
    ascending = tested[np.argsort(p_values[tested], kind="stable")]
    factors = np.arange(len(ascending), 0, -1)
    adjusted = np.full(p_values.shape, np.nan)
    adjusted[ascending] = np.minimum(
        np.maximum.accumulate(p_values[ascending] * factors), 1
    )
    return adjusted


def step_down(
    statistics: ArrayLike, reference: ArrayLike, level: float
) -> tuple[Floats, Floats]:
    """Adjust for multiple comparisons by the maximum of a joint reference distribution.

    Westfall & Young (1993), "Resampling-based multiple testing", algorithm 4.1: the
    largest statistic is compared with the maximum of all statistics in each draw, the
    next one with the maximum of the rest, and so on. For correlated statistics this is
    more powerful than Holm's correction.

    Args:
        statistics: m absolute statistics on a common scale.
        reference: Draws × m, absolute statistics under the null hypothesis.
        level: Familywise error rate.

    Returns:
        m adjusted p-values and m critical values. An adjusted p-value is below the level
        exactly if its statistic is above its critical value. All statistics after the
        first one that is not claimed share its critical value.
    """
    observed = np.asarray(statistics, dtype=np.float64)
    draws = np.asarray(reference)
    order = np.argsort(-observed, kind="stable")
    largest = np.maximum.accumulate(draws[:, order[::-1]], axis=1)[:, ::-1]
    reached = (largest >= observed[order] * REACHED).sum(axis=0)
    in_order = np.maximum.accumulate((reached + 1) / (len(draws) + 1))
    limits = _critical_values(largest, level)
    unclaimed = np.flatnonzero(in_order >= level)
    if len(unclaimed):
        limits[unclaimed[0] :] = limits[unclaimed[0]]
    adjusted, critical = np.empty_like(observed), np.empty_like(observed)
    adjusted[order], critical[order] = in_order, limits
    return adjusted, critical


def _critical_values(draws: Floats, level: float) -> Floats:
    """Statistics above which ``(reached + 1) / (draws + 1)`` is below the level."""
    count = len(draws)
    too_many = int(np.flatnonzero(np.arange(1, count + 2) / (count + 1) >= level)[0])
    if too_many == 0:
        return np.full(draws.shape[1], np.inf)
    ascending = np.partition(draws, count - too_many, axis=0)
    return ascending[count - too_many].astype(np.float64) / REACHED


def detectable(error: ArrayLike, df: ArrayLike, critical: ArrayLike) -> Floats:
    """True differences that a test finds with a power of 80 %.

    The statistic of a true difference follows the noncentral t distribution (Cohen 1988,
    "Statistical power analysis for the behavioral sciences", section 2.2).

    Args:
        error: Standard errors.
        df: Degrees of freedom of the standard errors.
        critical: Statistics above which a difference is claimed; infinite if no
            difference can be claimed.

    Returns:
        Differences in the unit of ``error``; infinite where ``critical`` is infinite.
    """
    critical, df = np.asarray(critical, dtype=np.float64), np.asarray(df)
    # SciPy's solver may not return for larger ones. Beyond them, the error of the error
    # decides alone, to 0.1 %: the inverse of P(χ²/df < (difference / critical)²).
    solvable = np.minimum(critical, LARGEST_SOLVED)
    solved = scipy.special.nctdtrinc(df, 1 - POWER, solvable)
    limit = critical * np.sqrt(2 * scipy.special.gammaincinv(df / 2, POWER) / df)
    found = np.where(critical > LARGEST_SOLVED, limit, solved)
    with np.errstate(invalid="ignore"):  # an infinite one times no error
        return np.where(np.isfinite(critical), found * np.asarray(error), critical)
