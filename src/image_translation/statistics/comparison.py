"""Compare all models of a task: tables of means, verdicts and effects.

The scores of a model are a data frame with the columns of ``scores.csv``: ``pair_id,
group, replicate`` and one column per metric, with one row per test image and replicate.
An empty frame represents a model that was not run or failed.
"""

import logging
from collections.abc import Collection, Mapping, Sequence
from itertools import combinations
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from image_translation.common.names import BASELINES
from image_translation.metrics.registry import (
    HEADLINES,
    LEARNED_METRICS,
    MEASURES,
    METRICS,
    SET_METRICS,
    for_means,
)
from image_translation.statistics.estimates import (
    Contrast,
    Estimates,
    ModelScores,
    estimate,
    image_means,
    replicate_means,
    student_statistics,
)
from image_translation.statistics.groups import deviation, group_means
from image_translation.statistics.multiple_testing import step_down
from image_translation.statistics.power import detectable

logger = logging.getLogger(__name__)

SIGNIFICANCE = 0.05
"""Familywise error rate: probability of any false claim among all comparisons of a task."""

PRIMARY_SHARE = 0.5
"""Share of the error for the study's question; all other comparisons get the rest."""

MIN_GROUPS = 10
"""Minimum number of independent test groups for a verdict. With fewer groups, skewed
differences cannot be recognised, and the error of a test can be far above its level."""

STUDY = ("pix2pix", "autoencoder")
"""Pair of models that the study compared."""

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
    "family",
    "bound_low",
    "bound_high",
    "n_tests",
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
"""Effects of the 2×2 design as weights of the scores of its models.

``architecture`` is U-Net minus encoder–decoder, ``adversarial`` is with minus without the
adversarial loss, each averaged over the other factor. ``interaction`` is the effect of
the adversarial loss on the U-Net minus its effect on the encoder–decoder.
"""

MAIN_EFFECTS = ("architecture", "adversarial")

TOO_FEW_GROUPS = "too few independent photographs"
UNDECIDED = "undecided"
EQUAL = "practically equal"
TRAININGS_DIFFER = "these trainings differ"
"""First words of all verdicts other than ``<model> is better``."""


class TaskResults(NamedTuple):
    """Tables of `compare_models`, `compare_pairs` and `compare_effects` for one task."""

    comparison: pd.DataFrame
    verdicts: pd.DataFrame
    effects: pd.DataFrame


def compare_task(
    scores: Mapping[str, pd.DataFrame],
    *,
    margins: Mapping[str, float | None] = MappingProxyType({}),
    failed: Collection[str] = (),
) -> TaskResults:
    """Compare all models of a task: means, verdicts and effects of the 2×2 design.

    Args:
        scores: Scores by model; empty for a model without scores.
        margins: Margins of practical equality by metric; metrics that are not listed use
            their default.
        failed: Models with a failed training; they get no verdict.

    Raises:
        ValueError: As for `compare_models`.
    """
    tests = _test_all(scores, margins, failed)
    return TaskResults(compare_models(scores), tests.verdicts, tests.effects)


def compare_models(scores: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Mean score of every model with its 95 % interval.

    The mean is taken over replicates, then over images. The interval accounts for the
    variation between groups of images and between seeds
    (`image_translation.statistics.estimates`), and is clipped to the range of the metric.
    ``group_deviation`` is the standard deviation between the means of groups,
    ``seed_deviation`` that between the means of replicates. A model without scores keeps
    its rows, with NaN means and 0 images.

    Args:
        scores: Scores by model; empty for a model without scores.

    Returns:
        One row per model and metric, with the columns of ``comparison.csv``.

    Raises:
        ValueError: A frame lacks a column or contains a pair and replicate twice, or two
            models assign an image to different groups.
    """
    groups = _groups(scores)
    entries = _collect(scores, groups.index)
    contrasts = [
        Contrast({"model": scored.model}, scored.metric, [(1.0, scored)])
        for scored in entries
    ]
    rows: list[dict[str, object]] = []
    if entries:
        means = estimate(contrasts, groups, _pool(entries))
        rows = [
            _comparison_row(entry, means, row, groups)
            for row, entry in enumerate(entries)
        ]
    table = pd.DataFrame(rows, columns=COMPARISON_COLUMNS)
    for model in table.loc[table["n_images"] == 0, "model"].unique():
        logger.warning("%s has no scores; its rows are empty", model)
    return table


def compare_pairs(
    scores: Mapping[str, pd.DataFrame],
    *,
    margins: Mapping[str, float | None] = MappingProxyType({}),
    failed: Collection[str] = (),
) -> pd.DataFrame:
    """Compare all pairs of models with scores, on their common images.

    ``difference`` is the mean over images of a - b with its 95 % interval, and
    ``p_value`` tests the same quantity. Both account for the variation between groups
    and between seeds (`image_translation.statistics.estimates.estimate`). ``p_adjusted`` is
    corrected for all comparisons of the task by the step-down maximum of the joint
    reference distribution. Half of the error is for the study's question, the primary
    family, and half for all other comparisons; these get all of it if every primary
    difference is claimed. ``bound_low`` and ``bound_high`` are simultaneous bounds of all
    differences, for claims on their signs and on practical equality. If a later step of
    the correction claims a difference, one bound can be 0, since such a claim gives a sign
    but no size. ``win_rate`` is the share of images where a is better; ties count half.
    ``effect_size`` is the difference in units of the standard deviation between groups.

    Verdicts:

    - ``too few independent photographs``: there are fewer than 10 groups.
    - ``<model> is better``: ``p_adjusted`` is below 0.05.
    - ``these trainings differ``: the same, but a trained model has a single training, so
      that its variation between seeds is unknown.
    - ``practically equal``: the bounds are within the margin of the metric.
    - ``undecided``: none of these, with the true difference that the test finds with a
      power of 80 %; or a training of one of the models failed; or the bounds are within
      the margin, but a trained model has a single training.

    Baselines are not compared with each other.

    Args:
        scores: Scores by model; empty for a model without scores.
        margins: Margins of practical equality by metric, None for no margin; metrics
            that are not listed use their default.
        failed: Models with a failed training; they get no verdict.

    Returns:
        One row per pair of models and metric, with the columns of ``verdicts.csv``.

    Raises:
        ValueError: As for ``compare_models``.
    """
    return _test_all(scores, margins, failed).verdicts


def compare_effects(
    scores: Mapping[str, pd.DataFrame],
    *,
    margins: Mapping[str, float | None] = MappingProxyType({}),
    failed: Collection[str] = (),
) -> pd.DataFrame:
    """Test the effects of the 2×2 design (``EFFECTS``) like `compare_pairs`.

    ``win_rate`` is the share of images that the effect improves; ties count half. It is
    NaN for the interaction, which has no better direction.

    Args:
        scores: Scores by model; empty for a model without scores.
        margins: As for `compare_pairs`.
        failed: As for `compare_pairs`.

    Returns:
        One row per effect and metric, with the columns of ``effects.csv``; no rows if
        one of the four models has no scores.
    """
    return _test_all(scores, margins, failed).effects


def correct_for_tasks(table: pd.DataFrame, tasks: int) -> pd.DataFrame:
    """Correct verdicts or effects of one task for a number of tasks (Bonferroni).

    Claims that are no longer significant become undecided. Verdicts of practical equality
    are not corrected.

    Args:
        table: ``verdicts.csv`` or ``effects.csv``.
        tasks: Number of tasks.

    Returns:
        The same rows with new ``p_adjusted`` and ``verdict``.
    """
    p_adjusted = np.minimum(table["p_adjusted"] * tasks, 1)
    lost = (table["p_adjusted"] < SIGNIFICANCE) & (p_adjusted >= SIGNIFICANCE)
    lost &= ~table["verdict"].str.startswith((TOO_FEW_GROUPS, UNDECIDED))
    said = f"{UNDECIDED} (no longer claimed when {tasks} tasks are read together)"
    return table.assign(
        p_adjusted=p_adjusted, verdict=table["verdict"].mask(lost, said)
    )


class _Tests(NamedTuple):
    verdicts: pd.DataFrame
    effects: pd.DataFrame


def _test_all(
    scores: Mapping[str, pd.DataFrame],
    margins: Mapping[str, float | None],
    failed: Collection[str],
) -> _Tests:
    """All comparisons of a task, corrected jointly."""
    groups = _groups(scores)
    with_scores = {model: frame for model, frame in scores.items() if len(frame)}
    entries = [
        entry
        for entry in _collect(with_scores, groups.index)
        if entry.metric not in _LEVELS
    ]
    pairs, effects = _pair_contrasts(entries), _effect_contrasts(entries)
    contrasts = pairs + effects
    if not contrasts:
        return _Tests(
            pd.DataFrame(columns=VERDICT_COLUMNS), pd.DataFrame(columns=EFFECT_COLUMNS)
        )
    found = estimate(contrasts, groups, _pool(entries))
    table = pd.DataFrame(
        [_contrast_row(contrast, found, row) for row, contrast in enumerate(contrasts)]
    )
    table = table.assign(**_correct(table["family"].to_numpy(), found))
    table["verdict"] = [
        _verdict_of(contrast, row, margins, failed)
        for contrast, row in zip(contrasts, table.to_dict("records"), strict=True)
    ]
    table.loc[table["effect"] == "interaction", "win_rate"] = np.nan
    verdicts, effects_table = table[: len(pairs)], table[len(pairs) :]
    return _Tests(
        verdicts.reset_index(drop=True).reindex(columns=VERDICT_COLUMNS),
        effects_table.reset_index(drop=True).reindex(columns=EFFECT_COLUMNS),
    )


_LEVELS = {name for name in SET_METRICS if name.startswith("swd_")}
"""Levels of the sliced Wasserstein distance: reported next to their mean, not tested."""


def _pair_contrasts(entries: Sequence[ModelScores]) -> list[Contrast]:
    return [
        Contrast(
            {"model_a": a.model, "model_b": b.model, "effect": ""},
            a.metric,
            [(1.0, a), (-1.0, b)],
        )
        for a, b in combinations(entries, 2)
        if a.metric == b.metric and not {a.model, b.model}.issubset(BASELINES)
    ]


def _effect_contrasts(entries: Sequence[ModelScores]) -> list[Contrast]:
    by_metric: dict[str, dict[str, ModelScores]] = {}
    for entry in entries:
        by_metric.setdefault(entry.metric, {})[entry.model] = entry
    return [
        Contrast({"effect": effect}, metric, [(w, of[m]) for m, w in weights.items()])
        for metric, of in by_metric.items()
        for effect, weights in EFFECTS.items()
        if set(weights) <= set(of)
    ]


def _is_primary(contrast: Contrast) -> bool:
    """True for the study's question: its pair of models, and the two main effects."""
    names = contrast.names
    models = {names.get("model_a"), names.get("model_b")}
    asked = models == set(STUDY) or names["effect"] in MAIN_EFFECTS
    return asked and contrast.metric in HEADLINES


def _pool(entries: Sequence[ModelScores]) -> list[ModelScores]:
    """Trained models, which are pooled to estimate the variance between seeds."""
    return [entry for entry in entries if entry.model not in BASELINES]


def _contrast_row(contrast: Contrast, found: Estimates, row: int) -> dict[str, Any]:
    values = contrast.image_values()
    spread = found.group_deviation[row]
    value = found.value[row]
    with np.errstate(divide="ignore", invalid="ignore"):
        effect_size = np.divide(value, spread) if value else 0.0
    return {
        **contrast.names,
        "metric": contrast.metric,
        "difference": value,
        "ci_low": found.low[row],
        "ci_high": found.high[row],
        "p_value": found.p_value[row],
        "win_rate": _win_rate(contrast.metric, values[~np.isnan(values)]),
        "n_groups": found.n_groups[row],
        "effect_size": effect_size if found.n_groups[row] > 1 else np.nan,
        "family": "primary" if _is_primary(contrast) else "secondary",
    }


def _correct(families: NDArray, found: Estimates) -> dict[str, Any]:
    """Corrected p-values, simultaneous bounds and detectable differences."""
    number = len(families)
    p_adjusted, critical = np.full(number, np.nan), np.full(number, np.nan)
    widest = np.full(number, np.nan)
    n_tests = np.zeros(number, dtype=int)
    tested = found.n_groups > 1
    primary = tested & (families == "primary")
    secondary = tested & (families == "secondary")
    share = PRIMARY_SHARE if primary.any() else 0.0
    if primary.any():
        p_values, critical[primary], widest[primary] = _step_down(
            found, primary, SIGNIFICANCE * share
        )
        p_adjusted[primary] = np.minimum(p_values / share, 1)
    if secondary.any():
        rest = 1 - share
        # The secondary family inherits the error that the primary family has not spent.
        least = p_adjusted[primary].max(initial=0.0)
        level = SIGNIFICANCE * (1.0 if least < SIGNIFICANCE else rest)
        p_values, critical[secondary], widest[secondary] = _step_down(
            found, secondary, level
        )
        p_adjusted[secondary] = np.minimum(
            np.minimum(p_values / rest, 1), np.maximum(p_values, least)
        )
    n_tests[primary], n_tests[secondary] = primary.sum(), secondary.sum()
    low, high = _bounds(found, widest, p_adjusted < SIGNIFICANCE)
    return {
        "p_adjusted": p_adjusted,
        "bound_low": low,
        "bound_high": high,
        "detectable_difference": detectable(found.error, found.df, critical),
        "n_tests": n_tests,
    }


def _step_down(
    found: Estimates, chosen: NDArray[np.bool_], level: float
) -> tuple[NDArray, NDArray, NDArray]:
    """Corrected p-values; critical t statistics of each alone and of all jointly."""
    p_values, critical = step_down(
        np.abs(found.statistic[chosen]), np.abs(found.reference[:, chosen]), level
    )
    df = found.df[chosen]
    return (
        p_values,
        student_statistics(critical, df),
        student_statistics(critical.max(), df),
    )


def _bounds(
    found: Estimates, critical: NDArray, claimed: NDArray[np.bool_]
) -> tuple[NDArray, NDArray]:
    """Simultaneous bounds of all differences, compatible with the step-down claims.

    A difference that is claimed by a later step only has a bound of 0: such a step shows
    that it is not 0, but not how large it is (Strassburger & Bretz 2008, "Compatible
    simultaneous lower confidence bounds for the Holm procedure and other
    Bonferroni-based closed tests").
    """
    unlimited = np.isinf(critical)
    margin = np.where(unlimited, np.inf, np.where(unlimited, 0, critical) * found.error)
    low, high = found.value - margin, found.value + margin
    low = np.where(claimed & (found.value > 0), np.maximum(low, 0), low)
    high = np.where(claimed & (found.value < 0), np.minimum(high, 0), high)
    return low, high


def _groups(scores: Mapping[str, pd.DataFrame]) -> pd.Series:
    """Group of every image that any model has a score for, by pair_id."""
    known = []
    for model, frame in scores.items():
        if frame.empty:
            continue
        keys = ["pair_id", "replicate"]
        missing = [name for name in (*keys, "group") if name not in frame]
        if missing:
            raise ValueError(f"scores of {model} lack the columns {missing}")
        if frame.duplicated(keys).any():
            raise ValueError(f"scores of {model} contain a pair and replicate twice")
        known.append(frame[["pair_id", "group"]])
    if not known:
        return pd.Series(dtype=object)
    groups = pd.concat(known).drop_duplicates().set_index("pair_id")["group"]
    if groups.index.has_duplicates:
        twice = groups.index[groups.index.duplicated()][0]
        raise ValueError(f"pair {twice} is in more than one group")
    return groups.sort_index()


def _collect(scores: Mapping[str, pd.DataFrame], images: pd.Index) -> list[ModelScores]:
    """Scores of all models by all metrics, ordered by model, then by metric."""
    scored = [frame for frame in scores.values() if not frame.empty]
    metrics = [
        metric
        for metric in (*METRICS, *LEARNED_METRICS, *SET_METRICS)
        if (metric in METRICS and not scored)
        or any(metric in frame for frame in scored)
    ]
    return [
        ModelScores(model, metric, _by_replicate(model, frame, metric, images))
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
            "%s: ignoring %s images for %s, since a replicate has no score for them",
            model,
            partly,
            metric,
        )
    return np.where(lacking[:, np.newaxis], np.nan, values)


def _comparison_row(
    entry: ModelScores, means: Estimates, row: int, groups: pd.Series
) -> dict[str, object]:
    values = image_means(entry)
    scored = ~np.isnan(values)
    measure = MEASURES[entry.metric]
    # With few groups an interval may exceed the range of the metric.
    low, high = np.clip([means.low[row], means.high[row]], *measure.range)
    return {
        "model": entry.model,
        "metric": entry.metric,
        "mean": means.value[row],
        "ci_low": low,
        "ci_high": high,
        "n_images": int(scored.sum()),
        "n_groups": int(means.n_groups[row]),
        "n_replicates": entry.values.shape[1] if scored.any() else 0,
        "higher_is_better": measure.higher_is_better,
        "group_deviation": deviation(group_means(values, groups)),
        "seed_deviation": deviation(replicate_means(entry)),
    }


def _win_rate(metric: str, differences: NDArray[np.float64]) -> float:
    if not len(differences):
        return np.nan
    better = np.sign(differences) * (1 if MEASURES[metric].higher_is_better else -1)
    return float((better.mean() + 1) / 2)


def _verdict_of(
    contrast: Contrast,
    row: Mapping[Any, Any],
    margins: Mapping[str, float | None],
    failed: Collection[str],
) -> str:
    """Verdict: the claim, or the reason why there is none."""
    measure = MEASURES[contrast.metric]
    models = [scores.model for _, scores in contrast.parts]
    unfinished = [model for model in models if model in failed]
    if row["n_groups"] < MIN_GROUPS:
        return TOO_FEW_GROUPS
    if unfinished:
        return f"{UNDECIDED} (a training of {unfinished[0]} failed)"
    one_training = any(
        scores.model not in BASELINES and scores.values.shape[1] == 1
        for _, scores in contrast.parts
    )
    if row["p_adjusted"] < SIGNIFICANCE:
        return TRAININGS_DIFFER if one_training else _claim(contrast, row)
    margin = margins.get(contrast.metric, measure.margin)
    if row["difference"] == row["bound_low"] == row["bound_high"] == 0:
        within = "the scores are equal"
    elif margin and max(-row["bound_low"], row["bound_high"]) <= margin:
        within = f"within ±{_significant(margin)} {measure.unit}".rstrip()
    else:
        return f"{UNDECIDED} ({_could_be_found(row, measure.unit)})"
    if one_training:
        return f"{UNDECIDED} (these trainings are {EQUAL}: {within})"
    return f"{EQUAL} ({within})"


def _claim(contrast: Contrast, row: Mapping[Any, Any]) -> str:
    is_better = (row["difference"] > 0) == MEASURES[contrast.metric].higher_is_better
    if not row["effect"]:
        return f"{row['model_a' if is_better else 'model_b']} is better"
    if row["effect"] == "interaction":
        return "depends"
    return "improves" if is_better else "harms"


def _could_be_found(row: Mapping[Any, Any], unit: str) -> str:
    size = f"{_significant(row['detectable_difference'])} {unit}".rstrip()
    return f"a true difference of {size} would be found in four cases out of five"


def _significant(value: float) -> str:
    """Format with two significant digits, without an exponent."""
    return np.format_float_positional(value, precision=2, fractional=False, trim="-")
