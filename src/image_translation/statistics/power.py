"""Differences that a test detects."""

import numpy as np
import scipy
from numpy.typing import ArrayLike

from image_translation.statistics.groups import Floats

POWER = 0.8
"""Probability that a detectable difference is found."""

LARGEST_SOLVED = 100.0
"""Largest critical value for which the noncentral t distribution is solved."""


def detectable(error: ArrayLike, df: ArrayLike, critical: ArrayLike) -> Floats:
    """True differences that a test finds with a power of 80 %.

    The statistic of a true difference follows the noncentral t distribution (Cohen 1988,
    "Statistical power analysis for the behavioral sciences", section 2.2).

    Args:
        error: Standard errors.
        df: Degrees of freedom of the standard errors.
        critical: Statistics above which a difference is claimed; infinite if no
            difference can be claimed.

    Returns:
        Differences in the unit of ``error``; infinite where ``critical`` is infinite.
    """
    critical, df = np.asarray(critical, dtype=np.float64), np.asarray(df)
    # SciPy's solver may not return for larger values. For these, only the uncertainty of
    # the standard error matters, to 0.1 %: the inverse of
    # P(χ²/df < (difference / critical)²).
    solvable = np.minimum(critical, LARGEST_SOLVED)
    solved = scipy.special.nctdtrinc(df, 1 - POWER, solvable)
    with np.errstate(invalid="ignore"):  # infinity times an error or a quantile of 0
        limit = critical * np.sqrt(2 * scipy.special.gammaincinv(df / 2, POWER) / df)
        found = np.where(critical > LARGEST_SOLVED, limit, solved)
        return np.where(np.isfinite(critical), found * np.asarray(error), critical)
