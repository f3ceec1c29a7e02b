"""Forecasters in ONNX, what they read of a table, and whether onnxruntime forecasts the same."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64, Int64

from ...axes import AnchorArray, QuantileArray
from ...data.windows import target_rows
from ...exporting.session import Feed, comparable, session, timed
from ...files import write_atomically
from ..interface import Exported
from .graph import Layout, graph_of
from .learned import LearnedForecaster
from .models import point
from .prepare import View
from .usage import usage

FORMS = ("onnx",)
MODEL, USAGE = "model.onnx", "README.md"
ALIKE = 1e-5  # of a target's deviation
_AT_ONCE = 256  # windows


def export(fitted: LearnedForecaster, folder: Path, view: View | None, anchors: AnchorArray) -> Exported:
    """Writes a forecaster as a graph, and has both forecast some windows.

    Args:
        fitted: The forecaster.
        folder: Where; it exists and is empty.
        view: A table; None where there is nothing to compare on.
        anchors: The windows that both forecast.

    Raises:
        ConfigurationError: It has no graph.
        MissingError: ONNX is not installed.
    """
    layout = Layout.of(fitted)
    graph_of(fitted, layout).save(folder / MODEL, _told(fitted, layout))
    write_atomically(folder / USAGE, usage(fitted, layout).encode())
    files = [MODEL, USAGE]
    told = ("forecasts", f"to {ALIKE:g} of the target's deviation")
    if view is None or len(anchors) == 0 or not comparable():
        return Exported(files, 0, 0, 0.0, 0.0, *told)
    parts = [anchors[start : start + _AT_ONCE] for start in range(0, len(anchors), _AT_ONCE)]
    own, seconds = timed(lambda part: _said(fitted, view, part), parts)
    other, their_seconds = timed(session(folder / MODEL), feeds_of(fitted, layout, view, parts))
    deviation = view.history.deviation[view.table.codes_of(anchors)][:, None]
    off = np.zeros(len(anchors))
    for name, ours in own.items():
        apart = np.abs(ours - other[name]) / (deviation if name == "forecast" else deviation[:, None])
        off = np.maximum(off, apart.reshape(len(anchors), -1).max(axis=1))
    return Exported(files, len(anchors), int((off <= ALIKE).sum()), seconds, their_seconds, *told, float(off.max()))


def feeds_of(
    fitted: LearnedForecaster, layout: Layout, view: View, parts: Iterable[Int64[np.ndarray, " _"]]
) -> Iterator[Feed]:
    """What a forecaster's graph reads of some windows, by the names of its inputs, part by part.

    Args:
        fitted: The forecaster.
        layout: What its graph reads.
        view: The table.
        parts: The rows that are "now"; the last part may be shorter than the rest.
    """
    table, scaling = view.table.whole(), fitted.scaling
    window, missing = _filled(view, layout.columns), np.isnan(table.take(layout.masked))
    known, beside = _filled(view, layout.known), fitted.covariates.inputs(table)
    series = scaling.scales(table)[table.codes] if layout.by_series else table.codes
    for anchors in parts:
        rows, ahead = anchors[:, None] - np.array(layout.back), target_rows(anchors, view.shape)
        feed: dict[str, np.ndarray] = {"window": window[rows]}
        feed |= {"missing": missing[rows]} if layout.masked else {}
        feed |= {"series": series[anchors]} if layout.by_series else {}
        feed |= {"beside": beside[rows]} if layout.beside else {}
        feed |= {"beside_ahead": beside[ahead]} if layout.beside_ahead else {}
        feed |= {"known": known[ahead]} if layout.known else {}
        yield feed


def _filled(view: View, columns: tuple[str, ...]) -> Float64[np.ndarray, "row column"]:
    """Columns in their unit, missing values filled with the last observed one, before the first with the mean."""
    table, rows = view.table, np.arange(view.table.rows)
    values, codes = np.empty((table.rows, len(columns))), table.codes_of(rows)
    for place, name in enumerate(columns):
        mean, _ = view.scaling.of_column(table, name)
        filled = table.filled_of((name,), rows)[:, 0]
        values[:, place] = np.where(np.isnan(filled), mean[codes], filled)
    return values


def _said(fitted: LearnedForecaster, view: View, anchors: Int64[np.ndarray, " window"]) -> dict[str, np.ndarray]:
    """What Foretell says, by the names of the graph's outputs."""
    said: QuantileArray = fitted.model.predict(view, anchors)
    found: dict[str, np.ndarray] = {"forecast": point(said)}
    if fitted.intervals is not None:
        deviation = view.history.deviation[view.table.codes_of(anchors)]
        both = [fitted.intervals.around(said, deviation, number) for number in range(len(fitted.intervals.levels))]
        found["low"], found["high"] = (np.stack([ends[end] for ends in both], axis=1) for end in (0, 1))
    return found


def _told(fitted: LearnedForecaster, layout: Layout) -> dict[str, Any]:
    """What the graph says of itself."""
    shape = fitted.shape
    return {
        "task": "forecast",
        "rung": fitted.rung,
        "columns": list(layout.columns),
        "masked": list(layout.masked),
        "known": list(layout.known),
        "targets": list(fitted.scaling.targets),
        "units": list(fitted.about["units"]),
        "series": list(fitted.scaling.series) if layout.by_series else [],
        "levels": list(fitted.intervals.levels) if fitted.intervals else [],
        "rows_before": list(layout.back),
        "lookback": shape.lookback,
        "every": shape.every,
        "leads": list(shape.leads),
        "frequency": str(fitted.frequency),
    }
