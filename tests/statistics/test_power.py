import numpy as np
import pytest
import scipy.stats

from image_translation.statistics.power import POWER, detectable


@pytest.mark.parametrize("df", [1, 4, 9, 30, 300])
@pytest.mark.parametrize("critical", [0.5, 2.0, 3.5, 6.0])
def test_detectable_difference_has_the_stated_power(df, critical):
    difference = detectable(0.5, df, critical)
    power = scipy.stats.nct.sf(critical, df, difference / 0.5)
    assert power == pytest.approx(POWER, abs=1e-6)


@pytest.mark.parametrize("df", [1.01, 4, 50])
def test_large_critical_values_have_the_power_too(df):
    below, above = detectable(1.0, [df, df], [99.99, 100.01])
    assert above == pytest.approx(below, rel=2e-3)
    # The statistic exceeds 3.7e6 where chi-squared is small enough; normals count little.
    difference = detectable(1.0, df, 3.7e6)
    random = np.random.default_rng(0)
    errors = np.sqrt(random.chisquare(df, 100_000) / df)
    assert np.mean(difference / errors > 3.7e6) == pytest.approx(POWER, abs=0.005)


def test_no_difference_is_detectable_if_none_can_be_claimed():
    found = detectable([1.0, 0.0, 1.0], [9, 9, 9], [np.inf, np.inf, np.nan])
    np.testing.assert_equal(found, [np.inf, np.inf, np.nan])
