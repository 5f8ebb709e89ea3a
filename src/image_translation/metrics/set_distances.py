"""Distances between sets of images, without the bias of finite sets.

A distance between two distributions is the largest difference in means over a class of
critics: functions with slopes of at most 1 for the Wasserstein distance (Kantorovich &
Rubinstein 1958), directions for the Euclidean distance of two means. A critic fitted to
the images that it evaluates also fits chance, so the distance between two finite sets of
one distribution is always positive. Here each group is evaluated by a critic fitted to
the other groups (cross-fitting; Chernozhukov et al. 2018, "Double/debiased machine
learning", section 3). For equal distributions the expectation is then exactly 0. A
distance that is small relative to its standard error is shrunk towards 0, never inflated.

The result is one contribution per group. The mean of the contributions, weighted by the
numbers of images, is the distance; their variance gives its standard error. For the
latter, a contribution includes the effect of the group on the critics of the other
groups: the derivative of the distance with respect to the weight of the group
(infinitesimal jackknife; Efron 1982, "The jackknife, the bootstrap and other resampling
plans", section 6.3). It approximates a delete-a-group jackknife with unequal groups
(Busing, Meijer & van der Leeden 1999) in time linear in the number of groups instead of
quadratic.
"""

import numpy as np
import scipy
from numpy.typing import ArrayLike, NDArray

from image_translation.metrics.interval import CONFIDENCE, Interval

SHARPNESS = 2.0
"""Steepness of the critic of a Wasserstein distance: its slope is ±0.71 where the
difference between the distribution functions is half of its standard error."""

SPLITS = 20
"""Number of random splits into halves over which a floor is averaged."""

_SEED = 20260

Doubles = NDArray[np.float64]


def wasserstein_contributions(differences: Doubles, weights: Doubles) -> Doubles:
    """Contributions of groups to the Wasserstein-1 distance of two sets of numbers.

    The slope of the critic in a bin is d / √(d² + (SE / 2)²), where d is the difference
    between the distribution functions in the other groups and SE its standard error.

    Args:
        differences: G×B; for each group, the distribution function of the predictions
            minus that of the targets, integrated over each of B bins.
        weights: Share of each group in all images, G values with a sum of 1.

    Returns:
        G values; NaN for fewer than two groups.
    """
    if len(differences) < 2:
        return np.full(len(differences), np.nan)
    others = _means_of_others(differences, weights)
    doubt = _errors_of_others(differences, others, weights) / SHARPNESS**2
    length = np.sqrt(others**2 + doubt)
    length[length == 0] = 1
    values = (others / length * differences).sum(axis=1)
    return _add_learning(values, doubt / length**3 * differences, differences, weights)


def euclidean_contributions(differences: Doubles, weights: Doubles) -> Doubles:
    """Contributions of groups to the Euclidean distance of the means of two vector sets.

    The critic is the direction of the mean difference in the other groups.

    Args:
        differences: G×D; mean of each group's predictions minus mean of its targets.
        weights: Share of each group in all images, G values with a sum of 1.

    Returns:
        G values; NaN for fewer than two groups.
    """
    if len(differences) < 2:
        return np.full(len(differences), np.nan)
    others = _means_of_others(differences, weights)
    length = np.linalg.norm(others, axis=1, keepdims=True)
    length[length == 0] = 1
    critics = others / length
    values = (critics * differences).sum(axis=1)
    turns = (differences - values[:, np.newaxis] * critics) / length
    return _add_learning(values, turns, differences, weights)


def interval(contributions: ArrayLike, weights: ArrayLike) -> Interval:
    """Distance with its 95 % interval from Student's t with G - 1 degrees of freedom.

    Args:
        contributions: G values, one per group.
        weights: Share of each group in all images, G values with a sum of 1.

    Returns:
        Distance and interval; the ends are NaN for fewer than two groups.
    """
    values, shares = np.asarray(contributions), np.asarray(weights)
    mean, groups = float(shares @ values), len(values)
    if groups < 2:
        return Interval(mean, np.nan, np.nan)
    squares = (shares**2 * (values - mean) ** 2).sum()
    error = np.sqrt(groups / (groups - 1) * squares)
    margin = float(scipy.special.stdtrit(groups - 1, (1 + CONFIDENCE) / 2) * error)
    return Interval(mean, mean - margin, mean + margin)


def draw_halves(counts: ArrayLike) -> Doubles:
    """Weights of the groups in differences between two random halves of the groups.

    Args:
        counts: Number of images in each group, G values.

    Returns:
        `SPLITS`×G. In each row, the weights of one half are positive with a sum of 1,
        and those of the other half are negative with a sum of -1. No rows for fewer
        than two groups.
    """
    images = np.asarray(counts, dtype=np.float64)
    if len(images) < 2:
        return np.empty((0, len(images)))
    random = np.random.default_rng(_SEED)
    rows = []
    for _ in range(SPLITS):
        first = random.permutation(len(images)) < len(images) // 2
        ours, theirs = np.where(first, images, 0), np.where(first, 0, images)
        rows.append(ours / ours.sum() - theirs / theirs.sum())
    return np.stack(rows)


def _means_of_others(values: Doubles, weights: Doubles) -> Doubles:
    """For each group, the mean over all other groups: G×B."""
    shares = weights[:, np.newaxis]
    return (weights @ values - shares * values) / (1 - shares)


def _errors_of_others(values: Doubles, others: Doubles, weights: Doubles) -> Doubles:
    """Squared standard errors of `_means_of_others`: G×B."""
    shares = weights[:, np.newaxis]
    squares = weights @ values**2 - shares * values**2
    spread = np.maximum(squares / (1 - shares) - others**2, 0)
    concentration = (weights @ weights - shares**2) / (1 - shares) ** 2
    rest = 1 - concentration  # 0 for a single other group, which has no standard error
    factor = np.divide(concentration, rest, out=np.zeros_like(rest), where=rest > 1e-9)
    return factor * spread


def _add_learning(
    values: Doubles, changes: Doubles, differences: Doubles, weights: Doubles
) -> Doubles:
    """Add the effect of each group on the critics of the others, without a new mean.

    ``changes`` is the derivative of the value of each group with respect to the mean
    difference of the others, G×B.
    """
    changes = weights[:, np.newaxis] * changes
    learning = ((changes.sum(axis=0) - changes) * differences).sum(axis=1)
    return values + learning - weights @ learning
