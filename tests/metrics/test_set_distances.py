"""Contributions of held-out critics compared with loops, a jackknife and the truth."""

import numpy as np
import pytest

from image_translation.metrics.set_distances import (
    draw_halves,
    euclidean_contributions,
    interval,
    wasserstein_contributions,
)


def make_differences(groups, bins=12, shift=0.0, seed=0):
    """Smooth differences of distribution functions, one per group."""
    random = np.random.default_rng(seed)
    waves = np.sin(np.outer(np.arange(1, 5), np.linspace(0.2, 3, bins)))
    return random.standard_normal((groups, 4)) @ waves + shift


def equal(groups):
    return np.full(groups, 1 / groups)


UNEQUAL = np.array([1, 1, 2, 3, 5, 8]) / 20


def held_out_length(differences, weights):
    """Mean over groups of the length along the direction of the other groups."""
    total = 0.0
    for group, weight in enumerate(weights):
        others = np.arange(len(weights)) != group
        mean = weights[others] @ differences[others] / weights[others].sum()
        total += weight * (mean / np.linalg.norm(mean)) @ differences[group]
    return total


def held_out_area(differences, weights):
    """Like `held_out_length` with a slope for each bin; groups of equal size."""
    total = 0.0
    for group, weight in enumerate(weights):
        others = np.delete(differences, group, axis=0)
        mean, error = others.mean(axis=0), others.var(axis=0, ddof=1) / len(others)
        total += weight * (mean / np.sqrt(mean**2 + error / 4)) @ differences[group]
    return total


def delete_a_group(distance, differences):
    """Pseudo-values of the jackknife for groups of equal size."""
    groups = len(differences)
    value = distance(differences, equal(groups))
    rest = [
        distance(np.delete(differences, group, axis=0), equal(groups - 1))
        for group in range(groups)
    ]
    return groups * value - (groups - 1) * np.array(rest)


def test_mean_of_contributions_is_the_held_out_length():
    differences = make_differences(6, shift=0.5)
    found = UNEQUAL @ euclidean_contributions(differences, UNEQUAL)
    assert found == pytest.approx(held_out_length(differences, UNEQUAL))


def test_mean_of_contributions_is_the_held_out_area():
    differences = make_differences(7, shift=0.5)
    found = wasserstein_contributions(differences, equal(7)).mean()
    assert found == pytest.approx(held_out_area(differences, equal(7)))


@pytest.mark.parametrize("shift", [0.0, 0.3, 3.0])
@pytest.mark.parametrize(
    ("contributions", "distance"),
    [
        (euclidean_contributions, held_out_length),
        (wasserstein_contributions, held_out_area),
    ],
)
def test_error_equals_a_delete_a_group_jackknife(contributions, distance, shift):
    differences = make_differences(60, shift=shift)
    found = contributions(differences, equal(60))
    expected = delete_a_group(distance, differences)
    assert found.std() == pytest.approx(expected.std(), rel=0.15)
    assert np.corrcoef(found, expected)[0, 1] > 0.97


@pytest.mark.parametrize("groups", [15, 60])
@pytest.mark.parametrize(
    "contributions", [euclidean_contributions, wasserstein_contributions]
)
def test_equal_distributions_have_expectation_0_and_coverage(contributions, groups):
    values, covered = [], 0
    for seed in range(300):
        found = contributions(make_differences(groups, seed=seed), equal(groups))
        mean, low, high = interval(found, equal(groups))
        values.append(mean)
        covered += low <= 0 <= high
    assert abs(np.mean(values)) < 3 * np.std(values) / np.sqrt(300)
    assert covered / 300 >= 0.93


@pytest.mark.parametrize("weights", [equal(40), np.arange(1, 41) / 820])
def test_large_difference_is_covered(weights):
    covered = 0
    for seed in range(200):
        differences = make_differences(40, shift=4.0, seed=seed)
        found = wasserstein_contributions(differences, weights)
        _, low, high = interval(found, weights)
        covered += low <= 48 <= high
    assert 0.9 <= covered / 200 <= 0.99


def test_small_difference_is_shrunk_and_rarely_overestimated():
    values = [
        interval(
            wasserstein_contributions(
                make_differences(30, shift=0.2, seed=seed), equal(30)
            ),
            equal(30),
        )
        for seed in range(200)
    ]
    assert 0 < np.mean([value.mean for value in values]) < 12 * 0.2
    assert np.mean([value.low > 12 * 0.2 for value in values]) < 0.05


@pytest.mark.parametrize(
    "contributions", [euclidean_contributions, wasserstein_contributions]
)
def test_few_groups(contributions):
    assert np.isnan(contributions(np.ones((1, 3)), np.ones(1))).all()
    assert np.isfinite(contributions(make_differences(2), equal(2))).all()
    np.testing.assert_array_equal(contributions(np.zeros((4, 3)), equal(4)), 0)


def test_interval_of_equal_groups_uses_students_t():
    values = np.array([1.0, 2.0, 4.0, 5.0])
    margin = 3.1824463 * values.std(ddof=1) / 2  # t(3)
    assert interval(values, equal(4)) == pytest.approx((3, 3 - margin, 3 + margin))
    assert np.isnan(interval([2.0], [1.0])[1:]).all()


def test_halves_are_means_of_whole_groups():
    counts = np.array([1, 4, 2, 3, 5])
    halves = draw_halves(counts)
    np.testing.assert_allclose(np.where(halves > 0, halves, 0).sum(axis=1), 1)
    np.testing.assert_allclose(halves.sum(axis=1), 0, atol=1e-12)
    assert set((halves > 0).sum(axis=1)) == {2}
    for row in halves:
        assert len(set((row / counts).round(9))) == 2
    assert len(draw_halves([3])) == 0
