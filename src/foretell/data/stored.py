"""Tables in a store on disk: larger than memory, looked up row by row, read through in stretches.

A store is made once of Parquet files (``survey.py``, ``scattering.py``), kept in the cache by a key of their content
and of how they are read, and mapped from then on: what is not looked at takes no memory.
"""

import json
import platform
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from jaxtyping import Float32, Float64, Int64, UInt8

from ..config import DataSection
from ..errors import DataError, StorageError
from ..passes import followed
from . import scattering
from .cache import Kept, damaged, kept_as, key_of, listed, open_or_make
from .columns import must_exist, series_of_rows
from .frequency import Frequency
from .health import Finding, Health
from .parquet import ParquetTable
from .survey import must_be_possible, survey
from .tables import AnyTable, Places, Stretch, Table, roles, split_names
from .times import Written, find_time_column

CELLS = 4_000_000  # of a stretch
_READING = ("series", "time", "time_format", "missing", "duplicates", "frequency")  # options that a store depends on


@dataclass(frozen=True, kw_only=True)
class StoredTable(AnyTable):
    """A table whose rows lie in a store.

    Attributes:
        folder: The store.
        held: The columns that it holds, among them those of the table.
        stored: Distances from the offsets, missing ones filled with what was last observed; NaN before there is any.
        absent: Where they were missing; for masked columns alone.
        masked: Columns in which values are missing somewhere.
        offsets: Of each series and column.
        ends: The least and the greatest distance from them; NaN where there is none.
        ranges: The least and the greatest value of each column.
        origins: The first time of each series.
        observed: How many values of each column there are.
        content: A hash of the files, and of how they are read.
    """

    folder: Path
    held: tuple[str, ...]
    stored: Float32[np.ndarray, "row held"]
    absent: UInt8[np.ndarray, "row masked"]
    masked: tuple[str, ...]
    offsets: Float64[np.ndarray, "series held"]
    ends: Float32[np.ndarray, "2 series held"]
    ranges: Float64[np.ndarray, "2 held"]
    observed: Int64[np.ndarray, " held"]
    origins: Int64[np.ndarray, " series"]
    content: str

    def __getstate__(self) -> dict[str, Any]:
        """All but what is mapped, which is mapped again where it arrives."""
        return {name: value for name, value in self.__dict__.items() if name not in ("stored", "absent")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Maps the store, which must be seen from there.

        Raises:
            StorageError: It is not.
        """
        self.__dict__.update(state)
        folder = self.folder
        try:
            self.__dict__["stored"] = mapped(folder / scattering.VALUES, np.float32, (self.rows, len(self.held)))
            self.__dict__["absent"] = mapped(folder / scattering.ABSENT, np.uint8, (self.rows, len(self.masked)))
        except (OSError, ValueError):
            raise StorageError(
                f"the store {folder} is not there on {platform.node()}; --cache-dir names a folder that all machines "
                "see",
                folder=str(folder),
            ) from None

    def times_of(self, rows: Places) -> Places:
        """The times of some rows."""
        flat = np.asarray(rows).reshape(-1)
        codes = self.codes_of(flat)
        return self.grid_times(codes, flat - self.starts[codes]).reshape(np.shape(rows))

    def grid_times(self, codes: Places, places: Places) -> Places:
        """The time at each place of the grid of a series, be there rows or not."""
        return self.frequency.times(places, self.origins[codes])

    def filled_of(self, names: Iterable[str], rows: Places) -> np.ndarray:
        """The values of some columns, missing ones filled with what was last observed; NaN before there is any."""
        places = [self.held.index(name) for name in names]
        return self.stored[rows][..., places].astype(np.float64) + self.offsets[self.codes_of(rows)][..., places]

    def absent_of(self, names: Iterable[str], rows: Places) -> np.ndarray:
        """Where values of some columns were missing, in some rows."""
        shape = np.shape(self.absent[rows])[:-1]
        own = [
            self.absent[rows][..., self.masked.index(name)].astype(bool)
            if name in self.masked
            else np.zeros(shape, bool)
            for name in names
        ]
        return np.stack(own, axis=-1) if own else np.zeros((*shape, 0), bool)

    def values_of(self, names: Iterable[str], rows: Places) -> np.ndarray:
        """The values of some columns in some rows; NaN where missing."""
        chosen = list(names)
        return np.where(self.absent_of(chosen, rows), np.nan, self.filled_of(chosen, rows))

    def part(self, start: int, stop: int) -> Table:
        """Some rows that follow each other, as a table that is held in memory."""
        first, last = self.codes_of(np.array([start, stop - 1])).tolist()
        rows = np.arange(start, stop)
        return self._held(rows, np.clip(self.starts[first : last + 2] - start, 0, stop - start), slice(first, last + 1))

    def _held(self, rows: Places, starts: Int64[np.ndarray, " bound"], series: slice) -> Table:
        """Some rows as a table that is held in memory.

        Args:
            rows: Which, the series one after the other.
            starts: Where each series begins among them, and how many there are.
            series: The series.
        """
        return Table(
            values=np.asfortranarray(self.values_of(self.columns, rows)),
            times=self.times_of(rows),
            starts=starts,
            series=self.series[series],
            statics={name: values[series] for name, values in self.statics.items()},
            **{name: getattr(self, name) for name in _SHARED},
        )

    def last_rows(self, count: int) -> Table:
        """The last rows of each series, at most so many, and one before them, which holds what was last observed.

        Args:
            count: How many.
        """
        kept = np.minimum(np.diff(self.starts), count + 1)
        starts = np.concatenate([[0], np.cumsum(kept)]).astype(np.int64)
        rows = np.arange(starts[-1]) + np.repeat(self.starts[1:] - starts[1:], kept)
        table = self._held(rows, starts, slice(None))
        table.values[starts[:-1]] = self.filled_of(self.columns, rows[starts[:-1]])
        return table

    def range_of(self, name: str) -> tuple[int, float, float]:
        """How many values a column has, the least and the greatest."""
        place = self.held.index(name)
        return int(self.observed[place]), float(self.ranges[0, place]), float(self.ranges[1, place])

    def whole(self) -> Table:
        """All of it in memory."""
        return self.part(0, self.rows)

    def stretches(self, before: int = 0, after: int = 0) -> Iterator[Stretch]:
        """All rows in stretches: of whole series where several fit, of parts of one where it is long."""
        what = f"going through {self.source}"
        for start, stop in followed(pairwise(self._bounds), lambda ends: ends[1] - ends[0], what, self.rows, "rows"):
            code, last = self.codes_of(np.array([start, stop - 1])).tolist()
            low = max(start - before, int(self.starts[code]))
            high = min(stop + after, int(self.starts[last + 1]))
            yield Stretch(self.part(low, high), low, code, slice(start - low, stop - low))

    def fingerprint(self, names: Iterable[str]) -> str:
        """A hash of the content and of some columns."""
        return key_of(self.content, list(dict.fromkeys(names)))

    @cached_property
    def _bounds(self) -> list[int]:
        """Where stretches begin, with the number of rows at the end."""
        bounds, most = [0], max(1, CELLS // len(self.columns))
        for start, stop in pairwise(self.starts.tolist()):
            if stop - bounds[-1] > most and start > bounds[-1]:
                bounds.append(start)
            while stop - bounds[-1] > most:
                bounds.append(bounds[-1] + most)
        return [*bounds, self.rows] if bounds[-1] < self.rows else bounds

    def __repr__(self) -> str:
        return (
            f"StoredTable({self.source}: {self.rows} rows every {self.frequency}, {len(self.series)} series, "
            f"columns {', '.join(self.columns[:6])}{' ...' if len(self.columns) > 6 else ''})"
        )


_SHARED = (
    "source columns frequency targets features time_column series_column timezone health written".split()  # noqa: SIM905
)


def read_stored(
    table: ParquetTable, section: DataSection, *, strict: bool = True, grid: Frequency | None = None
) -> StoredTable:
    """The store of a table in Parquet files, made where the cache has none.

    Args:
        table: The files.
        section: How they are read.
        strict: Whether the first error is raised, or all are collected in ``health``.
        grid: The step that the rows must have; inferred where None.

    Raises:
        DataError: The rows cannot be used; the message names file, row and column.
        ConfigurationError: An option cannot be followed where rows are not held together.
        StorageError: The cache has no room.
        UnsafeFileError: A file is damaged.
    """
    must_be_possible(section)
    chosen = _chosen(table, section)
    columns = chosen.columns
    reading = {name: getattr(section, name) for name in _READING}
    about = {"kind": "table", "source": str(table.path.resolve()), "read": reading, "content": table.digest()}
    content = key_of(about["read"], about["content"])
    asked = None if grid is None else str(grid)
    key, whole = key_of(content, columns, asked), {**about, "columns": columns, "grid": asked}

    def write(folder: Path) -> dict[str, Any]:
        return _write(table, chosen, section, folder, Health(strict=strict), grid)

    def opened(kept: Kept) -> StoredTable:
        return _open(kept, table, section, chosen, content)

    found = kept_as(key, section.cache_dir) or _with_more_columns(about, columns, grid, section.cache_dir)
    stored = open_or_make(key, section.cache_dir, whole, write, opened, found)
    errors = [finding for finding in stored.health.findings if finding.severity == "error"]
    if strict and errors:  # who only looked has kept what cannot be learned from
        raise DataError(errors[0].message, file=table.name, column=errors[0].column)
    return stored


@dataclass(frozen=True)
class _Chosen:
    """Columns of numbers that are used; those of them that are read, and that are forecast; what holds no numbers."""

    columns: tuple[str, ...]
    features: tuple[str, ...]
    targets: tuple[str, ...]
    others: tuple[str, ...]


def _chosen(table: ParquetTable, section: DataSection) -> _Chosen:
    """The columns that a section names, or all of numbers."""
    head = next(table.pieces(None, (section.series,) if section.series else ()))
    time_column = find_time_column(head, section.time, section.time_format)
    series_of_rows(head, section.series, time_column)  # what is wrong with a name is said before columns are read by it
    named = (section.target, section.features, section.known)
    must_exist(head, tuple(name for names in named for name in split_names(names, head.frame.columns)))
    apart = (time_column, section.series)
    kinds = {name: kind for name, kind in head.frame.schema.items() if name not in apart}
    columns = tuple(name for name, kind in kinds.items() if kind == pl.Float64)
    others = tuple(name for name in kinds if name not in columns)
    if not columns:
        raise DataError(f"{table.name} has no column of numbers beside its times", file=table.name)
    features, targets = roles(table.name, section, columns, time_column)
    return _Chosen(tuple(dict.fromkeys((*features, *targets))), features, targets, others)


def _write(
    table: ParquetTable, chosen: "_Chosen", section: DataSection, folder: Path, health: Health, grid: Frequency | None
) -> dict[str, Any]:
    """Writes the files of a store; what its document says of them."""
    found = survey(table, section, health, grid)
    if chosen.others:
        health.note("text", f"left out, since they hold no numbers: {', '.join(chosen.others)}")
    offsets, ends, scattered = scattering.scatter(found, chosen.columns, section, folder, health)
    kept = {"starts.i64": found.starts, "origins.i64": found.origins, "offsets.f64": offsets, "ends.f32": ends}
    for name, array in kept.items():
        (folder / name).write_bytes(np.ascontiguousarray(array).tobytes())
    (folder / "series.json").write_text(json.dumps(found.series), "utf-8")
    return {
        "rows": int(found.starts[-1]),
        "given": found.given,
        **asdict(scattered),
        "frequency": asdict(found.frequency),
        "timezone": found.timezone,
        "written": asdict(found.written),
        "findings": [finding.document() for finding in health.findings],
    }


def _with_more_columns(
    about: Mapping[str, Any], columns: tuple[str, ...], grid: Frequency | None, cache: Path | None
) -> Kept | None:
    """A sound store of the same content, read in the same way, that holds these columns among others."""
    same = json.loads(json.dumps(about, default=str))
    for kept in listed(cache):
        document = kept.document
        if not kept.whole or {name: document.get(name) for name in same} != same:
            continue
        with suppress(KeyError, TypeError):  # what contradicts itself is left alone
            fitting = document["frequency"] == asdict(grid) if grid else document["grid"] is None
            # Rows of one time may disagree in columns that nobody asks for here.
            sound = not any(finding["kind"] == "duplicates" for finding in document["findings"])
            if fitting and sound and set(columns) <= set(document["columns"]):
                return kept_as(kept.folder.name, cache)
    return None


def _open(kept: Kept, table: ParquetTable, section: DataSection, chosen: "_Chosen", content: str) -> StoredTable:
    """The table that a store holds.

    Raises:
        UnsafeFileError: It contradicts itself.
    """
    document, folder = kept.document, kept.folder
    try:
        starts, origins = (np.fromfile(folder / f"{name}.i64", np.int64) for name in ("starts", "origins"))
        rows, held, masked = int(document["rows"]), tuple(document["columns"]), tuple(document["masked"])
        series = tuple(json.loads((folder / "series.json").read_text("utf-8")))
        if not len(starts) == len(origins) + 1 == len(series) + 1 or starts[-1] != rows or (np.diff(starts) < 1).any():
            raise ValueError("its series are not where it says")
        findings = [Finding(**finding) for finding in document["findings"]]
        lowest, highest = (
            [np.nan if value is None else float(value) for value in document[name]] for name in ("lowest", "highest")
        )
        return StoredTable(
            source=table.name,
            columns=chosen.columns,
            features=chosen.features,
            targets=chosen.targets,
            folder=folder,
            held=held,
            starts=starts,
            series=series,
            frequency=Frequency(**document["frequency"]),
            time_column=document["written"]["column"],
            series_column=section.series,
            timezone=document["timezone"],
            health=Health(findings=[own for own in findings if own.column is None or own.column in chosen.columns]),
            written=Written(**document["written"]),
            stored=mapped(folder / scattering.VALUES, np.float32, (rows, len(held))),
            absent=mapped(folder / scattering.ABSENT, np.uint8, (rows, len(masked))),
            masked=masked,
            offsets=np.fromfile(folder / "offsets.f64", np.float64).reshape(len(origins), len(held)),
            ends=np.fromfile(folder / "ends.f32", np.float32).reshape(2, len(origins), len(held)),
            ranges=np.array([lowest, highest], np.float64).reshape(2, len(held)),
            observed=np.array(document["observed"], np.int64),
            origins=origins,
            content=content,
        )
    except (KeyError, TypeError, ValueError, OSError, RecursionError) as error:
        raise damaged(folder, error) from None


def mapped(path: Path, kind: Any, shape: tuple[int, ...]) -> np.ndarray:
    """The numbers of a file, looked up where they are; what would be written to them stays in memory."""
    if not np.prod(shape):
        return np.zeros(shape, kind)
    return np.asarray(np.memmap(path, kind, "c", shape=shape))
