"""Forecasts as a table: for which time, made when, and the value."""

from typing import Literal

import numpy as np
import polars as pl

from ...axes import AnchorArray
from ...data.tables import local_times
from ...data.windows import possible_anchors
from ...errors import DataError
from .models import Model
from .prepare import View

Which = Literal["latest", "all"]


def forecast_frame(model: Model, view: View, which: Which) -> pl.DataFrame:
    """The forecasts of a table's windows.

    Args:
        model: What forecasts.
        view: The table.
        which: The latest windows of each series, or all.

    Returns:
        A row for each forecast: the series (where there are several), the time it is for, the time of the last
        row it could see, and one column for each target, ``forecast NAME``.
    """
    anchors = _latest(model, view) if which == "latest" else possible_anchors(view.table, view.shape, 0)
    forecasts = model.predict(view, anchors)
    times = view.history.target_times(anchors)
    table = view.table
    if which == "latest":
        # Every future row once, from the latest window that reaches it.
        own_last = table.starts[1:][table.codes[anchors]] - 1
        reach = (anchors - own_last)[:, None] + np.arange(view.shape.leads[0], view.shape.leads[1] + 1)
        keep = (anchors == own_last)[:, None] | ((reach < view.shape.leads[0]) & (reach > 0))
    else:
        keep = np.ones(times.shape, bool)
    window, lead = np.nonzero(keep)
    made = table.times[anchors][window]
    columns: list[pl.Series] = []
    if table.series_column:
        columns.append(pl.Series(table.series_column, [table.series[code] for code in table.codes[anchors][window]]))
    columns.append(local_times(times[window, lead], table.timezone).alias(table.time_column))
    columns.append(local_times(made, table.timezone).alias("made at"))
    for number, name in enumerate(view.scaling.targets):
        columns.append(pl.Series(f"forecast {name}", forecasts[window, lead, number]))
    frame = pl.DataFrame(columns)
    return frame.sort([column for column in (table.series_column, table.time_column) if column], maintain_order=True)


def _latest(model: Model, view: View) -> AnchorArray:
    """The last row of each series, and before it those whose forecasts also lie in the future."""
    table, first_lead = view.table, view.shape.leads[0]
    needed = model.rows_needed(view)
    ranges = []
    for code, (start, stop) in enumerate(zip(table.starts[:-1], table.starts[1:], strict=True)):
        if stop - start < needed:
            owner = f" of {table.series[code]}" if table.series_column else ""
            raise DataError(
                f"{table.source} has {stop - start} rows{owner}; one forecast needs {needed} every {table.frequency}",
                file=table.source,
                rows=int(stop - start),
                needed=needed,
            )
        ranges.append(np.arange(max(start + needed - 1, stop - first_lead), stop))
    return np.concatenate(ranges)
