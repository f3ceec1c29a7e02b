"""From rows as they come to rows on an even grid: order, duplicates, gaps.

Each thing is handled as the design says and reported once, with how many rows and where the first one is.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
import polars as pl
from jaxtyping import Bool, Int64

from ..axes import TableArray, TimeArray
from ..errors import DataError, counted
from .frequency import Frequency, infer_frequency, tidy_step
from .health import Health
from .sources import Source

Duplicates = Literal["error", "first", "last", "mean"]
MOSTLY_ABSENT = 1.7  # places for each row above which rows are taken to have another step than a model's
_GAPS_TOLD = 5  # that are told one by one
_FREE_CELLS = 2_000_000  # of a grid, however few rows are given
LARGEST_GRID = 20  # a grid with more than so many places for each row points to a stray time


@dataclass(frozen=True)
class Rows:
    """Rows as they came, and what a message about them needs; ``times`` may be rounded down, ``written`` are not."""

    source: Source
    time_column: str
    series_column: str | None
    columns: list[str]
    codes: Int64[np.ndarray, " row"]
    series: list[str]
    written: TimeArray
    times: TimeArray
    values: TableArray

    def at(self, row: int) -> str:
        """A row in words: its place in the file, its series, its time as written."""
        written = self.source.frame[self.time_column][row]
        owner = f" of {self.series[self.codes[row]]}" if self.series_column else ""
        return f"{self.source.place(row)}{owner}, {written}"


@dataclass(frozen=True)
class Grid:
    """Rows on their grid, and where each series starts."""

    frequency: Frequency
    times: TimeArray
    values: TableArray
    starts: Int64[np.ndarray, " bound"]


def regularise(
    rows: Rows, frequency: Frequency | None, duplicates: Duplicates, health: Health, *, known: bool = False
) -> Grid:
    """Sorts, drops what stands twice, and fills gaps with missing rows.

    Args:
        rows: As they came.
        frequency: The step of the grid; inferred where None.
        duplicates: What happens to rows of one time that disagree.
        health: Where it is reported.
        known: Whether the frequency is that of a model, which rows must have.

    Raises:
        DataError: Rows of one time disagree, or times lie off the grid.
    """
    order = _order(rows, health)
    codes, times = rows.codes[order], rows.times[order]
    values = rows.values if _identity(order) else rows.values[order]
    keep, values = _without_duplicates(rows, order, codes, times, values, duplicates, health)
    if not keep.all():
        order, codes, times, values = order[keep], codes[keep], times[keep], values[keep]
    bounds = np.searchsorted(codes, np.arange(len(rows.series) + 1))
    if frequency is None:
        try:
            frequency = infer_frequency(times, bounds[:-1])
        except DataError as error:
            raise DataError(f"{rows.source.name}: {error.message}", file=rows.source.name, rows=len(times)) from None
    return _filled(rows, order, Grid(frequency, times, values, bounds), health, known=known)


def file_rows(rows: Rows, grid: Grid) -> Int64[np.ndarray, " place"]:
    """The row as it came of each row of a grid, the first where there were several; -1 where there was none."""
    found = np.full(len(grid.times), -1, np.int64)
    for code in range(len(rows.series)):
        own = np.flatnonzero(rows.codes == code)[::-1]
        start, stop = int(grid.starts[code]), int(grid.starts[code + 1])
        places = np.searchsorted(grid.times[start:stop], rows.times[own])
        places = np.minimum(places, stop - start - 1)
        known = grid.times[start:stop][places] == rows.times[own]
        found[start + places[known]] = own[known]
    return found


def as_they_come(rows: Rows, health: Health) -> Grid:
    """The rows untouched, as the lectures take them; what would have been done is only pointed out.

    Raises:
        DataError: There are several series: the lectures' windows know one.
    """
    if len(rows.series) > 1:
        raise DataError("--align lecture reads one series; the table holds several", series=len(rows.series))
    steps = np.diff(rows.times)
    frequency = infer_frequency(np.sort(rows.times), np.array([0]))
    if (steps < 0).mean() > 0.5:
        raise DataError(
            f"{rows.source.name}: --align lecture takes rows as they come, and these run backwards in time; sort them",
            file=rows.source.name,
        )
    places, _ = frequency.index(rows.times, int(rows.times.min()))
    uneven = int((np.diff(places) != 1).sum())
    if uneven:
        health.warn(
            "gaps",
            f"rows are taken as they come (--align lecture) although {uneven} steps differ from {frequency}",
            rows=uneven,
        )
    return Grid(frequency, rows.times, rows.values, np.array([0, len(rows.times)]))


def most_places(given: int, columns: int) -> int:
    """How many rows a grid may have: some for each that is given, and some megabytes of missing ones.

    Args:
        given: Rows that there are.
        columns: How many.
    """
    return LARGEST_GRID * given + _FREE_CELLS // max(1, columns)


def must_have_step(name: str, found: Frequency, known: Frequency) -> None:
    """Checks that rows have the step that a model was trained on, be there gaps or not.

    Args:
        name: What to call them.
        found: Their step.
        known: The model's.

    Raises:
        DataError: They have another one.
    """
    if found != known:
        raise DataError(f"{name} has rows every {found}; the model was trained on rows every {known}", file=name)


def _were(count: int) -> str:
    return "was" if count == 1 else "were"


def _identity(order: Int64[np.ndarray, " row"]) -> bool:
    return bool((np.diff(order) == 1).all())


def _order(rows: Rows, health: Health) -> Int64[np.ndarray, " row"]:
    """The order by series and time; ties keep the order of the file."""
    times = rows.times
    steps, same = np.diff(times), np.diff(rows.codes) == 0
    if same.all() and (steps >= 0).all():
        return np.arange(len(times))
    by_series = np.argsort(rows.codes, kind="stable")
    backwards = (np.diff(times[by_series]) < 0) & (np.diff(rows.codes[by_series]) == 0)
    if count := int(backwards.sum()):
        first = int(by_series[1:][backwards].min())
        health.note(
            "disorder",
            f"{counted(count, 'row')} stood before the time of the row above and {_were(count)} sorted; "
            f"the first is {rows.at(first)}",
            rows=count,
        )
    return np.lexsort((times, rows.codes))


def _without_duplicates(
    rows: Rows,
    order: Int64[np.ndarray, " row"],
    codes: Int64[np.ndarray, " row"],
    times: TimeArray,
    values: TableArray,
    how: Duplicates,
    health: Health,
) -> tuple[Bool[np.ndarray, " row"], TableArray]:
    """Which rows to keep, and the values with means in place where they were asked for."""
    keep = np.ones(len(times), bool)
    again = np.flatnonzero((np.diff(times) == 0) & (np.diff(codes) == 0)) + 1
    if len(again) == 0:
        return keep, values
    involved = np.union1d(again - 1, again)
    moment = ["series", "time"]
    frame = pl.DataFrame({"row": involved, "series": codes[involved], "time": times[involved]}).with_columns(
        pl.Series("written", rows.written[order[involved]]),
        *(pl.Series(f"value {place}", column, nan_to_null=True) for place, column in enumerate(values[involved].T)),
    )
    value_names = frame.columns[4:]
    # A row that stands twice says the same thing once; rows that were rounded down to one time do not.
    once = frame.unique([*moment, "written", *value_names], keep="first", maintain_order=True)
    groups = (
        frame.group_by(moment, maintain_order=True)
        .agg(pl.col("row"), pl.struct(value_names).n_unique().alias("kinds"))
        .join(once.group_by(moment).agg(pl.col(value_names).mean()), on=moment, how="left", maintain_order="left")
    )
    alike, differing = groups.filter(pl.col("kinds") == 1), groups.filter(pl.col("kinds") > 1)
    keep[[row for members in alike["row"].to_list() for row in members[1:]]] = False
    dropped = np.setdiff1d(involved, once["row"].to_numpy())
    if len(dropped):
        health.note(
            "duplicates",
            f"{counted(len(dropped), 'row')} stood twice, all alike, and {_were(len(dropped))} dropped; the first is "
            f"{rows.at(int(order[dropped[0]]))}",
            rows=len(dropped),
        )
    rounded = int((alike["row"].list.len() - 1).sum()) - len(dropped) if alike.height else 0
    if rounded > 0:
        health.note(
            "duplicates", f"{counted(rounded, 'row')} rounded down to a time that was taken say the same", rows=rounded
        )
    conflicting = [np.asarray(members) for members in differing["row"].to_list()]
    if not conflicting:
        return keep, values
    if how == "error":
        one, other = (int(order[row]) for row in _first_two_that_differ(values, conflicting[0]))
        health.fail("duplicates", _conflict(rows, one, other, len(conflicting)))
    else:
        message = f"rows disagree at {counted(len(conflicting), 'time')}; taken: {how}"
        health.note("duplicates", message, rows=len(conflicting))
    values = values.copy(order="F") if how == "mean" else values
    means = differing.select(value_names).to_numpy()
    for group, members in enumerate(conflicting):
        chosen = members[-1] if how == "last" else members[0]
        keep[members] = False
        keep[chosen] = True
        if how == "mean":
            values[chosen] = means[group]
    return keep, values


def _first_two_that_differ(values: TableArray, members: Int64[np.ndarray, " member"]) -> tuple[int, int]:
    first = int(members[0])
    other = next(row for row in members[1:] if not np.array_equal(values[first], values[row], equal_nan=True))
    return first, int(other)


def _conflict(rows: Rows, one: int, other: int, count: int) -> DataError:
    """Two rows of one time that disagree, with the remedy that is likeliest."""
    frame, source = rows.source.frame, rows.source
    differing = next(
        (
            name
            for position, name in enumerate(rows.columns)
            if not np.array_equal(rows.values[one, position], rows.values[other, position], equal_nan=True)
        ),
        rows.columns[0],
    )
    remedy = "say --duplicates first, last or mean"
    if rows.series_column is None:
        for name, kind in frame.schema.items():
            if kind == pl.String and name != rows.time_column and frame[name][one] != frame[name][other]:
                return DataError(
                    f"{source.name} has several rows of one time: {source.place(one)} and "
                    f"{source.place(other)} are both "
                    f'{frame[rows.time_column][one]}; "{name}" tells them apart: say --series {name}',
                    file=source.name,
                    row=other + 1,
                    column=name,
                    count=count,
                    remedy={"series": name},
                )
        if count <= 24:
            remedy += ", or --timezone if these are local times with a repeated hour"
    position = rows.columns.index(differing)
    return DataError(
        f'{source.name}, {rows.at(other)}, column "{differing}": rows of one time must agree; found '
        f"{rows.values[other, position]:.15g} here and {rows.values[one, position]:.15g} in {source.place(one)} "
        f"({count} such times); {remedy}",
        file=source.name,
        row=other + 1,
        column=differing,
        count=count,
    )


def _filled(rows: Rows, order: Int64[np.ndarray, " row"], found: Grid, health: Health, *, known: bool) -> Grid:
    """The rows at their places of the grid, missing rows where nothing was."""
    frequency, times, bounds = found.frequency, found.times, found.starts
    places = np.empty(len(times), np.int64)
    origins, lengths = [], []
    for start, stop in pairwise(bounds):
        origin = int(times[start])
        places[start:stop], fits = frequency.index(times[start:stop], origin)
        sparse = places[stop - 1] + 1 > MOSTLY_ABSENT * (stop - start)
        if known and (not fits.all() or sparse):
            must_have_step(rows.source.name, infer_frequency(times[start:stop], np.array([0])), frequency)
        if not fits.all():
            row = int(order[start + np.flatnonzero(~fits)[0]])
            step = tidy_step(frequency.count) if frequency.unit == "microsecond" else str(frequency)
            raise DataError(
                f'{rows.source.name}, {rows.at(row)}, column "{rows.time_column}": times lie on a grid of {frequency}; '
                f"this one does not ({int((~fits).sum())} of {stop - start}); say --frequency {step} to round down",
                file=rows.source.name,
                row=row + 1,
                column=rows.time_column,
            )
        origins.append(origin)
        lengths.append(int(places[stop - 1]) + 1)
    total = sum(lengths)
    if total == len(times):
        return found
    if total > most_places(len(times), found.values.shape[1]):
        steps = np.diff(times)
        steps[bounds[1:-1] - 1] = 0
        widest = int(np.argmax(steps))
        raise DataError(
            f"{rows.source.name}: a grid of {frequency} from the first time to the last would hold {total} rows for "
            f"the {len(times)} given; the widest gap ends at {rows.at(int(order[widest + 1]))}; remove stray times, or "
            "say --frequency",
            file=rows.source.name,
            rows=len(times),
        )
    starts = np.concatenate([[0], np.cumsum(lengths)])
    shift = np.repeat(starts[:-1], np.diff(bounds))
    values = np.full((total, found.values.shape[1]), np.nan, order="F")
    values[places + shift] = found.values
    grid_times = np.concatenate(
        [frequency.times(np.arange(length), origin) for length, origin in zip(lengths, origins, strict=True)]
    )
    jumps = np.flatnonzero((np.diff(places) > 1) & (np.diff(shift) == 0))
    others = [rows.at(int(order[jump])) for jump in jumps[1:]] if len(jumps) <= _GAPS_TOLD else []
    health.note(
        "gaps",
        f"{counted(total - len(times), 'row')} absent from the {frequency} grid ({counted(len(jumps), 'gap')}) count "
        f"as missing; the first gap follows {rows.at(int(order[jumps[0]]))}"
        + (f"; others follow {'; '.join(others)}" if others else ""),
        rows=total - len(times),
    )
    return Grid(frequency, grid_times, values, starts)
