"""The faults of a table: each series looked at by every detector, each fault told with its column, time and row."""

from collections import Counter
from collections.abc import Callable, Iterator

import numpy as np
import polars as pl
from jaxtyping import Float64, Int64

from ...errors import counted
from ...passes import followed
from ...stopping import heed
from ..health import Health
from ..sources import Source
from ..tables import AnyTable, show_time
from .copies import copies
from .exchanged import exchanged
from .letters import REPLACED, misread, tell_misread
from .spikes import spikes
from .still import still_stretches
from .units import Change, changes

Place = Callable[[int], tuple[str, int] | None]

_HERE = "\0"  # in a sentence: where the place of a fault goes
_MOST_TOLD = 20  # of a kind
_MOST_CELLS, _MOST_ROWS, _MOST_SERIES = 30_000_000, 1_000_000, 300  # that are looked at: of all, of a series
_MOST_BESIDE = 40  # columns that are looked at in pairs


def point_out_faults(table: AnyTable, place: Place | None = None) -> None:
    """Adds to the health of a table what its values say about themselves.

    Args:
        table: Checked, on its grid.
        place: Where a row of it stands in the file: in words, and as a number.
    """
    plan = list(_plan(table))
    looked = sum(last - first for _, first, last in plan)
    faults = _Faults(table, place)
    what = f"looking at {table.source}"
    for code, first, last in followed(plan, lambda own: own[2] - own[1], what, looked, "rows"):
        faults.look_at(code, first, last)
    if looked < table.rows:
        told = f"values of {looked:,} of {table.rows:,} rows were looked at for faults"
        table.health.note("looked", told, rows=looked)
    faults.tell_rest()


def _plan(table: AnyTable) -> Iterator[tuple[int, int, int]]:
    """The number of each series that is looked at, its first row, and the one after its last."""
    cells = 0
    for code in range(min(len(table.series), _MOST_SERIES)):
        first, last = int(table.starts[code]), int(table.starts[code + 1])
        last = min(last, first + _MOST_ROWS)
        cells += (last - first) * len(table.columns)
        if code and cells > _MOST_CELLS:
            return
        yield code, first, last


def point_out_letters(rows: Source, health: Health) -> None:
    """Adds to the health of a table what names and words in it were read in a wrong encoding.

    Args:
        rows: As they came.
        health: Where it is told.
    """
    for name, values in zip(rows.frame.columns, rows.frame.iter_columns(), strict=True):
        for told in tell_misread([(name, f'"{name}"')], "names of columns"):
            health.warn("letters", told, column=name)
        if values.dtype == pl.String:
            words = values.unique(maintain_order=True).drop_nulls().to_list()
            odd = [word for word in words if misread(word) or REPLACED in word]
            first = values.is_in(odd).arg_true()
            for sentence in tell_misread(((word, f'"{word[:30]}"') for word in odd), "different words"):
                row = rows.number(int(first[0])) + 1
                told = f'"{name}", from {rows.place(int(first[0]))} on: {sentence}'
                health.warn("letters", told, column=name, rows=len(first), row=row)


class _Faults:
    """What was found so far; of each kind only some are told one by one."""

    def __init__(self, table: AnyTable, place: Place | None) -> None:
        self.table, self.place = table, place
        self.told, self.pairs = Counter[str](), set[tuple[str, str]]()
        self.health: Health = table.health

    def look_at(self, code: int, first: int, last: int) -> None:
        """Every detector on one series; what one has found is missing for the next."""
        table = self.table
        values: Float64[np.ndarray, "row column"] = np.array(
            table.values_of(table.columns, np.arange(first, last)), np.float64
        )
        self._take_out_sentinels(values)
        some = self._in_pairs()
        for one, other, begin, end in exchanged(values[:, some]):
            pair = [some[one], some[other]]
            self._tell_exchanged(code, pair[0], pair[1], first + begin, first + end)
            values[begin:end, pair] = np.nan
        heed()
        for column, begin, end in still_stretches(values):
            stands = f"stands still at {values[begin, column]:.6g} for {counted(end - begin, 'row')}"
            sentence = f"{stands} from {_HERE} on, far longer than elsewhere"
            self._tell("still", code, column, first + begin, end - begin, sentence)
            values[begin:end, column] = np.nan
        for column, own in enumerate(values.T):
            for row in spikes(own):
                self._tell("spike", code, column, first + row, 1, f"{own[row]:.6g} in {_HERE} is far from all others")
            own[spikes(own)] = np.nan
        heed()
        for change in changes(values, table.frequency):
            self._tell_change(code, first, len(values), change)
        heed()
        for copy in copies(values[:, some], tuple(some.index(own) for own in self._targets() if own in some)):
            self._tell_copy(some[copy.column], some[copy.of], copy.ahead, copy.exact)

    def tell_rest(self) -> None:
        """How many more of each kind there are."""
        for kind, count in self.told.items():
            if count > _MOST_TOLD:
                self.health.warn(kind, f"and {count - _MOST_TOLD:,} more of this kind", rows=count - _MOST_TOLD)

    def _targets(self) -> list[int]:
        return [self.table.columns.index(name) for name in self.table.targets]

    def _in_pairs(self) -> list[int]:
        first = dict.fromkeys([*self._targets(), *range(len(self.table.columns))])
        return sorted(list(first)[:_MOST_BESIDE])

    def _take_out_sentinels(self, values: Float64[np.ndarray, "row column"]) -> None:
        """What was pointed out as standing for missing values is not pointed out again."""
        for finding in self.health.findings:
            if finding.kind == "suspicious" and finding.remedy and finding.column in self.table.columns:
                own = values[:, self.table.columns.index(finding.column)]
                own[np.isclose(own, float(finding.remedy["missing"]), rtol=1e-5)] = np.nan

    def _tell(self, kind: str, code: int, column: int, row: int, rows: int, sentence: str, remedy: str = "") -> None:
        """One fault, with the place of its first row put into its sentence."""
        self.told[kind] += 1
        if self.told[kind] > _MOST_TOLD:
            return
        name = self.table.columns[column]
        where, number = self._where(row)
        owner = f" of {self.table.series[code]}" if self.table.series_column else ""
        self.health.warn(
            kind, f'"{name}"{owner}: {sentence.replace(_HERE, where)}{remedy}', column=name, rows=rows, row=number
        )

    def _where(self, row: int) -> tuple[str, int | None]:
        rows: Int64[np.ndarray, " row"] = np.array([row])
        time = show_time(int(self.table.times_of(rows)[0]), self.table.timezone)
        words, number = self.place(row) or ("", None) if self.place else ("", None)
        return (f"{words}, {time}" if words else time), number

    def _tell_exchanged(self, code: int, one: int, other: int, first: int, last: int) -> None:
        names = [self.table.columns[column] for column in (one, other)]
        sentence = (
            f'exchanged with "{names[1]}" in {counted(last - first, "row")} from {_HERE} on: each continues the other'
        )
        self._tell("exchanged", code, one, first, last - first, sentence)

    def _tell_change(self, code: int, first: int, rows: int, change: Change) -> None:
        until = "" if change.last >= rows else f" until {self._where(first + change.last)[0]}"
        self._tell(
            "units",
            code,
            change.column,
            first + change.first,
            change.last - change.first,
            f"other numbers from {_HERE} on{until}{_likely(change)}",
            "; if its unit changes there, bring all rows to one",
        )

    def _tell_copy(self, column: int, of: int, ahead: int, exact: bool) -> None:
        name, other = self.table.columns[column], self.table.columns[of]
        if (name, other) in self.pairs:
            return
        self.pairs.add((name, other))
        step = self.table.frequency.stretch(abs(ahead)) if ahead else ""
        what = f'"{name}" holds {"" if exact else "almost "}what "{other}" does'
        if ahead > 0:
            told = f"{what} {step} later: a model that reads it knows the future; leave it out"
        elif ahead < 0:
            told = f"{what} {step} before: it adds nothing"
        else:
            told = f"{what} at the same time: where one is forecast, the other must not be known ahead"
        self.health.warn("copy", told, column=name)


def _likely(change: Change) -> str:
    """What a change of numbers looks like."""
    if change.unit:
        return f", as if {change.unit}"
    if not np.isfinite(change.factor) or change.factor <= 0:
        return ""
    larger = change.factor >= 1
    size = change.factor if larger else 1 / change.factor
    return f", steps are {size:.3g} times as {'large' if larger else 'small'}" if size > 1.1 else ""
