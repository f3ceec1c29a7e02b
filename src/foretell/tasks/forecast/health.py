"""Whether a table can be forecast."""

from typing import Any

from ...data.overview import health_of
from ...data.reading import open_table
from ...data.tables import AnyTable
from ...errors import InputError
from ...evaluation.words import Parts
from ..health import Health
from .config import Configuration
from .proposing import proposed

_MOST = 20  # series that are listed


def health(source: object, configuration: Configuration) -> Health:
    """What there is in a table; with a target also whether training could start.

    Args:
        source: Where it is.
        configuration: How it is read, windowed and cut.
    """
    table = open_table(source, configuration.data, strict=False)
    document = health_of(table)
    if document["healthy"] and table.targets:
        document |= _windows(table, configuration, document["findings"])
    document["proposed"] = proposed(document, table.frequency)
    lead = (
        f"{document['source']}: {document['rows']} rows every {document['frequency']}, "
        f"{document['first']} to {document['last']}"
    )
    return Health(document, lead, _parts(document), document.get("windows", {}), "windows")


def _windows(table: AnyTable, configuration: Configuration, findings: list[dict[str, Any]]) -> dict[str, Any]:
    """What the windows of a forecast would be, or why there would be none."""
    from .task import task  # with torch, which a look at a table does without

    try:
        prepared = task.prepare(table, configuration)
    except InputError as error:
        problem = {"kind": "windows", "severity": "error", "message": error.message}
        return {"findings": [*findings, problem], "healthy": False}
    return {"windows": prepared.counts, "dropped": prepared.dropped}


def _parts(document: dict[str, Any]) -> tuple[Parts, ...]:
    columns = [
        [
            own["name"],
            str(own["missing"]),
            f"{own['share']:.1%}",
            *("" if own[key] is None else f"{own[key]:.4g}" for key in ("lowest", "mean", "highest")),
        ]
        for own in document["columns"]
    ]
    heads = ["column", "missing", "share", "lowest", "mean", "highest"]
    whole = Parts(heads, columns, (1, 2, 3, 4, 5))
    if not document["series"]:
        return (whole,)
    series = [[own["name"], str(own["rows"]), own["first"], own["last"]] for own in document["series"][:_MOST]]
    if (more := len(document["series"]) - _MOST) > 0:
        series.append([f"and {more:,} more", "", "", ""])
    return (Parts(["series", "rows", "first", "last"], series, (1,)), whole)
