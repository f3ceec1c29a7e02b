"""What the page does with data: takes files, tells their health, draws their columns."""

import threading
from functools import lru_cache
from itertools import pairwise
from typing import Annotated, Any

import numpy as np
import polars as pl
from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from ..config import DataSection
from ..data.appending import frame_of, last_rows
from ..data.tables import Table, local_times, read_table
from ..errors import DataError, RefusedError, UsageError
from ..evaluation.panels import Figure, Line
from ..files import finite
from ..report.figures import figure_document
from ..tasks import task_configuration, task_health
from .description import refusals
from .store import Store

_MOST_LINES, _POINTS = 6, 1500
_AT_ONCE = threading.Semaphore(2)  # tables that are read: each may take much memory


def keeping(store: Store) -> APIRouter:
    """The routes of data.

    Args:
        store: Where files are kept.
    """
    router = APIRouter()

    @router.get("/v1/data", responses=refusals())
    def list_data() -> dict[str, Any]:
        """The data at hand."""
        return {"data": store.all()}

    @router.post("/v1/data", responses=refusals(413, 422))
    async def send_data(name: str, request: Request) -> dict[str, Any]:
        """Keeps a file, the body of the request, under a name."""
        return await store.keep(name, request.stream())

    @router.get("/v1/data/{identifier}/health", responses=refusals(404, 422))
    def health(
        identifier: str, task: str, target: str | None = None, series: str | None = None, missing: str | None = None
    ) -> dict[str, Any]:
        """What there is in a file, whether a task could learn from it, and what to try first."""
        options = {"target": target, "series": series, "missing": missing}
        flags = {name: value for name, value in options.items() if value}
        known = [name for _, name, _ in task_configuration(task).options()]
        for name in flags:
            if name not in known:
                raise UsageError(f"{name} means nothing to data that are looked at for {task[:60]}", option=name)
        configuration = task_configuration(task).build(flags, environment={})
        with _AT_ONCE:
            found = task_health(task)(store.source(identifier), configuration)
        document: dict[str, Any] = finite({"lead": found.lead, **found.document})
        return document

    @router.get("/v1/data/{identifier}/picture", responses=refusals(404, 422))
    def picture(identifier: str, column: str, series: str | None = None, missing: str | None = None) -> dict[str, Any]:
        """A column over time, as Plotly draws it."""
        source = store.source(identifier)
        with _AT_ONCE:
            table = _read(str(source), series, missing)
        if column not in table.columns:
            raise DataError(f'there is no column of numbers "{column[:100]}"', column=column[:100])
        return figure_document(_drawn(table, column))

    @router.get(
        "/v1/data/{identifier}/tail",
        responses={**refusals(404, 422), 200: {"content": {"text/csv": {"schema": {"type": "string"}}}}},
        response_class=Response,
    )
    def tail(
        identifier: str,
        rows: Annotated[int, Query(ge=1, le=100_000)],
        series: str | None = None,
        missing: str | None = None,
    ) -> Response:
        """The last rows of each series as CSV, on their even grid: what a forecast is made from."""
        source = store.source(identifier)
        with _AT_ONCE:
            frame = frame_of(last_rows(_read(str(source), series, missing), rows))
        pattern = "%Y-%m-%d %H:%M:%S%.f%:z" if _zoned(frame) else "%Y-%m-%d %H:%M:%S%.f"
        return Response(frame.write_csv(datetime_format=pattern), media_type="text/csv")

    return router


def _zoned(frame: pl.DataFrame) -> bool:
    return any(isinstance(kind, pl.Datetime) and kind.time_zone for kind in frame.schema.values())


@lru_cache(maxsize=2)
def _read(source: str, series: str | None, missing: str | None) -> Table:
    """A table; kept, since the page asks for several columns of one."""
    options: dict[str, Any] = {"series": series, "missing": (missing,) if missing else ()}
    try:
        return read_table(source, DataSection(**options), strict=False)
    except OSError as error:
        raise RefusedError(503, f"the file cannot be read: {error.strerror}") from None


def _drawn(table: Table, column: str) -> Figure:
    values = table.take([column])[:, 0]
    lines = []
    for code, name in enumerate(table.series[:_MOST_LINES]):
        rows = np.arange(table.starts[code], table.starts[code + 1])
        chosen = rows[_telling(values[rows])]
        moments = local_times(table.times[chosen], table.timezone).dt.replace_time_zone(None)
        shown = [None if np.isnan(value) else float(value) for value in values[chosen]]
        lines.append(Line(name or column, moments.dt.to_string("%Y-%m-%d %H:%M:%S").to_list(), shown))
    return Figure("lines", column, "time", column, lines)


def _telling(values: np.ndarray) -> np.ndarray:
    """Which places of a long line show its shape: of each stretch the first, the lowest and the highest."""
    if len(values) <= _POINTS:
        return np.arange(len(values))
    bounds = np.linspace(0, len(values), _POINTS // 3 + 1).astype(int)
    chosen = {0, len(values) - 1}
    for start, stop in pairwise(bounds.tolist()):
        part = values[start:stop]
        chosen.add(int(start))
        if not np.isnan(part).all():
            chosen |= {int(start + np.nanargmin(part)), int(start + np.nanargmax(part))}
    return np.array(sorted(chosen))
