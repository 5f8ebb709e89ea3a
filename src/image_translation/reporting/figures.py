"""Figures of a comparison, as SVG for the page and as PNG for other tools.

Every function returns its own :class:`matplotlib.figure.Figure`, drawn on the Agg
canvas: no window, no global state, reproducible bytes.
"""

import io
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import wraps
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, ParamSpec

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from image_translation.common.names import COPY_INPUT, TEST, VALIDATION
from image_translation.metrics import HEADLINES, MEASURES
from image_translation.reporting import formatting
from image_translation.reporting.gallery import first_replicate
from image_translation.reporting.palette import INK, MUTED, RULE, style_of
from image_translation.reporting.report_content import GalleryItem, Image
from image_translation.training.losses import loss_labels

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PANEL_WIDTH = 4.9
"""In inches; on the page one inch is 72 CSS pixels, so a panel fits on a phone."""

DOTS_PER_INCH = 100

MAX_VECTOR_DOTS = 1500
"""Panels with more dots are rasterized, to keep the page small."""

MAX_GROUP_TICKS = 12
"""With more groups, individual groups are not marked."""

P = ParamSpec("P")


def _style() -> AbstractContextManager[None]:
    import matplotlib as mpl

    return mpl.rc_context(
        {
            "font.family": ["DejaVu Sans"],
            "font.size": 12,
            "text.color": INK,
            "text.parse_math": False,
            "figure.facecolor": "white",
            "axes.facecolor": "white",
            "axes.edgecolor": RULE,
            "axes.labelcolor": MUTED,
            "axes.titlesize": 13,
            "axes.titleweight": "bold",
            "axes.titlelocation": "left",
            "axes.titlecolor": INK,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.axisbelow": True,
            "axes.formatter.useoffset": False,
            "grid.color": RULE,
            "grid.linewidth": 0.6,
            "xtick.color": RULE,
            "ytick.color": RULE,
            "xtick.labelcolor": MUTED,
            "ytick.labelcolor": MUTED,
            "legend.frameon": False,
            "svg.image_inline": True,
        }
    )


def _styled(draw: Callable[P, "Figure"]) -> Callable[P, "Figure"]:
    """Run a function with this module's style, independent of the process's style."""

    @wraps(draw)
    def styled(*args: P.args, **kwargs: P.kwargs) -> "Figure":
        with _style():
            return draw(*args, **kwargs)

    return styled


def to_png(figure: "Figure") -> bytes:
    """A figure as a PNG file."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()


@_styled
def comparison_chart(
    comparison: pd.DataFrame, metrics: Sequence[str] | None = None
) -> "Figure":
    """Every model's mean with its interval, one panel per metric.

    The dotted line is the mean of ``copy_input``: the score of doing nothing.

    Args:
        comparison: Rows ``model, metric, mean, ci_low, ci_high``; models without a mean
            are skipped.
        metrics: The metrics to draw; all by default.
    """
    scored = comparison[comparison["mean"].notna()]
    chosen = list(metrics or dict.fromkeys(scored["metric"]))
    n_models = scored["model"].nunique()
    figure, axes = _panels(len(chosen), height=1.0 + 0.32 * n_models)
    for ax, metric in zip(axes, chosen, strict=True):
        rows = scored[scored["metric"] == metric].reset_index(drop=True)
        for position, row in rows.iterrows():
            _dot_with_interval(ax, position, row)
        copied = rows.loc[rows["model"] == COPY_INPUT, "mean"]
        if len(copied):
            ax.axvline(copied.iloc[0], color=MUTED, lw=1, ls=(0, (1, 2)), zorder=1)
        _models_on_y(ax, list(rows["model"]))
        _name_metric(ax, metric)
    return figure


@_styled
def score_distributions(
    scores: Mapping[str, pd.DataFrame],
    metrics: Sequence[str],
    models: Sequence[str] | None = None,
) -> "Figure":
    """Every test image's score, one row per model, one panel per metric.

    Dots are images (first replicate), spread by their density; ticks are the means of
    groups, if there are few. Infinite values are not drawn.

    Args:
        scores: Model → rows ``pair_id, group, replicate``, and one column per metric.
        metrics: The metrics to draw.
        models: The models, in order; all by default.
    """
    shown = [model for model in models or scores if len(scores[model])]
    figure, axes = _panels(len(metrics), height=0.75 + 0.46 * len(shown))
    for ax, metric in zip(axes, metrics, strict=True):
        for position, model in enumerate(shown):
            rows = first_replicate(scores[model])
            finite = rows[np.isfinite(rows[metric].astype(float))]
            _swarm(ax, position, finite[metric].to_numpy(float), model, len(shown))
            _group_ticks(ax, position, finite.groupby("group")[metric].mean())
        _models_on_y(ax, shown)
        _name_metric(ax, metric)
    return figure


@_styled
def learning_curves(
    histories: Mapping[str, pd.DataFrame],
    curves: Sequence[str] | None = None,
    best_epochs: Mapping[str, float] | None = None,
    *,
    legend: bool = True,
) -> "Figure":
    """Losses and validation metrics by epoch, one panel per curve, one line per
    replicate.

    Args:
        histories: Model → rows ``replicate, epoch`` and the curves' columns.
        curves: The columns to draw; all non-empty ones by default.
        best_epochs: Model → selected epoch; ringed on validation curves, on the first
            replicate.
        legend: Whether to draw a legend; the page has one for all figures.
    """
    from matplotlib.ticker import MaxNLocator

    chosen = list(curves) if curves is not None else curves_of(histories)
    figure, axes = _panels(len(chosen), height=2.9)
    for ax, curve in zip(axes, chosen, strict=True):
        for model, history in histories.items():
            if curve in history and history[curve].notna().any():
                best = (best_epochs or {}).get(model)
                _lines(ax, model, history, curve, best)
        ax.set_title(curve_title(curve))
        ax.set_xlabel("epoch")
        ax.xaxis.set_major_locator(MaxNLocator("auto", integer=True))
        ax.grid(axis="y")
    if legend and histories and chosen:
        _legend(figure, list(histories))
    return figure


@_styled
def perception_distortion(
    comparison: pd.DataFrame,
    histories: Mapping[str, pd.DataFrame],
    subset: str = TEST,
) -> "Figure":
    """Every model on the plane of fidelity and realism, with its path during training.

    Blau & Michaeli (2018), "The perception-distortion tradeoff": further left is closer
    to the targets, further down is more similar to them as a set. The axes are
    logarithmic, except for the distance of the test images, which may be negative.

    Args:
        comparison: ``comparison.csv`` with the metrics mse and swd.
        histories: Model → rows ``replicate, epoch, validation/mse, validation/swd``.
        subset: The scored subset.
    """
    figure, (scored, path) = _panels(2, height=3.9)
    for model, row in _on_plane(comparison).iterrows():
        style = style_of(str(model))
        for metric, span in (("mse", scored.hlines), ("swd", scored.vlines)):
            other = row["mean", "swd" if metric == "mse" else "mse"]
            # a logarithmic axis cannot show an interval that includes 0
            least = row["mean", metric] / 10 if metric == "mse" else -np.inf
            low = max(row["ci_low", metric], least)
            if np.isfinite([low, row["ci_high", metric]]).all():
                high = row["ci_high", metric]
                span(other, low, high, color=style.colour, lw=2, alpha=0.6)
        scored.plot(
            *row["mean"][["mse", "swd"]], style.marker, color=style.colour, ms=8
        )
    for model, history in histories.items():
        if "validation/swd" in history and len(history) > 1:
            _path(path, model, first_replicate(history).sort_values("epoch"))
    titles = f"{subset.capitalize()} images", "Validation, epoch by epoch"
    for ax, title in zip((scored, path), titles, strict=True):
        ax.set(xscale="log", yscale="log", title=title)
        _mark_in_plain_numbers(ax)
        if ax is scored:
            ax.set_yscale("linear")  # a corrected distance may be negative
        ax.set_xlabel("← closer to the target (MSE)")
        ax.set_ylabel("← more like the targets (SWD)")
        ax.grid(visible=True)
    return figure


@_styled
def sample_grid(items: Sequence[GalleryItem], derived: str | None = None) -> "Figure":
    """Test images: input, target and every model, with the study's scores below each.

    Args:
        items: The images, one row each.
        derived: ``"input"`` or ``"target"`` if a recipe derived that image.
    """
    from matplotlib.figure import Figure

    models = list(dict.fromkeys(m for item in items for m in item.predictions))
    columns = ["input", "target", *models]
    figure = Figure(
        figsize=(1.7 * len(columns), 2.25 * max(len(items), 1) + 0.2),
        dpi=DOTS_PER_INCH,
        layout="constrained",
    )
    if not items:
        return figure
    axes = figure.subplots(len(items), len(columns), squeeze=False)
    for row, item in zip(axes, items, strict=True):
        images = {"input": item.input, "target": item.target, **item.predictions}
        for ax, column in zip(row, columns, strict=True):
            _tile(ax, images.get(column), item.scores.get(column, {}))
        row[0].set_ylabel(_row_label(item.name), fontsize=8, color=MUTED)
    for ax, column in zip(axes[0], columns, strict=True):
        made = " (derived)" if column == derived else ""
        ax.set_title(column + made, loc="center", fontsize=9)
    return figure


@_styled
def human_preferences(study: pd.DataFrame) -> "Figure":
    """How often each candidate was preferred, with intervals; the dotted line is a tie.

    Args:
        study: ``human_study.csv``: rows ``kind, model_a, model_b, n, rate, ci_low,
            ci_high``.
    """
    titles = {"preference": "Preferred", "reality": "Taken for the real one"}
    kinds = [kind for kind in titles if (study["kind"] == kind).any()]
    longest = study["kind"].value_counts().max()
    figure, axes = _panels(len(kinds), height=1.0 + 0.32 * longest)
    for ax, kind in zip(axes, kinds, strict=True):
        rows = study[study["kind"] == kind].reset_index(drop=True)
        drawn = rows.assign(model=rows["model_a"], mean=rows["rate"])
        for position, row in drawn.iterrows():
            _dot_with_interval(ax, position, row)
        versus = " over " + rows["model_b"] if kind == "preference" else ""
        _models_on_y(ax, list(rows["model_a"] + versus))
        ax.axvline(0.5, color=MUTED, lw=1, ls=(0, (1, 2)), zorder=1)
        ax.set_xlim(-0.02, 1.02)
        ax.set_title(titles[kind])
        ax.set_xlabel("share of votes")
    return figure


def curves_of(histories: Mapping[str, pd.DataFrame]) -> list[str]:
    """The curves of at least one history, validation first."""
    found = dict.fromkeys(
        column
        for history in histories.values()
        for column in history.columns
        if "/" in str(column) and _is_used(history[column])
    )
    return sorted(found, key=lambda curve: not curve.startswith("validation/"))


def curve_title(curve: str) -> str:
    """The title of a history's column, such as ``Training L1 loss``."""
    side, _, name = curve.partition("/")
    if side == VALIDATION:
        return f"Validation {MEASURES[name].title}"
    return f"Training {loss_labels()[name]} loss"


def _on_plane(comparison: pd.DataFrame) -> pd.DataFrame:
    """Models with both metrics, with the columns (mean, mse), (mean, swd), …"""
    both = comparison[comparison["metric"].isin(["mse", "swd"])]
    plane = both.pivot(
        index="model", columns="metric", values=["mean", "ci_low", "ci_high"]
    )
    if set(both["metric"]) < {"mse", "swd"}:
        return plane.head(0)
    order = [model for model in comparison["model"].unique() if model in plane.index]
    return plane.loc[order].dropna(subset=[("mean", "mse"), ("mean", "swd")])


def _mark_in_plain_numbers(ax: "Axes") -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axis.set_minor_locator(NullLocator())


def _path(ax: "Axes", model: str, history: pd.DataFrame) -> None:
    style = style_of(model)
    x, y = history["validation/mse"], history["validation/swd"]
    ax.plot(x, y, color=style.colour, lw=1.2, alpha=0.75)
    ax.plot(x.iloc[-1], y.iloc[-1], style.marker, color=style.colour, ms=8)


def _is_used(column: pd.Series) -> bool:
    """True if a loss is used: a model without a GAN has none, or zeros."""
    return bool(column.notna().any() and (column.fillna(0) != 0).any())


def _panels(number: int, height: float) -> tuple["Figure", list["Axes"]]:
    """A figure with rows of up to three panels."""
    from matplotlib.figure import Figure

    columns = min(3, max(number, 1))
    rows = -(-number // columns) or 1
    figure = Figure(
        figsize=(PANEL_WIDTH * columns, height * rows),
        dpi=DOTS_PER_INCH,
        layout="constrained",
    )
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for ax in axes[number:]:
        ax.set_axis_off()
    return figure, list(axes[:number])


def _dot_with_interval(ax: "Axes", position: Any, row: pd.Series) -> None:
    style = style_of(row["model"])
    ends = [row["ci_low"], row["ci_high"]]
    if np.isfinite(ends).all():
        ax.plot(ends, [position, position], color=style.colour, lw=2.6, alpha=0.7)
    ax.plot(row["mean"], position, style.marker, color=style.colour, ms=7)


def _models_on_y(ax: "Axes", models: Sequence[str]) -> None:
    ax.set_yticks(range(len(models)), [_shortened(model, 32) for model in models])
    ax.tick_params(axis="y", length=0, labelcolor=INK)
    ax.set_ylim(len(models) - 0.4, -0.6)
    ax.spines["left"].set_visible(False)
    ax.grid(axis="x")
    ax.locator_params(axis="x", nbins=5)


def _name_metric(ax: "Axes", metric: str) -> None:
    more = MEASURES[metric].higher_is_better
    ax.set_title(MEASURES[metric].title)
    ax.set_xlabel("higher is better →" if more else "← lower is better")


def _swarm(
    ax: "Axes", position: int, values: NDArray[np.float64], model: str, n_models: int
) -> None:
    style = style_of(model)
    ax.scatter(
        values,
        position + 0.32 * _spread(values),
        s=14 if len(values) <= 400 else 5,
        marker=style.marker,
        color=style.colour,
        alpha=0.6 if len(values) <= 400 else 0.3,
        linewidths=0,
        rasterized=len(values) * n_models > MAX_VECTOR_DOTS,
    )


def _spread(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Offsets in [-1, 1], wider where values are dense; deterministic.

    Multiples of the golden ratio fill a line evenly (Weyl sequence), so neighbours do
    not overlap.
    """
    if len(values) < 2 or np.ptp(values) == 0:
        return np.zeros(len(values))
    counts, edges = np.histogram(values, bins=min(30, 2 + len(values) // 3))
    inside = np.clip(np.digitize(values, edges) - 1, 0, len(counts) - 1)
    density = counts[inside] / counts.max()
    order = np.argsort(np.argsort(values, kind="stable"), kind="stable")
    golden = (np.sqrt(5) - 1) / 2
    return density * (2 * ((order * golden) % 1) - 1)


def _group_ticks(ax: "Axes", position: int, means: pd.Series) -> None:
    if 1 < len(means) <= MAX_GROUP_TICKS:
        ax.plot(means, [position] * len(means), "|", color=INK, ms=14, mew=1)


def _lines(
    ax: "Axes", model: str, history: pd.DataFrame, curve: str, best: float | None
) -> None:
    style = style_of(model)
    ordered = history.sort_values("epoch").groupby("replicate")
    for number, (_, line) in enumerate(ordered):
        ax.plot(
            line["epoch"],
            line[curve],
            color=style.colour,
            lw=1.6,
            ls=(0, style.dashes) if style.dashes else "-",
            marker=style.marker,
            markevery=(0, max(1, len(line) // 6)),
            ms=4,
        )
        chosen = line[line["epoch"] == best]
        if number == 0 and curve.startswith("validation/") and len(chosen):
            ax.plot(
                chosen["epoch"],
                chosen[curve],
                "o",
                ms=9,
                mfc="none",
                color=style.colour,
            )


def _legend(figure: "Figure", models: Collection[str]) -> None:
    from matplotlib.lines import Line2D

    handles = [
        Line2D(
            [],
            [],
            color=style_of(model).colour,
            marker=style_of(model).marker,
            ls=(0, style_of(model).dashes) if style_of(model).dashes else "-",
            label=model,
        )
        for model in models
    ]
    figure.legend(handles=handles, loc="outside lower left", ncols=4)


def _tile(ax: "Axes", image: Image | None, scores: Mapping[str, float]) -> None:
    ax.set_xticks([])
    ax.set_yticks([])
    for spine in ax.spines.values():
        spine.set_visible(False)
    if image is None:
        ax.text(0.5, 0.5, "missing", ha="center", color=MUTED)
        return
    ax.imshow(image, interpolation="bicubic" if image.shape[0] < 200 else "auto")
    lines = [
        f"{formatting.label(metric)} {formatting.value(metric, scores[metric])}"
        for metric in HEADLINES
        if metric in scores
    ]
    ax.set_xlabel("\n".join(lines), fontsize=7)


def _row_label(path: str, length: int = 18) -> str:
    """Short label of an image: its name without folders and suffix."""
    return path if len(path) <= length else _shortened(PurePosixPath(path).stem, length)


def _shortened(name: str, length: int) -> str:
    return name if len(name) <= length else name[: length - 1] + "…"
