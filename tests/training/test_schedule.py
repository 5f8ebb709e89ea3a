import numpy as np
import pytest

from image_translation.training.schedule import learning_rate_factor, warm_up_factor


def factors(schedule, epochs):
    return [learning_rate_factor(schedule, e, epochs) for e in range(1, epochs + 1)]


def test_constant_schedule():
    assert set(factors("constant", 5)) == {1}


def test_linear_is_the_published_one():
    """The rule of the published code: 1 - max(0, e + 1 - 100) / 101, e from 0."""
    published = [1 - max(0, e + 1 - 100) / 101 for e in range(200)]
    np.testing.assert_allclose(factors("linear", 200), published)


def test_cosine_falls_from_one_towards_zero():
    found = factors("cosine", 100)
    assert found[0] == 1
    assert found[50] == pytest.approx(0.5)
    assert 0 < found[-1] < 0.001
    assert found == sorted(found, reverse=True)


@pytest.mark.parametrize("schedule", ["constant", "linear", "cosine"])
def test_single_epoch_learns(schedule):
    assert factors(schedule, 1)[0] > 0


def test_warm_up_rises_to_one_and_stays():
    assert [warm_up_factor(4, done) for done in range(6)] == [0.25, 0.5, 0.75, 1, 1, 1]
    assert warm_up_factor(0, 0) == 1
