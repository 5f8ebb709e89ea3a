"""The figures of a report, each drawn once for the page and for other tools."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from image_translation.reporting import figures
from image_translation.reporting.conclusions import headlines_of, scored_models
from image_translation.reporting.report_content import ReportContent

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Drawings:
    """Figures that are on the page, and in one file per kind.

    Attributes:
        comparison: Means with intervals, by metric of the study's question.
        curves: Learning curves, by column of the histories.
        distributions: Scores of all images, by metric of the study's question.
    """

    comparison: Mapping[str, "Figure"]
    curves: Mapping[str, "Figure"]
    distributions: Mapping[str, "Figure"]


def draw_figures(content: ReportContent) -> Drawings:
    """Draw the figures of a report."""
    metrics = headlines_of(content)
    order = [model for model in scored_models(content) if model in content.scores]
    measured = [
        metric
        for metric in metrics
        if order and all(metric in content.scores[model] for model in order)
    ]
    best = _selected_epochs(content)
    return Drawings(
        {
            metric: figures.comparison_chart(content.comparison, metric)
            for metric in metrics
        },
        {
            curve: figures.learning_curve(content.histories, curve, best)
            for curve in figures.curves_of(content.histories)
        },
        {
            metric: figures.score_distribution(content.scores, metric, order)
            for metric in measured
        },
    )


def _selected_epochs(content: ReportContent) -> dict[str, float]:
    """Model → the epoch that its first training selected."""
    first = content.models["best_epoch"].astype(str).str.partition(", ")[0]
    epochs = pd.to_numeric(first, errors="coerce")
    return dict(zip(content.models["model"], epochs, strict=True))
