"""What the report shows of a forecast: truth and forecast, errors by hour, lead and series, residuals, windows."""

import numpy as np

from ...evaluation.panels import Figure, Grid, Item, Line, Number, Panel
from ..interface import Evaluation
from .importance import importance_panel
from .judging import ForecastDetails, Stretch
from .learned import LearnedForecaster
from .prepare import PreparedForecast


def forecast_panels(
    prepared: PreparedForecast, kept: LearnedForecaster, evaluations: dict[str, Evaluation], reference: str
) -> list[Panel]:
    """The panels of the test span.

    Args:
        prepared: The data.
        kept: The rung to look at.
        evaluations: The test evaluation of each rung.
        reference: The baseline to show beside it.
    """
    best = kept.rung
    targets = prepared.view.scaling.targets
    unit = prepared.units[0]
    label = f"error ({unit})" if unit else "error"
    chosen = [name for name in dict.fromkeys((reference, best)) if name in evaluations]
    details: dict[str, ForecastDetails] = {name: evaluation.details for name, evaluation in evaluations.items()}
    shape, frequency = prepared.view.shape, prepared.view.table.frequency
    shown = details[best].stretch
    colours = {name: number + 1 for number, name in enumerate(chosen)}  # the first one is the truth's
    series = f" of {shown.series}" if prepared.view.table.series_column else ""
    value = targets[0] if unit is None or unit in targets[0] else f"{targets[0]} ({unit})"
    panels = [
        Panel(
            "Forecast and truth",
            f"The end of the test span{series}: what came, and what was forecast {shape.leads[1]} "
            f"rows ({frequency} each) before.",
            [
                Figure(
                    "lines",
                    f"{targets[0]}, {shape.leads[1]} rows ahead",
                    "time",
                    value,
                    [Line("truth", shown.times, _numbers(shown.truth))]
                    + [_forecast(name, details[name].stretch, colours[name], band=name == best) for name in chosen],
                )
            ],
        ),
        Panel(
            "Where the errors lie",
            f"Mean absolute error of {targets[0]} on the test span.",
            [
                Figure(
                    "bars",
                    "By hour of day",
                    "hour of the target",
                    label,
                    [
                        Line(name, list(range(24)), _numbers(details[name].sums.by_hour()), colour=colours[name])
                        for name in chosen
                    ],
                    "Hours in which all rungs err are hard; hours in which only one does are where to gain."
                    if len(chosen) > 1
                    else "",
                ),
                *_by_lead(prepared, details, colours, label),
                Figure(
                    "histogram",
                    "Residuals",
                    f"forecast less truth{f' ({unit})' if unit else ''}",
                    "windows",
                    [Line(name, [], _numbers(details[name].residuals[:, 0]), colour=colours[name]) for name in chosen],
                    "Centred on zero means no bias; long tails are the days that surprised it.",
                ),
            ],
        ),
    ]
    if coverage := _coverage(details, chosen, shape.leads[0], label.removeprefix("error ") or "in its unit"):
        prose = "Intervals were made as wide as errors on validation ask for (split conformal); this is what test says."
        if prepared.configuration.training.loss == "quantile":
            prose = f"Networks learned the ends themselves, and validation moved them in or out. {prose}"
        panels.append(Panel("Intervals", prose, coverage))
    if len(prepared.view.table.series) > 1 or len(targets) > 1:
        panels.append(_by_series(prepared, details[best], best))
    if importance := importance_panel(prepared, kept):
        panels.append(importance)
    panels.append(_windows(prepared))
    return panels


def _forecast(name: str, stretch: Stretch, colour: int, *, band: bool) -> Line:
    """What a rung forecast; the best one with the widest of its intervals."""
    low, high = (None if end is None or not band else _numbers(end) for end in (stretch.low, stretch.high))
    return Line(name, stretch.times, _numbers(stretch.forecast), low, high, colour=colour)


def _coverage(details: dict[str, ForecastDetails], chosen: list[str], first: int, label: str) -> list[Item]:
    """How often the intervals held the truth, and how wide they were."""
    known = {name: details[name].coverage for name in details}
    rows: list[list[str | Number]] = []
    for name, sums in known.items():
        if sums is not None:
            for share, entry in sums.metrics(0).items():
                rows.append([name, f"{float(share):.4g}", f"{entry['coverage']:.1%}", entry["width"]])
    if not rows:
        return []
    header = ["rung", "to cover", "covered on test", f"mean width {label}"]
    items: list[Item] = [Grid("Intervals of the first target", header, rows)]
    lines = []
    for name in chosen:
        sums = known[name]
        if sums is not None and sums.intervals.margins.shape[1] > 1:
            for number, level in enumerate(sums.intervals.levels):
                shares = _numbers(sums.by_lead(number))
                lines.append(Line(f"{name}, {level:.3g}", list(range(first, first + len(shares))), shares))
    if lines:
        items.append(Figure("lines", "Covered, by lead", "rows ahead", "share of the truth inside", lines))
    return items


def _by_lead(
    prepared: PreparedForecast, details: dict[str, ForecastDetails], colours: dict[str, int], label: str
) -> list[Figure]:
    shape = prepared.view.shape
    if shape.lead_count == 1:
        return []
    leads: list[Number] = list(range(shape.leads[0], shape.leads[1] + 1))
    lines = [
        Line(name, leads, _numbers(details[name].sums.by_lead()), colour=colour) for name, colour in colours.items()
    ]
    return [Figure("lines", "By lead", f"rows ahead ({prepared.view.table.frequency} each)", label, lines)]


def _by_series(prepared: PreparedForecast, shown: ForecastDetails, best: str) -> Panel:
    rows = shown.sums.by_series(prepared.view.table.series, prepared.view.scaling.targets, prepared.units)
    table: list[list[str | Number]] = [
        [row["series"] or "-", row["target"], row["mae"], row["rmse"], row["unit"] or "", row["count"]]
        for row in rows[:200]
    ]
    return Panel(
        "By series and target",
        f"Errors of {best} on the test span; units are never pooled.",
        [Grid("Errors", ["series", "target", "MAE", "RMSE", "unit", "windows"], table)],
    )


def _windows(prepared: PreparedForecast) -> Panel:
    shape, view = prepared.view.shape, prepared.view
    counts: list[list[str | Number]] = [[name, count] for name, count in prepared.counts.items()]
    dropped: list[list[str | Number]] = [
        [reason.replace("_", " "), count] for reason, count in prepared.dropped.items()
    ]
    spans = prepared.spans.starts
    return Panel(
        "Windows and data",
        f"Each window reads {shape.steps} inputs over {shape.lookback} rows every {view.table.frequency} and forecasts "
        f"{_reach(shape.leads)} after its anchor. Training from {spans[0]}, validation from {spans[1]}, test from "
        f"{spans[2]} to {spans[3]}. Scaling was learned on training alone; test was read once.",
        [
            Grid("Windows", ["span", "windows"], counts),
            Grid("Dropped windows", ["reason", "windows"], dropped),
            Grid("What was found in the data", ["finding"], [[sentence] for sentence in prepared.messages]),
        ],
    )


def _reach(leads: tuple[int, int]) -> str:
    return f"the row {leads[0]}" if leads[0] == leads[1] else f"rows {leads[0]} to {leads[1]}"


def _numbers(values: np.ndarray) -> list[Number]:
    return [None if np.isnan(value) else round(float(value), 5) for value in values]
