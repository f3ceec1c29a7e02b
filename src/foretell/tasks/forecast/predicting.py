"""Forecasts as a table: for which time, made when, and the value."""

import warnings
from typing import Literal

import numpy as np
import polars as pl
from jaxtyping import Bool, Int64

from ...axes import AnchorArray
from ...data.covariates import last_observed, require_known
from ...data.tables import AnyTable, local_times
from ...data.windows import missing_share, possible_anchors
from ...errors import DataError, UsageError, counted
from ...evaluation.conformal import Intervals
from .models import Model, point
from .prepare import View

Which = Literal["latest", "all"]
MADE = ("made at", "forecast made at")  # the column of the time of the last row that a forecast could see


def forecast_frame(
    model: Model, view: View, which: Which, max_missing: float, intervals: Intervals | None = None
) -> pl.DataFrame:
    """The forecasts of a table's windows.

    Args:
        model: What forecasts.
        view: The table.
        which: The latest windows of each series, or all.
        max_missing: Share of missing inputs above which a window is not forecast from.
        intervals: Around its forecasts, where there are any.

    Returns:
        A row for each forecast: the series (where there are several), the time it is for, the time of the last
        row it could see, and one column for each target, ``forecast NAME``, with both ends of each interval after it,
        ``low 80% NAME`` and ``high 80% NAME``.

    Raises:
        UsageError: ``which`` is neither.
        DataError: A series has too few rows, or too many of its latest inputs are missing.
    """
    if which not in ("latest", "all"):
        raise UsageError(f'which windows to forecast from is "latest" or "all"; found "{which}"')
    table = view.table.whole()
    last = last_observed(table) if view.covariates.known else table.starts[1:] - 1
    if which == "latest":
        anchors = _latest(model, view, last)
    else:
        anchors = possible_anchors(table, view.shape, 0)
        anchors = anchors[anchors <= last[table.codes_of(anchors)]]
    anchors = _observed(view, anchors, last, which, max_missing)
    if view.covariates.known and which == "latest":
        require_known(table, view.known, anchors, view.shape.leads)
    elif view.covariates.known:
        anchors = anchors[view.known.whole(anchors, view.shape.leads)]
    quantiles = model.predict(view, anchors)
    forecasts = point(quantiles)
    times = view.history.target_times(anchors)
    if which == "latest":
        # Every future row once: the last row's whole range, and before it the first lead of earlier windows.
        own_last = last[table.codes_of(anchors)]
        first = np.arange(view.shape.lead_count) == 0
        keep = (anchors == own_last)[:, None] | first
    else:
        keep = np.ones(times.shape, bool)
    window, lead = np.nonzero(keep)
    made = table.times_of(anchors)[window]
    columns: list[pl.Series] = []
    if table.series_column:
        columns.append(pl.Series(table.series_column, [table.series[code] for code in table.codes_of(anchors)[window]]))
    columns.append(local_times(times[window, lead], table.timezone).alias(table.time_column))
    taken = (table.series_column, table.time_column)
    columns.append(local_times(made, table.timezone).alias(MADE["made at" in taken]))
    deviation = view.history.deviation[table.codes_of(anchors)]
    bounds = {}
    if intervals is not None:
        bounds = {level: intervals.around(quantiles, deviation, place) for place, level in enumerate(intervals.levels)}
    for number, name in enumerate(view.scaling.targets):
        columns.append(pl.Series(f"forecast {name}", forecasts[window, lead, number]))
        for level, (low, high) in bounds.items():
            columns.append(pl.Series(f"low {100 * level:g}% {name}", low[window, lead, number]))
            columns.append(pl.Series(f"high {100 * level:g}% {name}", high[window, lead, number]))
    frame = pl.DataFrame(columns)
    return frame.sort([column for column in (table.series_column, table.time_column) if column], maintain_order=True)


def _observed(
    view: View, anchors: AnchorArray, last: Int64[np.ndarray, " series"], which: Which, max_missing: float
) -> Int64[np.ndarray, " kept"]:
    """The anchors with enough observed inputs; the last row of each series must be among them."""
    table = view.table.whole()
    highest = np.fmax.reduceat(table.take(view.scaling.targets), table.starts[:-1], axis=0)
    unseen = np.asarray(np.isnan(highest).any(axis=1))
    anchors = anchors[~unseen[table.codes_of(anchors)]]
    usable = anchors - view.shape.first_input >= table.starts[:-1][table.codes_of(anchors)]
    share = np.zeros(len(anchors))
    share[usable] = missing_share(table, view.shape, anchors[usable], view.scaling.missing(table))
    sparse = np.zeros(len(table.series), bool)
    reasons = {"nothing is observed of a target": unseen}
    if which == "latest":
        latest = anchors == last[table.codes_of(anchors)]
        sparse[table.codes_of(anchors[latest])] = share[latest] > max_missing
        worst = share[latest].max(initial=0.0)
        reasons[
            f"{worst:.0%} of the latest inputs are missing, at most {max_missing:.0%} may be (--max-missing); end the "
            "table at the last observed row"
        ] = sparse
    _tell_who_is_left_out(table, {reason: failing for reason, failing in reasons.items() if failing.any()})
    return anchors[(share <= max_missing) & ~sparse[table.codes_of(anchors)]]


def _tell_who_is_left_out(table: AnyTable, reasons: dict[str, Bool[np.ndarray, " series"]]) -> None:
    """Series that cannot be forecast are an error where they are all there is, else they are told and left out.

    Raises:
        DataError: No series can be forecast.
    """
    everyone = bool(reasons) and np.any(list(reasons.values()), axis=0).all()
    for reason, failing in reasons.items():
        names = [table.series[code] for code in np.flatnonzero(failing)]
        shown = f"{', '.join(names[:5])}{' ...' if len(names) > 5 else ''}"
        if everyone:
            of = f" of {shown}" if table.series_column else ""
            raise DataError(f"{table.source}: {reason}{of}; nothing can be forecast from that", file=table.source)
        warnings.warn(f"{table.source}: no forecast of {len(names)} series ({shown}): {reason}", stacklevel=2)


def _of(view: View, code: int) -> str:
    return f" of {view.table.series[code]}" if view.table.series_column else ""


def _latest(model: Model, view: View, last: Int64[np.ndarray, " series"]) -> AnchorArray:
    """The last row of each series, and before it those whose forecasts also lie in the future."""
    table, first_lead = view.table, view.shape.leads[0]
    needed = model.rows_needed(view)
    ranges = []
    for code, (start, end) in enumerate(zip(table.starts[:-1], last, strict=True)):
        rows = max(int(end - start), -1) + 1
        if rows < needed and not table.series_column:
            raise DataError(
                f"{table.source} has {counted(rows, 'row')}{_of(view, code)}; one forecast needs {needed} "
                f"every {table.frequency}",
                file=table.source,
                rows=rows,
                needed=needed,
            )
        ranges.append(np.arange(max(start + needed - 1, end + 1 - first_lead), end + 1))
    return np.concatenate(ranges)
