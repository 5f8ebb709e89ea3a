import numpy as np
import pytest

from image_translation.statistics.groups import deviation, group_means, sum_groups


@pytest.mark.filterwarnings("error")
def test_deviation_of_a_sample_by_hand():
    assert deviation([1, 2, 6]) == pytest.approx(7**0.5)
    assert np.isnan(deviation([1]))
    assert np.isnan(deviation([]))


def test_group_means_ignore_missing_values():
    means = group_means([1, 3, np.nan, 5, np.nan], ["b", "b", "a", "a", "c"])
    assert means.tolist() == [5, 2]


def test_sums_of_groups_by_hand():
    values = np.array([[1, 10], [np.nan, 20], [3, np.nan], [4, np.nan]])
    sums, counts = sum_groups(values, ["b", "a", "b", "c"])
    assert sums.tolist() == [[0, 20], [4, 10], [4, 0]]
    assert counts.tolist() == [[0, 1], [2, 1], [1, 0]]


def test_missing_groups_and_wrong_lengths_are_rejected():
    with pytest.raises(ValueError, match="has no group"):
        group_means([1, 2], ["a", None])
    with pytest.raises(ValueError, match="2 values with 3 groups"):
        group_means([1, 2], ["a", "b", "c"])
