"""All models of a task side by side: a table of means and a table of verdicts.

Scores of a model are a data frame with the columns of ``scores.csv``: ``pair_id, group,
replicate`` and one column a metric, one row a test image and replicate. An empty frame
stands for a model that was not run or failed.
"""

import logging
from collections.abc import Mapping
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from image_translation.metrics.registry import METRICS, for_means
from image_translation.metrics.statistics import (
    Interval,
    bootstrap_means,
    group_means,
    holm,
    minimum_detectable_difference,
    seed_margin,
    signed_rank_p,
    widen,
)

logger = logging.getLogger(__name__)

SIGNIFICANCE = 0.05
"""A difference is claimed only where the adjusted p-value is below this."""

MIN_GROUPS = 10
"""Fewer independent test groups than this give no verdict."""

COMPARISON_COLUMNS = [
    "model",
    "metric",
    "mean",
    "ci_low",
    "ci_high",
    "n_images",
    "n_groups",
    "n_replicates",
    "higher_is_better",
]
VERDICT_COLUMNS = [
    "model_a",
    "model_b",
    "metric",
    "difference",
    "ci_low",
    "ci_high",
    "p_value",
    "p_adjusted",
    "win_rate",
    "n_groups",
    "verdict",
]

TOO_FEW_GROUPS = "too few independent photographs"
NO_DIFFERENCE = "no difference found"


class _Scores(NamedTuple):
    """Scores of one model by one metric, images × replicates.

    An image that lacks a score in one of the replicates is NaN in all of them, so that
    every replicate is judged on the same images.
    """

    model: str
    metric: str
    values: NDArray[np.float64]


def compare_models(scores: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Mean score of every model with its 95 % interval.

    The mean is over images, of the mean over replicates. The interval is a bootstrap by
    group, widened by the seeds' part where there are several replicates. A model without
    scores keeps its rows, with no mean and 0 images.

    Args:
        scores: The scores of each model, empty for one that has none.

    Returns:
        One row a model and metric, with the columns of ``comparison.csv``.

    Raises:
        ValueError: A frame lacks a column, has an image twice, or two models disagree
            on an image's group.
    """
    groups = _groups(scores)
    entries = _collect(scores, groups.index)
    table = pd.DataFrame(
        [
            _comparison_row(entry, interval, groups)
            for entry, interval in zip(entries, _means(entries, groups), strict=True)
        ],
        columns=COMPARISON_COLUMNS,
    )
    for model in table.loc[table["n_images"] == 0, "model"].unique():
        logger.warning("%s has no scores: shown as missing", model)
    return table


def compare_pairs(scores: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Verdict on every two models that have scores, on the images that both have.

    ``difference`` is the mean of a - b with a 95 % interval as in ``compare_models``;
    ``p_value`` is of Wilcoxon's signed-rank test on the groups' mean differences,
    ``p_adjusted`` is corrected after Holm for all rows of the table; ``win_rate`` is the
    share of images where a is better, ties half. A model is called better where
    ``p_adjusted`` is below 0.05 and the interval excludes 0; the verdict otherwise names
    the smallest difference that would have been found
    (``minimum_detectable_difference``), or that there are fewer than 10 groups.

    Args:
        scores: The scores of each model, empty for one that has none.

    Returns:
        One row for two models and a metric, with the columns of ``verdicts.csv``.

    Raises:
        ValueError: As for ``compare_models``.
    """
    groups = _groups(scores)
    with_scores = {model: frame for model, frame in scores.items() if len(frame)}
    entries = _collect(with_scores, groups.index)
    pairs = [
        (a, b)
        for a, b in combinations(entries, 2)
        if a.metric == b.metric and a.model != b.model
    ]
    table = pd.DataFrame(_pair_rows(pairs, groups), columns=VERDICT_COLUMNS)
    table["p_adjusted"] = holm(table["p_value"].to_numpy(np.float64))
    table["verdict"] = [_verdict(row, len(table)) for row in table.to_dict("records")]
    return table


def _groups(scores: Mapping[str, pd.DataFrame]) -> pd.Series:
    """The group of every image that any model has a score for, by pair_id."""
    known = []
    for model, frame in scores.items():
        if frame.empty:
            continue
        keys = ["pair_id", "replicate"]
        missing = [name for name in (*keys, "group") if name not in frame]
        if missing:
            raise ValueError(f"scores of {model} lack the columns {missing}")
        if frame.duplicated(keys).any():
            raise ValueError(f"scores of {model} hold a pair and replicate twice")
        known.append(frame[["pair_id", "group"]])
    if not known:
        return pd.Series(dtype=object)
    groups = pd.concat(known).drop_duplicates().set_index("pair_id")["group"]
    if groups.index.has_duplicates:
        twice = groups.index[groups.index.duplicated()][0]
        raise ValueError(f"pair {twice} is in more than one group")
    return groups.sort_index()


def _collect(scores: Mapping[str, pd.DataFrame], images: pd.Index) -> list[_Scores]:
    """Scores of every model by every metric, in that order."""
    scored = [frame for frame in scores.values() if not frame.empty]
    metrics = [
        metric
        for metric in METRICS
        if not scored or any(metric in frame for frame in scored)
    ]
    return [
        _Scores(model, metric, _by_replicate(model, frame, metric, images))
        for model, frame in scores.items()
        for metric in metrics
    ]


def _by_replicate(
    model: str, frame: pd.DataFrame, metric: str, images: pd.Index
) -> NDArray[np.float64]:
    if frame.empty or metric not in frame:
        return np.full((len(images), 0), np.nan)
    wide = frame.pivot(index="pair_id", columns="replicate", values=metric)
    values = for_means(metric, wide.reindex(images).to_numpy(np.float64))
    missing = np.isnan(values)
    lacking = np.any(missing, axis=1)
    if partly := int((lacking & ~np.all(missing, axis=1)).sum()):
        logger.warning(
            "%s: %s images are left out of %s, as not every replicate has a score",
            model,
            partly,
            metric,
        )
    return np.where(lacking[:, np.newaxis], np.nan, values)


def _image_means(entry: _Scores) -> NDArray[np.float64]:
    """Mean over replicates of each image; NaN where there is no score."""
    if entry.values.shape[1] == 0:
        return np.full(len(entry.values), np.nan)
    return entry.values.mean(axis=1)


def _seed_margin(entry: _Scores, images: NDArray[np.bool_]) -> float:
    return seed_margin(entry.values[images].mean(axis=0)) if images.any() else 0.0


def _means(entries: list[_Scores], groups: pd.Series) -> list[Interval]:
    if not entries:
        return []
    means = np.stack([_image_means(entry) for entry in entries], axis=1)
    return [
        widen(interval, _seed_margin(entry, ~np.isnan(column)))
        for entry, column, interval in zip(
            entries, means.T, bootstrap_means(means, groups), strict=True
        )
    ]


def _comparison_row(
    entry: _Scores, interval: Interval, groups: pd.Series
) -> dict[str, object]:
    scored = ~np.isnan(_image_means(entry))
    return {
        "model": entry.model,
        "metric": entry.metric,
        "mean": interval.mean,
        "ci_low": interval.low,
        "ci_high": interval.high,
        "n_images": int(scored.sum()),
        "n_groups": int(groups[scored].nunique()),
        "n_replicates": entry.values.shape[1] if scored.any() else 0,
        "higher_is_better": METRICS[entry.metric].higher_is_better,
    }


def _pair_rows(
    pairs: list[tuple[_Scores, _Scores]], groups: pd.Series
) -> list[dict[str, object]]:
    if not pairs:
        return []
    differences = np.stack([_differences(a, b) for a, b in pairs], axis=1)
    rows = []
    for (a, b), column, interval in zip(
        pairs, differences.T, bootstrap_means(differences, groups), strict=True
    ):
        common = ~np.isnan(column)
        by_group = group_means(column, groups)
        widened = widen(interval, _seed_margin(a, common), _seed_margin(b, common))
        rows.append(
            {
                "model_a": a.model,
                "model_b": b.model,
                "metric": a.metric,
                "difference": widened.mean,
                "ci_low": widened.low,
                "ci_high": widened.high,
                "p_value": signed_rank_p(by_group),
                "win_rate": _win_rate(a.metric, column[common]),
                "n_groups": len(by_group),
            }
        )
    return rows


def _differences(a: _Scores, b: _Scores) -> NDArray[np.float64]:
    """a - b of each image; exactly 0 where they differ by rounding alone."""
    first, second = _image_means(a), _image_means(b)
    equal = np.isclose(first, second, rtol=1e-9, atol=0)
    return np.where(equal, 0.0, first - second)


def _win_rate(metric: str, differences: NDArray[np.float64]) -> float:
    if not len(differences):
        return np.nan
    better = np.sign(differences) * (1 if METRICS[metric].higher_is_better else -1)
    return float((better.mean() + 1) / 2)


def _verdict(row: Mapping[Any, Any], comparisons: int) -> str:
    metric = METRICS[row["metric"]]
    interval = Interval(row["difference"], row["ci_low"], row["ci_high"])
    if row["n_groups"] < MIN_GROUPS:
        return TOO_FEW_GROUPS
    excludes_zero = interval.low > 0 or interval.high < 0
    if row["p_adjusted"] < SIGNIFICANCE and excludes_zero:
        a_is_better = (interval.mean > 0) == metric.higher_is_better
        return f"{row['model_a' if a_is_better else 'model_b']} is better"
    if interval.low == interval.high == 0:
        return f"{NO_DIFFERENCE} (the scores are equal)"
    smallest = _significant(minimum_detectable_difference(interval, comparisons))
    return (
        f"{NO_DIFFERENCE} (smaller than {smallest} {metric.unit}".rstrip()
        + " would not have been seen)"
    )


def _significant(value: float) -> str:
    """Two significant digits, never in powers of ten."""
    return np.format_float_positional(value, precision=2, fractional=False, trim="-")
