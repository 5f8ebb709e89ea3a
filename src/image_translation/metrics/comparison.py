"""All models of a task side by side: tables of means, of verdicts and of effects.

Scores of a model are a data frame with the columns of ``scores.csv``: ``pair_id, group,
replicate`` and one column a metric, one row a test image and replicate. An empty frame
stands for a model that was not run or failed.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from image_translation.metrics.registry import (
    LEARNED_METRICS,
    MEASURES,
    METRICS,
    SET_METRICS,
    for_means,
)
from image_translation.metrics.statistics import (
    Interval,
    bootstrap_means,
    deviation,
    group_means,
    holm,
    minimum_detectable_difference,
    seed_margin,
    signed_rank_p,
    standardized_mean,
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
    "group_deviation",
    "seed_deviation",
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
    "effect_size",
    "detectable_difference",
]
EFFECT_COLUMNS = ["effect", *VERDICT_COLUMNS[2:]]

EFFECTS: Mapping[str, Mapping[str, float]] = MappingProxyType(
    {
        "architecture": {
            "pix2pix": 0.5,
            "unet": 0.5,
            "autoencoder_gan": -0.5,
            "autoencoder": -0.5,
        },
        "adversarial": {
            "pix2pix": 0.5,
            "unet": -0.5,
            "autoencoder_gan": 0.5,
            "autoencoder": -0.5,
        },
        "interaction": {
            "pix2pix": 1.0,
            "unet": -1.0,
            "autoencoder_gan": -1.0,
            "autoencoder": 1.0,
        },
    }
)
"""Effects of the 2×2 as weights of its models' scores.

U-Net instead of encoder–decoder and with instead of without the adversarial loss, each
averaged over the other; and by how much more the adversarial loss changes the U-Net's
score than the encoder–decoder's.
"""

TOO_FEW_GROUPS = "too few independent photographs"
NO_DIFFERENCE = "no difference found"
NO_EFFECT = "no effect found"

ROUNDING = 1e-9
"""Of the scores: a smaller difference between them is none."""


class TaskResults(NamedTuple):
    """What the comparison of one task found: the frames of these functions."""

    comparison: pd.DataFrame
    verdicts: pd.DataFrame
    effects: pd.DataFrame


class _Scores(NamedTuple):
    """Scores of one model by one metric, images × replicates.

    An image that lacks a score in one of the replicates is NaN in all of them, so that
    every replicate is judged on the same images.
    """

    model: str
    metric: str
    values: NDArray[np.float64]


class _Contrast(NamedTuple):
    """A weighted sum of models' scores by one metric.

    ``names`` are the first cells of its row.
    """

    names: Mapping[str, str]
    metric: str
    parts: Sequence[tuple[float, _Scores]]


def compare_models(scores: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Mean score of every model with its 95 % interval.

    The mean is over images, of the mean over replicates. The interval is a bootstrap by
    group, widened by the seeds' part where there are several replicates.
    ``group_deviation`` is the standard deviation between the groups' means,
    ``seed_deviation`` that between the replicates'. A model without scores keeps its
    rows, with no mean and 0 images.

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


def compare_sets(
    set_scores: Mapping[str, pd.DataFrame], scores: Mapping[str, pd.DataFrame]
) -> pd.DataFrame:
    """Distances of whole sets, with the columns of ``comparison.csv``.

    ``mean`` is the distance, averaged over replicates, the interval that of their
    average widened by the seeds' part.

    Args:
        set_scores: ``replicate, metric, value, ci_low, ci_high`` of each model, empty
            for one that has none.
        scores: The scores of each model, for the numbers of images and groups.
    """
    known = dict.fromkeys(
        metric for frame in set_scores.values() for metric in frame["metric"]
    )
    rows = [
        _set_row(model, metric, frame[frame["metric"] == metric], scores[model])
        for model, frame in set_scores.items()
        for metric in SET_METRICS
        if metric in known
    ]
    return pd.DataFrame(rows, columns=COMPARISON_COLUMNS)


def _set_row(
    model: str, metric: str, rows: pd.DataFrame, scores: pd.DataFrame
) -> dict[str, object]:
    means = Interval(*rows[["value", "ci_low", "ci_high"]].mean())
    widened = widen(means, seed_margin(rows["value"]))
    return {
        "model": model,
        "metric": metric,
        "mean": widened.mean,
        "ci_low": max(0.0, widened.low) if len(rows) else np.nan,
        "ci_high": widened.high,
        "n_images": scores["pair_id"].nunique() if len(rows) else 0,
        "n_groups": scores["group"].nunique() if len(rows) else 0,
        "n_replicates": len(rows),
        "higher_is_better": SET_METRICS[metric].higher_is_better,
        "group_deviation": np.nan,
        "seed_deviation": deviation(rows["value"]),
    }


def compare_pairs(scores: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Verdict on every two models that have scores, on the images that both have.

    ``difference`` is the mean of a - b with a 95 % interval as in ``compare_models``;
    ``p_value`` is of Wilcoxon's signed-rank test on the groups' mean differences,
    ``p_adjusted`` is corrected after Holm for all rows of the table; ``win_rate`` is the
    share of images where a is better, ties half; ``effect_size`` is the difference in
    standard deviations of the groups' differences. A model is called better where
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
    contrasts = [
        _Contrast({"model_a": a.model, "model_b": b.model}, a.metric, [(1, a), (-1, b)])
        for a, b in combinations(entries, 2)
        if a.metric == b.metric and a.model != b.model
    ]
    return _test(contrasts, groups, VERDICT_COLUMNS, _verdict)


def compare_effects(scores: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """The effects of the 2×2 (``EFFECTS``), estimated and tested as in `compare_pairs`.

    Corrected after Holm for all rows of this table. ``win_rate`` is the share of images
    that the effect improves, ties half; NaN for the interaction, which is neither good
    nor bad.

    Args:
        scores: The scores of each model, empty for one that has none.

    Returns:
        One row an effect and metric, with the columns of ``effects.csv``; none where one
        of the four models has no scores.
    """
    groups = _groups(scores)
    taken = {
        model: scores[model] for model in EFFECTS["interaction"] if model in scores
    }
    if len(taken) < 4 or any(frame.empty for frame in taken.values()):
        return pd.DataFrame(columns=EFFECT_COLUMNS)
    by_metric: dict[str, dict[str, _Scores]] = {}
    for entry in _collect(taken, groups.index):
        by_metric.setdefault(entry.metric, {})[entry.model] = entry
    contrasts = [
        _Contrast({"effect": effect}, metric, [(w, of[m]) for m, w in weights.items()])
        for metric, of in by_metric.items()
        for effect, weights in EFFECTS.items()
    ]
    table = _test(contrasts, groups, EFFECT_COLUMNS, _effect_verdict)
    table.loc[table["effect"] == "interaction", "win_rate"] = np.nan
    return table


def _test(
    contrasts: Sequence[_Contrast],
    groups: pd.Series,
    columns: list[str],
    tell: Callable[[Mapping[Any, Any]], str],
) -> pd.DataFrame:
    """A row a contrast, tested as one family."""
    table = pd.DataFrame(_contrast_rows(contrasts, groups), columns=columns)
    table["p_adjusted"] = holm(table["p_value"].to_numpy(np.float64))
    table["detectable_difference"] = [
        minimum_detectable_difference(_interval(row), len(table))
        for row in table.to_dict("records")
    ]
    table["verdict"] = [tell(row) for row in table.to_dict("records")]
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
        for metric in (*METRICS, *LEARNED_METRICS)
        if (metric in METRICS and not scored)
        or any(metric in frame for frame in scored)
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
    means = _image_means(entry)
    scored = ~np.isnan(means)
    return {
        "model": entry.model,
        "metric": entry.metric,
        "mean": interval.mean,
        "ci_low": interval.low,
        "ci_high": interval.high,
        "n_images": int(scored.sum()),
        "n_groups": int(groups[scored].nunique()),
        "n_replicates": entry.values.shape[1] if scored.any() else 0,
        "higher_is_better": MEASURES[entry.metric].higher_is_better,
        "group_deviation": deviation(group_means(means, groups)),
        "seed_deviation": deviation(
            entry.values[scored].mean(axis=0) if scored.any() else []
        ),
    }


def _contrast_rows(
    contrasts: Sequence[_Contrast], groups: pd.Series
) -> list[dict[str, object]]:
    if not contrasts:
        return []
    values = np.stack([_contrast_values(contrast) for contrast in contrasts], axis=1)
    return [
        _contrast_row(contrast, column, interval, groups)
        for contrast, column, interval in zip(
            contrasts, values.T, bootstrap_means(values, groups), strict=True
        )
    ]


def _contrast_row(
    contrast: _Contrast,
    values: NDArray[np.float64],
    interval: Interval,
    groups: pd.Series,
) -> dict[str, object]:
    common = ~np.isnan(values)
    by_group = group_means(values, groups)
    margins = [abs(weight) * _seed_margin(e, common) for weight, e in contrast.parts]
    widened = widen(interval, *margins)
    return {
        **contrast.names,
        "metric": contrast.metric,
        "difference": widened.mean,
        "ci_low": widened.low,
        "ci_high": widened.high,
        "p_value": signed_rank_p(by_group),
        "win_rate": _win_rate(contrast.metric, values[common]),
        "n_groups": len(by_group),
        "effect_size": standardized_mean(by_group),
    }


def _contrast_values(contrast: _Contrast) -> NDArray[np.float64]:
    """The weighted sum of each image; exactly 0 where rounding alone is left of it."""
    parts = np.stack([weight * _image_means(e) for weight, e in contrast.parts])
    total = parts.sum(axis=0)
    return np.where(np.abs(total) <= ROUNDING * np.abs(parts).max(axis=0), 0.0, total)


def _win_rate(metric: str, differences: NDArray[np.float64]) -> float:
    if not len(differences):
        return np.nan
    better = np.sign(differences) * (1 if MEASURES[metric].higher_is_better else -1)
    return float((better.mean() + 1) / 2)


def _interval(row: Mapping[Any, Any]) -> Interval:
    return Interval(row["difference"], row["ci_low"], row["ci_high"])


def _verdict(row: Mapping[Any, Any]) -> str:
    higher = MEASURES[row["metric"]].higher_is_better
    better = row["model_a" if (row["difference"] > 0) == higher else "model_b"]
    return _tell(row, f"{better} is better", NO_DIFFERENCE)


def _effect_verdict(row: Mapping[Any, Any]) -> str:
    higher = MEASURES[row["metric"]].higher_is_better
    found = "improves" if (row["difference"] > 0) == higher else "harms"
    found = "depends" if row["effect"] == "interaction" else found
    return _tell(row, found, NO_EFFECT)


def _tell(row: Mapping[Any, Any], found: str, nothing: str) -> str:
    """What is claimed, or why nothing is."""
    if row["n_groups"] < MIN_GROUPS:
        return TOO_FEW_GROUPS
    interval = _interval(row)
    excludes_zero = interval.low > 0 or interval.high < 0
    if row["p_adjusted"] < SIGNIFICANCE and excludes_zero:
        return found
    if interval.low == interval.high == 0:
        return f"{nothing} (the scores are equal)"
    smallest = _significant(row["detectable_difference"])
    unit = MEASURES[row["metric"]].unit
    return (
        f"{nothing} (smaller than {smallest} {unit}".rstrip()
        + " would not have been seen)"
    )


def _significant(value: float) -> str:
    """Two significant digits, never in powers of ten."""
    return np.format_float_positional(value, precision=2, fractional=False, trim="-")
