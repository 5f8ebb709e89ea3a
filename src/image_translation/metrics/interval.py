"""A mean with its confidence interval."""

from typing import NamedTuple

CONFIDENCE = 0.95


class Interval(NamedTuple):
    """A mean with its confidence interval.

    Attributes:
        mean: Estimate of the mean.
        low: Lower end; NaN for fewer than two groups.
        high: Upper end; NaN for fewer than two groups.
    """

    mean: float
    low: float
    high: float
