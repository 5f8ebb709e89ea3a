"""The report: one self-contained HTML page."""

import re
import textwrap
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from markupsafe import Markup

from image_translation.common import wording
from image_translation.common.names import COPY_INPUT, TEST
from image_translation.metrics import INFINITE_PSNR_IN_MEANS, MEASURES
from image_translation.reporting import figures, formatting, tables
from image_translation.reporting.answer import short_answer
from image_translation.reporting.conclusions import (
    count_tested,
    draw_conclusions,
    headlines_of,
    infinite_psnr,
    mean_of,
    metrics_of,
    on_front,
    scored_models,
    trained_models,
)
from image_translation.reporting.drawings import Drawings, draw_figures
from image_translation.reporting.epochs import convergence, epoch_rows
from image_translation.reporting.evaluations import describe_evaluations, describe_seal
from image_translation.reporting.gallery import describe_choice, describe_encoder
from image_translation.reporting.hypothesis import judge_hypothesis
from image_translation.reporting.promotion_text import PromotionText, describe_promotion
from image_translation.reporting.published import NETWORKS, shared_differences
from image_translation.reporting.report_content import ReportContent
from image_translation.reporting.svg import inline_svg
from image_translation.reporting.templates import (
    read_resource,
    read_template,
    script_json,
)
from image_translation.reporting.trust import (
    describe_calibration,
    judge_trust,
    plan_rows,
)
from image_translation.reporting.typical import (
    describe_typical,
    rank_tiles,
    typical_image,
)
from image_translation.statistics.comparison import (
    MIN_GROUPS,
    SIGNIFICANCE,
    TaskResults,
)
from image_translation.statistics.estimates import DRAWS, MIN_RESAMPLED

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def render_report(content: ReportContent, drawings: Drawings | None = None) -> str:
    """Write the report of one task.

    The page has no external references, and the same content gives the same bytes.

    Args:
        content: Content of the report.
        drawings: Its figures; drawn by default.

    Returns:
        An HTML document.
    """
    metrics = metrics_of(content)
    images, groups = count_tested(content)
    scores = tables.score_tables(content)
    headlines = headlines_of(content)
    script = read_resource("gallery.js") + read_resource("copy_tables.js")
    typical = typical_image(content)
    drawings = drawings or draw_figures(content)
    encode = tables.gallery_encoder(content)
    shown = tables.gallery_rows(content, encode)
    short = short_answer(
        TaskResults(content.comparison, content.verdicts, content.effects)
    )
    return read_template("report.html").render(
        script=Markup(script),
        task=formatting.title(content.task),
        content=content,
        short=short,
        trust=judge_trust(
            short.outcomes.values(),
            is_sealed=content.subset != TEST,
            is_leaky=bool(content.data.leaks) and content.subset == TEST,
        ),
        tiles=rank_tiles(typical, content.comparison),
        about_typical=describe_typical(typical, images, content.subset),
        answer=draw_conclusions(content),
        looks=describe_evaluations(content.looks) if content.subset == TEST else "",
        seal=describe_seal(content.subset, content.looks),
        hypothesis=judge_hypothesis(content.verdicts, content.effects),
        metrics=[MEASURES[metric] for metric in metrics],
        copy_scored=COPY_INPUT in scored_models(content),
        n_images=images,
        n_groups=groups,
        min_groups=MIN_GROUPS,
        draws=f"{DRAWS:,}",
        min_resampled=MIN_RESAMPLED,
        families=tables.count_tests(content),
        calibration=describe_calibration(content.calibration),
        plan=plan_rows(content.plan),
        significance=SIGNIFICANCE,
        trainings=_trainings(content),
        scores=scores,
        baseline_leads=any(
            cell.badge == "best trained"
            for table in scores
            for row in table.rows
            for cell in row.cells
        ),
        measures=MEASURES,
        comparison=_comparison_figures(drawings),
        pairs={
            metric: rows
            for metric in metrics
            if (rows := tables.pair_rows(content, metric))
        },
        effects={
            "": tables.effects(content, headlines),
            "on all other metrics": tables.effects(
                content, [metric for metric in metrics if metric not in headlines]
            ),
        },
        effect_metrics={
            "": headlines,
            "on all other metrics": [
                metric
                for metric in dict.fromkeys(content.effects["metric"])
                if metric not in headlines
            ],
        },
        plane=_plane_figure(content),
        front=on_front(content, ("mse", "swd")),
        summarize_pairs=tables.summarize_pairs,
        gallery=shown,
        n_open=tables.GALLERY_OPEN,
        gallery_data=script_json(tables.gallery_data(content, shown)),
        chosen=describe_choice(len(shown), images, content.subset),
        embedded=describe_encoder(encode),
        curves=_curve_figures(content, drawings),
        convergence=convergence(content).sentence,
        epochs=epoch_rows(content),
        promotion=_promotion(content),
        **_judged(content),
        distributions=_distribution_figures(content, drawings),
        costs=tables.cost_rows(content),
        left_out=_findings(content.data.left_out),
        findings=_findings(content.data.findings),
        warned=(content.data.findings["severity"] != "info").any(),
        unexplained=_unexplained(content),
        splits=_splits(content.data.splits),
        marks_groups=1 < groups <= figures.MAX_GROUP_TICKS,
        infinite=infinite_psnr(content),
        psnr_cap=f"{INFINITE_PSNR_IN_MEANS:.0f}",
        protocol=_protocol(content),
        studied=(studied := [m for m in scored_models(content) if m in NETWORKS]),
        unpublished=shared_differences(content.settings, studied),
    )


def _svg(figure: "Figure", prefix: str, description: str) -> Markup:
    return Markup(inline_svg(figure, prefix, description))


def _promotion(content: ReportContent) -> PromotionText | None:
    if content.promotion is None or content.promotions is None:
        return None
    return describe_promotion(content.promotion, content.promotions)


def _judged(content: ReportContent) -> dict[str, Any]:
    """Results of the blind test, if there are any."""
    study = content.study
    if study is None or study.empty:
        return {"judged": None}
    first = study.iloc[0]
    agreement, alpha = first["agreement"], first["alpha"]
    return {
        "judged": {k: tables.judged_rows(study, k) for k in ("preference", "reality")},
        "judges": wording.count(int(study["n_judges"].max()), "judge"),
        "one_judge": study["n_judges"].max() == 1,
        "votes": wording.count(
            int(study["n"].sum() + study["undecided"].sum()), "vote"
        ),
        "agreement": formatting.percent(agreement) if pd.notna(agreement) else "",
        "alpha": f"{alpha:.2f}".replace("-", "−") if pd.notna(alpha) else "",
        "judged_figure": _svg(
            figures.human_preferences(study),
            "judged",
            "Shares of votes with 95 % intervals; the numbers are in the tables.",
        ),
    }


def _comparison_figures(drawings: Drawings) -> dict[str, Markup]:
    """The means on the metrics of the question; kedro-viz has a chart of all metrics."""
    return {
        metric: _svg(
            figure,
            f"comparison-{metric}",
            f"Mean {formatting.label(metric)} of every model with its 95 % interval; "
            "the numbers are in the table above.",
        )
        for metric, figure in drawings.comparison.items()
    }


def _plane_figure(content: ReportContent) -> Markup | None:
    """Fidelity and realism; None if realism was not measured."""
    if "swd" not in metrics_of(content):
        return None
    parts = [
        f"{model}: MSE {formatting.value('mse', mean_of(content, model, 'mse'))}, "
        f"SWD {formatting.value('swd', mean_of(content, model, 'swd'))}"
        for model in scored_models(content)
    ]
    return _svg(
        figures.perception_distortion(
            content.comparison, content.histories, content.subset
        ),
        "plane",
        f"Fidelity and realism. {'; '.join(parts)}.",
    )


def _curve_figures(content: ReportContent, drawings: Drawings) -> list[Markup]:
    return [
        _svg(figure, f"curve-{number}", _curve_description(content.histories, curve))
        for number, (curve, figure) in enumerate(drawings.curves.items())
    ]


def _curve_description(histories: Mapping[str, pd.DataFrame], curve: str) -> str:
    ends = []
    for model, history in histories.items():
        if curve in history and history[curve].notna().any():
            line = history[history["replicate"] == history["replicate"].min()]
            line = line.sort_values("epoch")[curve]
            ends.append(f"{model} from {line.iloc[0]:.4g} to {line.iloc[-1]:.4g}")
    return f"{figures.curve_title(curve)} by epoch: {'; '.join(ends)}."


def _distribution_figures(content: ReportContent, drawings: Drawings) -> list[Markup]:
    order = [model for model in scored_models(content) if model in content.scores]
    return [
        _svg(
            figure,
            f"distribution-{number}",
            f"{formatting.label(metric)} of every {content.subset} image. "
            + _spread_description(content, order, metric),
        )
        for number, (metric, figure) in enumerate(drawings.distributions.items())
    ]


def _spread_description(
    content: ReportContent, models: Sequence[str], metric: str
) -> str:
    parts = []
    for model in models:
        values = content.scores[model][metric].to_numpy(float)
        values = values[np.isfinite(values)]
        if len(values):
            low, high = (
                formatting.value(metric, values.min()),
                formatting.value(metric, values.max()),
            )
            parts.append(f"{model} from {low} to {high}")
    return "; ".join(parts) + "."


def _trainings(content: ReportContent) -> str:
    """Number of trainings per model: ``3 trainings``, ``2 to 3 trainings``."""
    table = content.comparison[
        content.comparison["model"].isin(trained_models(content))
    ]
    column = table["n_replicates"]
    if not len(column):
        return wording.count(0, "training")
    return wording.count_between(int(column.min()), int(column.max()), "training")


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [
        {
            str(key): formatting.whole(entry)
            if _is_number(entry)
            else formatting.text(entry)
            for key, entry in record.items()
        }
        for record in table.to_dict("records")
    ]


def _is_number(entry: object) -> bool:
    return isinstance(entry, int | float | np.number) and not isinstance(entry, bool)


def _findings(table: pd.DataFrame) -> list[dict[str, Any]]:
    return _records(table) if len(table) else []


def _splits(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Subsets of the split; long lists of groups are truncated."""
    return [
        {**row, "groups": textwrap.shorten(row["groups"], 400, placeholder=" …")}
        for row in _records(table)
    ]


def _unexplained(content: ReportContent) -> int:
    """Number of excluded pairs without a listed reason."""
    data = content.data
    explained = int(data.left_out["count"].sum()) if len(data.left_out) else 0
    return data.n_found - data.n_used - explained


def _protocol(content: ReportContent) -> list[str]:
    """Describe the protocol according to the settings, in sentences."""
    write: Sequence[tuple[str, Callable[[str], str]]] = (
        ("preparation.image_size", lambda v: f"Images are {v} pixels wide and high."),
        (
            "training.select_by",
            _describe_selection,
        ),
        ("training.seed", lambda v: f"The first replicate's seed is {v}."),
        (
            "inference.dropout",
            lambda v: f"Dropout at inference: {_switch(v)}.",
        ),
        (
            "inference.batch_statistics",
            lambda v: f"Batch statistics at inference: {_switch(v)}.",
        ),
    )
    sentences = []
    for name, sentence in write:
        values = formatting.setting_values(content.settings, name)
        if values:
            sentences.append(sentence(wording.join_words(values)))
    return sentences


def _describe_selection(select_by: str) -> str:
    """Describe the selection of epochs; the rules of several models are combined."""
    by = [name.upper() for name in re.findall("mse|psnr|ssim|swd", select_by)]
    if not by:
        chosen = "The last epoch of each model is used"
    else:
        chosen = (
            f"The epoch of each model is selected by its {' or '.join(by)} on the "
            "validation pairs"
        )
        if "last" in select_by:
            chosen += ", or is the last one"
    return f"{chosen}."


def _switch(value: str) -> str:
    return {"True": "on", "False": "off"}.get(value, value)
