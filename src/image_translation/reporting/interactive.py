"""Interactive figures for tools that show Plotly, such as kedro-viz."""

from typing import TYPE_CHECKING, Any

import pandas as pd

from image_translation.common.names import COPY_INPUT
from image_translation.metrics import MEASURES
from image_translation.reporting import formatting
from image_translation.reporting.palette import style_of

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

FIRST_SHOWN = "psnr"


def score_chart(comparison: pd.DataFrame) -> "Figure":
    """Every model's mean with its interval; a menu selects the metric.

    The dotted line is the mean of ``copy_input``: the score of doing nothing.

    Args:
        comparison: Rows ``model, metric, mean, ci_low, ci_high``; models without a mean
            are skipped.
    """
    import plotly.graph_objects as go

    scored = comparison[comparison["mean"].notna()]
    metrics = list(scored["metric"].unique())
    shown = FIRST_SHOWN if FIRST_SHOWN in metrics else next(iter(metrics), None)
    views = {metric: scored[scored["metric"] == metric] for metric in metrics}
    # plain lists: kedro-viz's version of Plotly does not support the compact form of
    # arrays
    figure = go.Figure(
        [
            go.Scatter(**_dots(rows), name=metric, visible=metric == shown)
            for metric, rows in views.items()
        ]
    )
    layouts = {metric: _layout(metric, rows) for metric, rows in views.items()}
    buttons = [
        {
            "label": formatting.label(metric),
            "method": "update",
            "args": [{"visible": [metric == other for other in metrics]}, layout],
        }
        for metric, layout in layouts.items()
    ]
    figure.update_layout(
        template=None,
        showlegend=False,
        margin={"l": 130, "r": 30, "t": 90, "b": 60},
        yaxis={"autorange": "reversed", "type": "category", "dtick": 1},
        updatemenus=[
            {
                "buttons": buttons,
                "active": metrics.index(shown),
                "x": 1,
                "xanchor": "right",
                "y": 1.15,
                "yanchor": "bottom",
            }
        ]
        if shown
        else [],
    )
    if shown:
        figure.update_layout(_nested(layouts[shown]))
    return figure


def _dots(rows: pd.DataFrame) -> dict[str, Any]:
    metric = str(rows["metric"].iloc[0])
    above = (rows["ci_high"] - rows["mean"]).fillna(0)
    below = (rows["mean"] - rows["ci_low"]).fillna(0)
    colours = [style_of(model).colour for model in rows["model"]]
    return {
        "x": rows["mean"].tolist(),
        "y": rows["model"].tolist(),
        "mode": "markers",
        "marker": {"color": colours, "size": 11},
        "error_x": {
            "type": "data",
            "symmetric": False,
            "array": above.tolist(),
            "arrayminus": below.tolist(),
            "color": "#8a8f98",
        },
        "text": [
            f"{formatting.value(metric, row['mean'])}<br>95 % interval: "
            f"{formatting.interval(metric, row['ci_low'], row['ci_high']) or 'none'}"
            for _, row in rows.iterrows()
        ],
        "hovertemplate": "%{y}: %{text}<extra></extra>",
    }


def _layout(metric: str, rows: pd.DataFrame) -> dict[str, Any]:
    """The properties that depend on the metric, in the format of Plotly's
    ``update``.
    """
    better = "higher" if MEASURES[metric].higher_is_better else "lower"
    nothing = rows.loc[rows["model"] == COPY_INPUT, "mean"].tolist()
    return {
        "title.text": MEASURES[metric].title,
        "xaxis.title.text": f"{better} is better",
        "xaxis.autorange": True,
        "shapes": [
            {
                "type": "line",
                "x0": value,
                "x1": value,
                "yref": "paper",
                "y0": 0,
                "y1": 1,
                "line": {"dash": "dot", "width": 1, "color": "#8a8f98"},
            }
            for value in nothing
        ],
    }


def _nested(dotted: dict[str, Any]) -> dict[str, Any]:
    """Convert ``{"a.b": c}`` to the format of Python's Plotly: ``{"a_b": c}``."""
    return {name.replace(".", "_"): value for name, value in dotted.items()}
