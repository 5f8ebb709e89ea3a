"""Uncertainty of scores: intervals and tests that respect what is independent.

Crops of one photograph are not independent, so groups are resampled, never images.
Training again with another seed gives other scores, so with several replicates the
seeds' part widens the interval.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd
import scipy
from numpy.typing import ArrayLike, NDArray

CONFIDENCE = 0.95
RESAMPLES = 9_999
POWER = 0.8
"""Probability with which a minimum detectable difference is detected."""

_SEED = 20260
_WEIGHTS_AT_ONCE = 2**22

Floats = NDArray[np.float64]


class Interval(NamedTuple):
    """A mean with its confidence interval.

    Attributes:
        mean: The estimate.
        low: Lower end; NaN where there are fewer than two groups.
        high: Upper end; NaN where there are fewer than two groups.
    """

    mean: float
    low: float
    high: float


def bootstrap_mean(
    values: ArrayLike, groups: ArrayLike, replicates: ArrayLike | None = None
) -> Interval:
    """Mean over images with its 95 % interval.

    The images' part of the interval is a BCa bootstrap over groups
    (``bootstrap_means``); with replicates the seeds' part (``seed_margin``) is added
    to it (``widen``).

    Args:
        values: One finite value an image, or an image and replicate.
        groups: The group of each value.
        replicates: The replicate of each value; every image must have a value in
            every replicate.

    Returns:
        Mean and interval. The interval is NaN for a single group.

    Raises:
        ValueError: The arguments differ in length, or a group is missing.
    """
    values = np.asarray(values, dtype=np.float64)
    interval = bootstrap_means(values[:, np.newaxis], groups)[0]
    if replicates is None:
        return interval
    means = pd.Series(values).groupby(np.asarray(replicates)).mean().to_numpy()
    return widen(interval, seed_margin(means))


def bootstrap_means(values: ArrayLike, groups: ArrayLike) -> list[Interval]:
    """Means over images of several columns, each with its 95 % interval.

    Whole groups are drawn with replacement; the mean of a draw is the sum of its images
    by their number. Intervals are BCa (Efron 1987, "Better bootstrap confidence
    intervals", section 2), the acceleration by jackknife over groups, with the
    percentiles widened for few groups as in Hesterberg (2015), "What teachers should
    know about the bootstrap", section 4.3: plain bootstrap intervals are too narrow
    there. 9,999 resamples with a fixed seed, shared by the columns.

    Args:
        values: Images × columns; NaN where an image does not count in a column.
        groups: The group of each image.

    Returns:
        One interval a column; NaN ends for fewer than two groups, all NaN for a column
        without images.

    Raises:
        ValueError: The arguments differ in length, or a group is missing.
    """
    values = np.asarray(values, dtype=np.float64)
    sums, counts = _by_group(values, groups)
    intervals = [Interval(np.nan, np.nan, np.nan)] * values.shape[1]
    # Columns that lack the same groups are resampled together.
    patterns, pattern_of = np.unique(counts > 0, axis=1, return_inverse=True)
    for number, present in enumerate(patterns.T):
        columns = np.flatnonzero(pattern_of == number)
        within = np.ix_(present, columns)
        for column, interval in zip(
            columns, _bca(sums[within], counts[within]), strict=True
        ):
            intervals[column] = interval
    return intervals


def group_means(values: ArrayLike, groups: ArrayLike) -> Floats:
    """Mean of each group, in the sorted order of the groups; NaN values do not count.

    Args:
        values: One value an image.
        groups: The group of each image.

    Returns:
        One mean for every group that has a value.
    """
    sums, counts = _by_group(np.asarray(values, dtype=np.float64)[:, None], groups)
    present = counts[:, 0] > 0
    return sums[present, 0] / counts[present, 0]


def seed_margin(replicate_means: ArrayLike) -> float:
    """Half-width of the 95 % interval that the seeds alone give.

    A bootstrap over 3 to 5 seeds is far too narrow; Student's t with R - 1 degrees of
    freedom is exact for normal seed effects, whatever their number.

    Args:
        replicate_means: The mean score of each replicate.

    Returns:
        The margin; 0 for a single replicate, whose seed part cannot be known.
    """
    means = np.asarray(replicate_means, dtype=np.float64)
    if len(means) < 2:
        return 0.0
    quantile = scipy.special.stdtrit(len(means) - 1, (1 + CONFIDENCE) / 2)
    return float(quantile * means.std(ddof=1) / np.sqrt(len(means)))


def widen(interval: Interval, *margins: float) -> Interval:
    """Add independent sources of variation to an interval.

    Distances from the mean add in squares (Zou & Donner 2008, "Construction of
    confidence limits about effect measures", equation 3), which keeps the interval's
    asymmetry and the coverage of each part.

    Args:
        interval: Mean with the interval of one source.
        *margins: Half-widths of the intervals of the others.
    """
    mean, low, high = interval
    return Interval(
        mean,
        mean - float(np.hypot.reduce([mean - low, *margins])),
        mean + float(np.hypot.reduce([high - mean, *margins])),
    )


def deviation(values: ArrayLike) -> float:
    """Standard deviation of a sample; NaN for fewer than two values."""
    values = np.asarray(values, dtype=np.float64)
    return float(values.std(ddof=1)) if len(values) > 1 else np.nan


def standardized_mean(differences: ArrayLike) -> float:
    """Mean difference in standard deviations of the differences.

    Cohen's d for paired samples, d_z (Cohen 1988, "Statistical power analysis for the
    behavioral sciences", section 2.3.5); about 0.2 is small, 0.5 medium, 0.8 large.

    Args:
        differences: Paired differences, one a group.

    Returns:
        NaN for fewer than two groups; 0 where all differences are 0, infinite where all
        are the same.
    """
    differences = np.asarray(differences, dtype=np.float64)
    if len(differences) < 2:
        return np.nan
    mean, spread = float(differences.mean()), deviation(differences)
    if spread == 0:
        return float(np.sign(mean)) * np.inf if mean else 0.0
    return mean / spread


def signed_rank_p(differences: ArrayLike) -> float:
    """Two-sided p-value of Wilcoxon's signed-rank test (Wilcoxon 1945).

    Args:
        differences: Paired differences, one a group; zeros are left out of the ranks.

    Returns:
        The p-value; 1 where all differences are 0, NaN for fewer than two.
    """
    differences = np.asarray(differences, dtype=np.float64)
    if len(differences) < 2:
        return np.nan
    if not differences.any():
        return 1.0
    return float(scipy.stats.wilcoxon(differences).pvalue)


def holm(p_values: ArrayLike) -> Floats:
    """P-values adjusted for many comparisons (Holm 1979).

    Controls the probability of any false claim among all of them.

    Args:
        p_values: One p-value a comparison; NaN for one that was not tested.

    Returns:
        Adjusted p-values in the same order; NaN stays NaN and does not count.

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


def minimum_detectable_difference(interval: Interval, comparisons: int) -> float:
    """The true difference that would have been found in four cases out of five.

    (z(1 - 0.05 / 2m) + z(0.8)) standard errors for m comparisons, as the smallest
    p-value is held against 0.05 / m under Holm; the standard error is the interval's
    width by 2 · 1.96.

    Args:
        interval: Mean difference with its interval.
        comparisons: Number of comparisons that are corrected for.
    """
    alpha = 1 - CONFIDENCE
    quantile = scipy.special.ndtri
    error = (interval.high - interval.low) / (2 * quantile(1 - alpha / 2))
    return float((quantile(1 - alpha / (2 * comparisons)) + quantile(POWER)) * error)


def _by_group(values: Floats, groups: ArrayLike) -> tuple[Floats, Floats]:
    """Sums and counts of the values that are not NaN, groups × columns."""
    codes, labels = pd.factorize(np.asarray(groups), sort=True)
    if len(codes) != len(values):
        raise ValueError(f"{len(values)} values with {len(codes)} groups")
    if (codes < 0).any():
        raise ValueError("a value has no group")
    counted = ~np.isnan(values)
    sums = np.zeros((len(labels), values.shape[1]))
    counts = np.zeros_like(sums)
    np.add.at(sums, codes, np.where(counted, values, 0))
    np.add.at(counts, codes, counted)
    return sums, counts


def _bca(sums: Floats, counts: Floats) -> list[Interval]:
    """BCa intervals of columns from the sums and counts of their groups (G × K)."""
    number = len(sums)
    if number == 0:
        return [Interval(np.nan, np.nan, np.nan)] * sums.shape[1]
    means = sums.sum(axis=0) / counts.sum(axis=0)
    if number == 1:
        return [Interval(float(mean), np.nan, np.nan) for mean in means]
    resampled = _resampled_means(sums, counts)
    levels = _bca_levels(resampled, means, _acceleration(sums, counts), number)
    return [
        Interval(float(mean), *np.quantile(draws, level).tolist())
        for mean, draws, level in zip(means, resampled.T, levels.T, strict=True)
    ]


def _resampled_means(sums: Floats, counts: Floats) -> Floats:
    """Means of resamples of whole groups, resamples × columns."""
    number = len(sums)
    random = np.random.default_rng(_SEED)
    batch = max(1, _WEIGHTS_AT_ONCE // number)
    means = []
    for start in range(0, RESAMPLES, batch):
        rows = min(batch, RESAMPLES - start)
        drawn = random.integers(number, size=(rows, number))
        drawn += np.arange(rows)[:, np.newaxis] * number
        # How often each resample holds each group.
        weights = np.bincount(drawn.ravel(), minlength=rows * number)
        weights = weights.reshape(rows, number).astype(np.float64)
        means.append((weights @ sums) / (weights @ counts))
    return np.concatenate(means)


def _acceleration(sums: Floats, counts: Floats) -> Floats:
    """Skewness of the jackknife over groups, by 6: one value a column."""
    without = (sums.sum(axis=0) - sums) / (counts.sum(axis=0) - counts)
    deviations = without.mean(axis=0) - without
    squares = (deviations**2).sum(axis=0)
    cubes = (deviations**3).sum(axis=0)
    return np.divide(
        cubes, 6 * squares**1.5, out=np.zeros_like(cubes), where=squares > 0
    )


def _bca_levels(
    resampled: Floats, means: Floats, acceleration: Floats, groups: int
) -> Floats:
    """Which quantiles of the resampled means are the interval's ends, 2 × columns."""
    # Ties count half; what differs by rounding alone is a tie.
    rounding = 1e-9 * np.ptp(resampled, axis=0)
    below = (resampled < means - rounding).mean(axis=0)
    above = (resampled > means + rounding).mean(axis=0)
    # Kept off 0 and 1, where a skewed column of few groups would give no interval.
    share = np.clip((1 + below - above) / 2, 1 / RESAMPLES, 1 - 1 / RESAMPLES)
    bias = scipy.special.ndtri(share)
    # Hesterberg's wider percentiles: t for z, and the spread of a sample, not of a
    # population.
    tail = np.sqrt(groups / (groups - 1)) * scipy.special.stdtrit(
        groups - 1, (1 - CONFIDENCE) / 2
    )
    shifted = bias + np.array([[tail], [-tail]])
    return scipy.special.ndtr(bias + shifted / (1 - acceleration * shifted))
