"""Distances between sets, free of the bias that finite sets give them.

A distance between two distributions is the largest difference of means that a critic can
find: a function with slopes of at most 1 for the Wasserstein distance (Kantorovich &
Rubinstein 1958), a direction for the Euclidean distance of two means. A critic that is
chosen on the images that it judges also finds what is chance, so that two sets of one
distribution are never 0 apart. Here every group is judged by the critic that the other
groups choose (cross-fitting: Chernozhukov et al. 2018, "Double/debiased machine
learning", section 3). For equal distributions the expectation is then exactly 0. A
distance that is small against its own error is shrunk towards 0, never inflated.

The result is one contribution a group. Their mean, weighted by the groups' images, is
the distance; their variance gives its error. For the latter a contribution also holds
what the group changes in the critic of the others: the derivative of the distance with
respect to the group's weight (infinitesimal jackknife, Efron 1982, "The jackknife, the
bootstrap and other resampling plans", section 6.3). It is what a delete-a-group jackknife
with unequal groups (Busing, Meijer & van der Leeden 1999) tends to, in time that grows
with the number of groups, not with its square.
"""

import numpy as np
import scipy
from numpy.typing import ArrayLike, NDArray

from image_translation.metrics.statistics import CONFIDENCE, Interval

SHARPNESS = 2.0
"""How soon the critic of a Wasserstein distance trusts a difference of the distribution
functions: its slope is ±0.71 where the difference is half its standard error."""

SPLITS = 20
"""Random halves of the groups that a floor is averaged over."""

_SEED = 20260

Doubles = NDArray[np.float64]


def wasserstein_contributions(differences: Doubles, weights: Doubles) -> Doubles:
    """Contributions to the Wasserstein-1 distance of two sets of numbers.

    The slope of the critic in a bin is d / √(d² + (SE / 2)²), where d is the difference
    of the distribution functions in the other groups and SE its standard error.

    Args:
        differences: G×B; the distribution function of a group's predictions minus that
            of its targets, integrated over each of B bins.
        weights: Share of each group in all images; they add up to 1.

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
    """Contributions to the Euclidean distance of the means of two sets of vectors.

    The critic is the direction of the mean difference in the other groups.

    Args:
        differences: G×D; mean of a group's predictions minus that of its targets.
        weights: Share of each group in all images; they add up to 1.

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
    """The distance with its 95 % interval, t(G - 1) standard errors wide.

    Args:
        contributions: One value a group.
        weights: Share of each group in all images; they add up to 1.

    Returns:
        NaN ends for fewer than two groups.
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
    """Weights of the groups in differences between random halves of them.

    Args:
        counts: Images of each group.

    Returns:
        `SPLITS`×G; a row's weights are positive in one half of the groups, where they
        add up to 1, and negative in the other, where they add up to -1. No rows for
        fewer than two groups.
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
    """Of each group, the mean over all groups but it: G×B."""
    shares = weights[:, np.newaxis]
    return (weights @ values - shares * values) / (1 - shares)


def _errors_of_others(values: Doubles, others: Doubles, weights: Doubles) -> Doubles:
    """Squared standard errors of `_means_of_others`: G×B."""
    shares = weights[:, np.newaxis]
    squares = weights @ values**2 - shares * values**2
    spread = np.maximum(squares / (1 - shares) - others**2, 0)
    concentration = (weights @ weights - shares**2) / (1 - shares) ** 2
    rest = 1 - concentration  # 0 for a single other group, whose error is not known
    factor = np.divide(concentration, rest, out=np.zeros_like(rest), where=rest > 1e-9)
    return factor * spread


def _add_learning(
    values: Doubles, changes: Doubles, differences: Doubles, weights: Doubles
) -> Doubles:
    """Add what each group teaches the critics of the others; the mean stays.

    ``changes`` is the derivative of each group's value with respect to the mean
    difference in the others, G×B.
    """
    changes = weights[:, np.newaxis] * changes
    learning = ((changes.sum(axis=0) - changes) * differences).sum(axis=1)
    return values + learning - weights @ learning
