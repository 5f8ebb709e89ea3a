"""Figures of a comparison, as SVG for the page and as PNG for other tools.

Every function returns its own :class:`matplotlib.figure.Figure`, laid out once for both
formats: no window, no global state, reproducible bytes. The background is transparent;
`to_png` draws it white.
"""

import io
from collections.abc import Callable, Collection, Mapping, Sequence
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
from image_translation.reporting.palette import INK, MUTED, figure_style, style_of
from image_translation.reporting.report_content import GalleryItem, Image
from image_translation.training.losses import loss_labels

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from PIL import Image as Pillow

PANEL_WIDTH = 4.9
"""In inches; on the page one inch is 72 CSS pixels, so a panel fits on a phone."""

DOTS_PER_INCH = 100

LEGEND_COLUMNS = 4

COLUMNS = 3
"""Maximum number of panels in a row."""

GRID_TILE, GRID_GAP, GRID_SCORES, GRID_MARGIN = 150, 12, 58, 26
"""Sizes of the grid of samples in pixels: an image, the gap to its right, the scores below
it, and the margins at the left and at the top.
"""

MAX_VECTOR_DOTS = 1500
"""Panels with more dots are rasterized, to keep the page small."""

MAX_GROUP_TICKS = 12
"""With more groups, individual groups are not marked."""

P = ParamSpec("P")


def _styled(draw: Callable[P, "Figure"]) -> Callable[P, "Figure"]:
    """Run a function with this module's style, independent of the process's style, and
    lay out its figure.
    """

    @wraps(draw)
    def styled(*args: P.args, **kwargs: P.kwargs) -> "Figure":
        with figure_style():
            figure = draw(*args, **kwargs)
            engine = figure.get_layout_engine()
            if engine is not None:
                engine.execute(figure)
                figure.set_layout_engine("none")
            return figure

    return styled


def to_png(figures: Sequence["Figure"], below: "Figure | None" = None) -> bytes:
    """Figures as one PNG file, on white, in rows.

    Args:
        figures: The figures; those of a row have the same height.
        below: A last figure, in a row of its own.
    """
    from PIL import Image as Pillow

    drawn = [_pixels(figure) for figure in figures]
    rows = [drawn[i : i + COLUMNS] for i in range(0, len(drawn), COLUMNS)]
    rows += [[_pixels(below)]] if below else []
    rows = rows or [[np.zeros((1, 1, 4), np.uint8)]]
    height = sum(row[0].shape[0] for row in rows)
    width = max(sum(image.shape[1] for image in row) for row in rows)
    sheet = Pillow.new("RGBA", (width, height), "white")
    top = 0
    for row in rows:
        left = 0
        for image in row:
            sheet.alpha_composite(Pillow.fromarray(image), (left, top))
            left += image.shape[1]
        top += row[0].shape[0]
    return _encode(sheet)


def _encode(sheet: "Pillow.Image") -> bytes:
    buffer = io.BytesIO()
    sheet.convert("RGB").save(buffer, format="png")
    return buffer.getvalue()


def _pixels(figure: "Figure") -> NDArray[np.uint8]:
    """A figure as H×W×4, with a transparent background."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = FigureCanvasAgg(figure)
    with figure_style():
        canvas.draw()
    return np.array(canvas.buffer_rgba())


@_styled
def comparison_chart(comparison: pd.DataFrame, metric: str) -> "Figure":
    """Every model's mean of a metric, with its interval.

    The dotted line is the mean of ``copy_input``: the score of doing nothing.

    Args:
        comparison: Rows ``model, metric, mean, ci_low, ci_high``; models without a mean
            are skipped.
        metric: The metric to draw.
    """
    scored = comparison[comparison["mean"].notna()]
    figure, (ax,) = _panels(1, height=1.0 + 0.32 * scored["model"].nunique())
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
def score_distribution(
    scores: Mapping[str, pd.DataFrame],
    metric: str,
    models: Sequence[str] | None = None,
) -> "Figure":
    """Every test image's score on a metric, one row per model.

    Dots are images (first replicate), spread by their density; ticks are the means of
    groups, if there are few. Infinite values are not drawn.

    Args:
        scores: Model → rows ``pair_id, group, replicate``, and one column per metric.
        metric: The metric to draw.
        models: The models, in order; all by default.
    """
    shown = [model for model in models or scores if len(scores[model])]
    figure, (ax,) = _panels(1, height=0.75 + 0.46 * len(shown))
    for position, model in enumerate(shown):
        rows = first_replicate(scores[model])
        finite = rows[np.isfinite(rows[metric].astype(float))]
        _swarm(ax, position, finite[metric].to_numpy(float), model, len(shown))
        _group_ticks(ax, position, finite.groupby("group")[metric].mean())
    _models_on_y(ax, shown)
    _name_metric(ax, metric)
    return figure


@_styled
def learning_curve(
    histories: Mapping[str, pd.DataFrame],
    curve: str,
    best_epochs: Mapping[str, float] | None = None,
) -> "Figure":
    """A loss or validation metric by epoch, one line per replicate.

    Args:
        histories: Model → rows ``replicate, epoch`` and the curves' columns.
        curve: The column to draw.
        best_epochs: Model → selected epoch; ringed on validation curves, on the first
            replicate.
    """
    from matplotlib.ticker import MaxNLocator

    figure, (ax,) = _panels(1, height=2.9)
    for model, history in histories.items():
        if curve in history and history[curve].notna().any():
            _lines(ax, model, history, curve, (best_epochs or {}).get(model))
    ax.set_title(curve_title(curve))
    ax.set_xlabel("epoch")
    ax.xaxis.set_major_locator(MaxNLocator("auto", integer=True))
    ax.grid(axis="y")
    return figure


@_styled
def legend(models: Collection[str]) -> "Figure":
    """The line and marker of every model, for several figures."""
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    rows = -(-len(models) // LEGEND_COLUMNS)
    figure = Figure(
        figsize=(PANEL_WIDTH * 2, 0.3 + 0.25 * rows),
        dpi=DOTS_PER_INCH,
    )
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
    figure.legend(handles=handles, loc="lower left", ncols=LEGEND_COLUMNS)
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


def sample_grid(items: Sequence[GalleryItem], derived: str | None = None) -> bytes:
    """Test images: input, target and every model, with the study's scores below each.

    Args:
        items: The images, one row each.
        derived: ``"input"`` or ``"target"`` if a recipe derived that image.

    Returns:
        A PNG file.
    """
    from PIL import Image as Pillow

    columns = _grid_columns(items)
    labels = Pillow.fromarray(_pixels(grid_labels(items, derived)))
    sheet = Pillow.new("RGBA", labels.size, "white")
    for i, item in enumerate(items):
        for column, image in _grid_images(item).items():
            tile = Pillow.fromarray(np.ascontiguousarray(image)).resize(
                (GRID_TILE, GRID_TILE), Pillow.Resampling.BICUBIC
            )
            sheet.paste(tile, _grid_corner(i, columns.index(column)))
    sheet.alpha_composite(labels)
    return _encode(sheet)


@_styled
def grid_labels(items: Sequence[GalleryItem], derived: str | None = None) -> "Figure":
    """The texts of `sample_grid`: names of columns and images, and scores."""
    from matplotlib.figure import Figure

    columns = _grid_columns(items)
    width, height = _grid_corner(max(len(items), 1), len(columns))
    figure = Figure((width / DOTS_PER_INCH, height / DOTS_PER_INCH), dpi=DOTS_PER_INCH)

    def write(x: float, y: float, text: str, size: int, **style: Any) -> None:
        place = x / width, 1 - y / height
        figure.text(*place, text, fontsize=size, ha="center", **style)

    for j, column in enumerate(columns):
        x, y = _grid_corner(0, j)
        made = " (derived)" if column == derived else ""
        if items:
            write(x + GRID_TILE / 2, y - 6, column + made, 9)
    for i, item in enumerate(items):
        images = _grid_images(item)
        for j, column in enumerate(columns):
            x, y = _grid_corner(i, j)
            if column not in images:
                write(x + GRID_TILE / 2, y + GRID_TILE / 2, "missing", 8, color=MUTED)
            scores = _score_lines(item.scores.get(column, {}))
            below = y + GRID_TILE + 4
            write(x + GRID_TILE / 2, below, scores, 7, va="top", color=MUTED)
        side = {"va": "center", "rotation": 90, "color": MUTED}
        write(GRID_MARGIN / 2, y + GRID_TILE / 2, _row_label(item.name), 8, **side)
    return figure


def _grid_images(item: GalleryItem) -> dict[str, Image]:
    return {"input": item.input, "target": item.target, **item.predictions}


def _grid_columns(items: Sequence[GalleryItem]) -> list[str]:
    models = (model for item in items for model in item.predictions)
    return ["input", "target", *dict.fromkeys(models)]


def _grid_corner(row: int, column: int) -> tuple[int, int]:
    """The left and upper end of an image in the grid, in pixels."""
    return (
        GRID_MARGIN + column * (GRID_TILE + GRID_GAP),
        GRID_MARGIN + row * (GRID_TILE + GRID_SCORES),
    )


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

    columns = min(COLUMNS, max(number, 1))
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


def _score_lines(scores: Mapping[str, float]) -> str:
    return "\n".join(
        f"{formatting.label(metric)} {formatting.value(metric, scores[metric])}"
        for metric in HEADLINES
        if metric in scores
    )


def _row_label(path: str, length: int = 18) -> str:
    """Short label of an image: its name without folders and suffix."""
    return path if len(path) <= length else _shortened(PurePosixPath(path).stem, length)


def _shortened(name: str, length: int) -> str:
    return name if len(name) <= length else name[: length - 1] + "…"
