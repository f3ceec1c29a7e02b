"""The second pass over a table that is not held in memory: every row written once to its place in a store on disk.

The store holds, for each row of the grid, the columns as 32-bit distances from an offset, filled forward, and beside
them where a value was missing. The offset of a series is what its first rows are around, so that large numbers that
change little keep their digits, and nothing that is written depends on rows that come much later.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64

from ..config import DataSection
from ..errors import counted
from ..passes import followed
from .columns import MissingTally
from .frequency import tidy_step
from .health import Health
from .sentinels import Extremes, point_out
from .survey import Moments, Survey, moments_of

VALUES, ABSENT, SEEN = "values.f32", "absent.u8", "seen.u8"
CELLS = 4_000_000  # that are filled together
_FIRST = 32  # values of a series, those that are met first, of which the offset is the median
_LOOKED_AT = 65_536  # rows, the first ones, from which usual steps are told
_COARSE = 0.05  # of a usual step: to store no nearer than that is worth a word


@dataclass
class Scattered:
    """What the second pass found.

    Attributes:
        masked: Columns in which values are missing somewhere.
        lowest: The least value of each column; NaN where none was observed.
        highest: The greatest.
        observed: How many values of each there are.
    """

    masked: tuple[str, ...] = ()
    lowest: list[float] = field(default_factory=list)
    highest: list[float] = field(default_factory=list)
    observed: list[int] = field(default_factory=list)


def scatter(
    survey: Survey, columns: tuple[str, ...], section: DataSection, folder: Path, health: Health
) -> tuple[Float64[np.ndarray, "series column"], Float32[np.ndarray, "2 series column"], Scattered]:
    """Writes every row to its place.

    Args:
        survey: Where rows belong.
        columns: The columns of numbers.
        section: What stands for missing values, and which of two rows of one time counts.
        folder: Gets the files of the store.
        health: Where it is reported.

    Returns:
        The offsets of each series and column, the least and the greatest distance from them, and what was found.

    Raises:
        DataError: Times lie off the grid, or rows of one time disagree.
        OSError: There is no room.
    """
    return _Scattering(survey, columns, section, folder, health).run()


class _Scattering:
    """One pass: the files that are written and what is counted on the way."""

    def __init__(
        self, survey: Survey, columns: tuple[str, ...], section: DataSection, folder: Path, health: Health
    ) -> None:
        self.survey, self.columns, self.section, self.health = survey, columns, section, health
        self.folder, self.total = folder, int(survey.starts[-1])
        self.values = new_array(folder / VALUES, np.float32, (self.total, len(columns)))
        self.seen = new_array(folder / SEEN, np.uint8, (self.total,))
        self.offsets = np.full((len(survey.series), len(columns)), np.nan)
        self.ends = np.full((2, len(survey.series), len(columns)), np.nan, np.float32)
        self.tally, self.extremes = MissingTally(section.missing), [Extremes.of(np.zeros(0)) for _ in columns]
        self.observed = np.zeros(len(columns), np.int64)
        self.steps: list[Float64[np.ndarray, "_row column"]] = []
        self.replaced = False  # whether rows took the place of others
        self.latest = np.full(len(survey.series), np.iinfo(np.int64).min)
        self.counts = {"disorder": 0, "alike": 0, "conflicts": 0}
        self.first_of: dict[str, str] = {}

    def run(self) -> tuple[Float64[np.ndarray, "series column"], Float32[np.ndarray, "2 series column"], Scattered]:
        """All rows, then what is missing between them."""
        for moments in self._moments():
            self._add(moments)
        np.nan_to_num(self.offsets, copy=False, nan=0.0)
        if self.replaced:
            self._count_again()
        masked = self._fill()
        self._report()
        del self.seen
        (self.folder / SEEN).unlink()
        self.values.flush()
        low, high = (
            [float(own[0]) if len(own) else float("nan") for own in side]
            for side in ([own.lowest for own in self.extremes], [own.highest for own in self.extremes])
        )
        return self.offsets, self.ends, Scattered(masked, low, high, self.observed.tolist())

    def _moments(self) -> Iterator[Moments]:
        return moments_of(self.survey.table, self.section, self.survey.written, "storing", self.columns)

    def _add(self, moments: Moments) -> None:
        """Writes a piece of rows."""
        survey, codes = self.survey, self.survey.codes_of(moments)
        rows, fits = survey.rows_of(codes, moments.times)
        if not fits.all():
            self._off_the_grid(moments, fits)
        self._order(moments, codes)
        values = moments.rows.frame.select(self.columns).to_numpy()
        values = self.tally.mark(moments.rows, list(self.columns), values.astype(np.float64, copy=False))
        self._begin(codes, values)
        stored = (values - self.offsets[codes]).astype(np.float32)
        self._look_at_steps(codes, values)
        kept = self._without_duplicates(moments, codes, rows, stored)
        if kept is not None:
            codes, rows, values, stored = codes[kept], rows[kept], values[kept], stored[kept]
        self.values[rows] = stored
        self.seen[rows] = 1
        self._count(codes, values, stored)

    def _begin(self, codes: Int64[np.ndarray, " row"], values: Float64[np.ndarray, "row column"]) -> None:
        """Takes the offset of each series and column of which a value is met for the first time."""
        begins = np.flatnonzero(np.diff(codes, prepend=-1))
        own, lengths = codes[begins], np.diff(begins, append=len(codes))
        for most in (4 * _FIRST, len(codes)):  # the first rows of each series; all where these hold nothing
            new = np.isnan(self.offsets[own]).any(axis=1)
            if not new.any():
                return
            counts = np.minimum(lengths[new], most)
            rows = np.arange(counts.sum()) + np.repeat(begins[new] - np.cumsum(counts) + counts, counts)
            self._take_offsets(codes[rows], values[rows])

    def _take_offsets(self, codes: Int64[np.ndarray, " row"], values: Float64[np.ndarray, "row column"]) -> None:
        """Takes the offsets that are not known yet from some rows."""
        for column in range(len(self.columns)):
            rows = np.flatnonzero(np.isnan(self.offsets[codes, column]) & ~np.isnan(values[:, column]))
            if len(rows):
                rows = rows[np.argsort(codes[rows], kind="stable")]
                new, begins, counts = np.unique(codes[rows], return_index=True, return_counts=True)
                place = np.arange(len(rows)) - np.repeat(begins, counts)
                first = np.full((len(new), _FIRST), np.inf)
                some = place < _FIRST
                first[np.repeat(np.arange(len(new)), counts)[some], place[some]] = values[rows[some], column]
                middle = (np.minimum(counts, _FIRST) - 1) // 2
                self.offsets[new, column] = np.sort(first, axis=1)[np.arange(len(new)), middle]

    def _look_at_steps(self, codes: Int64[np.ndarray, " row"], values: Float64[np.ndarray, "row column"]) -> None:
        """Remembers how far columns go from row to row at the beginning."""
        left = _LOOKED_AT - sum(map(len, self.steps))
        if left > 0:
            self.steps.append(np.abs(np.diff(values[:left], axis=0))[np.diff(codes[:left]) == 0])

    def _count(
        self,
        codes: Int64[np.ndarray, " row"],
        values: Float64[np.ndarray, "row column"],
        stored: Float32[np.ndarray, "row column"],
    ) -> None:
        """Counts what is observed, and looks for what is least and greatest of all and in each series."""
        for extremes, column in zip(self.extremes, values.T, strict=True):
            extremes.add(column)
        self.observed += (~np.isnan(values)).sum(axis=0)
        if (np.diff(codes) < 0).any():
            order = np.argsort(codes, kind="stable")
            codes, stored = codes[order], stored[order]
        begins = np.flatnonzero(np.diff(codes, prepend=-1))
        own, by_column = codes[begins], np.ascontiguousarray(stored.T)
        for end, least in zip(self.ends, (np.fmin, np.fmax), strict=True):
            end[own] = least(end[own], least.reduceat(by_column, begins, axis=1).T)

    def _count_again(self) -> None:
        """The same of all that stands in the store, after rows have taken the place of others."""
        self.extremes, self.observed[:], self.ends[:] = [Extremes.of(np.zeros(0)) for _ in self.columns], 0, np.nan
        starts = self.survey.starts
        for start, stop in self._blocks:
            rows = np.flatnonzero(self.seen[start:stop]) + start
            if len(rows):
                codes = np.searchsorted(starts, rows, side="right") - 1
                self._count(codes, self.values[rows] + self.offsets[codes], self.values[rows])

    @property
    def _blocks(self) -> list[tuple[int, int]]:
        """Rows of the store that are looked at together."""
        size = max(1, CELLS // len(self.columns))
        return [(start, min(start + size, self.total)) for start in range(0, self.total, size)]

    def _off_the_grid(self, moments: Moments, fits: Bool[np.ndarray, " row"]) -> None:
        frequency, row = self.survey.frequency, int(np.flatnonzero(~fits)[0])
        column = self.survey.time_column
        step = tidy_step(frequency.count) if frequency.unit == "microsecond" else str(frequency)
        raise moments.rows.fault(
            row,
            column,
            f"times lie on a grid of {frequency}; {moments.rows.frame[column][row]} does not; say --frequency {step} "
            "to round down",
        )

    def _order(self, moments: Moments, codes: Int64[np.ndarray, " row"]) -> None:
        """Counts rows that stand before the time of the row above of their series."""
        order = np.argsort(codes, kind="stable") if (np.diff(codes) < 0).any() else np.arange(len(codes))
        own, times = codes[order], moments.times[order]
        above = np.concatenate([[0], times[:-1]])
        begins = np.flatnonzero(np.diff(own, prepend=-1))
        above[begins] = self.latest[own[begins]]
        back = times < above
        self.latest[own[np.append(begins[1:] - 1, len(own) - 1)]] = times[np.append(begins[1:] - 1, len(own) - 1)]
        if back.any():
            self.counts["disorder"] += int(back.sum())
            self.first_of.setdefault("disorder", self._at(moments, int(order[back].min())))

    def _without_duplicates(
        self,
        moments: Moments,
        codes: Int64[np.ndarray, " row"],
        rows: Int64[np.ndarray, " row"],
        stored: Float32[np.ndarray, "row column"],
    ) -> Bool[np.ndarray, " row"] | None:
        """Which rows of a piece are written, one of each time; all where None."""
        before, rising = self.seen[rows].astype(bool), bool((np.diff(rows) > 0).all())
        if rising and not before.any():
            return None
        order = np.arange(len(rows)) if rising else np.argsort(rows, kind="stable")
        begins = np.flatnonzero(np.diff(rows[order], prepend=-1))
        firsts = np.empty_like(order)  # of each row's time in this piece
        firsts[order] = np.repeat(order[begins], np.diff(begins, append=len(order)))
        again = before | (firsts != np.arange(len(rows)))
        if not again.any():
            return None
        later = np.flatnonzero(again)
        here = stored[later]
        there = np.where(before[later, None], self.values[rows[later]], stored[firsts[later]])
        alike = _alike(there, here)
        if alike.any():
            self.counts["alike"] += int(alike.sum())
            self.first_of.setdefault("alike", self._at(moments, int(later[alike][0])))
        if not alike.all():
            self.counts["conflicts"] += int((~alike).sum())
            one = int(np.flatnonzero(~alike)[0])
            if self.section.duplicates == "error":
                self._conflict(moments, int(later[one]), there[one], here[one], self.offsets[codes[later[one]]])
        if self.section.duplicates != "last":
            return ~again
        lasts = order[np.append(begins[1:], len(order)) - 1]
        lasts = lasts[~(before[lasts] & _alike(self.values[rows[lasts]], stored[lasts]))]
        self.replaced |= bool(before[lasts].any())
        keep = np.zeros(len(rows), bool)
        keep[lasts] = True
        return keep

    def _conflict(
        self, moments: Moments, row: int, before: np.ndarray, here: np.ndarray, offsets: Float64[np.ndarray, " column"]
    ) -> None:
        place = next(
            number for number, pair in enumerate(zip(before, here, strict=True)) if not np.array_equal(*pair, True)
        )
        one, two = (float(own[place]) + offsets[place] for own in (here, before))
        time = moments.rows.frame[self.survey.time_column][row]
        told = f"rows of one time must agree; found {one:.7g} here and {two:.7g} before, at {time}"
        fault = moments.rows.fault(row, self.columns[place], f"{told}; say --duplicates first or last")
        self.health.fail("duplicates", fault)

    def _at(self, moments: Moments, row: int) -> str:
        survey, source = self.survey, moments.rows
        owner = f" of {moments.names[moments.codes[row]]}" if survey.series != ("",) else ""
        return f"{source.name}, {source.place(row)}{owner}, {source.frame[survey.time_column][row]}"

    def _fill(self) -> tuple[str, ...]:
        """Fills what is missing with what was last observed, and keeps where that was; the columns concerned."""
        blocks = self._blocks
        filled = sum(int(self.seen[start:stop].sum()) for start, stop in blocks)
        self.absent_rows = self.total - filled
        missing = self.observed < self.total
        if not missing.any():
            return ()
        places = np.flatnonzero(missing)
        absent = new_array(self.folder / ABSENT, np.uint8, (self.total, len(places)))
        carried = np.full(len(places), np.nan, np.float32)
        starts = self.survey.starts
        what = f"filling what is missing in {self.survey.table.name}"
        for start, stop in followed(blocks, lambda ends: ends[1] - ends[0], what, self.total, "rows"):
            unseen = self.seen[start:stop] == 0
            if unseen.any():
                self.values[start:stop][unseen] = np.nan
            block = self.values[start:stop][:, places]
            gone = np.isnan(block)
            absent[start:stop] = gone
            rows = np.arange(stop - start)[:, None]
            latest = np.maximum.accumulate(np.where(gone, -1, rows), axis=0)
            begins = starts[np.searchsorted(starts, np.arange(start, stop), side="right") - 1][:, None] - start
            before = np.where(begins < 0, carried, np.float32(np.nan))
            found = np.take_along_axis(block, np.maximum(latest, 0), axis=0)
            block = np.where(latest >= np.maximum(begins, 0), found, before)
            self.values[start:stop, places] = block
            carried = block[-1]
        absent.flush()
        return tuple(self.columns[place] for place in places)

    def _report(self) -> None:
        """Tells what was found, each thing once."""
        health, counts, first = self.health, self.counts, self.first_of
        self.tally.report(health)
        for name, extremes in zip(self.columns, self.extremes, strict=True):
            point_out(name, extremes, health)
        self._report_coarse()
        if rows := counts["disorder"]:
            told = f"{counted(rows, 'row')} stood before the time of the row above and {_were(rows)} sorted"
            health.note("disorder", f"{told}; the first is {first['disorder']}", rows=rows)
        if rows := counts["alike"]:
            told = f"{counted(rows, 'row')} stood twice, all alike, and {_were(rows)} dropped"
            health.note("duplicates", f"{told}; the first is {first['alike']}", rows=rows)
        if (rows := counts["conflicts"]) and self.section.duplicates != "error":
            told = f"rows disagree at {counted(rows, 'time')}; taken: {self.section.duplicates}"
            health.note("duplicates", told, rows=rows)
        if self.absent_rows:
            told = f"{counted(self.absent_rows, 'row')} absent from the {self.survey.frequency} grid count as missing"
            health.note("gaps", told, rows=self.absent_rows)

    def _report_coarse(self) -> None:
        """Warns of columns whose steps get lost in 32 bits, as a series of theirs goes so far from where it began."""
        farthest = np.fmax.reduce(np.abs(self.ends), axis=(0, 1), initial=0.0)
        for name, reach, steps in zip(self.columns, farthest, np.concatenate(self.steps).T, strict=True):
            moves = steps[steps > 0]
            nearest, usual = float(np.spacing(reach)), float(np.median(moves)) if len(moves) else 0.0
            if nearest > _COARSE * usual > 0:
                self.health.warn(
                    "precision",
                    f'"{name}" changes by {usual:.2g} from row to row, and by {reach:.2g} in a series: a store keeps '
                    f"it to the nearest {nearest:.2g}; --store no keeps every digit, where the memory has room",
                    column=name,
                    remedy={"store": "no"},
                )


def _alike(one: Float32[np.ndarray, "row column"], other: Float32[np.ndarray, "row column"]) -> np.ndarray:
    """Whether rows hold the same, be it nothing."""
    return np.asarray(((one == other) | (np.isnan(one) & np.isnan(other))).all(axis=1))


def new_array(path: Path, kind: Any, shape: tuple[int, ...]) -> np.memmap:
    """A file of numbers to be written to in any order, its room taken at once: a full disk is told here, not later.

    Raises:
        OSError: There is no room.
    """
    size = int(np.dtype(kind).itemsize * np.prod(shape, dtype=np.int64))
    with path.open("wb") as stream:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(stream.fileno(), 0, size)
        else:
            stream.truncate(size)
    return np.memmap(path, kind, "r+", shape=shape)


def _were(count: int) -> str:
    return "was" if count == 1 else "were"
