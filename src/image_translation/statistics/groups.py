"""Means and sums of groups of images."""

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


def deviation(values: ArrayLike) -> float:
    """Sample standard deviation; NaN for fewer than two values."""
    values = np.asarray(values, dtype=np.float64)
    return float(values.std(ddof=1)) if len(values) > 1 else np.nan


def group_means(values: ArrayLike, groups: ArrayLike) -> Floats:
    """Mean of each group, in sorted order of the groups; NaN values are ignored.

    Args:
        values: One value per image.
        groups: Group of each image.

    Returns:
        One mean per group that has a value.
    """
    sums, counts = sum_groups(np.asarray(values, dtype=np.float64)[:, None], groups)
    present = counts[:, 0] > 0
    return sums[present, 0] / counts[present, 0]


def sum_groups(values: Floats, groups: ArrayLike) -> tuple[Floats, Floats]:
    """Sums and counts of each group; NaN values are ignored.

    Args:
        values: Images × columns.
        groups: Group of each image.

    Returns:
        Sums and counts, groups × columns each.

    Raises:
        ValueError: The arguments differ in length, or a group is missing.
    """
    groups = np.asarray(groups)
    if len(groups) != len(values):
        raise ValueError(f"{len(values)} values with {len(groups)} groups")
    codes, labels = pd.factorize(groups, sort=True)
    if (codes < 0).any():
        raise ValueError("a value has no group")
    counted = ~np.isnan(values)
    sums = np.zeros((len(labels), values.shape[1]))
    counts = np.zeros_like(sums)
    np.add.at(sums, codes, np.where(counted, values, 0))
    np.add.at(counts, codes, counted)
    return sums, counts
