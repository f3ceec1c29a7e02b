"""The health of a table as one document, and the first two pictures that the lectures draw of one."""

import io
from pathlib import Path
from typing import Any

import numpy as np

from ..config import DataSection
from ..errors import InputError
from ..files import write_atomically
from .frequency import DAY
from .tables import Table, local_times, read_table, require_targets, show_time


def health_of(source: object, section: DataSection) -> dict[str, Any]:
    """Everything worth knowing about a table before training on it.

    Args:
        source: A path or data frame.
        section: How to read it; with a target named, that it can be forecast is checked too.

    Returns:
        Rows, range, frequency, columns with missing values, findings, and ``healthy``: whether training can start.
    """
    try:
        table = read_table(source, section, strict=False)
        findings = [finding.document() for finding in table.health.findings]
        if section.target:
            require_targets(table)
    except InputError as error:
        problem = {"kind": "unusable", "severity": "error", "message": error.message, **error.details}
        return {"source": str(source), "rows": None, "findings": [problem], "healthy": False}
    if len(table.columns) and np.isnan(table.values).all():
        findings.append({"kind": "missing", "severity": "error", "message": "every value of every column is missing"})
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


def plot_column(source: object, section: DataSection, column: str, path: Path, days: float) -> None:
    """Draws a column over the whole range, and over its first days.

    Args:
        source: A path or data frame.
        section: How to read it.
        column: What to draw.
        path: The PNG to write.
        days: Length of the second picture.

    Raises:
        DataError: There is no such column.
        StorageError: The picture cannot be written.
    """
    from matplotlib.figure import Figure

    table = read_table(source, section)
    values = table.take([column])[:, 0]
    figure = Figure(figsize=(11, 7), layout="constrained")
    whole, few = figure.subplots(2, 1)
    for code, name in enumerate(table.series[:6]):
        rows = slice(table.starts[code], table.starts[code + 1])
        moments = local_times(table.times[rows], table.timezone).dt.replace_time_zone(None).to_numpy()
        early = table.times[rows] < table.times[rows][0] + days * DAY
        whole.plot(moments, values[rows], linewidth=0.7, label=name)
        few.plot(moments[early], values[rows][early], linewidth=1.2, label=name)
    whole.set_title(f"{column}: the whole range")
    few.set_title(f"{column}: the first {days:g} days")
    for axes in (whole, few):
        axes.set_ylabel(column)
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
    if len(table.series) > 1:
        whole.legend(frameon=False)
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=120)
    write_atomically(path, stream.getvalue())


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
