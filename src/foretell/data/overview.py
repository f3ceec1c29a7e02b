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
from .reading import open_table
from .tables import AnyTable, local_times, require_targets, show_time

MOST_LINES, MOST_POINTS = 6, 500_000


def health_of(table: AnyTable) -> dict[str, Any]:
    """Everything worth knowing about a table before training on it.

    Args:
        table: As read with ``strict=False``; where it has a target, that it can be forecast is checked too.

    Returns:
        Rows, range, frequency, columns with missing values, findings, and ``healthy``: whether training can start.
    """
    findings = [finding.document() for finding in table.health.findings]
    columns = _columns(table)
    if all(own["lowest"] == own["highest"] for own in columns):
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
        "first": show_time(table.first_time, table.timezone),
        "last": show_time(table.last_time, table.timezone),
        "time": table.time_column,
        "series": _series(table),
        "columns": columns,
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

    table = open_table(source, section)
    figure = Figure(figsize=(11, 7), layout="constrained")
    whole, few = figure.subplots(2, 1)
    for code, name in enumerate(table.series[:MOST_LINES]):
        first, last = int(table.starts[code]), int(table.starts[code + 1])
        end = round(int(table.times_of(np.array([first]))[0]) + days * DAY)
        soon = np.arange(first, int(table.first_rows(end)[code]))
        for axes, rows, width in (
            (whole, np.arange(first, last, -(-(last - first) // MOST_POINTS)), 0.7),
            (few, soon, 1.2),
        ):
            moments = local_times(table.times_of(rows), table.timezone).dt.replace_time_zone(None).to_numpy()
            axes.plot(moments, table.values_of((column,), rows)[:, 0], linewidth=width, label=name)
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


def _series(table: AnyTable) -> list[dict[str, Any]] | None:
    if not table.series_column:
        return None
    first, last = table.times_of(table.starts[:-1]), table.times_of(table.starts[1:] - 1)
    return [
        {"name": name, "rows": rows, "first": show_time(begin, table.timezone), "last": show_time(end, table.timezone)}
        for name, rows, begin, end in zip(
            table.series, np.diff(table.starts).tolist(), first.tolist(), last.tolist(), strict=True
        )
    ]


def _columns(table: AnyTable) -> list[dict[str, Any]]:
    totals = np.zeros(len(table.columns))
    for stretch in table.stretches():
        totals += np.nansum(stretch.part.values[stretch.own], axis=0)
    return [_column(table, name, float(total)) for name, total in zip(table.columns, totals, strict=True)]


def _column(table: AnyTable, name: str, total: float) -> dict[str, Any]:
    count, low, high = table.range_of(name)
    return {
        "name": name,
        "missing": table.rows - count,
        "share": (table.rows - count) / table.rows,
        "lowest": low if count else None,
        "mean": total / count if count else None,
        "highest": high if count else None,
    }
