"""Tables made in memory, for tests that need a shape rather than a file."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from hypothesis import strategies as st

from foretell.data.frequency import Frequency
from foretell.data.health import Health
from foretell.data.tables import Table
from foretell.data.windows import WindowShape

MINUTE = 60_000_000
HOUR = 60 * MINUTE
HOURLY = Frequency("microsecond", HOUR)
NEW_YEAR = int(np.datetime64("2021-01-01", "us").astype(np.int64))


def microseconds(text: str) -> int:
    """A time as written, in microseconds since 1970."""
    return int(np.datetime64(text, "us").astype(np.int64))


def make_table(
    values: np.ndarray,
    lengths: Sequence[int] | None = None,
    *,
    targets: Sequence[str] = ("a",),
    offsets: Sequence[int] | None = None,
    frequency: Frequency = HOURLY,
    origin: int = NEW_YEAR,
    timezone: str | None = None,
    names: Sequence[str] | None = None,
) -> Table:
    """A table of columns a, b, c ...; each series starts ``offsets`` rows after the origin."""
    values = values.reshape(len(values), -1).astype(np.float64)
    lengths = [len(values)] if lengths is None else lengths
    columns = tuple("abcdefgh"[: values.shape[1]])
    first = [0] * len(lengths) if offsets is None else offsets
    times = [
        frequency.times(np.arange(start, start + length), origin) for start, length in zip(first, lengths, strict=True)
    ]
    several = len(lengths) > 1 or names is not None
    series = tuple(names) if names else tuple(f"s{number}" for number in range(len(lengths))) if several else ("",)
    return Table(
        source="a made table",
        columns=columns,
        values=values,
        times=np.concatenate(times).astype(np.int64),
        starts=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        series=series,
        frequency=frequency,
        targets=tuple(targets),
        features=columns,
        time_column="time",
        series_column="series" if several else None,
        timezone=timezone,
        health=Health(),
    )


def series_of(table: Table) -> list[range]:
    """The rows of each series."""
    return [range(int(start), int(stop)) for start, stop in pairwise(table.starts)]


@st.composite
def shapes(draw: st.DrawFn, *, align: str = "standard") -> WindowShape:
    """Any small window."""
    every = draw(st.integers(1, 4))
    steps = draw(st.integers(1, 5))
    first = draw(st.integers(1, 4))
    leads = (first, first if align == "lecture" else first + draw(st.integers(0, 3)))
    return WindowShape(every * steps, every, leads, "lecture" if align == "lecture" else "standard")


@dataclass(frozen=True)
class Recipe:
    """What a random table is made of; made only inside a test, since hypothesis watches what its strategies call."""

    seed: int
    lengths: tuple[int, ...]
    offsets: tuple[int, ...]
    width: int
    targets: int
    missing: float

    def make(self) -> Table:
        """Hourly series that start apart, columns of very different size, missing values here and there."""
        generator = np.random.default_rng(self.seed)
        values = generator.normal(10, 3, (sum(self.lengths), self.width))
        values *= generator.choice([0.01, 1.0, 100.0], self.width)
        values[generator.random(values.shape) < self.missing] = np.nan
        return make_table(values, self.lengths, targets="abcd"[: self.targets], offsets=self.offsets)


@st.composite
def recipes(
    draw: st.DrawFn, *, shortest: int = 20, longest: int = 60, most_series: int = 3, most_columns: int = 4
) -> Recipe:
    """One to three series of one to four columns."""
    lengths = draw(st.lists(st.integers(shortest, longest), min_size=1, max_size=most_series))
    offsets = draw(st.lists(st.integers(0, 6), min_size=len(lengths), max_size=len(lengths)))
    width = draw(st.integers(1, most_columns))
    missing = draw(st.sampled_from([0.0, 0.05, 0.3]))
    targets = draw(st.integers(1, width))
    return Recipe(draw(st.integers(0, 2**32 - 1)), tuple(lengths), tuple(offsets), width, targets, missing)
