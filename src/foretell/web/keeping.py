"""What the page does with data: takes files, tells their health, draws their columns."""

import asyncio
from collections.abc import Callable
from functools import lru_cache, partial
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, TypeVar

import numpy as np
import polars as pl
from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from ..config import DataSection
from ..data.appending import frame_of, last_rows
from ..data.reading import read_table
from ..data.tables import Table, local_times
from ..errors import DataError, RefusedError, UsageError
from ..evaluation.panels import Figure, Line
from ..files import finite
from ..report.figures import figure_document
from ..stopping import while_wanted
from ..tasks import task_configuration, task_health
from .description import refusals
from .refusals import broken_rule
from .store import Store
from .turns import Turns

_MOST_LINES, _POINTS = 6, 1500
_LOOK_SECONDS = 0.5  # after which it is looked whether a client is still there
_AT_ONCE, _BYTES_AT_ONCE = (4, 250_000_000)  # files that are read, and what they hold: a fifth of the memory

Found = TypeVar("Found")


class ReadingOptions(BaseModel):
    """How a table is read, as far as a page asks for it."""

    model_config = ConfigDict(frozen=True)
    target: str | None = None
    time: str | None = None
    timezone: str | None = None
    series: str | None = None
    missing: str | None = None
    duplicates: str | None = None

    def named(self) -> dict[str, str]:
        """Those that were named."""
        return {name: value for name, value in self.model_dump().items() if value}


Reading = Annotated[ReadingOptions, Depends()]


def keeping(store: Store) -> APIRouter:
    """The routes of data.

    Args:
        store: Where files are kept.
    """
    router, turns = APIRouter(), Turns(_AT_ONCE, _BYTES_AT_ONCE)

    @router.get("/v1/data", responses=refusals())
    def list_data() -> dict[str, Any]:
        """The data at hand."""
        return {"data": store.all()}

    @router.post("/v1/data", responses=refusals(413, 422, 429, 503))
    async def send_data(name: str, request: Request) -> dict[str, Any]:
        """Keeps a file, the body of the request, under a name."""
        return await store.keep(name, request.stream())

    @router.delete("/v1/data/{identifier}", responses=refusals(404))
    def remove_data(identifier: str) -> dict[str, bool]:
        """Removes a file."""
        if not store.remove(identifier):
            raise RefusedError(404, f'there are no data "{identifier[:60]}" of yours')
        return {"removed": True}

    @router.get("/v1/data/{identifier}/health", responses=refusals(404, 422))
    async def health(identifier: str, task: str, reading: Reading, request: Request) -> dict[str, Any]:
        """What there is in a file, whether a task could learn from it, and what to try first."""
        source = store.source(identifier)
        async with turns.of_one(store.size(identifier)):
            return await _while_asked(request, partial(_health, source, task, reading.named()))

    @router.get("/v1/data/{identifier}/picture", responses=refusals(404, 422))
    async def picture(identifier: str, column: str, reading: Reading, request: Request) -> dict[str, Any]:
        """A column over time, as Plotly draws it."""
        source = store.source(identifier)
        async with turns.of_one(store.size(identifier)):
            table = await _while_asked(request, partial(_read, str(source), reading))
        if column not in table.columns:
            raise DataError(f'there is no column of numbers "{column[:100]}"', column=column[:100])
        return figure_document(_drawn(table, column))

    @router.get(
        "/v1/data/{identifier}/tail",
        responses={**refusals(404, 422), 200: {"content": {"text/csv": {"schema": {"type": "string"}}}}},
        response_class=Response,
    )
    async def tail(
        identifier: str, rows: Annotated[int, Query(ge=1, le=100_000)], reading: Reading, request: Request
    ) -> Response:
        """The last rows of each series as CSV, on their even grid: what a forecast is made from."""
        source = store.source(identifier)
        async with turns.of_one(store.size(identifier)):
            table = await _while_asked(request, partial(_read, str(source), reading))
        frame = frame_of(last_rows(table, rows))
        pattern = "%Y-%m-%d %H:%M:%S%.f%:z" if _zoned(frame) else "%Y-%m-%d %H:%M:%S%.f"
        return Response(frame.write_csv(datetime_format=pattern), media_type="text/csv")

    return router


async def _while_asked(request: Request, work: Callable[[], Found]) -> Found:
    """What comes of work on a thread, which is given up where its client goes, or the service ends."""
    wanted = True

    def watched() -> Found:
        with while_wanted(lambda: wanted):
            return work()

    task = asyncio.ensure_future(run_in_threadpool(watched))
    try:
        while not (await asyncio.wait({task}, timeout=_LOOK_SECONDS))[0]:
            wanted = not await request.is_disconnected()
        return await task
    finally:
        wanted = False


def _zoned(frame: pl.DataFrame) -> bool:
    return any(isinstance(kind, pl.Datetime) and kind.time_zone for kind in frame.schema.values())


def _health(source: Path | str, task: str, flags: dict[str, str]) -> dict[str, Any]:
    configuration = task_configuration(task)
    if not configuration.reading:
        raise UsageError(f"{task} reads no data of a user's")
    known = [name for _, name, _ in configuration.options()]
    for name in flags:
        if name not in known:
            raise UsageError(f"{name} means nothing to data that are looked at for {task[:60]}", option=name)
    found = task_health(task)(source, configuration.build(flags, environment={}))
    document: dict[str, Any] = finite({"lead": found.lead, **found.document})
    return document


@lru_cache(maxsize=2)
def _read(source: str, reading: ReadingOptions) -> Table:
    """A table; kept, since the page asks for several columns of one."""
    named: dict[str, Any] = reading.named()
    try:
        return read_table(source, DataSection(**named), strict=False)
    except ValidationError as error:
        raise broken_rule(error) from None
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
