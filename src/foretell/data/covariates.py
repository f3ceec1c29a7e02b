"""What a network may know of a row beside its columns: the calendar, columns known ahead, what is static for a series.

All of it is known of rows that lie ahead as well, so that a forecast may rest on it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Bool, Float32, Float64, Int64
from torch import Tensor

from ..axes import AnchorArray, FeatureArray, TimeArray, TrainingRows
from ..errors import DataError
from .filling import fill_forward
from .frequency import Frequency
from .scaling import FARTHEST, SMALLEST, Scaling
from .tables import AnyTable, Stretch, Table, local_times, show_time

YEAR_DAYS = 365.2425


@dataclass(frozen=True)
class Static:
    """What was learned of a static column: its categories, or the mean and deviation of its numbers.

    Attributes:
        name: The column.
        categories: Its words in training, in the order of the alphabet; empty where it holds numbers.
        mean: Of its numbers, over the series of the training.
        deviation: Likewise.
    """

    name: str
    categories: tuple[str, ...] = ()
    mean: float = 0.0
    deviation: float = 1.0

    @property
    def width(self) -> int:
        """How many inputs it makes."""
        return len(self.categories) or 1

    def inputs(self, table: AnyTable) -> Float32[np.ndarray, "series input"]:
        """Its value for each series of a table; zeros where it is missing or was never seen.

        Raises:
            DataError: A number is too far from those of training.
        """
        values = table.statics[self.name]
        out = np.zeros((len(table.series), self.width), np.float32)
        for code, value in enumerate(values):
            if value is None:
                continue
            if self.categories:
                # A column of words may look like numbers where only some of its words are there.
                word = f"{value:g}" if isinstance(value, float) else value
                if word in self.categories:
                    out[code, self.categories.index(word)] = 1
            elif isinstance(value, float):
                scaled = (value - self.mean) / self.deviation
                if abs(scaled) > FARTHEST:
                    raise DataError(
                        f'{table.source}, column "{self.name}": static numbers lie within {FARTHEST:g} training '
                        f'deviations of the mean; series "{table.series[code]}" has {value:g}',
                        file=table.source,
                        column=self.name,
                        series=table.series[code],
                    )
                out[code] = scaled
        return out

    def unseen(self, table: AnyTable) -> list[str]:
        """Words in a table that training did not hold."""
        if not self.categories:
            return []
        words = {f"{value:g}" if isinstance(value, float) else value for value in table.statics[self.name]}
        return sorted(word for word in words if word is not None and word not in self.categories)


@dataclass(frozen=True)
class Covariates:
    """What networks read beside columns.

    Attributes:
        calendar: Whether the hour, the day of the week and the day of the year are read.
        known: Columns that are known ahead; they are features as well.
        statics: Columns with one value for each series.
    """

    calendar: bool = False
    known: tuple[str, ...] = ()
    statics: tuple[Static, ...] = ()

    def calendar_width(self, frequency: Frequency) -> int:
        """How many of the inputs are the calendar's; they come first."""
        return self.calendar * 2 * len(cycles(frequency))

    def width(self, frequency: Frequency) -> int:
        """How many inputs of each row they make beside the features."""
        return self.calendar_width(frequency) + sum(static.width for static in self.statics)

    def ahead_width(self, frequency: Frequency) -> int:
        """How many numbers are known of each lead: the calendar, static values, and columns that are known ahead."""
        return self.width(frequency) + len(self.known)

    def inputs(self, table: Table) -> FeatureArray:
        """The calendar and the static values of each row."""
        return self._beside(table, table.times, table.codes)

    def ahead(self, table: Table, scaling: Scaling, last: int) -> "KnownRows":
        """What is known of each row and of as many rows after each series as a forecast reaches.

        Args:
            table: The rows.
            scaling: Of the columns that are known ahead.
            last: The farthest lead.
        """
        times, codes, own = [], [], []
        for code, (start, stop) in enumerate(pairwise(table.starts)):
            places = np.arange(stop - start, stop - start + last)
            times += [table.times[start:stop], _after(table, int(start), int(stop), places)]
            codes.append(np.full(stop - start + last, code))
            own.append(np.arange(stop - start + last) < stop - start)
        all_times, all_codes, inside = np.concatenate(times), np.concatenate(codes), np.concatenate(own)
        absent = np.zeros(len(all_times), bool)
        columns = []
        for name in self.known:
            values = np.full(len(all_times), np.nan)
            values[inside] = table.take([name])[:, 0]
            absent |= np.isnan(values)
            mean, deviation = scaling.of_column(table, name)
            scaled = ((values - mean[all_codes]) / deviation[all_codes]).astype(np.float32)
            columns.append(fill_forward(scaled, table.starts + np.arange(len(table.starts)) * last, 0.0)[:, None])
        values = np.concatenate([self._beside(table, all_times, all_codes), *columns], axis=1)
        return KnownRows(values, absent, all_times, table.codes * last)

    def document(self) -> dict[str, Any]:
        """As a JSON object."""
        return {
            "calendar": self.calendar,
            "known": list(self.known),
            "statics": [
                {"name": own.name, "categories": list(own.categories), "mean": own.mean, "deviation": own.deviation}
                for own in self.statics
            ],
        }

    @classmethod
    def restore(cls, document: Mapping[str, Any]) -> "Covariates":
        """What a JSON object says.

        Raises:
            ValueError: It contradicts itself.
        """
        statics = tuple(
            Static(str(own["name"]), tuple(map(str, own["categories"])), float(own["mean"]), float(own["deviation"]))
            for own in document["statics"]
        )
        if not all(np.isfinite(own.mean) and 0 < own.deviation < np.inf for own in statics):
            raise ValueError("static columns have finite means and deviations above zero")
        return cls(bool(document["calendar"]), tuple(map(str, document["known"])), statics)

    def _beside(
        self, table: Table, times: TimeArray, codes: Int64[np.ndarray, " row"]
    ) -> Float32[np.ndarray, "row input"]:
        parts = [calendar_inputs(times, table.timezone, table.frequency)] if self.calendar else []
        parts += [static.inputs(table)[codes] for static in self.statics]
        return np.concatenate(parts, axis=1) if parts else np.empty((len(times), 0), np.float32)


NONE = Covariates()


@runtime_checkable
class KnownAhead(Protocol):
    """What is known of rows, those ahead of the last one included."""

    def at(self, anchors: AnchorArray, leads: tuple[int, int]) -> Float32[Tensor, "batch lead input"]:
        """What is known of the targets of some windows."""
        ...

    def whole(self, anchors: AnchorArray, leads: tuple[int, int]) -> Bool[np.ndarray, " window"]:
        """Whether all is known of the targets of each window."""
        ...

    def first_absent(self, anchors: AnchorArray, leads: tuple[int, int]) -> int | None:
        """The time of the first target of some windows of which something is not known; None where all is."""
        ...


class KnownRows:
    """What is known of rows, those ahead of the last one included.

    Args:
        values: Of each row, and of the rows after each series.
        absent: Where a column that is known ahead has no value.
        times: The time of each.
        shift: How many rows of other series' future stand before each row of the table.
    """

    def __init__(
        self,
        values: Float32[np.ndarray, "place input"],
        absent: Bool[np.ndarray, " place"],
        times: Int64[np.ndarray, " place"],
        shift: Int64[np.ndarray, " row"],
    ) -> None:
        self.values = torch.from_numpy(values)
        self.absent, self.times, self.shift = absent, times, shift

    def at(self, anchors: AnchorArray, leads: tuple[int, int]) -> Float32[Tensor, "batch lead input"]:
        """What is known of the targets of some windows."""
        places = self._places(anchors, leads)
        return self.values.index_select(0, torch.from_numpy(places.reshape(-1))).view(*places.shape, -1)

    def whole(self, anchors: AnchorArray, leads: tuple[int, int]) -> Bool[np.ndarray, " window"]:
        """Whether all is known of the targets of each window."""
        return ~self.absent[self._places(anchors, leads)].any(axis=1)

    def first_absent(self, anchors: AnchorArray, leads: tuple[int, int]) -> int | None:
        """The time of the first target of some windows of which something is not known; None where all is."""
        places = self._places(anchors, leads).reshape(-1)
        missing = places[self.absent[places]]
        return int(self.times[missing].min()) if len(missing) else None

    def _places(self, anchors: AnchorArray, leads: tuple[int, int]) -> Int64[np.ndarray, "window lead"]:
        return (anchors + self.shift[anchors])[:, None] + np.arange(leads[0], leads[1] + 1)


def learn_covariates(table: AnyTable, training: TrainingRows, calendar: bool, known: tuple[str, ...]) -> Covariates:
    """Learns categories and scales from the series that have rows in training.

    Args:
        table: The rows.
        training: Which of them lie in the training span.
        calendar: Whether the calendar is read.
        known: Columns that are known ahead.
    """
    seen = np.unique(np.concatenate([_trained(stretch, training) for stretch in table.stretches()]))
    statics = []
    for name, values in table.statics.items():
        own = [values[code] for code in seen if values[code] is not None]
        words = tuple(sorted({value for value in own if isinstance(value, str)}))
        numbers = np.array([value for value in own if isinstance(value, float)])
        if words or not len(numbers):
            statics.append(Static(name, words or ("",)))
        else:
            spread = float(numbers.std())
            statics.append(Static(name, (), float(numbers.mean()), spread if spread > SMALLEST else 1.0))
    return Covariates(calendar, known, tuple(statics))


def _trained(stretch: Stretch, training: TrainingRows) -> Int64[np.ndarray, " series"]:
    """The series of a stretch that have rows in training."""
    rows = np.arange(stretch.rows.start, stretch.rows.stop)
    return np.unique(stretch.part.codes_of(rows[training[stretch.rows]] - stretch.first)) + stretch.code


def cycles(frequency: Frequency) -> tuple[str, ...]:
    """The cycles of the calendar that rows of a frequency go through.

    >>> cycles(Frequency("microsecond", 3_600_000_000)), cycles(Frequency("month", 1))
    (('day', 'week', 'year'), ('year',))
    """
    names = {"day": 1.0, "week": 1 / 5, "year": 1 / 180}
    return tuple(name for name, least in names.items() if frequency.rows_per_day > least or name == "year")


def calendar_inputs(times: TimeArray, timezone: str | None, frequency: Frequency) -> Float32[np.ndarray, "row input"]:
    """Sine and cosine of the hour of the day, the day of the week and the day of the year.

    Args:
        times: Of some rows.
        timezone: In which the hours are told.
        frequency: Of the rows; a cycle that is shorter than their step is left out.
    """
    local = local_times(times, timezone)
    hours = (local.dt.hour() + local.dt.minute() / 60 + local.dt.second() / 3600).to_numpy()
    turns: dict[str, Float64[np.ndarray, " row"]] = {
        "day": hours / 24,
        "week": (local.dt.weekday().to_numpy() - 1 + hours / 24) / 7,
        "year": (local.dt.ordinal_day().to_numpy() - 1) / YEAR_DAYS,
    }
    angles = 2 * np.pi * np.stack([turns[name] for name in cycles(frequency)], axis=1)
    return np.concatenate([np.sin(angles), np.cos(angles)], axis=1).astype(np.float32)


def require_known(table: Table, known: KnownAhead, anchors: AnchorArray, leads: tuple[int, int]) -> None:
    """Checks that all is there that forecasts from some anchors must know ahead.

    Raises:
        DataError: It is not; the message names the first time.
    """
    for code, series in enumerate(table.series):
        absent = known.first_absent(anchors[table.codes[anchors] == code], leads)
        if absent is not None:
            of = f" of {series}" if table.series_column else ""
            raise DataError(
                f"{table.source}: columns that are known ahead have a value up to the last forecast; at "
                f"{show_time(absent, table.timezone)} one is missing{of}; append rows up to there, their targets empty",
                file=table.source,
                time=show_time(absent, table.timezone),
                series=series if table.series_column else None,
            )


def last_observed(table: Table) -> Int64[np.ndarray, " series"]:
    """The last row of each series in which a target is observed: rows after it hold only what is known ahead."""
    observed = ~np.isnan(table.take(table.targets)).all(axis=1)
    rows = np.where(observed, np.arange(table.rows), -1)
    return np.maximum.reduceat(rows, table.starts[:-1])


def _after(table: Table, start: int, stop: int, places: Int64[np.ndarray, " row"]) -> TimeArray:
    """The times of the rows after a series."""
    return table.frequency.times(places, int(table.times[start]))
