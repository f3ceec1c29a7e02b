"""Training, validation and test: three consecutive stretches of time, common to all series.

A window belongs to the span in which all its target rows lie. Rows after the third span are left alone.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from zoneinfo import ZoneInfo

import numpy as np
from jaxtyping import Int64

from ..axes import TrainingRows
from ..errors import ConfigurationError, InputError
from .tables import AnyTable, Places, Table, show_time

SPAN_NAMES = ("train", "validation", "test")


@dataclass(frozen=True)
class Spans:
    """Where the spans lie on the common time axis.

    Attributes:
        table: The rows.
        shifts: What is added to a row's number, in each series, to make its place on the time axis.
        borders: The first place of training, of validation, of test, and the first place after test.
        starts: The time at which each span starts, and the last time of test, for messages.
    """

    table: AnyTable
    shifts: Int64[np.ndarray, " series"]
    borders: tuple[int, int, int, int]
    starts: tuple[str, str, str, str]

    def of(self, places: Int64[np.ndarray, " place"]) -> Int64[np.ndarray, " place"]:
        """The span (0 train, 1 validation, 2 test, 3 none of them) of each place."""
        found = np.searchsorted(self.borders[1:], places, side="right").astype(np.int64)
        return np.where(places < self.borders[0], 3, found)

    def places_of(self, rows: Places) -> Places:
        """The place of some rows on the time axis; for one series their numbers."""
        return rows + self.shifts[self.table.codes_of(rows)]

    @property
    def training_ends(self) -> tuple[int, int]:
        """The earliest and the latest time of the training rows."""
        starts, stops = self.table.starts[:-1], self.table.starts[1:]
        first, after = (np.clip(border - self.shifts, starts, stops) for border in self.borders[:2])
        some = after > first
        return int(self.table.times_of(first[some]).min()), int(self.table.times_of(after[some] - 1).max())

    @property
    def places(self) -> Int64[np.ndarray, " row"]:
        """The place of each row."""
        return self.places_of(np.arange(self.table.rows))

    @cached_property
    def training_rows(self) -> TrainingRows:
        """Which rows lie in the training span."""
        rows = _Training(self)
        return rows[:] if isinstance(self.table, Table) else rows


@dataclass(frozen=True)
class _Training:
    """Which rows lie in the training span, of those that are asked for."""

    spans: Spans

    def __getitem__(self, rows: slice | Places) -> np.ndarray:
        if isinstance(rows, slice):
            rows = np.arange(*rows.indices(self.spans.table.rows))
        places, borders = self.spans.places_of(rows), self.spans.borders
        return (places >= borders[0]) & (places < borders[1])


def cut_spans(table: AnyTable, text: str, *, as_they_come: bool = False) -> Spans:
    """Cuts a table's time axis into the three spans.

    Args:
        table: The rows.
        text: Three sizes (shares such as 0.7, rows, durations, the last may be ``rest``), or two dates.
        as_they_come: Whether a place is simply a row number (the lectures' windows).

    Raises:
        ConfigurationError: The text is no such thing.
        InputError: A span would hold no row.
    """
    shifts = np.zeros(len(table.series), np.int64)
    if not as_they_come and len(table.series) > 1:
        origin = table.first_time
        shifts, _ = table.frequency.index(table.times_of(table.starts[:-1]), origin)
        shifts = shifts - table.starts[:-1]
    total = int((table.starts[1:] + shifts).max())
    parts = [part.strip() for part in text.split(",")]
    if len(parts) == 2:
        first, second = (_place_of_date(table, part, shifts) for part in parts)
        end = total
    elif len(parts) == 3:
        sizes = _sizes(table, parts, total)
        first, second, end = sizes[0], sizes[0] + sizes[1], sum(sizes)
    else:
        raise ConfigurationError(
            f'spans are three sizes (0.7,0.15,0.15 or 8640,2880,rest) or two dates; found "{text}"',
            option="spans",
            value=text,
        )
    if end > total:
        raise InputError(f"spans {text} need {end} rows of time; the table has {total}", needed=end, rows=total)
    if not 0 < first < second < end:
        raise InputError(
            f"every span must hold rows; spans {text} of {total} rows give {first}, {second - first} "
            f"and {end - second}; choose others with --spans, such as 0.7,0.15,0.15",
            rows=total,
        )
    return _told(table, shifts, (0, first, second, end))


def roll_spans(table: AnyTable, spans: Spans, folds: int, *, sliding: bool) -> list[Spans]:
    """Spans for each fold of a backtest: the test span in equal parts, validation and training right before each.

    Args:
        table: The rows.
        spans: As they are cut for one test.
        folds: How many parts.
        sliding: Whether training keeps its length, or grows with each fold.

    Raises:
        InputError: A part would hold no row.
    """
    start, first, second, end = spans.borders
    if folds == 1:
        return [spans]
    if end - second < folds:
        raise InputError(
            f"{table.source}: the test span holds {end - second} rows of time, which cannot be cut into {folds} folds",
            rows=end - second,
            folds=folds,
        )
    edges = [second + round(fold * (end - second) / folds) for fold in range(folds + 1)]
    moved = [edge - second for edge in edges[:-1]]
    return [
        _told(table, spans.shifts, (start + moved[fold] * sliding, first + moved[fold], edges[fold], edges[fold + 1]))
        for fold in range(folds)
    ]


def _told(table: AnyTable, shifts: Int64[np.ndarray, " series"], borders: tuple[int, int, int, int]) -> Spans:
    """Spans with their times, for messages."""

    def rows_at(place: int) -> tuple[Int64[np.ndarray, " series"], np.ndarray]:
        """The row of each series at a place, or its first one after it; and whether there is one."""
        rows = np.maximum(place - shifts, table.starts[:-1])
        return rows, rows < table.starts[1:]

    starts = []
    for place in borders[:3]:
        rows, there = rows_at(place)
        starts.append(show_time(int(table.times_of(rows[there]).min()), table.timezone))
    ends = np.minimum(borders[3] - shifts, table.starts[1:]) - 1
    last = int(table.times_of(ends[ends >= table.starts[:-1]]).max())
    return Spans(table, shifts, borders, (starts[0], starts[1], starts[2], show_time(last, table.timezone)))


def _sizes(table: AnyTable, parts: list[str], total: int) -> list[int]:
    shares = [float(part) if re.fullmatch(r"0?\.\d+", part) else None for part in parts]
    if all(share is not None for share in shares):
        cuts = np.cumsum([share or 0.0 for share in shares])
        if cuts[-1] > 1 + 1e-9:
            raise ConfigurationError(f"spans given as shares sum to at most 1; found {cuts[-1]:g}", option="spans")
        edges = [round(float(cut) * total) for cut in np.minimum(cuts, 1)]
        return [edges[0], edges[1] - edges[0], edges[2] - edges[1]]
    sizes: list[int] = []
    for position, (part, share) in enumerate(zip(parts, shares, strict=True)):
        if part == "rest":
            if position != 2:
                raise ConfigurationError("only the last span may be 'rest'", option="spans")
            sizes.append(total - sum(sizes))
        else:
            sizes.append(round(share * total) if share is not None else table.frequency.rows(part, "spans"))
    return sizes


def _place_of_date(table: AnyTable, text: str, shifts: Int64[np.ndarray, " series"]) -> int:
    """The first place at or after a date."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigurationError(
            f'spans are three sizes (0.7,0.15,0.15) or two dates (2014-01-01,2015-01-01); found "{text}" for a date',
            option="spans",
            value=text,
        ) from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=ZoneInfo(table.timezone or "UTC"))
    rows = table.first_rows(round(moment.timestamp() * 1_000_000))
    later = rows < table.starts[1:]
    if not later.any():
        last = show_time(table.last_time, table.timezone)
        raise InputError(f"spans: {text} lies after the last time of the table, {last}")
    return int((rows + shifts)[later].min())
