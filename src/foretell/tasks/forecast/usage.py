"""How a forecaster's graph is used with onnxruntime alone: the page beside it, whose example works as it is printed."""

from ...data.covariates import cycles
from ...errors import counted
from .graph import Layout
from .learned import LearnedForecaster


def usage(fitted: LearnedForecaster, layout: Layout) -> str:
    """The page, in Markdown.

    Args:
        fitted: The forecaster.
        layout: What its graph reads.
    """
    shape, targets = fitted.shape, fitted.scaling.targets
    levels = fitted.intervals.levels if fitted.intervals else ()
    inputs = "\n".join(f"| `{name}` | {kind} | {what} |" for name, kind, what in _inputs(fitted, layout))
    size = f"(batch, {{}}{shape.lead_count}, {len(targets)})"
    outputs = [f"| `forecast` | float64 {size.format('')} | each lead and target, in the unit of the data |"]
    if levels:
        shown = ", ".join(f"{100 * level:g} %" for level in levels)
        outputs += [
            f"| `{name}` | float64 {size.format(f'{len(levels)}, ')} | the {end} end of the intervals of {shown} |"
            for name, end in (("low", "lower"), ("high", "upper"))
        ]
    told = "\n".join(outputs)
    return f"""# Forecaster in ONNX: {", ".join(targets)}

`model.onnx` is the rung `{fitted.rung}` with its scaling inside: values of the data go in, forecasts in the unit of the
data come out, computed by onnxruntime alone. Any number of windows goes in at once (batch).

| input | type and shape | what it is |
| --- | --- | --- |
{inputs}

| output | type and shape | what it is |
| --- | --- | --- |
{told}

{_columns(fitted, layout)}
{_rows(fitted, layout)}
{_further(fitted, layout)}
```python
import numpy as np
import onnxruntime

{_snippet(fitted, layout)}
```

What the model is, its data, errors and limits: the model card in the model folder's `README.md`. For programs, the
metadata of `model.onnx` (`session.get_modelmeta().custom_metadata_map`) hold, as JSON, the names and order of columns,
targets, units and series, the rows that a window holds, leads and levels; what calendar and static values are is told
here alone.
"""


def _inputs(fitted: LearnedForecaster, layout: Layout) -> list[tuple[str, str, str]]:
    steps, leads = len(layout.back), fitted.shape.lead_count
    rows = [("window", f"float64 (batch, {steps}, {len(layout.columns)})", "columns as they are, gaps filled")]
    if layout.masked:
        rows.append(("missing", f"bool (batch, {steps}, {len(layout.masked)})", "where a value was missing"))
    if layout.by_series:
        rows.append(("series", "int64 (batch)", "the number of each window's series"))
    if layout.beside:
        rows.append(("beside", f"float32 (batch, {steps}, {layout.beside})", "calendar and static values, each step"))
    if layout.beside_ahead:
        rows.append(("beside_ahead", f"float32 (batch, {leads}, {layout.beside_ahead})", "the same of each lead"))
    if layout.known:
        rows.append(("known", f"float64 (batch, {leads}, {len(layout.known)})", "columns known ahead, of each lead"))
    return rows


def _columns(fitted: LearnedForecaster, layout: Layout) -> str:
    """The order of columns, targets, masks and series."""
    units = fitted.about["units"]
    targets = [
        f"`{name}`{f' ({unit})' if unit else ''}" for name, unit in zip(fitted.scaling.targets, units, strict=True)
    ]
    lines = [
        f"- Columns of `window`, in order: {_listed(layout.columns)}.",
        f"- Targets, in order: {', '.join(targets)}.",
    ]
    if layout.masked:
        lines.append(f"- Columns of `missing`, in order: {_listed(layout.masked)}.")
    if layout.known:
        lines.append(
            f"- Columns of `known`, in order: {_listed(layout.known)}; in their unit, scaled inside the graph."
        )
    if layout.by_series:
        numbers = ", ".join(f"{number} {name}" for number, name in enumerate(fitted.scaling.series[:50]))
        more = " and so on" if len(fitted.scaling.series) > 50 else ""
        new = (
            f"; {len(fitted.scaling.series)} is any other"
            if len(fitted.scaling.mean) > len(fitted.scaling.series)
            else ""
        )
        lines.append(f"- Series by number: {numbers}{more}{new}.")
    return "\n".join(lines)


def _rows(fitted: LearnedForecaster, layout: Layout) -> str:
    """Which rows a window holds, which it forecasts, and how gaps are filled."""
    first, last = fitted.shape.leads
    back = layout.back
    ahead = f"{first} to {last} rows" if last > first else counted(first, "row")
    stride = f", every {-back.step} rows" if back.step < -1 and len(back) > 1 else ""
    if len(back) == 1:
        reach = "the row that is now" if back[0] == 0 else f"the row {counted(back[0], 'row')} before now"
    else:
        reach = f"rows {back[0]} to {back[-1]} before the row that is now{stride}, the oldest first"
    return f"""- Rows are {fitted.frequency} apart. `window` holds {reach}; leads are {ahead} after it.
- A missing value is filled with the last observed one of its column and series, before the first with the column's
  training mean. Rows that are not there at all are rows whose values are missing."""


def _further(fitted: LearnedForecaster, layout: Layout) -> str:
    """What cannot be worked out in a graph, and is given as the numbers that the network reads."""
    if not layout.beside_ahead:
        return ""
    lines, covariates = [], fitted.covariates
    names = [name for name in ("beside", "beside_ahead") if getattr(layout, name)]
    place = 0
    if covariates.calendar:
        own = cycles(fitted.frequency)
        turns = {
            "day": "hour / 24, minutes and seconds as parts of the hour",
            "week": "(days since Monday + hour / 24) / 7",
            "year": "(day of the year - 1) / 365.2425",
        }
        place = 2 * len(own)
        lines.append(
            f"numbers 0 to {place - 1}: the sine of 2π times {'; '.join(turns[name] for name in own)}; then the "
            "cosines of the same, in the table's time zone"
        )
    for static in covariates.statics:
        if static.categories:
            words = ", ".join(static.categories)
            lines.append(f"from number {place}: a 1 where `{static.name}` is, in this order, {words}; else zeros")
        else:
            lines.append(f"number {place}: (`{static.name}` - {static.mean!r}) / {static.deviation!r}; 0 where missing")
        place += static.width
    told = "\n".join(f"  - {line}." for line in lines)
    return f"- {' and '.join(f'`{name}`' for name in names)} hold at each row:\n{told}\n" if lines else ""


def _snippet(fitted: LearnedForecaster, layout: Layout) -> str:
    """An example that runs: a window in which every column stands at its training mean."""
    steps, leads = len(layout.back), fitted.shape.lead_count
    lines = [
        'session = onnxruntime.InferenceSession("model.onnx")',
        f"row = {[_mean(fitted, name) for name in layout.columns]!r}",
        f"window = np.tile(np.array(row, np.float64), (1, {steps}, 1))  # each column at its training mean",
        'inputs = {"window": window}',
    ]
    if layout.masked:
        lines.append(f'inputs["missing"] = np.zeros((1, {steps}, {len(layout.masked)}), bool)')
    if layout.by_series:
        lines.append('inputs["series"] = np.array([0])')
    if layout.beside:
        lines.append(f'inputs["beside"] = np.zeros((1, {steps}, {layout.beside}), np.float32)')
    if layout.beside_ahead:
        lines.append(f'inputs["beside_ahead"] = np.zeros((1, {leads}, {layout.beside_ahead}), np.float32)')
    if told := _told_of_times(fitted, layout):
        lines = [calendar_function(fitted), *lines, *told]
    if layout.known:
        ahead = [_mean(fitted, name) for name in layout.known]
        lines.append(f'inputs["known"] = np.tile(np.array({ahead!r}, np.float64), (1, {leads}, 1))')
    names = "forecast, low, high" if fitted.intervals else "(forecast,)"
    lines += [f"{names} = session.run(None, inputs)", "print(forecast[0])  # a row for each lead"]
    if fitted.intervals:
        lines.append("print(low[0, 0], high[0, 0])  # of the first level")
    return "\n".join(lines)


def calendar_function(fitted: LearnedForecaster) -> str:
    """A function that gives the calendar's numbers of some times, as this forecaster reads them."""
    turns = {"day": "hours / 24 % 1", "week": "(hours / 24 + 3) / 7 % 1", "year": "days / 365.2425"}
    own = ", ".join(turns[name] for name in cycles(fitted.frequency))
    return f'''
def calendar(times):
    """The calendar's numbers of times (datetime64) in the table's time zone."""
    hours = times.astype("datetime64[s]").astype(np.int64) / 3600  # since 1970, which began on a Thursday
    days = (times.astype("datetime64[D]") - times.astype("datetime64[Y]")).astype(np.int64)
    angles = 2 * np.pi * np.stack([{own}], axis=-1)
    return np.concatenate([np.sin(angles), np.cos(angles)], axis=-1)

'''


def _told_of_times(fitted: LearnedForecaster, layout: Layout) -> list[str]:
    """Lines that fill in the calendar of a time, where rows lie so many seconds apart."""
    frequency, back, (first, last) = fitted.frequency, layout.back, fitted.shape.leads
    width = fitted.covariates.calendar_width(frequency)
    if not (layout.beside_ahead and width) or frequency.unit != "microsecond":
        return []
    lines = [f'now, step = np.datetime64("2024-06-01T00:00"), np.timedelta64({frequency.count}, "us")']
    if layout.beside:
        rows = f"np.arange({back[0]}, {back[-1] - 1}, {back.step})"
        lines.append(f'inputs["beside"][..., :{width}] = calendar(now - {rows} * step)')
    rows = f"np.arange({first}, {last + 1})"
    return [*lines, f'inputs["beside_ahead"][..., :{width}] = calendar(now + {rows} * step)']


def _mean(fitted: LearnedForecaster, name: str) -> float:
    scaling = fitted.scaling
    return float(f"{scaling.mean[-1, scaling.columns.index(name)]:.7g}")


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names)
