"""Intervals and tests against SciPy and cases computed by hand."""

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from image_translation.metrics.statistics import (
    Interval,
    bootstrap_mean,
    bootstrap_means,
    group_means,
    holm,
    minimum_detectable_difference,
    seed_margin,
    signed_rank_p,
    standardized_mean,
    widen,
)


def simulate(groups, seed, skewed=False):
    """Values and groups: groups of 1 to 8 images that share half their variance."""
    random = np.random.default_rng(seed)
    group = np.repeat(np.arange(groups), random.integers(1, 9, groups))
    effects = random.exponential(size=groups) if skewed else random.normal(size=groups)
    return effects[group] + random.normal(size=len(group)), group


def test_mean_is_over_images_not_over_groups():
    assert bootstrap_mean([0, 0, 0, 4], ["a", "a", "a", "b"]).mean == 1


def test_interval_is_scipys_bca_over_groups():
    # At 2,000 groups the correction for few groups is below the bootstrap's own noise.
    values, group = simulate(2_000, seed=1, skewed=True)
    interval = bootstrap_mean(values, group)
    sums, counts = np.bincount(group, values), np.bincount(group)
    expected = scipy.stats.bootstrap(
        (sums, counts),
        lambda s, c, axis: s.sum(axis) / c.sum(axis),
        paired=True,
        vectorized=True,
        method="BCa",
        n_resamples=4_999,
        batch=200,
        rng=np.random.default_rng(0),
    ).confidence_interval
    width = expected.high - expected.low
    assert abs(interval.low - expected.low) < 0.03 * width
    assert abs(interval.high - expected.high) < 0.03 * width


def test_interval_of_few_normal_groups_is_nearly_students():
    values = np.random.default_rng(3).normal(size=12)
    interval = bootstrap_mean(values, np.arange(12))
    expected = scipy.stats.ttest_1samp(values, 0).confidence_interval()
    width = expected.high - expected.low
    assert abs(interval.high - interval.low - width) < 0.1 * width


def test_crops_of_a_photograph_do_not_narrow_the_interval():
    values, group = simulate(20, seed=4)
    once = bootstrap_mean(values, group)
    repeated = bootstrap_mean(np.repeat(values, 9), np.repeat(group, 9))
    np.testing.assert_allclose(repeated, once)


def test_interval_leans_to_the_long_tail():
    values = np.random.default_rng(5).exponential(size=40)
    mean, low, high = bootstrap_mean(values, np.arange(40))
    assert high - mean > 1.1 * (mean - low)


def test_interval_does_not_depend_on_the_order_or_the_call():
    values, group = simulate(15, seed=6)
    order = np.random.default_rng(0).permutation(len(values))
    np.testing.assert_allclose(
        bootstrap_mean(values, group), bootstrap_mean(values[order], group[order])
    )


def test_one_group_has_a_mean_without_an_interval():
    interval = bootstrap_mean([1, 2, 3], ["a", "a", "a"])
    assert interval.mean == 2
    assert np.isnan([interval.low, interval.high]).all()


def test_equal_values_have_an_interval_of_a_point():
    np.testing.assert_allclose(bootstrap_mean([0.1] * 12, range(12)), [0.1] * 3)


def test_columns_with_missing_values_are_each_as_if_alone():
    values, group = simulate(12, seed=7)
    table = np.stack([values, values, values, np.full(len(values), np.nan)], axis=1)
    table[group < 3, 1] = np.nan
    table[0, 2] = np.nan
    together = bootstrap_means(table, group)
    for column, interval in zip(table.T[:3], together[:3], strict=True):
        kept = ~np.isnan(column)
        alone = bootstrap_mean(column[kept], group[kept])
        np.testing.assert_allclose(interval, alone)
    assert np.isnan(together[3]).all()


def test_missing_groups_and_lengths_are_refused():
    with pytest.raises(ValueError, match="has no group"):
        bootstrap_mean([1, 2], ["a", None])
    with pytest.raises(ValueError, match="2 values with 3 groups"):
        bootstrap_mean([1, 2], ["a", "b", "c"])


def test_group_means_leave_missing_values_out():
    means = group_means([1, 3, np.nan, 5, np.nan], ["b", "b", "a", "a", "c"])
    assert means.tolist() == [5, 2]


def test_seed_margin_is_students():
    means = [1.0, 2.0, 4.0]
    expected = scipy.stats.ttest_1samp(means, 0).confidence_interval()
    margin = (expected.high - expected.low) / 2
    assert seed_margin(means) == pytest.approx(margin)
    assert seed_margin([1.0]) == 0


def test_seeds_widen_the_interval_in_squares():
    assert widen(Interval(10, 7, 14), 4.0, 0.0) == pytest.approx((10, 5, 10 + 32**0.5))
    values, group = simulate(20, seed=8)
    shifts = np.array([-1.0, 0.0, 1.0])
    all_values = (values + shifts[:, np.newaxis]).ravel()
    replicates = np.repeat([0, 1, 2], len(values))
    got = bootstrap_mean(all_values, np.tile(group, 3), replicates)
    expected = widen(bootstrap_mean(values, group), seed_margin(shifts))
    np.testing.assert_allclose(got, expected)


@pytest.mark.parametrize("skewed", [False, True])
def test_intervals_cover(skewed):
    truth = float(skewed)
    covered = []
    for seed in range(200):
        _, low, high = bootstrap_mean(*simulate(50, seed, skewed))
        covered.append(low <= truth <= high)
    assert 0.91 <= np.mean(covered) <= 0.99


def test_intervals_cover_with_three_seeds():
    random = np.random.default_rng(0)
    covered = []
    for number in range(200):
        values, group = simulate(50, number)
        shifts = 0.3 * 2**0.5 * random.normal(size=3)
        _, low, high = bootstrap_mean(
            (values + shifts[:, np.newaxis]).ravel(),
            np.tile(group, 3),
            np.repeat([0, 1, 2], len(values)),
        )
        covered.append(low <= 0 <= high)
    assert np.mean(covered) >= 0.91


@pytest.mark.parametrize(
    ("differences", "p_value"),
    [
        ([1, 2, 3, 4, 5], 2 / 2**5),  # all signs alike
        ([-1, 2, 3, 4, 5], 4 / 2**5),
        ([0, 0, 0], 1),
        ([1], np.nan),
        ([], np.nan),
    ],
)
def test_signed_rank_test_by_hand(differences, p_value):
    assert signed_rank_p(differences) == pytest.approx(p_value, nan_ok=True)


def test_holm_by_hand():
    adjusted = holm([0.01, np.nan, 0.04, 0.03, 0.005, 0.9])
    np.testing.assert_allclose(adjusted, [0.04, np.nan, 0.09, 0.09, 0.025, 0.9])
    assert holm([]).shape == (0,)
    assert holm([0.6, 0.7]).tolist() == [1, 1]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_holm_keeps_the_order_and_lies_under_bonferroni(p_values):
    p_values = np.array(p_values)
    adjusted = holm(p_values)
    assert (adjusted >= p_values).all()
    assert (adjusted <= np.minimum(p_values * len(p_values), 1)).all()
    assert (np.diff(adjusted[np.argsort(p_values, kind="stable")]) >= 0).all()


def test_minimum_detectable_difference_has_the_stated_power():
    # 1.96 + 0.84 standard errors for one comparison; 2.81 + 0.84 for ten.
    interval = Interval(0.0, -1.96, 1.96)
    assert minimum_detectable_difference(interval, 1) == pytest.approx(2.80, abs=0.01)
    assert minimum_detectable_difference(interval, 10) == pytest.approx(3.65, abs=0.01)


def test_standardized_mean_of_a_hand_computed_case():
    # mean 2, squared deviations 1 + 0 + 1 over 2
    assert standardized_mean([1, 2, 3]) == pytest.approx(2)


@pytest.mark.parametrize(
    ("differences", "expected"),
    [([0, 0, 0], 0), ([1, 1], np.inf), ([-1, -1], -np.inf), ([1], np.nan)],
)
def test_standardized_mean_at_its_limits(differences, expected):
    np.testing.assert_equal(standardized_mean(differences), expected)
