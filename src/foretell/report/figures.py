"""Plotly figures from panels: one figure object for report, notebook and page. SVG traces only, never WebGL."""

import json
from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go

from ..evaluation.panels import Figure, Line, Number

COLOURS = ("#5b6472", "#0b7fab", "#d1495b", "#2e8b57", "#b8860b", "#7a4fbf", "#c2571a", "#1f9e89")


def draw(figure: Figure) -> go.Figure:
    """The Plotly figure of a panel's figure.

    Args:
        figure: Lines, bars or a histogram.
    """
    drawn = go.Figure()
    number, paired = -1, any(line.paired for line in figure.lines)
    for line in figure.lines:
        number += not line.paired
        colour = COLOURS[(number if line.colour is None else line.colour) % len(COLOURS)]
        if figure.kind in ("lines", "points"):
            mode = "markers" if len(line.y) == 1 else "lines" if figure.kind == "lines" else "lines+markers"
            if line.low is not None and line.high is not None:
                drawn.add_traces(_band(line, colour))
            style = {"color": colour, "width": 1.5 if line.paired else 2, "dash": "dot" if line.paired else "solid"}
            drawn.add_trace(
                go.Scatter(
                    x=line.x,
                    y=line.y,
                    name=line.name,
                    mode=mode,
                    line=style,
                    marker={"size": 8},
                    legendgroup=str(number) if paired else None,
                    showlegend=not line.paired,
                )
            )
        elif figure.kind == "bars":
            drawn.add_trace(
                go.Bar(
                    x=line.x,
                    y=line.y,
                    name=line.name,
                    marker={"color": colour, "opacity": 1 if line.low is None else 0.6},  # so that whiskers show
                    error_y=_interval(line.y, line.low, line.high),
                )
            )
        else:
            drawn.add_trace(go.Histogram(x=line.y, name=line.name, opacity=0.65, marker={"color": colour}, nbinsx=60))
    drawn.update_layout(
        title={"text": figure.title, "x": 0.01, "y": 0.98, "yanchor": "top", "font": {"size": 16}},
        xaxis={
            "title": {"text": figure.x_label, "standoff": 8},
            "automargin": True,
            "gridcolor": "rgba(128,128,128,.2)",
            "zeroline": False,
        },
        yaxis={
            "title": {"text": figure.y_label, "standoff": 12},
            "automargin": True,
            "gridcolor": "rgba(128,128,128,.2)",
            "zeroline": False,
        },
        barmode="overlay" if figure.kind == "histogram" else "group",
        legend={"orientation": "h", "traceorder": "normal", "y": 1.02, "x": 1, "xanchor": "right", "yanchor": "bottom"},
        margin={"l": 60, "r": 20, "t": 60 if number < 3 else 90, "b": 50},  # on a phone names fill two rows
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"family": "system-ui, sans-serif", "size": 13, "color": "#5b6472"},
        showlegend=len(figure.lines) > 1,
        modebar={"bgcolor": "rgba(0,0,0,0)", "color": "#8a93a0", "activecolor": "#0b7fab"},
        hovermode="x unified" if figure.kind in ("lines", "points") else "closest",
        height=400,
    )
    if figure.log:
        drawn.update_yaxes(type="log", exponentformat="power")
    if figure.log_x:
        drawn.update_xaxes(type="log", exponentformat="power")
        return drawn
    if figure.kind == "points":
        drawn.update_xaxes(**_marked({x for line in figure.lines for x in line.x if isinstance(x, int | float)}))
        return drawn
    places = [x for line in figure.lines for x in line.x if isinstance(x, int)]
    if places and len(places) == sum(len(line.x) for line in figure.lines):
        # Epochs, hours and leads are counted: no tick stands between two of them.
        drawn.update_xaxes(dtick=max(1, round((max(places) - min(places)) / 12)))
    return drawn


def figure_document(figure: Figure) -> dict[str, Any]:
    """A panel's figure as plain data: ``data`` and ``layout``, as Plotly in a page takes them.

    Args:
        figure: Lines, bars or a histogram.
    """
    document: dict[str, Any] = json.loads(draw(figure).to_json())
    document["layout"].pop("template", None)  # 7 kB of defaults that every figure would repeat
    return document


def _band(line: Line, colour: str) -> list[go.Scatter]:
    """The interval around a line, a shade of its colour."""
    edge = {"mode": "lines", "line": {"width": 0}, "hoverinfo": "skip", "showlegend": False, "legendgroup": line.name}
    red, green, blue = (int(colour[place : place + 2], 16) for place in (1, 3, 5))
    fill = {"fill": "tonexty", "fillcolor": f"rgba({red},{green},{blue},.18)"}
    return [go.Scatter(x=line.x, y=line.low, **edge), go.Scatter(x=line.x, y=line.high, **edge, **fill)]


def _marked(places: set[int | float]) -> dict[str, Any]:
    """An axis with a tick at each place, logarithmic where equal steps would push the first ones together."""
    far = min(places) > 0 and max(places) >= 16 * min(places)
    ticks = {"tickvals": sorted(places), "ticktext": [f"{place:g}" for place in sorted(places)]}
    return {"type": "log" if far else "linear", "tickmode": "array", **ticks}


def _interval(
    values: Sequence[Number], low: Sequence[Number] | None, high: Sequence[Number] | None
) -> dict[str, Any] | None:
    if low is None or high is None:
        return None
    return {
        "type": "data",
        "symmetric": False,
        "array": [0 if end is None or value is None else end - value for value, end in zip(values, high, strict=True)],
        "arrayminus": [
            0 if end is None or value is None else value - end for value, end in zip(values, low, strict=True)
        ],
        "color": "#5b6472",
        "thickness": 1.5,
    }
