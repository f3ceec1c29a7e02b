"""Forecasts as a table: for which time, made when, and the value."""

from itertools import pairwise
from typing import Literal

import numpy as np
import polars as pl

from ...axes import AnchorArray
from ...data.tables import local_times
from ...data.windows import missing_share, possible_anchors
from ...errors import DataError, UsageError, counted
from ...evaluation.conformal import Intervals
from .models import Model, point
from .prepare import View

Which = Literal["latest", "all"]


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
    anchors = _latest(model, view) if which == "latest" else possible_anchors(view.table, view.shape, 0)
    anchors = _observed(view, anchors, which, max_missing)
    quantiles = model.predict(view, anchors)
    forecasts = point(quantiles)
    times = view.history.target_times(anchors)
    table = view.table
    if which == "latest":
        # Every future row once: the last row's whole range, and before it the first lead of earlier windows.
        own_last = table.starts[1:][table.codes[anchors]] - 1
        first = np.arange(view.shape.lead_count) == 0
        keep = (anchors == own_last)[:, None] | first
    else:
        keep = np.ones(times.shape, bool)
    window, lead = np.nonzero(keep)
    made = table.times[anchors][window]
    columns: list[pl.Series] = []
    if table.series_column:
        columns.append(pl.Series(table.series_column, [table.series[code] for code in table.codes[anchors][window]]))
    columns.append(local_times(times[window, lead], table.timezone).alias(table.time_column))
    taken = (table.series_column, table.time_column)
    columns.append(local_times(made, table.timezone).alias("made at" if "made at" not in taken else "forecast made at"))
    deviation = view.history.deviation[table.codes[anchors]]
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


def _observed(view: View, anchors: AnchorArray, which: Which, max_missing: float) -> AnchorArray:
    """The anchors with enough observed inputs; the last row of each series must be among them."""
    table = view.table
    for code, (start, stop) in enumerate(pairwise(table.starts)):
        for number, target in enumerate(view.scaling.targets):
            if np.isnan(view.history.observed[start:stop, number]).all():
                raise DataError(
                    f'{table.source}, column "{target}": nothing is observed{_of(view, code)} to forecast from',
                    file=table.source,
                    column=target,
                )
    usable = anchors - view.shape.first_input >= table.starts[:-1][table.codes[anchors]]
    share = np.zeros(len(anchors))
    share[usable] = missing_share(table, view.shape, anchors[usable], view.scaling.missing(table))
    last = np.isin(anchors, table.starts[1:] - 1)
    if which == "latest" and (share[last] > max_missing).any():
        worst = int(anchors[last][np.argmax(share[last])])
        raise DataError(
            f"{table.source}: {share[last].max():.0%} of the latest inputs{_of(view, int(table.codes[worst]))} are "
            f"missing, at most {max_missing:.0%} may be (--max-missing); end the table at the last observed row",
            file=table.source,
        )
    return anchors[share <= max_missing]


def _of(view: View, code: int) -> str:
    return f" of {view.table.series[code]}" if view.table.series_column else ""


def _latest(model: Model, view: View) -> AnchorArray:
    """The last row of each series, and before it those whose forecasts also lie in the future."""
    table, first_lead = view.table, view.shape.leads[0]
    needed = model.rows_needed(view)
    ranges = []
    for code, (start, stop) in enumerate(pairwise(table.starts)):
        if stop - start < needed:
            raise DataError(
                f"{table.source} has {counted(int(stop - start), 'row')}{_of(view, code)}; one forecast needs {needed} "
                f"every {table.frequency}",
                file=table.source,
                rows=int(stop - start),
                needed=needed,
            )
        ranges.append(np.arange(max(start + needed - 1, stop - first_lead), stop))
    return np.concatenate(ranges)
