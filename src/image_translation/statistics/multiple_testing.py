"""Corrections of p-values for multiple comparisons."""

import numpy as np
from numpy.typing import ArrayLike

from image_translation.statistics.groups import Floats

REACHED = 1 - 1e-6
"""Fraction of a statistic that a draw must reach to count, so that rounding errors do not
matter."""


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
