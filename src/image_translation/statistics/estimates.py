"""Inference on mean scores that accounts for images and for seeds.

A score depends on the photograph and on the training. Crops of one photograph are not
independent, so groups of images are resampled instead of images. Scores change between
trainings with different seeds, so every standard error includes the variance between
trainings. Estimate, interval, p-value and effect size of a row refer to the same
quantity: a weighted sum of the models' means over images.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
import scipy
from numpy.typing import ArrayLike, NDArray

from image_translation.metrics.interval import CONFIDENCE, Interval
from image_translation.statistics.groups import Floats, sum_groups
from image_translation.statistics.multiple_testing import REACHED

DRAWS = 4_999

MIN_RESAMPLED = 8
"""Minimum number of groups for bootstrap intervals; below, Student's t is used."""

MIN_RESAMPLED_TEST = 16
"""Minimum number of groups for bootstrap tests. Below, they have little power, and signs
are flipped instead, which assumes symmetric differences between equal models."""

FEW_DRAWS = 10
"""A p-value from fewer draws that reach the statistic is imprecise."""

SEED_SPREAD = 0.2
"""Minimum standard deviation, between models, of the logarithm of the seed deviation in
the reference distribution: the models of a task vary unequally between seeds."""

ROUNDING = 1e-9
"""Relative tolerance: smaller differences between scores are treated as 0."""

ROUNDING_OF_DRAWS = 1e-12
"""Relative tolerance of the variance of a draw, a difference of sums of squares."""

_SEED = 20260
_CELLS_AT_ONCE = 2**22


class ModelScores(NamedTuple):
    """Scores of one model by one metric.

    Attributes:
        model: The model's name.
        metric: The metric's name.
        values: Images × replicates. An image that lacks a score in one replicate is NaN
            in all of them, so that all replicates are evaluated on the same images.
    """

    model: str
    metric: str
    values: Floats


class Contrast(NamedTuple):
    """A weighted sum of models' mean scores by one metric.

    Attributes:
        names: First cells of its table row, by column.
        metric: Name of the metric.
        parts: Pairs of weight and scores.
    """

    names: Mapping[str, str]
    metric: str
    parts: Sequence[tuple[float, ModelScores]]

    def image_values(self) -> Floats:
        """Weighted sum of each image; differences within rounding are exactly 0."""
        parts = np.stack([weight * image_means(s) for weight, s in self.parts])
        total = parts.sum(axis=0)
        largest = np.abs(parts).max(axis=0)
        return np.where(np.abs(total) <= ROUNDING * largest, 0.0, total)


@dataclass(frozen=True)
class Estimates:
    """Estimates of m contrasts, with their errors and reference distribution.

    Attributes:
        value: Weighted mean over images.
        error: Standard error over images and seeds.
        df: Degrees of freedom of the error, after Satterthwaite (1946), "An approximate
            distribution of estimates of variance components".
        low: Lower end of the 95 % interval; NaN for fewer than two groups.
        high: Upper end of the 95 % interval; NaN for fewer than two groups.
        group_deviation: Standard deviation between groups that corresponds to the
            images' part of the error.
        n_groups: Number of groups.
        p_value: Two-sided, uncorrected; NaN for fewer than two groups.
        statistic: ``value / error`` as a normal score; 0 if the value is 0, infinite if
            all groups have the same difference and the error is 0.
        reference: Draws × m, statistics under the hypothesis that all contrasts are 0.
    """

    value: Floats
    error: Floats
    df: Floats
    low: Floats
    high: Floats
    group_deviation: Floats
    n_groups: NDArray[np.intp]
    p_value: Floats
    statistic: Floats
    reference: NDArray[np.float32]


def image_means(scores: ModelScores) -> Floats:
    """Mean over replicates of each image; NaN for an image without a score."""
    if scores.values.shape[1] == 0:
        return np.full(len(scores.values), np.nan)
    return scores.values.mean(axis=1)


def replicate_means(scores: ModelScores) -> Floats:
    """Mean over images of each replicate; empty without scores."""
    scored = ~np.isnan(image_means(scores))
    return scores.values[scored].mean(axis=0) if scored.any() else np.empty(0)


def bootstrap_mean(
    values: ArrayLike, groups: ArrayLike, replicates: ArrayLike | None = None
) -> Interval:
    """Mean over images with its 95 % interval.

    Args:
        values: One finite value per image, or per image and replicate.
        groups: Group of each value.
        replicates: Replicate of each value. Every image must have a value in every
            replicate, in the same order of images.

    Returns:
        Mean and interval as computed by `estimate`; the ends are NaN for a single group.

    Raises:
        ValueError: The arguments differ in length, or a group is missing.
    """
    values, groups = np.asarray(values, dtype=np.float64), np.asarray(groups)
    if len(values) != len(groups):
        raise ValueError(f"{len(values)} values with {len(groups)} groups")
    if replicates is None:
        replicates = np.zeros(len(values), dtype=int)
    parts = [np.asarray(replicates) == number for number in np.unique(replicates)]
    scores = ModelScores("", "", np.stack([values[part] for part in parts], axis=1))
    found = estimate([Contrast({}, "", [(1.0, scores)])], groups[parts[0]], [scores])
    return Interval(*(float(end[0]) for end in (found.value, found.low, found.high)))


def estimate(
    contrasts: Sequence[Contrast], groups: ArrayLike, pool: Sequence[ModelScores]
) -> Estimates:
    """Estimate contrasts with their errors, intervals and reference distribution.

    The variance is the sum of the variances over groups and over seeds, minus the
    variance that both contain (two-way clustering; Cameron, Gelbach & Miller 2011,
    "Robust inference with multiway clustering", section 2). The groups' part is the
    cluster-robust variance of a mean over images, unbiased if all groups have the same
    variance (Bell & McCaffrey 2002, "Bias reduction in standard errors for linear
    regression with multi-stage samples"). The seeds' part uses the variance between
    replicates pooled over all models of the metric, or that of the contrast's own models
    if it is larger: three trainings alone give a poor estimate of their variance.

    The interval adds two independent errors (the Behrens-Fisher solution; Barnard 1984,
    "Comparing the means of two independent samples"). The error of the images is a
    bootstrap-t (Efron & Tibshirani 1993, "An introduction to the bootstrap", section
    12.5): whole groups are drawn with replacement and each draw is divided by its own
    standard error. The result is widened by √(g / (g - 1)) for g groups (Hesterberg
    2015, "What teachers should know about the bootstrap", section 4.3). For skewed
    scores its coverage is better than that of Student's t, which is used below 8 groups.
    The error of the seeds follows Student's t with the degrees of freedom of the pooled
    variance.

    The reference distribution of tests adds seed effects to the resampled images and
    divides the sum by its standard error. Statistics are normal scores of Student's t
    with the degrees of freedom of each draw; otherwise comparisons with few degrees of
    freedom would dominate the maximum over all comparisons. The seed deviations vary
    between models as much as the observed ones, and at least by `SEED_SPREAD`. With fewer
    than 16 groups, the signs of whole groups are flipped instead, which is exact for
    differences between exchangeable models.

    Args:
        contrasts: m contrasts to estimate.
        groups: Group of each image.
        pool: Scores of all models of the comparison; their seed variances are pooled by
            metric.
    """
    values = np.stack([contrast.image_values() for contrast in contrasts], axis=1)
    sums, counts = sum_groups(values, groups)
    images = _Images(sums, counts)
    seeds = _Seeds.of(contrasts, pool, groups)
    variance = images.variance + seeds.variance(seeds.own, seeds.pooled)
    error = np.sqrt(variance)
    errors, reference = map(np.concatenate, zip(*_draw(images, seeds), strict=True))
    df = _satterthwaite(images, images.variance, seeds, seeds.own, seeds.pooled)
    statistic = normal_scores(_studentize(images.value, error), df)
    low, high = _interval(images, error, df, errors)
    return Estimates(
        value=images.value,
        error=error,
        df=df,
        low=low,
        high=high,
        group_deviation=np.sqrt(images.variance * images.n_groups),
        n_groups=images.n_groups,
        p_value=_p_values(statistic, df, images.n_groups, reference),
        statistic=statistic,
        reference=reference,
    )


def _p_values(
    statistic: Floats, df: Floats, groups: NDArray, reference: NDArray[np.float32]
) -> Floats:
    """Share of draws that reach the statistic; if few do, at most Student's p-value."""
    reached = (np.abs(reference) >= np.abs(statistic) * REACHED).sum(axis=0)
    drawn = (reached + 1) / (len(reference) + 1)
    student = 2 * scipy.special.stdtr(df, -np.abs(student_statistics(statistic, df)))
    p_values = np.where(reached < FEW_DRAWS, np.minimum(drawn, student), drawn)
    # The number of distinct sign flips limits the p-value.
    least = np.where(groups < MIN_RESAMPLED_TEST, 2.0 ** (1.0 - groups), 0.0)
    return np.where(groups < 2, np.nan, np.maximum(p_values, least))


def normal_scores(statistics: ArrayLike, df: ArrayLike) -> Floats:
    """Convert Student's t statistics to normal quantiles of the same probability.

    The error is at most 0.03 for 8 or more degrees of freedom (Wallace 1959, "Bounds on
    normal approximations to Student's and the chi-square distributions").

    Args:
        statistics: Student's t statistics.
        df: Degrees of freedom.
    """
    statistics, df = np.asarray(statistics), np.asarray(df)
    scale = (8 * df + 1) / (8 * df + 3)
    size = scale * np.sqrt(df * np.log1p(statistics**2 / df))
    return np.copysign(size, statistics)


def student_statistics(scores: ArrayLike, df: ArrayLike) -> Floats:
    """Convert normal scores to Student's t statistics: the inverse of `normal_scores`."""
    scores, df = np.asarray(scores, dtype=np.float64), np.asarray(df)
    scaled = scores * (8 * df + 3) / (8 * df + 1)
    with np.errstate(over="ignore"):
        size = np.sqrt(df * np.expm1(scaled**2 / df))
    return np.copysign(size, scores)


def _satterthwaite(
    images: "_Images",
    of_images: Floats,
    seeds: "_Seeds",
    own: Floats,
    pooled: Floats,
) -> Floats:
    """Degrees of freedom of the sum of the images' and the seeds' variance, …×m."""
    both = of_images + seeds.variance(own, pooled)
    of_seeds = seeds.variance(own, pooled, less_noise=False)
    inverse = of_images**2 / images.df + of_seeds**2 / np.maximum(seeds.df, 1)
    known = np.broadcast_to(images.df, both.shape).copy()
    return np.divide(both**2, inverse, out=known, where=both > 0)


def _interval(
    images: "_Images", error: Floats, df: Floats, errors: NDArray
) -> tuple[Floats, Floats]:
    tail = (1 - CONFIDENCE) / 2
    with np.errstate(invalid="ignore"):  # between two infinite draws
        low, high = np.quantile(errors, [tail, 1 - tail], axis=0)
    student = scipy.special.stdtrit(df, 1 - tail) * error
    # If nearly all groups are equal, some draws contain these only and have no spread.
    few = (images.n_groups < MIN_RESAMPLED) | ~np.isfinite(low) | ~np.isfinite(high)
    low, high = np.where(few, -student, low), np.where(few, student, high)
    lower, upper = images.value - high, images.value - low
    unknown = images.n_groups < 2
    return np.where(unknown, np.nan, lower), np.where(unknown, np.nan, upper)


class _Images:
    """Images' part of the error, from group sums and counts of m contrasts, groups × m."""

    def __init__(self, sums: Floats, counts: Floats) -> None:
        number = counts.shape[1]
        self.value, self.variance = np.full(number, np.nan), np.zeros(number)
        self.df = np.ones(number)
        self.n_groups = (counts > 0).sum(axis=0)
        self.patterns: list[tuple[NDArray[np.intp], _Pattern]] = []
        # Contrasts on the same images are computed together.
        patterns, of = np.unique(counts, axis=1, return_inverse=True)
        for index, images in enumerate(patterns.T):
            columns = np.flatnonzero(of.ravel() == index)
            present = images > 0
            if not present.any():
                continue
            pattern = _Pattern(sums[np.ix_(present, columns)], images[present])
            self.patterns.append((columns, pattern))
            self.value[columns] = pattern.value
            self.variance[columns] = pattern.variance
            self.df[columns] = pattern.df

    def draw(self, random: np.random.Generator, rows: int) -> tuple["_Draws", "_Draws"]:
        """Bootstrap draws, and draws under the null hypothesis (sign flips if few groups)."""
        shape = rows, len(self.value)
        resampled = _Draws(np.zeros(shape), np.zeros(shape))
        equal = _Draws(np.zeros(shape), np.zeros(shape))
        for columns, pattern in self.patterns:
            means, variances = pattern.resample(random, rows)
            resampled.means[:, columns] = means
            resampled.variances[:, columns] = variances
            if len(pattern.counts) < MIN_RESAMPLED_TEST:
                means, variances = pattern.flip(random, rows)
            equal.means[:, columns] = means
            equal.variances[:, columns] = variances
        return resampled, equal


class _Draws(NamedTuple):
    """Means of m contrasts and their variances, rows × m each."""

    means: Floats
    variances: Floats

    def studentize(self) -> Floats:
        """Means divided by their standard errors."""
        return _studentize(self.means, np.sqrt(self.variances))


class _Pattern:
    """k contrasts on the same images: sums of g groups, g×k, and g numbers of images."""

    def __init__(self, sums: Floats, counts: Floats) -> None:
        self.counts = counts
        self.means = sums / counts[:, np.newaxis]
        self.weights = counts / counts.sum()
        self.value = self.weights @ self.means
        rest = self.means - self.value
        self.rest = np.where(np.abs(rest) <= ROUNDING * np.abs(self.value), 0.0, rest)
        if len(counts) < 2:
            self.factors, self.df = np.zeros(1), 1.0
        else:
            self.factors, self.df = _bell_mccaffrey(self.weights)
        self.variance = self.factors @ self.rest**2

    def flip(self, random: np.random.Generator, rows: int) -> _Draws:
        """Flip the signs of whole groups."""
        signs = random.integers(0, 2, (rows, len(self.counts))) * 2.0 - 1
        factors = self.factors[:, np.newaxis]
        means = signs @ (self.weights[:, np.newaxis] * self.means)
        squares = (factors * self.means**2).sum(axis=0)
        cross = signs @ (factors * self.means)
        variances = squares - 2 * means * cross + means**2 * factors.sum()
        return _Draws(means, _drop_rounding(variances, squares))

    def resample(self, random: np.random.Generator, rows: int) -> _Draws:
        """Draw whole groups with replacement, relative to the mean."""
        groups = len(self.counts)
        drawn = random.integers(groups, size=(rows, groups))
        drawn += np.arange(rows)[:, np.newaxis] * groups
        times = np.bincount(drawn.ravel(), minlength=rows * groups)
        weights = times.reshape(rows, groups) * self.counts
        total = weights.sum(axis=1, keepdims=True)
        means = weights @ self.rest / total
        squared = weights * self.counts
        squares = squared @ self.rest**2
        cross = squared @ self.rest
        variances = (
            squares - 2 * means * cross + means**2 * squared.sum(axis=1, keepdims=True)
        )
        variances = _drop_rounding(variances, squares)
        return _Draws(means, variances / total**2 * groups / max(groups - 1, 1))


def _drop_rounding(variances: Floats, squares: Floats) -> Floats:
    """Set variances to 0 that are within rounding of the sums of squares."""
    return np.where(variances > ROUNDING_OF_DRAWS * squares, variances, 0.0)


def _studentize(values: Floats, errors: Floats) -> Floats:
    """``values / errors``: 0 for a value of 0, else infinite for an error of 0."""
    with np.errstate(divide="ignore"):
        return np.divide(values, errors, out=np.zeros_like(values), where=values != 0)


def _bell_mccaffrey(weights: Floats) -> tuple[Floats, float]:
    """Weights of squared group deviations in the variance of a weighted mean, and its df.

    For g groups of equal size these are 1 / (g (g - 1)) and g - 1.
    """
    squares = (weights**2).sum()
    leverage = 1 - 2 * weights + squares
    factors = weights**2 / leverage
    # The deviations of groups i and j have the covariance squares - weight i - weight j,
    # in units of their variance. The sum of its squares, weighted by both factors, is
    # computed without the g×g matrix; the last line corrects the diagonal.
    total, first, second = (factors @ weights**power for power in (0, 1, 2))
    spread = (squares * total) ** 2 - 4 * squares * total * first
    spread += 2 * total * second + 2 * first**2
    spread += factors**2 @ (2 * leverage - 1)
    return factors, float(squares**2 / spread)


class _Seeds(NamedTuple):
    """Seeds' part of the error; each of c cells is a model and metric with replicates.

    Attributes:
        shares: m×c; squared weights of a contrast divided by the numbers of replicates;
            0 for scores with a single replicate.
        weights: m×c; weights of a contrast; 0 for scores with a single replicate.
        own: c; variance between the replicates of a cell.
        noise: c; part of ``own`` due to images, which the images' part contains.
        pooled: c; variance pooled over all models of the cell's metric.
        pooled_noise: c; noise pooled in the same way.
        replicates: c; number of replicates.
        models: c; index of the cell's model.
        pooling: c×c; shares of the cells in the pooled variance of each cell.
        df: m; degrees of freedom of the pooled variance.
    """

    shares: Floats
    weights: Floats
    own: Floats
    noise: Floats
    pooled: Floats
    pooled_noise: Floats
    replicates: Floats
    models: NDArray[np.intp]
    pooling: Floats
    df: Floats

    @classmethod
    def of(
        cls,
        contrasts: Sequence[Contrast],
        pool: Sequence[ModelScores],
        groups: ArrayLike,
    ) -> "_Seeds":
        cells = [scores for scores in pool if len(replicate_means(scores)) > 1]
        index = {(cell.model, cell.metric): c for c, cell in enumerate(cells)}
        replicates = np.array([cell.values.shape[1] for cell in cells], dtype=float)
        own = np.array([_replicate_variance(cell) for cell in cells])
        noise = np.array([_image_noise(cell, groups) for cell in cells])
        metrics = np.array([cell.metric for cell in cells])
        pooling = (metrics[:, np.newaxis] == metrics) * (replicates - 1)
        freedom = pooling.sum(axis=1)
        pooling = pooling / freedom[:, np.newaxis]
        weights = np.zeros((len(contrasts), len(cells)))
        df = np.zeros(len(contrasts))
        for row, contrast in enumerate(contrasts):
            for weight, scores in contrast.parts:
                column = index.get((scores.model, scores.metric))
                if column is not None:
                    weights[row, column] = weight
                    df[row] = freedom[column]
        return cls(
            shares=weights**2 / replicates,
            weights=weights,
            own=own,
            noise=noise,
            pooled=pooling @ own,
            pooled_noise=pooling @ noise,
            replicates=replicates,
            models=pd.factorize(np.array([cell.model for cell in cells]))[0],
            pooling=pooling,
            df=df,
        )

    def variance(
        self, own: Floats, pooled: Floats, *, less_noise: bool = True
    ) -> Floats:
        """Variance of contrasts, …×m, from the variances of cells, …×c."""
        if less_noise:
            own = np.maximum(own - self.noise, 0)
            pooled = np.maximum(pooled - self.pooled_noise, 0)
        return np.maximum(own @ self.shares.T, pooled @ self.shares.T)

    def spread(self) -> float:
        """Standard deviation, between models, of the logarithm of the seed deviation.

        From the variance of the logarithms between models minus their sampling variance
        (Smyth 2004, "Linear models and empirical Bayes methods", section 6.2), averaged
        over metrics; at least `SEED_SPREAD`.
        """
        found = []
        for metric in np.unique(self.pooling > 0, axis=0):
            cells = np.flatnonzero(metric & (self.own > 0))
            if len(cells) > 1:
                half_df = (self.replicates[cells] - 1) / 2
                sampling = scipy.special.polygamma(1, half_df).mean()
                found.append(np.var(np.log(self.own[cells]), ddof=1) - sampling)
        # The logarithm of a variance is twice that of its root.
        variance = np.mean(found) / 4 if found else 0.0
        return float(np.sqrt(max(variance, SEED_SPREAD**2)))

    def draw(
        self, random: np.random.Generator, rows: int, spread: float
    ) -> tuple[Floats, Floats]:
        """Sums of seed effects, rows×m, and variances of cells, rows×c.

        Metrics are drawn independently. Their correlation between seeds cannot be
        estimated from few seeds, and independence is conservative.
        """
        models = int(self.models.max(initial=-1)) + 1
        scale = np.exp(spread * random.standard_normal((rows, models)))[:, self.models]
        shape = rows, len(self.own)
        true = np.maximum(self.pooled - self.pooled_noise, 0)
        effects = random.standard_normal(shape) * np.sqrt(true / self.replicates)
        freedom = self.replicates - 1
        own = self.pooled * scale**2 * random.chisquare(freedom, shape) / freedom
        means = (effects * scale) @ self.weights.T
        return means, own


def _replicate_variance(scores: ModelScores) -> float:
    """Variance between replicate means; exactly 0 for differences within rounding."""
    means = replicate_means(scores)
    if np.ptp(means) <= ROUNDING * np.abs(means).max():
        return 0.0
    return float(np.var(means, ddof=1))


def _image_noise(scores: ModelScores, groups: ArrayLike) -> float:
    """Part of the variance between replicate means that is due to images, not seeds."""
    sums, counts = sum_groups(scores.values, groups)
    present = counts[:, 0] > 0
    means = sums[present] / counts[present]  # groups × replicates
    if len(means) < 2:
        return 0.0
    weights = counts[present, 0] / counts[present, 0].sum()
    factors, _ = _bell_mccaffrey(weights)
    rest = means - means.mean(axis=1, keepdims=True)
    rest -= weights @ rest
    return float((factors @ rest**2).sum() / (means.shape[1] - 1))


def _draw(
    images: _Images, seeds: _Seeds
) -> Iterator[tuple[Floats, NDArray[np.float32]]]:
    """Errors of m contrasts, and statistics under the null hypothesis, draws × m each.

    Yields batches of draws to bound the memory.
    """
    random = np.random.default_rng(_SEED)
    images_error = np.sqrt(images.variance)
    # Resamples of few groups vary less than the population; correct for that.
    images_error *= np.sqrt(images.n_groups / np.maximum(images.n_groups - 1, 1))
    seeds_error = np.sqrt(seeds.variance(seeds.own, seeds.pooled))
    spread = seeds.spread()
    largest = max([len(images.value), len(seeds.own), *images.n_groups])
    batch = max(1, _CELLS_AT_ONCE // largest)
    for start in range(0, DRAWS, batch):
        rows = min(batch, DRAWS - start)
        resampled, equal = images.draw(random, rows)
        student = _student_quantiles(seeds.df, random.random(rows))
        shifts, own = seeds.draw(random, rows, spread)
        pooled = own @ seeds.pooling.T
        df = _satterthwaite(images, equal.variances, seeds, own, pooled)
        variances = equal.variances + seeds.variance(own, pooled)
        statistics = _studentize(equal.means + shifts, np.sqrt(variances))
        yield (
            images_error * resampled.studentize() + seeds_error * student,
            normal_scores(statistics, df).astype(np.float32),
        )


def _student_quantiles(df: Floats, probabilities: Floats) -> Floats:
    """Quantiles of Student's t, probabilities × m, for at least 1 degree of freedom."""
    values, index = np.unique(np.maximum(df, 1), return_inverse=True)
    columns = scipy.special.stdtrit(values, probabilities[:, np.newaxis])
    return columns[:, index]
