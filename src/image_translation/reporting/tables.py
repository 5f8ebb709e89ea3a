"""Tables and tiles of the report, with formatted numbers."""

import math
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from image_translation.common import wording
from image_translation.common.names import COPY_INPUT
from image_translation.metrics import HEADLINES, MEASURES, METRICS, for_means
from image_translation.reporting import formatting
from image_translation.reporting.conclusions import (
    CLAIMS,
    Outcome,
    best_models,
    failed_models,
    metrics_of,
    missing_models,
    outcome_of,
    scored_models,
    trained_models,
)
from image_translation.reporting.gallery import choose_encoder
from image_translation.reporting.report_content import GalleryItem, Image, ReportContent

EFFECTS = {
    "architecture": (
        "U-Net instead of encoder–decoder",
        "mean over both objectives",
    ),
    "adversarial": (
        "With instead of without the adversarial loss",
        "mean over both networks",
    ),
    "interaction": (
        "Interaction",
        "effect of the adversarial loss on the U-Net minus that on the encoder–decoder",
    ),
}
"""Effect → its title and definition."""

FURTHER_TABLES = {
    "fidelity": (
        "More on fidelity",
        "Agreement with the target, pixel by pixel or window by window.",
    ),
    "colour": (
        "Colour",
        "Perceptual agreement of the colours with those of the target.",
    ),
    "realism": (
        "Realism",
        "Similarity of all predictions to all targets as sets, whether or not each "
        "prediction agrees with its own target.",
    ),
    "learned": ("Learned metrics", "Differences in the features of trained networks."),
}
"""Family → title of its table and description of its metrics."""

GALLERY_OPEN = 2
"""Number of images in the gallery that are shown at once."""

_PAIR_ID = re.compile("[0-9a-f]{16}")
"""The name of a group without a name of its own; says nothing to readers."""

GALLERY_BYTES = 20 * 2**20
"""Maximum size of the gallery's images, so that the page stays below 25 MiB."""


@dataclass(frozen=True)
class Cell:
    """A mean with its interval and marks, formatted."""

    mean: str
    interval: str = ""
    badge: str = ""


@dataclass(frozen=True)
class ModelRow:
    """A model in the main table; ``missing`` is the reason why it has no cells."""

    model: str
    about: str
    cells: Sequence[Cell] = ()
    missing: str = ""


@dataclass(frozen=True)
class ScoreTable:
    """The scores of all models on some metrics; ``about`` describes the metrics."""

    title: str
    about: str
    metrics: Sequence[str]
    rows: Sequence[ModelRow]


@dataclass(frozen=True)
class PairRow:
    """Two models on one metric."""

    a: str
    b: str
    difference: str
    interval: str
    win_rate: str
    p: str
    n_groups: str
    verdict: str
    outcome: Outcome


@dataclass(frozen=True)
class JudgedRow:
    """Two judged candidates; ``b`` is empty for the target."""

    a: str
    b: str
    rate: str
    interval: str
    p: str
    n_images: str
    n: str
    undecided: str
    reading: str


@dataclass(frozen=True)
class CostRow:
    """Cost of a model."""

    model: str
    network: str
    objective: str
    parameters: str
    gmac: str
    seconds: str
    speed: str
    best_epoch: str
    replicates: str
    failure: str


@dataclass(frozen=True)
class Score:
    """One score under an image."""

    metric: str
    value: str
    best: bool


@dataclass(frozen=True)
class Tile:
    """One image of the gallery.

    Attributes:
        side: ``input`` or ``target``; empty for a prediction.
        title: Its role, in words; empty for a prediction.
        model: The model of this image; empty for the target.
        source: The image as a URI.
        alt: Alternative text.
        scores: The model's scores on it.
    """

    side: str
    title: str
    model: str
    source: str
    alt: str
    scores: Sequence[Score]


@dataclass(frozen=True)
class GalleryRow:
    """One test image with the predictions of all models."""

    name: str
    group: str
    why: str
    tiles: Sequence[Tile]


@dataclass(frozen=True)
class EffectCell:
    """One effect on one metric; a claim is more than a difference of means."""

    difference: str
    interval: str
    verdict: str
    is_claim: bool


@dataclass(frozen=True)
class Effect:
    """One effect of the 2×2 on every metric."""

    name: str
    about: str
    cells: Sequence[EffectCell]


def score_tables(content: ReportContent) -> list[ScoreTable]:
    """A table for the metrics of the question, and one for each other family."""
    known = metrics_of(content)
    tables: list[tuple[str, str, Sequence[str]]] = [("", "", HEADLINES)]
    tables += [
        (title, about, [m for m in known if m not in HEADLINES and _is_of(m, family)])
        for family, (title, about) in FURTHER_TABLES.items()
    ]
    return [
        ScoreTable(
            title,
            f"{about} {_floor_note(content, metrics)}".strip(),
            metrics,
            _model_rows(content, metrics),
        )
        for title, about, names in tables
        if (metrics := [metric for metric in names if metric in known])
    ]


def _floor_note(content: ReportContent, metrics: Sequence[str]) -> str:
    """A note on distances between sets of real images; empty for other metrics."""
    if content.floors is None:
        return ""
    rows = content.floors[content.floors["metric"].isin(metrics)]
    rows = rows[rows["floor"].notna()]
    if rows.empty:
        return ""
    size = rows.iloc[0]
    corrected = "All but FID" if "fid" in metrics else "All"
    halves = ", ".join(
        f"{formatting.label(row['metric'])} {formatting.value(row['metric'], row['floor'])}"
        for _, row in rows.iterrows()
    )
    return (
        f"Distances between sets of n = {formatting.whole(size['n_images'])} images, "
        f"{formatting.whole(size['n_groups'])} independent; values of different n are not "
        f"comparable. {corrected} are corrected for n: sets of the same distribution "
        "have an average distance of 0. The uncorrected distance between two halves of "
        f"the targets is: {halves}."
    )


def _is_of(metric: str, family: str) -> bool:
    return MEASURES[metric].family == family


def _model_rows(content: ReportContent, metrics: Sequence[str]) -> list[ModelRow]:
    """Every model of the task; those without scores with their reason."""
    about = {row["model"]: _about(row) for _, row in content.models.iterrows()}
    for model, reason, trainings in failed_models(content):
        about[model] += f" · {reason}; {wording.count(trainings, 'training')} scored"
    missing = dict(missing_models(content))
    order = list(dict.fromkeys([*content.models["model"], *scored_models(content)]))
    badges = {metric: _badges(content, metric) for metric in metrics}
    rows = content.comparison.to_dict("records")
    means = {(row["model"], row["metric"]): row for row in rows}
    return [
        ModelRow(model, about.get(model, ""), missing=missing[model])
        if model in missing
        else ModelRow(
            model,
            about.get(model, ""),
            [
                _cell(means, model, metric, badges[metric].get(model, ""))
                for metric in badges
            ],
        )
        for model in order
    ]


def pair_rows(content: ReportContent, metric: str) -> list[PairRow]:
    """All pairs of models on a metric."""
    more = MEASURES[metric].higher_is_better
    table = content.verdicts[content.verdicts["metric"] == metric]
    return [
        PairRow(
            a=row["model_a"],
            b=row["model_b"],
            difference=formatting.signed(metric, row["difference"]),
            interval=formatting.interval(
                metric, row["ci_low"], row["ci_high"], signs=True
            ),
            win_rate=formatting.percent(row["win_rate"]),
            p=formatting.p_value(row["p_adjusted"]),
            n_groups=formatting.whole(row["n_groups"]),
            verdict=formatting.text(row["verdict"]) + _disagreement(row),
            outcome=outcome_of(row, more),
        )
        for _, row in table.iterrows()
    ]


_OUTCOMES: Mapping[Outcome, str] = {
    "better": "decided",
    "worse": "decided",
    "equal": "practically equal",
    "differ": "about these trainings only",
    "open": "undecided",
    "failed": "without a verdict",
    "few": "too few photographs",
}


def summarize_pairs(rows: Sequence[PairRow]) -> str:
    """Count the outcomes of comparisons: ``21 comparisons: 8 decided, 13 undecided``."""
    counts = Counter(_OUTCOMES[row.outcome] for row in rows)
    total = wording.count(len(rows), "comparison")
    return f"{total}: " + ", ".join(f"{n} {said}" for said, n in counts.items())


def _disagreement(row: pd.Series) -> str:
    """A remark if the mean favours a model and most images favour the other one."""
    claimed = str(row["verdict"]).removesuffix(" is better")
    ahead = {row["model_a"]: row["win_rate"], row["model_b"]: 1 - row["win_rate"]}
    if claimed not in ahead or not ahead[claimed] < 0.5:
        return ""
    other = row["model_a"] if claimed == row["model_b"] else row["model_b"]
    return f" on average; {other} is ahead on {formatting.percent(ahead[other])} of the images"


def count_tests(content: ReportContent) -> dict[str, int]:
    """Number of tests that are corrected together, by family."""
    counts = {"primary": 0, "secondary": 0}
    for table in (content.verdicts, content.effects):
        for family, number in table["family"].value_counts().items():
            counts[str(family)] += int(number)
    return counts


def effects(content: ReportContent, metrics: Sequence[str]) -> list[Effect]:
    """Effects of architecture and adversarial loss; empty without all four models."""
    table = content.effects[content.effects["metric"].isin(metrics)]
    return [
        Effect(name, about, [_effect(row) for _, row in rows.iterrows()])
        for effect, (name, about) in EFFECTS.items()
        if len(rows := table[table["effect"] == effect])
    ]


def judged_rows(study: pd.DataFrame, kind: str) -> list[JudgedRow]:
    """Preferences in questions of one kind.

    Args:
        study: ``human_study.csv``.
        kind: ``preference`` or ``reality``.
    """
    return [
        JudgedRow(
            a=row["model_a"],
            b=row["model_b"] if kind == "preference" else "",
            rate=formatting.percent(row["rate"]),
            interval=(
                f"{formatting.percent(row['ci_low'])} to {formatting.percent(row['ci_high'])}"
                if pd.notna(row["ci_low"])
                else ""
            ),
            p=formatting.p_value(row["p_adjusted"]),
            n_images=formatting.whole(row["n_images"]),
            n=formatting.whole(row["n"]),
            undecided=formatting.whole(row["undecided"]),
            reading=row["verdict"],
        )
        for _, row in study[study["kind"] == kind].iterrows()
    ]


def cost_rows(content: ReportContent) -> list[CostRow]:
    """Size, operations and time of every trained model; baselines cost nothing."""
    shown = content.models[content.models["status"].isin(("trained", "failed"))]
    failures = {
        row["model"]: f"failed: {formatting.text(row['reason'])}".removesuffix(": ")
        for _, row in shown[shown["status"] == "failed"].iterrows()
    }
    return [
        CostRow(
            model=row["model"],
            network=formatting.text(row["network"]),
            objective=formatting.text(row["objective"]),
            parameters=formatting.quantity(
                _positive(row["parameters"]), unit=1e6, suffix=" M"
            ),
            gmac=formatting.quantity(_positive(row["gmac"])),
            seconds=formatting.duration(_positive(row["seconds"])),
            speed=formatting.quantity(_positive(row["images_per_second"])),
            best_epoch=formatting.whole(row["best_epoch"]),
            replicates=formatting.whole(row["replicates"]),
            failure=failures.get(row["model"], ""),
        )
        for _, row in shown.iterrows()
    ]


def gallery_rows(
    content: ReportContent, encode: Callable[[Image], str], limit: int | None = None
) -> list[GalleryRow]:
    """The gallery, as many rows as its budget of bytes allows.

    Args:
        content: Content of the report.
        encode: Converts an image to a URI.
        limit: Maximum number of rows.
    """
    models = scored_models(content)
    trained = set(trained_models(content))
    rows: list[GalleryRow] = []
    weight = 0
    for item in content.gallery[:limit]:
        row = _gallery_row(content, item, models, trained, encode)
        weight += sum(len(tile.source) for tile in row.tiles)
        if rows and weight > GALLERY_BYTES:
            break
        rows.append(row)
    return rows


def gallery_encoder(content: ReportContent) -> Callable[[Image], str]:
    """The encoder of the gallery's images."""
    sample = [
        image
        for item in content.gallery[:2]
        for image in (item.input, item.target, *item.predictions.values())
    ]
    return choose_encoder(sample, len(sample) * len(content.gallery) // 2)


def gallery_data(
    content: ReportContent, rows: Sequence[GalleryRow]
) -> dict[str, object]:
    """Data for sorting the gallery: models, metrics and the scores of every row."""
    scores = [item.scores for item in content.gallery[: len(rows)]]
    measured = {name for item in scores for own in item.values() for name in own}
    return {
        "trained": trained_models(content),
        "models": scored_models(content),
        "metrics": [
            {
                "name": metric.name,
                "label": metric.label,
                "higher": metric.higher_is_better,
            }
            for metric in METRICS.values()
            if metric.name in measured
        ],
        "samples": [
            {
                model: {m: _sortable(m, value) for m, value in own.items()}
                for model, own in item.items()
            }
            for item in scores
        ],
    }


def _sortable(metric: str, value: float) -> float | None:
    """A score as used in means; None if JSON cannot represent it."""
    counted = float(for_means(metric, value))
    return counted if math.isfinite(counted) else None


def _about(row: pd.Series) -> str:
    if row["status"] == "baseline":
        return "baseline, not trained"
    parts = [formatting.text(row[part]) for part in ("network", "objective")]
    return " · ".join(filter(None, parts))


def _cell(means: Mapping[Any, Any], model: str, metric: str, badge: str) -> Cell:
    if (model, metric) not in means:
        return Cell(formatting.NOTHING)
    row = means[model, metric]
    return Cell(
        formatting.value(metric, row["mean"]),
        formatting.interval(metric, row["ci_low"], row["ci_high"]),
        badge,
    )


def _badges(content: ReportContent, metric: str) -> dict[str, str]:
    """Model → badge: the best of all, and the best trained one if it differs."""
    trained = best_models(content, trained_models(content), metric)
    overall = best_models(content, scored_models(content), metric)
    return dict.fromkeys(trained, "best trained") | dict.fromkeys(overall, "best")


def _effect(row: pd.Series) -> EffectCell:
    metric, verdict = row["metric"], formatting.text(row["verdict"])
    return EffectCell(
        formatting.signed(metric, row["difference"]),
        formatting.interval(metric, row["ci_low"], row["ci_high"], signs=True),
        verdict.partition(" (")[0],
        is_claim=verdict in CLAIMS,
    )


def _gallery_row(
    content: ReportContent,
    item: GalleryItem,
    models: Sequence[str],
    trained: set[str],
    encode: Callable[[Image], str],
) -> GalleryRow:
    best = _best_by_metric(content, item, trained)
    order = [model for model in models if model in item.predictions]
    order += [model for model in item.predictions if model not in order]
    # the copy of the input equals the input: embedded once, with the copy's scores
    copied = COPY_INPUT in item.predictions and np.array_equal(
        item.predictions[COPY_INPUT], item.input
    )
    copy = COPY_INPUT if copied else ""

    def tile(side: str, model: str, image: Image) -> Tile:
        title = _role_title(content, side) if side else ""
        return _tile(item, side, title, model, encode(image), best)

    tiles = [
        tile("input", copy, item.input),
        tile("target", "", item.target),
    ]
    tiles += [
        tile("", model, item.predictions[model]) for model in order if model != copy
    ]
    group = "" if _PAIR_ID.fullmatch(item.group) else item.group
    return GalleryRow(item.name, group, item.why, tiles)


def _tile(
    item: GalleryItem,
    side: str,
    title: str,
    model: str,
    source: str,
    best: Mapping[str, set[str]],
) -> Tile:
    scores = _scores(item, model, best)
    said = ", ".join(f"{score.metric} {score.value}" for score in scores)
    subject = title.lower() or f"prediction of {model}"
    alt = f"{item.name}: {subject}" + (f" ({said})" if said else "")
    return Tile(side, title, model, source, alt, scores)


def _role_title(content: ReportContent, side: str) -> str:
    """``Input`` or ``Target``, labelled if a recipe derived it."""
    return side.capitalize() + (" (derived)" if content.data.derived == side else "")


def _scores(item: GalleryItem, model: str, best: Mapping[str, set[str]]) -> list[Score]:
    return [
        Score(
            formatting.label(metric),
            formatting.value(metric, number),
            model in best[metric],
        )
        for metric, number in item.scores.get(model, {}).items()
        if metric in HEADLINES
    ]


def _best_by_metric(
    content: ReportContent, item: GalleryItem, trained: set[str]
) -> dict[str, set[str]]:
    """Metric → the trained models that are best on this image."""
    metrics = dict.fromkeys(m for scores in item.scores.values() for m in scores)
    known = set(metrics_of(content))
    best: dict[str, set[str]] = {}
    for metric in metrics:
        values = {
            model: scores[metric]
            for model, scores in item.scores.items()
            if model in trained and metric in scores
        }
        best[metric] = set()
        if len(values) > 1 and metric in known:
            choose = max if MEASURES[metric].higher_is_better else min
            top = choose(values.values())
            best[metric] = {model for model, number in values.items() if number == top}
    return best


def _positive(number: object) -> float:
    """A positive number; NaN for anything else, such as a baseline's cost."""
    known = isinstance(number, int | float | np.number) and number > 0
    return float(number) if known else math.nan  # type: ignore[arg-type]
