"""The health of a table as one document, and the first two pictures that the lectures draw of one."""

import io
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from ..config import DataSection
from ..errors import InputError
from ..files import write_atomically
from .frequency import DAY
from .reading import read_table
from .tables import Table, local_times, require_targets, show_time

MOST_LINES = 6


def health_of(table: Table) -> dict[str, Any]:
    """Everything worth knowing about a table before training on it.

    Args:
        table: As read with ``strict=False``; where it has a target, that it can be forecast is checked too.

    Returns:
        Rows, range, frequency, columns with missing values, findings, and ``healthy``: whether training can start.
    """
    findings = [finding.document() for finding in table.health.findings]
    with np.errstate(invalid="ignore"):
        varies = [len(np.unique(column[~np.isnan(column)])) > 1 for column in table.values.T]
    if not any(varies):
        findings.append({"kind": "constant", "severity": "error", "message": "no column of numbers varies"})
    elif table.targets:
        try:
            require_targets(table)
        except InputError as error:
            findings.append({"kind": "target", "severity": "error", "message": error.message, **error.details})
    return {
        "source": table.source,
        "rows": table.rows,
        "frequency": str(table.frequency),
        "first": show_time(int(table.times.min()), table.timezone),
        "last": show_time(int(table.times.max()), table.timezone),
        "time": table.time_column,
        "series": _series(table),
        "columns": [_column(table, position) for position in range(len(table.columns))],
        "findings": findings,
        "healthy": not any(finding["severity"] == "error" for finding in findings),
    }


def plot_column(source: object, section: DataSection, column: str, path: Path, days: float) -> int:
    """Draws a column over the whole range, and over its first days.

    Args:
        source: A path or data frame.
        section: How to read it.
        column: What to draw.
        path: The PNG to write.
        days: Length of the second picture.

    Returns:
        How many series were left out, since more lines could not be told apart.

    Raises:
        DataError: There is no such column.
        StorageError: The picture cannot be written.
    """
    from matplotlib.figure import Figure

    table = read_table(source, section)
    values = table.take([column])[:, 0]
    figure = Figure(figsize=(11, 7), layout="constrained")
    whole, few = figure.subplots(2, 1)
    for code, name in enumerate(table.series[:MOST_LINES]):
        rows = slice(table.starts[code], table.starts[code + 1])
        moments = local_times(table.times[rows], table.timezone).dt.replace_time_zone(None).to_numpy()
        early = table.times[rows] < table.times[rows][0] + days * DAY
        whole.plot(moments, values[rows], linewidth=0.7, label=name)
        few.plot(moments[early], values[rows][early], linewidth=1.2, label=name)
    whole.set_title(f"{column}: the whole range", parse_math=False)
    few.set_title(f"{column}: the first {days:g} days", parse_math=False)
    for axes in (whole, few):
        axes.set_ylabel(column, parse_math=False)
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
    if len(table.series) > 1:
        whole.legend(frameon=False)
    stream = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a letter that the font lacks is drawn as a box
        figure.savefig(stream, format="png", dpi=120)
    write_atomically(path, stream.getvalue())
    return max(0, len(table.series) - MOST_LINES)


def _series(table: Table) -> list[dict[str, Any]] | None:
    if not table.series_column:
        return None
    bounds = zip(table.series, table.starts[:-1], table.starts[1:], strict=True)
    return [
        {
            "name": name,
            "rows": int(stop - start),
            "first": show_time(int(table.times[start]), table.timezone),
            "last": show_time(int(table.times[stop - 1]), table.timezone),
        }
        for name, start, stop in bounds
    ]


def _column(table: Table, position: int) -> dict[str, Any]:
    values = table.values[:, position]
    observed = values[~np.isnan(values)]
    some = len(observed) > 0
    return {
        "name": table.columns[position],
        "missing": len(values) - len(observed),
        "share": (len(values) - len(observed)) / len(values),
        "lowest": float(observed.min()) if some else None,
        "mean": float(observed.mean()) if some else None,
        "highest": float(observed.max()) if some else None,
    }
