"""Estimates compared with SciPy, analysis of variance, enumeration and bootstraps."""

from itertools import combinations, product

import numpy as np
import pytest
import scipy.stats

from image_translation.statistics import estimates
from image_translation.statistics.estimates import (
    MIN_RESAMPLED,
    MIN_RESAMPLED_TEST,
    Contrast,
    ModelScores,
    bootstrap_mean,
    estimate,
    image_means,
    normal_scores,
    replicate_means,
    student_statistics,
)

SIZES = [1, 2, 3]
WEIGHTS = np.array(SIZES) / 6


def make_scores(values, model="m", metric="psnr"):
    """Images × replicates; a plain list is one replicate."""
    values = np.asarray(values, dtype=float)
    return ModelScores(model, metric, values.reshape(len(values), -1))


def contrast(*parts):
    return Contrast({}, "psnr", parts)


def estimate_alone(scores, groups=None, pool=None):
    groups = np.arange(len(scores.values)) if groups is None else groups
    return estimate(
        [contrast((1.0, scores))], groups, [scores] if pool is None else pool
    )


def simulate_table(images=12, replicates=3, seeds=1.0, seed=0):
    """Images × replicates, with random effects of both and noise."""
    random = np.random.default_rng(seed)
    return (
        random.normal(size=(images, 1))
        + seeds * random.normal(size=replicates)
        + 0.5 * random.normal(size=(images, replicates))
    )


def mean_squares(table):
    """Mean squares of images, replicates and interaction (two-way ANOVA)."""
    n, r = table.shape
    rows, columns = table.mean(axis=1), table.mean(axis=0)
    rest = table - rows[:, np.newaxis] - columns + table.mean()
    return (
        r * rows.var(ddof=1),
        n * columns.var(ddof=1),
        (rest**2).sum() / ((n - 1) * (r - 1)),
    )


class TestVariance:
    def test_equal_groups_and_one_replicate_give_the_paired_t_test(self):
        random = np.random.default_rng(0)
        a, b = random.normal(size=(2, 25))
        parts = [(1.0, make_scores(a, "a")), (-1.0, make_scores(b, "b"))]
        found = estimate([contrast(*parts)], np.arange(25), [s for _, s in parts])
        expected = scipy.stats.ttest_rel(a, b)
        assert found.value[0] == pytest.approx((a - b).mean())
        statistic = student_statistics(found.statistic, found.df)
        assert statistic[0] == pytest.approx(expected.statistic)
        assert found.df[0] == pytest.approx(expected.df)
        assert found.group_deviation[0] == pytest.approx((a - b).std(ddof=1))
        assert found.n_groups.tolist() == [25]

    def test_unequal_groups_by_hand(self):
        # Squared weights 1/36, 4/36, 9/36 sum to 7/18; leverages 19/18, 13/18, 7/18.
        found = estimate_alone(make_scores([6, -1, 1, 1, 2, 3]), [0, 1, 1, 2, 2, 2])
        assert found.value[0] == pytest.approx(2)  # deviations 4, -2, 0
        assert found.error[0] ** 2 == pytest.approx(16 / 38 + 4 * 2 / 13)

    def quadratic_form(self):
        """Quadratic form of the variance of groups of 1, 2 and 3 images."""
        unit = np.eye(3)
        vectors = [*unit, *(unit[i] + unit[j] for i, j in combinations(range(3), 2))]
        groups = np.repeat(range(3), SIZES)
        contrasts = [contrast((1.0, make_scores(vector[groups]))) for vector in vectors]
        variances = estimate(contrasts, groups, []).error ** 2
        form = np.diag(variances[:3])
        for (i, j), both in zip(combinations(range(3), 2), variances[3:], strict=True):
            form[i, j] = form[j, i] = (both - form[i, i] - form[j, j]) / 2
        return form

    def test_unequal_groups_have_an_unbiased_variance(self):
        expectation = np.trace(self.quadratic_form())  # for groups with variance 1
        assert expectation == pytest.approx((WEIGHTS**2).sum())

    def test_unequal_groups_have_satterthwaites_degrees_of_freedom(self):
        form = self.quadratic_form()
        expected = np.trace(form) ** 2 / np.trace(form @ form)
        found = estimate_alone(make_scores([6, -1, 1, 1, 2, 3]), [0, 1, 1, 2, 2, 2])
        assert found.df[0] == pytest.approx(expected)

    def test_images_and_replicates_give_the_variance_of_two_random_effects(self):
        table = simulate_table()
        images, replicates, both = (
            square / table.size for square in mean_squares(table)
        )
        found = estimate_alone(make_scores(table))
        assert found.value[0] == pytest.approx(table.mean())
        assert found.error[0] ** 2 == pytest.approx(images + replicates - both)
        expected = found.error[0] ** 4 / (images**2 / 11 + replicates**2 / 2)
        assert found.df[0] == pytest.approx(expected)

    def test_seeds_do_not_reduce_the_images_part(self):
        table = simulate_table(seeds=0)
        table -= table.mean(axis=0)  # replicates that agree better than by chance
        found = estimate_alone(make_scores(table))
        assert found.error[0] ** 2 == pytest.approx(mean_squares(table)[0] / table.size)

    def test_unequal_groups_do_not_reduce_the_seeds_part(self):
        # Replicates differ by a constant: all variance is due to seeds, none to noise.
        images = np.array([6, -1, 1, 1, 2, 3.0])
        table = images[:, np.newaxis] + [-1, 0, 4]
        found = estimate_alone(make_scores(table), [0, 1, 1, 2, 2, 2])
        of_images = 16 / 38 + 4 * 2 / 13
        assert found.error[0] ** 2 == pytest.approx(of_images + 7 / 3)

    def test_noise_between_replicates_is_counted_once_in_unequal_groups(self):
        # Group means are g × 2; the interaction is half their difference minus its mean.
        table = np.array([[6, 2], [0, 0], [0, 0], [3, -3], [3, -3], [3, -3.0]])
        found = estimate_alone(make_scores(table), [0, 1, 1, 2, 2, 2])
        factors = np.array([1 / 38, 2 / 13, 9 / 14])
        of_images = factors @ np.array([4 - 2 / 3, -2 / 3, -2 / 3]) ** 2
        half = np.array([2, 0, 3]) - WEIGHTS @ [2, 0, 3]
        noise = 2 * factors @ half**2
        of_seeds = max(2 * (WEIGHTS @ [2, 0, 3]) ** 2 - noise, 0) / 2
        assert of_seeds > 0
        assert found.error[0] ** 2 == pytest.approx(of_images + of_seeds)

    def pooled_pair(self):
        tables = simulate_table(replicates=3), simulate_table(replicates=5, seed=1)
        scores = [make_scores(t, name) for t, name in zip(tables, "ab", strict=True)]
        own, noise = zip(
            *(
                (t.mean(axis=0).var(ddof=1), mean_squares(t)[2] / len(t))
                for t in tables
            ),
            strict=True,
        )
        return scores, np.subtract(own, noise), (2 * own[0] + 4 * own[1]) / 6

    def test_seed_variance_is_pooled_by_degrees_of_freedom(self):
        scores, parts, _ = self.pooled_pair()
        pooled = (2 * parts[0] + 4 * parts[1]) / 6
        for entry, own in zip(scores, parts, strict=True):
            found = estimate_alone(entry, pool=scores)
            replicates = entry.values.shape[1]
            of_images = replicate_free_variance(entry)
            expected = of_images + max(own, pooled) / replicates
            assert found.error[0] ** 2 == pytest.approx(expected)

    def test_difference_uses_the_larger_of_pooled_and_own_seed_variance(self):
        scores, own, with_noise = self.pooled_pair()
        found = estimate(
            [contrast((1.0, scores[0]), (-1.0, scores[1]))], np.arange(12), scores
        )
        difference = image_means(scores[0]) - image_means(scores[1])
        of_images = difference.var(ddof=1) / 12
        pooled = (2 * own[0] + 4 * own[1]) / 6
        by_own, by_pool = own[0] / 3 + own[1] / 5, pooled / 3 + pooled / 5
        assert found.error[0] ** 2 == pytest.approx(of_images + max(by_own, by_pool))
        if by_pool > by_own:
            of_seeds = with_noise / 3 + with_noise / 5
            expected = found.error[0] ** 4 / (of_images**2 / 11 + of_seeds**2 / 6)
            assert found.df[0] == pytest.approx(expected)

    def test_seed_variance_scales_with_squared_weights(self):
        table = simulate_table()
        pool = [make_scores(table)]
        once, half = (
            estimate([contrast((weight, pool[0]))], np.arange(12), pool)
            for weight in (1.0, -0.5)
        )
        assert half.value[0] == pytest.approx(-once.value[0] / 2)
        assert half.error[0] == pytest.approx(once.error[0] / 2)
        assert half.df[0] == pytest.approx(once.df[0])

    def test_other_metrics_and_single_replicates_do_not_enter_the_seed_variance(self):
        table = simulate_table()
        scores = make_scores(table)
        other = ModelScores("b", "ssim", simulate_table(seeds=9, seed=1))
        single = make_scores(table[:, 0], "c")
        alone = estimate_alone(scores)
        assert estimate_alone(scores, pool=[scores, other, single]).error == alone.error
        found = estimate_alone(single, pool=[scores, other, single])
        assert found.error[0] == pytest.approx(scipy.stats.sem(table[:, 0]))
        assert found.df[0] == pytest.approx(11)

    def test_crops_of_one_photograph_do_not_reduce_the_error(self):
        scores = make_scores(simulate_table())
        repeated = make_scores(np.repeat(scores.values, 9, axis=0))
        once = estimate_alone(scores)
        more = estimate_alone(repeated, np.repeat(np.arange(12), 9))
        np.testing.assert_allclose(more.error, once.error)
        np.testing.assert_allclose((more.low, more.high), (once.low, once.high))


def replicate_free_variance(scores):
    return image_means(scores).var(ddof=1) / len(scores.values)


class TestImages:
    def test_contrasts_on_different_images_equal_separate_estimates(self):
        random = np.random.default_rng(1)
        values = random.normal(size=(15, 4))
        values[:3, 1] = values[0, 2] = np.nan
        values[:, 3] = np.nan
        groups = np.arange(15) // 2
        contrasts = [contrast((1.0, make_scores(column))) for column in values.T]
        together = estimate(contrasts, groups, [])
        for row, column in enumerate(values.T[:3]):
            kept = ~np.isnan(column)
            alone = estimate_alone(make_scores(column[kept]), groups[kept])
            for name in ("value", "error", "df", "n_groups"):
                np.testing.assert_allclose(
                    getattr(together, name)[row], getattr(alone, name)[0]
                )
        assert np.isnan([together.value[3], together.low[3], together.p_value[3]]).all()
        assert together.n_groups[3] == 0

    def test_one_group_has_a_mean_without_an_interval(self):
        found = estimate_alone(make_scores([1, 2, 3]), ["a", "a", "a"])
        assert found.value == 2
        assert np.isnan([found.low, found.high, found.p_value]).all()

    def test_rounding_errors_are_not_a_difference(self):
        thirds = np.full((12, 3), 0.1)
        parts = [(1.0, make_scores(thirds)), (-1.0, make_scores([0.1] * 12, "b"))]
        assert np.mean([0.1] * 3) != 0.1
        assert (contrast(*parts).image_values() == 0).all()
        nearly = make_scores([0.1 + 1e-6] * 12, "b")
        assert (contrast(parts[0], (-1.0, nearly)).image_values() != 0).all()

    def test_means_of_images_and_replicates_ignore_unscored_images(self):
        scores = make_scores([[1, 3], [np.nan, np.nan], [5, 9]])
        np.testing.assert_equal(image_means(scores), [2, np.nan, 7])
        assert replicate_means(scores).tolist() == [3, 6]
        empty = ModelScores("m", "psnr", np.full((3, 0), np.nan))
        assert np.isnan(image_means(empty)).all()
        assert replicate_means(empty).shape == (0,)

    def test_order_of_images_does_not_matter(self):
        table, order = simulate_table(), np.random.default_rng(0).permutation(12)
        once = estimate_alone(make_scores(table))
        again = estimate_alone(make_scores(table[order]), order)
        np.testing.assert_allclose(again.low, once.low)
        np.testing.assert_allclose(again.p_value, once.p_value)

    def test_draws_are_the_same_in_batches(self, monkeypatch):
        scores = make_scores(simulate_table(images=30, replicates=1))
        once = estimate_alone(scores).reference
        monkeypatch.setattr(estimates, "_CELLS_AT_ONCE", 30 * 1_000)
        again = estimate_alone(scores).reference
        assert once.shape == again.shape == (estimates.DRAWS, 1)
        np.testing.assert_array_equal(once[:1_000], again[:1_000])


def students(means, weights):
    """Statistic of a weighted mean of groups, with Bell and McCaffrey's error."""
    mean = weights @ means
    leverage = 1 - 2 * weights + (weights**2).sum()
    return mean / np.sqrt((weights**2 / leverage) @ (means - mean) ** 2)


class TestFlips:
    @pytest.mark.parametrize("sizes", [[1] * 6, [1, 2, 3, 1, 2, 3]])
    def test_reference_equals_the_enumeration_of_all_sign_flips(self, sizes):
        means = np.random.default_rng(2).normal(0.8, 1, 6)
        groups = np.repeat(range(6), sizes)
        found = estimate_alone(make_scores(means[groups]), groups)
        weights = np.array(sizes) / sum(sizes)
        signs = np.array(list(product([-1, 1], repeat=6)))
        exact = np.array([students(s * means, weights) for s in signs])
        drawn = student_statistics(found.reference[:, 0], found.df)
        statistic = student_statistics(found.statistic, found.df)
        np.testing.assert_allclose(
            np.unique(np.round(drawn, 4)), np.unique(np.round(exact, 4)), atol=2e-4
        )
        p_value = (np.abs(exact) >= np.abs(statistic) * (1 - 1e-9)).mean()
        assert found.p_value[0] == pytest.approx(p_value, abs=0.03)

    def test_flips_of_equal_groups_equal_those_of_the_t_test(self):
        values = np.random.default_rng(3).normal(0.5, 1, 5)
        found = estimate_alone(make_scores(values))
        drawn = np.abs(student_statistics(found.reference[:, 0], found.df))
        signs = product([-1, 1], repeat=5)
        exact = [abs(scipy.stats.ttest_1samp(s * values, 0).statistic) for s in signs]
        for point in np.quantile(exact, [0.2, 0.5, 0.8]) + 1e-3:
            assert (drawn > point).mean() == pytest.approx(
                (np.array(exact) > point).mean(), abs=0.03
            )

    def test_contrasts_are_flipped_together(self):
        values = np.random.default_rng(4).normal(size=12)
        contrasts = [contrast((w, make_scores(values))) for w in (1.0, -3.0)]
        reference = estimate(contrasts, np.arange(12), []).reference
        np.testing.assert_allclose(reference[:, 0], -reference[:, 1], rtol=1e-5)

    @pytest.mark.parametrize("noise", [0, 1e-6])
    @pytest.mark.parametrize("groups", [10, 12, 15])
    def test_p_value_of_a_constant_difference_is_that_of_equal_signs(
        self, groups, noise
    ):
        values = 16.1 + noise * np.random.default_rng(0).normal(size=groups)
        found = estimate_alone(make_scores(values))
        assert found.p_value[0] >= 2.0 ** (1 - groups)
        assert found.p_value[0] == pytest.approx(2.0 ** (1 - groups), rel=0.5)
        assert np.isinf(found.statistic[0]) == (noise == 0)

    @pytest.mark.parametrize("flipped", [True, False])
    def test_bootstrap_tests_require_16_groups(self, flipped):
        groups = MIN_RESAMPLED_TEST - flipped
        values = np.random.default_rng(5).exponential(size=groups) ** 3
        reference = estimate_alone(make_scores(values)).reference
        assert (abs(np.mean(reference > 0) - 0.5) < 0.02) == flipped


def bootstrap_t(means, sizes, draws=4_000):
    """Ends of the interval, computed resample by resample of whole groups."""
    random = np.random.default_rng(9)
    mean = np.average(means, weights=sizes)
    drawn = []
    for _ in range(draws):
        chosen = random.integers(len(means), size=len(means))
        values, weights = means[chosen], sizes[chosen] / sizes[chosen].sum()
        rest = values - weights @ values
        number = len(means)
        error = np.sqrt((weights**2 * rest**2).sum() * number / (number - 1))
        drawn.append((weights @ values - mean) / error)
    low, high = np.quantile(drawn, [0.025, 0.975])
    error = abs(mean / students(means, sizes / sizes.sum()))
    error *= np.sqrt(len(means) / (len(means) - 1))
    return mean - high * error, mean - low * error


class TestIntervals:
    @pytest.mark.parametrize("equal", [True, False])
    @pytest.mark.parametrize("skewed", [True, False])
    def test_interval_equals_a_plain_bootstrap_t(self, equal, skewed):
        random = np.random.default_rng(6)
        means = random.exponential(size=40) if skewed else random.normal(1, 1, 40)
        sizes = np.ones(40, dtype=int) if equal else random.integers(1, 9, 40)
        groups = np.repeat(range(40), sizes)
        found = estimate_alone(make_scores(means[groups]), groups)
        low, high = bootstrap_t(means, sizes)
        assert found.low[0] == pytest.approx(low, abs=0.03 * (high - low))
        assert found.high[0] == pytest.approx(high, abs=0.03 * (high - low))

    def test_interval_of_skewed_values_is_longer_towards_the_tail(self):
        values = np.random.default_rng(5).exponential(size=40) ** 2
        mean, low, high = bootstrap_mean(values, np.arange(40))
        assert high - mean > 1.2 * (mean - low)

    @pytest.mark.parametrize("groups", [2, 3, MIN_RESAMPLED - 1])
    def test_few_groups_have_an_interval_of_students_t(self, groups):
        values = np.random.default_rng(7).exponential(size=groups)
        interval = bootstrap_mean(values, np.arange(groups))
        expected = scipy.stats.ttest_1samp(values, 0).confidence_interval()
        assert interval[1:] == pytest.approx(tuple(expected))

    def test_bootstrap_intervals_require_8_groups(self):
        values = np.random.default_rng(7).exponential(size=MIN_RESAMPLED)
        mean, low, high = bootstrap_mean(values, np.arange(MIN_RESAMPLED))
        assert high - mean > 1.1 * (mean - low)

    def test_nearly_equal_groups_have_an_interval_of_students_t(self):
        values = np.append(np.zeros(48), [0.2, 0.5])
        found = estimate_alone(make_scores(values))
        expected = scipy.stats.ttest_1samp(values, 0).confidence_interval()
        assert (found.low[0], found.high[0]) == pytest.approx(tuple(expected))
        assert found.p_value[0] > 0.05  # two different photographs are no evidence

    def test_equal_values_have_an_interval_of_length_0(self):
        for size in (3, 12, 30):
            interval = bootstrap_mean([0.1] * size, range(size))
            np.testing.assert_allclose(interval, [0.1] * 3)

    def test_replicates_in_rows_equal_replicates_in_columns(self):
        table, groups = simulate_table(), np.arange(12) // 2
        interval = bootstrap_mean(
            table.T.ravel(), np.tile(groups, 3), np.repeat([4, 7, 9], 12)
        )
        found = estimate_alone(make_scores(table), groups)
        assert interval == (found.value[0], found.low[0], found.high[0])
        without_seeds = bootstrap_mean(table.mean(axis=1), groups)
        assert interval.high - interval.low > without_seeds.high - without_seeds.low

    def test_values_and_groups_of_different_length_are_rejected(self):
        with pytest.raises(ValueError, match="2 values with 3 groups"):
            bootstrap_mean([1, 2], ["a", "b", "c"])
        with pytest.raises(ValueError, match="has no group"):
            bootstrap_mean([1, 2], ["a", None])

    @pytest.mark.parametrize(
        ("replicates", "seeds", "skewed"),
        [(1, 0, False), (1, 0, True), (3, 0.5, False)],
    )
    def test_intervals_have_nominal_coverage(
        self, monkeypatch, replicates, seeds, skewed
    ):
        monkeypatch.setattr(estimates, "DRAWS", 499)
        random = np.random.default_rng(0)
        covered = []
        for _ in range(200):
            draw = random.exponential if skewed else random.standard_normal
            images = draw(size=(40, 1)) - skewed
            table = images + seeds * random.normal(size=replicates)
            # Three more models of the task contribute to the pooled seed variance.
            pool = [
                make_scores(table),
                *(
                    make_scores(images + seeds * random.normal(size=replicates), name)
                    for name in "bcd"
                ),
            ]
            found = estimate_alone(pool[0], pool=pool)
            covered.append(found.low[0] <= 0 <= found.high[0])
        assert 0.90 <= np.mean(covered) <= 0.99

    def test_interval_of_seeds_alone_uses_students_t(self):
        means = np.array([1.0, 2.0, 6.0])
        found = estimate_alone(make_scores(means + np.zeros((50, 1))))
        margin = scipy.stats.t(2).ppf(0.975) * means.std(ddof=1) / np.sqrt(3)
        assert found.low[0] == pytest.approx(3 - margin, rel=0.1)
        assert found.high[0] == pytest.approx(3 + margin, rel=0.1)


class TestPValues:
    def test_extreme_statistic_has_the_p_value_of_students_t(self):
        values = np.random.default_rng(8).normal(1.5, 1, 50)
        found = estimate_alone(make_scores(values))
        expected = scipy.stats.ttest_1samp(values, 0).pvalue
        assert found.p_value[0] == pytest.approx(expected)

    def test_p_value_of_a_moderate_statistic_is_the_share_of_draws(self):
        values = np.random.default_rng(8).normal(0.3, 1, 50)
        found = estimate_alone(make_scores(values))
        reached = (np.abs(found.reference) >= np.abs(found.statistic)).sum()
        assert found.p_value[0] == pytest.approx((reached + 1) / 5_000)
        expected = scipy.stats.ttest_1samp(values, 0).pvalue
        assert found.p_value[0] == pytest.approx(expected, rel=0.3)

    def test_p_value_of_no_difference_is_1(self):
        found = estimate_alone(make_scores([0.0] * 30))
        assert (found.statistic[0], found.p_value[0]) == (0, 1)
        assert (found.low[0], found.high[0]) == (0, 0)

    def test_reference_includes_seed_effects(self):
        """With few seeds, the reference has the spread of Student's t."""
        table = np.random.default_rng(1).normal(size=3) + 1e-3 * simulate_table(50, 3)
        reference = estimate_alone(make_scores(table)).reference[:, 0]
        exceeded = normal_scores(4.30, 2)  # by t with 2 degrees of freedom: 5 %
        share = (np.abs(reference) > exceeded).mean()
        assert share == pytest.approx(0.05, abs=0.012)

    def test_unequal_seed_deviations_widen_the_reference_not_the_intervals(
        self, monkeypatch
    ):
        random = np.random.default_rng(0)
        pool = [
            make_scores(means + np.zeros((50, 1)), name)
            for name, means in zip("abcdefgh", random.normal(size=(8, 3)), strict=True)
        ]
        pairs = [contrast((1.0, a), (-1.0, b)) for a, b in combinations(pool, 2)]
        alike = estimate(pairs, np.arange(50), pool)
        monkeypatch.setattr(estimates, "SEED_SPREAD", 1.0)
        found = estimate(pairs, np.arange(50), pool)
        largest, of_alike = (
            np.quantile(np.abs(e.reference).max(axis=1), 0.975) for e in (found, alike)
        )
        assert largest > 1.1 * of_alike
        np.testing.assert_array_equal(found.low, alike.low)

    def test_spread_of_seed_deviations_is_estimated_from_the_models(self):
        """Hand-computed case: two metrics, three models with three trainings."""
        scales = {"psnr": (1.0, 8.0, 0.1), "ssim": (0.5, 0.5, 0.5)}
        pool = [
            make_scores(
                scale * np.array([-1.0, 0, 1]) + np.zeros((50, 1)), name, metric
            )
            for metric, of_models in scales.items()
            for name, scale in zip("abc", of_models, strict=True)
        ]
        seeds = estimates._Seeds.of([contrast((1.0, pool[0]))], pool, np.arange(50))
        logs = np.var(np.log(np.square(scales["psnr"])), ddof=1)
        sampling = np.pi**2 / 6  # variance of the logarithm of an exponential
        expected = np.mean([logs - sampling, 0 - sampling]) / 4
        assert expected > estimates.SEED_SPREAD**2
        assert seeds.spread() == pytest.approx(expected**0.5)

    @pytest.mark.parametrize("scales", [(1, 1, 1), (1, 0, 0)])
    def test_spread_of_seed_deviations_has_a_minimum(self, scales):
        pool = [
            make_scores(scale * np.array([-1.0, 0, 1]) + np.zeros((50, 1)), name)
            for name, scale in zip("abc", scales, strict=True)
        ]
        seeds = estimates._Seeds.of([contrast((1.0, pool[0]))], pool, np.arange(50))
        assert seeds.spread() == pytest.approx(estimates.SEED_SPREAD)


class TestNormalScores:
    @pytest.mark.parametrize("df", [8, 8.5, 20, 1_000])
    def test_normal_scores_are_quantiles_of_the_same_probability(self, df):
        statistics = np.array([0.0, 0.5, 2, 4, 6])
        expected = scipy.stats.norm.isf(scipy.stats.t(df).sf(statistics))
        np.testing.assert_allclose(normal_scores(statistics, df), expected, atol=0.03)
        np.testing.assert_allclose(normal_scores(-statistics, df), -expected, atol=0.03)

    @pytest.mark.parametrize("df", [1, 7.5, 300])
    def test_student_statistics_invert_normal_scores(self, df):
        statistics = np.array([-np.inf, -30.0, -0.1, 0, 2, np.inf])
        scores = normal_scores(statistics, df)
        np.testing.assert_allclose(student_statistics(scores, df), statistics)


def test_few_degrees_of_freedom_do_not_mask_other_comparisons():
    """Three models with seeds and one without, which is far ahead of another one."""
    random = np.random.default_rng(0)
    trained = [
        make_scores(random.normal(size=(60, 1)) + 3 * random.normal(size=3), name)
        for name in "abc"
    ]
    images = random.normal(size=60)
    sure = make_scores(images - 0.6), make_scores(images + random.normal(size=60))
    pairs = [contrast((1.0, a), (-1.0, b)) for a, b in combinations(trained, 2)]
    found = estimate(
        [*pairs, contrast((1.0, sure[0]), (-1.0, sure[1]))], np.arange(60), trained
    )
    largest = np.quantile(np.abs(found.reference).max(axis=1), 0.95)
    alone = np.quantile(np.abs(found.reference[:, 3]), 0.95)
    assert largest < 1.5 * alone
