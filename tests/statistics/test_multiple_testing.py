from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from image_translation.statistics.multiple_testing import holm, step_down


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


def test_step_down_by_hand():
    reference = np.array([[1, 5, 0], [2, 1, 1], [3, 0, 2], [0, 2, 8.5]])
    # Maxima over all columns: 5, 2, 3, 8.5. Over columns 0 and 2: 1, 2, 3, 8.5. Column 2
    # alone: 0, 1, 2, 8.5.
    adjusted, _ = step_down([4, 9, 1.5], reference, level=0.5)
    np.testing.assert_allclose(adjusted, [2 / 5, 1 / 5, 3 / 5])


def simulate_reference(seed, draws=199, tests=6):
    """Statistics of correlated tests, some of them extreme, and their reference."""
    random = np.random.default_rng(seed)
    noise = random.normal(size=(draws + 1, tests)) + random.normal(size=(draws + 1, 1))
    shifts = random.choice([0, 3], tests)
    return np.abs(noise[0] + shifts), np.abs(noise[1:])


def step_down_by_brute_force(statistics, reference):
    """Westfall & Young (1993), algorithm 4.1, test by test."""
    left, adjusted, so_far = list(range(len(statistics))), {}, 0.0
    while left:
        test = max(left, key=lambda i: statistics[i])
        reached = sum(
            max(draw[i] for i in left) >= statistics[test] for draw in reference
        )
        so_far = max(so_far, (reached + 1) / (len(reference) + 1))
        adjusted[test] = so_far
        left.remove(test)
    return [adjusted[i] for i in range(len(statistics))]


@pytest.mark.parametrize("seed", range(10))
def test_step_down_equals_brute_force(seed):
    statistics, reference = simulate_reference(seed)
    adjusted, _ = step_down(statistics, reference, level=0.05)
    np.testing.assert_allclose(
        adjusted, step_down_by_brute_force(statistics, reference)
    )


@pytest.mark.parametrize("level", [0.05, 0.11, 0.5])
def test_step_down_claims_exactly_what_is_above_its_critical_value(level):
    claims = 0
    for seed in range(100):
        statistics, reference = simulate_reference(seed)
        adjusted, critical = step_down(statistics, reference, level)
        assert ((adjusted < level) == (statistics > critical)).all()
        falling = critical[np.argsort(-statistics)]
        assert all(a >= b for a, b in pairwise(falling))
        claims += (adjusted < level).sum()
    assert 0 < claims < 600


def test_statistic_between_two_draws_agrees_with_its_p_value():
    draws = np.arange(1.0, 20)[:, np.newaxis]  # 19 draws: p < 0.2 where 2 reach it
    for statistic, claimed in ((18.5, True), (17.5, True), (16.5, False), (17, False)):
        adjusted, critical = step_down([statistic], draws, level=0.2)
        assert (adjusted[0] < 0.2) == (statistic > critical[0]) == claimed


def test_statistics_after_the_first_unclaimed_one_share_its_critical_value():
    reference = np.stack([np.linspace(0, 5, 99), np.linspace(0, 1, 99)], axis=1)
    adjusted, critical = step_down([3, 2], reference, level=0.05)
    assert adjusted[0] == adjusted[1] > 0.05
    assert critical[0] == critical[1] == pytest.approx(5 * 95 / 98, rel=1e-5)


def test_nothing_is_claimed_after_a_p_value_at_the_level():
    reference = np.stack([np.arange(1.0, 20), np.linspace(0, 1, 19)], axis=1)
    adjusted, critical = step_down([17, 2], reference, level=0.2)
    assert adjusted.tolist() == [0.2, 0.2]
    assert critical[0] == critical[1] > 17


def test_too_few_draws_allow_no_claim():
    _, critical = step_down([9.0], np.ones((9, 1)), level=0.05)
    assert critical == np.inf


def test_draw_within_rounding_of_the_statistic_counts():
    adjusted, _ = step_down([1 + 1e-9, np.inf], [[1.0, np.inf], [0.5, 0.5]], 0.5)
    np.testing.assert_allclose(adjusted, [2 / 3, 2 / 3])
