"""Figures of a tuning, as Plotly, for kedro-viz and MLflow."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd

from image_translation.metrics import MEASURES
from image_translation.reporting import formatting
from image_translation.reporting.palette import MUTED, style_of

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

TICKS = 20
SYMBOLS = {"complete": "circle", "pruned": "line-ns-open", "failed": "x"}


def tuning_history(trials: pd.DataFrame) -> "Figure":
    """The trials' scores in order; a line follows the best so far.

    Args:
        trials: Rows ``model, trial, state, metric, score, reason`` and one column per
            parameter.
    """
    import plotly.graph_objects as go

    figure = go.Figure()
    for model, rows in trials.groupby("model", sort=False):
        colour = style_of(str(model)).colour
        scored = rows[rows["score"].notna()]
        complete = scored[scored["state"] == "complete"]
        figure.add_scatter(
            x=scored["trial"].tolist(),
            y=scored["score"].tolist(),
            mode="markers",
            name=str(model),
            marker={
                "color": colour,
                "size": 9,
                "symbol": [SYMBOLS[state] for state in scored["state"]],
            },
            text=[_hover(row) for row in scored.to_dict("records")],
            hovertemplate="%{text}<extra></extra>",
        )
        figure.add_scatter(
            x=complete["trial"].tolist(),
            y=_best_so_far(complete).tolist(),
            mode="lines",
            name=f"{model}, best so far",
            line={"color": colour, "shape": "hv"},
            hoverinfo="skip",
        )
    metric = str(trials["metric"].iloc[0])
    better = "higher" if MEASURES[metric].higher_is_better else "lower"
    figure.update_layout(
        template=None,
        title=f"Validation {formatting.label(metric)} of the trials",
        margin={"l": 70, "r": 30, "t": 70, "b": 60},
        xaxis={
            "title": {"text": "trial; bars are trials that were stopped early"},
            "dtick": 1 + int(trials["trial"].max()) // TICKS,
        },
        yaxis={"title": {"text": f"{better} is better"}},
    )
    return figure


def tuning_importance(importance: Mapping[str, Mapping[str, float]]) -> "Figure":
    """Share of the scores' variance explained by each parameter.

    Args:
        importance: Model → dotted name → share.
    """
    import plotly.graph_objects as go

    names = sorted(
        {name for shares in importance.values() for name in shares},
        key=lambda name: max(shares.get(name, 0) for shares in importance.values()),
    )
    figure = go.Figure(
        [
            go.Bar(
                x=[shares.get(name, 0) for name in names],
                y=names,
                orientation="h",
                name=model,
                marker={"color": style_of(model).colour},
                hovertemplate="%{y}: %{x:.0%}<extra>" + model + "</extra>",
            )
            for model, shares in importance.items()
        ]
    )
    figure.update_layout(
        template=None,
        title="Importance of the parameters",
        margin={"l": 230, "r": 30, "t": 70, "b": 60},
        xaxis={
            "title": {"text": "share of the variance between trials"},
            "tickformat": ".0%",
            "rangemode": "tozero",
        },
        showlegend=len(importance) > 1,
    )
    if not names:
        figure.update_layout(xaxis={"visible": False}, yaxis={"visible": False})
        figure.add_annotation(
            text="Too few scored trials, or no differences",
            x=0.5,
            y=0.5,
            xref="paper",
            yref="paper",
            showarrow=False,
            font={"color": MUTED, "size": 14},
        )
    return figure


def _best_so_far(complete: pd.DataFrame) -> pd.Series:
    if complete.empty:
        return complete["score"]
    higher = MEASURES[str(complete["metric"].iloc[0])].higher_is_better
    return complete["score"].cummax() if higher else complete["score"].cummin()


def _hover(row: Mapping[Any, Any]) -> str:
    """Text of a trial: its score and parameters, whose names contain dots."""
    lines = [f"trial {row['trial']}: {row['state']}, {row['score']:.5g}"]
    lines += [
        f"{name}: {value:.4g}" if isinstance(value, float) else f"{name}: {value}"
        for name, value in row.items()
        if "." in name
    ]
    return "<br>".join(lines)
