"""The step of a table's time grid: how it is inferred, and how durations become numbers of rows.

Times are microseconds since 1970 everywhere inside. A grid is even (ten minutes, an hour), or follows the
calendar: months of unequal length, or weekdays without weekends.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Int64

from ..axes import TimeArray
from ..errors import ConfigurationError, DataError

SECOND = 1_000_000
DAY = 86_400 * SECOND
_UNITS = {
    "us": 1,
    "ms": 1_000,
    "s": SECOND,
    "sec": SECOND,
    "min": 60 * SECOND,
    "m": 60 * SECOND,
    "h": 3_600 * SECOND,
    "d": DAY,
    "w": 7 * DAY,
}
_SHOWN = (
    ("w", 7 * DAY),
    ("d", DAY),
    ("h", 3_600 * SECOND),
    ("min", 60 * SECOND),
    ("s", SECOND),
    ("ms", 1_000),
    ("us", 1),
)
_MONTHS = {"mo": 1, "q": 3, "y": 12}
_MINUTES = (1, 2, 3, 5, 10, 15, 20, 30, 60, 120, 180, 240, 360, 720)
_DURATION = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([a-z]+)\s*")
_DIGITS = 15  # of a number of rows
_LONGEST = 100_000 * 366 * DAY  # in microseconds, which 64 bits hold

Unit = Literal["microsecond", "weekday", "month"]
Origin = int | np.int64 | Int64[np.ndarray, "*#row"]


@dataclass(frozen=True)
class Frequency:
    """The step of a time grid: ``count`` units, and for months whether times stand at their end.

    >>> str(Frequency("microsecond", 600_000_000)), str(Frequency("month", 3))
    ('10min', '3mo')
    """

    unit: Unit
    count: int
    month_end: bool = False

    def __str__(self) -> str:
        if self.unit == "month":
            return f"{self.count}mo"
        if self.unit == "weekday":
            return "1 weekday"
        return show_duration(self.count)

    def stretch(self, rows: int) -> str:
        """The time that so many rows span.

        >>> Frequency("microsecond", 600_000_000).stretch(144), Frequency("month", 3).stretch(4)
        ('1d', '12mo')
        """
        if self.unit == "month":
            return f"{self.count * rows}mo"
        if self.unit == "weekday":
            return f"{rows} weekday{'' if rows == 1 else 's'}"
        return show_duration(self.count * rows)

    @property
    def rows_per_day(self) -> float:
        """How many rows make a day; below one for grids coarser than a day."""
        if self.unit == "month":
            return 1 / (30.436875 * self.count)
        return 5 / 7 if self.unit == "weekday" else DAY / self.count

    def index(
        self, times: Int64[np.ndarray, "*row"], origin: Origin
    ) -> tuple[Int64[np.ndarray, "*row"], Bool[np.ndarray, "*row"]]:
        """The place of each time on the grid that starts at ``origin``, and whether it lies on it exactly.

        Args:
            times: Microseconds since 1970.
            origin: Where the grid starts; or one for each time, as series have grids of their own.
        """
        if self.unit == "microsecond":
            places, rest = np.divmod(times - origin, self.count)
            return places, rest == 0
        begins = np.broadcast_to(origin, times.shape)
        if self.unit == "weekday":
            day = _days(times)
            places = np.busday_count(_days(begins), day).astype(np.int64)
            return places, np.is_busday(day) & ((times - begins) % DAY == 0)
        places, rest = np.divmod(_months(times) - _months(begins), self.count)
        return places, (rest == 0) & (self.times(places, begins) == times)

    def times(self, places: Int64[np.ndarray, "*row"], origin: Origin) -> Int64[np.ndarray, "*row"]:
        """The time at each place of the grid that starts at ``origin``; the inverse of :meth:`index`.

        Args:
            places: Steps after the origin.
            origin: Where the grid starts; or one for each place.
        """
        if self.unit == "microsecond":
            return origin + places * self.count
        begins = np.broadcast_to(origin, places.shape)
        clock = begins % DAY
        if self.unit == "weekday":
            days = np.busday_offset(_days(begins), places)
            return days.astype("datetime64[us]").astype(np.int64) + clock
        months = _months(begins) + places * self.count
        first = months.astype("datetime64[M]").astype("datetime64[D]")
        length = ((months + 1).astype("datetime64[M]").astype("datetime64[D]") - first).astype(np.int64)
        offset = length - 1 if self.month_end else np.minimum(_day_of_month(_days(begins)) - 1, length - 1)
        return (first + offset).astype("datetime64[us]").astype(np.int64) + clock

    def rows(self, duration: str, option: str) -> int:
        """The number of rows that a duration, or a number of rows, stands for.

        Args:
            duration: ``10d``, ``90min``, ``3mo`` or a whole number of rows.
            option: The option that it came from, for the error.

        Raises:
            ConfigurationError: It is no duration, or no multiple of the frequency.

        >>> Frequency("microsecond", 600_000_000).rows("10d", "lookback")
        1440
        """
        text = duration.strip()
        if re.fullmatch(r"[+-]?\d+", text):
            if len(text) > _DIGITS:
                raise ConfigurationError(f"{option} {text[:20]}... is more rows than any table has", option=option)
            return int(text)
        if not re.match(r"[+-]?\d", text):
            raise ConfigurationError(
                f'{option} "{duration}" is neither a duration (10d, 1h, 90min) nor a whole number of rows',
                option=option,
                value=duration,
            )
        unit, amount = parse_duration(text, option)
        if unit == "month" and self.unit == "month":
            rows = amount / self.count
        elif unit == "month" or self.unit == "month":
            raise ConfigurationError(
                f"{option} {duration} cannot be counted in rows of {self}; give it in "
                f"{'months (12mo)' if self.unit == 'month' else 'days (30d)'} or as a number of rows",
                option=option,
                value=duration,
            )
        elif self.unit == "weekday":
            # A week has five of these rows; a day counts as one of them.
            rows = amount / (7 * DAY) * 5 if text.endswith("w") else amount / DAY
        else:
            rows = amount / self.count
        if rows != int(rows):
            near = max(1, round(rows))
            raise ConfigurationError(
                f"{option} {duration} is no multiple of the rows' frequency, {self}; the nearest is {near} rows",
                option=option,
                value=duration,
                nearest=near,
            )
        return int(rows)


def parse_duration(text: str, option: str) -> tuple[Unit, int]:
    """A written duration as a unit and a whole amount of it.

    Raises:
        ConfigurationError: The text is no duration.

    >>> parse_duration("90min", "every")
    ('microsecond', 5400000000)
    """
    match = _DURATION.fullmatch(text.lower())
    units: tuple[tuple[Unit, Mapping[str, int]], ...] = (("microsecond", _UNITS), ("month", _MONTHS))
    for unit, sizes in units:
        if match and match[2] in sizes:
            amount = float(match[1]) * sizes[match[2]]
            if amount > _LONGEST:
                raise ConfigurationError(f"{option} {text[:20]} is longer than times can tell", option=option)
            return unit, round(amount)
    raise ConfigurationError(
        f'{option} "{text}" is no duration; durations look like 10d, 1h, 90min, 3mo', option=option, value=text
    )


def show_duration(microseconds: int) -> str:
    """A stretch of time in its largest whole unit.

    >>> show_duration(5_400_000_000)
    '90min'
    """
    for name, size in _SHOWN:
        if microseconds % size == 0 and microseconds >= size:
            return f"{microseconds // size}{name}"
    return f"{microseconds}us"


def tidy_step(microseconds: int) -> str:
    """The usual step (1s, 10min, 1h, 1d ...) nearest to an uneven one.

    >>> tidy_step(3_594 * SECOND)
    '1h'
    """
    usual = [
        *(SECOND * second for second in (1, 2, 5, 10, 15, 20, 30)),
        *(60 * SECOND * minute for minute in _MINUTES),
        DAY,
    ]
    return show_duration(min(usual, key=lambda step: abs(np.log(step / microseconds))))


def infer_frequency(times: TimeArray, starts: Int64[np.ndarray, " series"]) -> Frequency:
    """The commonest step between neighbouring rows of the same series, calendar grids recognised.

    Args:
        times: Sorted within each series.
        starts: The first row of each series.

    Raises:
        DataError: Fewer than two times.
    """
    steps = np.diff(times)
    inner = np.ones(len(steps), bool)
    inner[starts[1:] - 1] = False
    inner &= steps > 0
    steps = steps[inner]
    if len(steps) == 0:
        raise DataError(
            "the frequency cannot be inferred from fewer than two times; the data hold only one", rows=len(times)
        )
    values, counts = np.unique(steps, return_counts=True)
    common = int(values[np.argmax(counts)])
    if values[0] >= 28 * DAY and len(set(times % DAY)) == 1:
        days = _days(times)
        first, last = _day_of_month(days) == 1, _day_of_month(days + 1) == 1
        month = days.astype("datetime64[M]")
        length = ((month + 1).astype("datetime64[D]") - month.astype("datetime64[D]")).astype(np.int64)
        same = bool((_day_of_month(days) == np.minimum(_day_of_month(days[:1]), length)).all())
        if same or first.all() or last.all():
            later = np.flatnonzero(inner)
            months = _months(times)
            gaps = months[later + 1] - months[later]
            return Frequency("month", int(np.bincount(gaps).argmax()), month_end=bool(last.all()))
    if common == DAY and (values % DAY == 0).all() and values[-1] >= 3 * DAY and np.is_busday(_days(times)).all():
        return Frequency("weekday", 1)
    return Frequency("microsecond", common)


def named_frequency(text: str) -> Frequency:
    """The frequency that an option names.

    >>> named_frequency("15min").count == 15 * 60 * SECOND
    True
    """
    unit, amount = parse_duration(text, "frequency")
    if amount <= 0:
        raise ConfigurationError(f"frequency must be longer than zero; found {text}", option="frequency", value=text)
    return Frequency(unit, amount)


def _days(times: Int64[np.ndarray, "*row"]) -> np.ndarray:
    return times.astype("datetime64[us]").astype("datetime64[D]")


def _months(times: Int64[np.ndarray, "*row"]) -> Int64[np.ndarray, "*row"]:
    return times.astype("datetime64[us]").astype("datetime64[M]").astype(np.int64)


def _day_of_month(days: np.ndarray) -> np.ndarray:
    return (days - days.astype("datetime64[M]").astype("datetime64[D]")).astype(np.int64) + 1
