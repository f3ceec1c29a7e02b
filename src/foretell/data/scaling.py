"""What is learned about columns before any network: means, deviations, which inputs exist. From training rows alone.

Missing values take the last observed one of their series, before the first the training mean; a column that
has missing values in training gets a mask beside it (1 where the value was missing).
"""

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from jaxtyping import Float64

from ..axes import FeatureArray, MissingRows, TableArray, TargetArray, TrainingRows
from ..errors import DataError
from .filling import fill_forward
from .tables import AnyTable, Table, show_time

FARTHEST = 1e9  # training deviations; beyond it single precision tells nothing apart
SMALLEST = 1e-30  # a smaller deviation is none in single precision


@dataclass(frozen=True)
class Scaling:
    """Scaled value = (value - mean) / deviation, for each column, or each column of each series.

    Attributes:
        columns: The columns that it knows, targets included.
        mean: One row, or one for each series and one for series that were not in training.
        deviation: Likewise; never zero.
        features: Columns that become inputs: those that vary in training.
        masked: Features with a mask beside them.
        targets: Columns to forecast.
        series: Names of the series where each has its own row; empty where all share one.
    """

    columns: tuple[str, ...]
    mean: Float64[np.ndarray, "scale column"]
    deviation: Float64[np.ndarray, "scale column"]
    features: tuple[str, ...]
    masked: tuple[str, ...]
    targets: tuple[str, ...]
    series: tuple[str, ...] = ()

    @property
    def width(self) -> int:
        """How many inputs a network sees: features and masks."""
        return len(self.features) + len(self.masked)

    @property
    def used(self) -> tuple[str, ...]:
        """The columns that a model reads or forecasts."""
        return tuple(dict.fromkeys((*self.features, *self.targets)))

    def scales(self, table: AnyTable) -> np.ndarray:
        """Which row of ``mean`` belongs to each series of a table; a new one has that of all series together.

        Raises:
            DataError: Each series has its own scaling, one is new, and nothing is known of all together.
        """
        if not self.series:
            return np.zeros(len(table.series), np.int64)
        known = {name: place for place, name in enumerate(self.series)}
        unknown = [name for name in table.series if name not in known]
        if unknown and len(self.mean) == len(self.series):  # as in folders before format 1.2
            raise DataError(
                f'{table.source}: series "{unknown[0]}" was not in training, and each series has its own scaling; '
                f"known are {', '.join(self.series[:8])}",
                file=table.source,
                series=unknown[0],
            )
        return np.array([known.get(name, len(self.series)) for name in table.series])

    def target_scales(
        self, table: AnyTable
    ) -> tuple[Float64[np.ndarray, "series target"], Float64[np.ndarray, "series target"]]:
        """Mean and deviation of each target, for each series of a table."""
        chosen = [self.columns.index(name) for name in self.targets]
        rows = self.scales(table)
        return self.mean[rows][:, chosen], self.deviation[rows][:, chosen]

    def of_column(
        self, table: AnyTable, name: str
    ) -> tuple[Float64[np.ndarray, " series"], Float64[np.ndarray, " series"]]:
        """Mean and deviation of a column, for each series of a table."""
        column, rows = self.columns.index(name), self.scales(table)
        return self.mean[rows, column], self.deviation[rows, column]

    @property
    def target_places(self) -> tuple[int, ...]:
        """Where the targets stand among the inputs; none where one of them is no feature."""
        read = set(self.targets) <= set(self.features)
        return tuple(self.features.index(name) for name in self.targets) if read else ()

    def missing(self, table: AnyTable) -> MissingRows:
        """Where features are missing."""
        return np.isnan(table.take(self.features)) if isinstance(table, Table) else _Missing(table, self.features)

    def inputs(self, table: Table) -> FeatureArray:
        """The scaled features, missing ones filled, and the masks."""
        out = np.empty((table.rows, self.width), np.float32)
        rows = self.scales(table)
        for position, name in enumerate(self.features):
            column = self.columns.index(name)
            values = table.values[:, table.columns.index(name)]
            absent = np.isnan(values)
            for code, (start, stop) in enumerate(zip(table.starts[:-1], table.starts[1:], strict=True)):
                mean, deviation = self.mean[rows[code], column], self.deviation[rows[code], column]
                out[start:stop, position] = (values[start:stop] - mean) / deviation
            if absent.any():
                out[:, position] = fill_forward(out[:, position], table.starts, 0.0)
            if np.abs(out[:, position]).max() > FARTHEST:
                row = int(np.abs(out[:, position]).argmax())
                raise DataError(
                    f'{table.source}, column "{name}", {show_time(int(table.times[row]), table.timezone)}: values lie '
                    f"within {FARTHEST:g} training deviations of the mean; found {values[row]:g}; say --missing",
                    file=table.source,
                    column=name,
                )
            if name in self.masked:
                out[:, len(self.features) + self.masked.index(name)] = absent
        return out

    def scaled_targets(self, table: Table) -> TargetArray:
        """The scaled targets; NaN where missing."""
        mean, deviation = self.target_scales(table)
        return ((table.take(self.targets) - mean[table.codes]) / deviation[table.codes]).astype(np.float32)

    def refitted(self, table: AnyTable, training: TrainingRows) -> "Scaling":
        """The same columns with means and deviations of other rows; what does not vary there keeps those that it had.

        Args:
            table: The rows.
            training: Which of them lie in the training span.
        """
        if self.series:
            raise DataError(
                f"{table.source}: each series has its own scaling, which is kept; leave --rescale away",
                file=table.source,
            )
        mean, deviation = self.mean.copy(), self.deviation.copy()
        pooled = column_sums(table, training, self.columns)[0]
        for position, own in enumerate(pooled):
            if own.count and own.deviation > SMALLEST:
                mean[0, position], deviation[0, position] = own.mean, own.deviation
        return replace(self, mean=mean, deviation=deviation)

    def document(self) -> dict[str, object]:
        """The scaling as a JSON object."""
        return {
            "columns": list(self.columns),
            "mean": self.mean.tolist(),
            "deviation": self.deviation.tolist(),
            "features": list(self.features),
            "masked": list(self.masked),
            "targets": list(self.targets),
            "series": list(self.series),
        }


@dataclass(frozen=True)
class _Missing:
    """Where columns are missing, in those rows that are asked for."""

    table: AnyTable
    names: tuple[str, ...]

    def __getitem__(self, rows: slice) -> np.ndarray:
        return np.isnan(self.table.values_of(self.names, np.arange(*rows.indices(self.table.rows))))


@dataclass
class Sums:
    """The mean and the spread of numbers that come a part at a time, which are merged as Chan et al. (1979) do."""

    count: int = 0
    mean: float = 0.0
    variance: float = 0.0
    varies: bool = False
    absent: bool = False
    value: float = np.nan  # any of them

    def add(self, values: Float64[np.ndarray, " row"]) -> None:
        """Looks at more numbers; NaN where missing."""
        gone = np.isnan(values)
        observed = values[~gone]
        self.absent |= bool(gone.any())
        if not len(observed):
            return
        mean, variance, count = float(observed.mean()), float(observed.var()), len(observed)
        low, high = observed.min(), observed.max()
        self.varies |= bool(low < high) or bool(self.count and low != self.value)
        self.value = float(low)
        if self.count == 0:
            self.count, self.mean, self.variance = count, mean, variance
            return
        total = self.count + count
        apart, share = mean - self.mean, count / total
        self.mean += apart * share
        self.variance += (variance - self.variance) * share + apart**2 * share * (1 - share)
        self.count = total

    @property
    def deviation(self) -> float:
        """The standard deviation."""
        return float(np.sqrt(self.variance))


def column_sums(
    table: AnyTable, training: TrainingRows, columns: tuple[str, ...], *, per_series: bool = False
) -> tuple[list[Sums], list[list[Sums]]]:
    """The mean and the spread of columns in the training span: of all series together, and of each.

    Args:
        table: The rows.
        training: Which of them lie in the training span.
        columns: Their names.
        per_series: Whether each series is told by itself.
    """
    pooled = [Sums() for _ in columns]
    single = [[Sums() for _ in columns] for _ in range(len(table.series) if per_series else 0)]
    for stretch in table.stretches():
        part, own = stretch.part, training[stretch.rows]
        for position, name in enumerate(columns):
            values = part.values[:, part.columns.index(name)]
            pooled[position].add(values[own])
            if per_series:
                for number, (start, stop) in enumerate(pairwise(part.starts)):
                    single[stretch.code + number][position].add(values[start:stop][own[start:stop]])
    return pooled, single


def learn_scaling(table: AnyTable, training: TrainingRows, *, per_series: bool = False) -> Scaling:
    """Learns means and deviations from the training rows.

    Args:
        table: The rows.
        training: Which of them lie in the training span.
        per_series: Whether each series gets its own.

    Raises:
        DataError: A target is missing or constant throughout the training span.
    """
    columns = table.columns
    pooled, single = column_sums(table, training, columns, per_series=per_series)
    groups = [*single, pooled]
    mean = np.zeros((len(groups), len(columns)))
    deviation = np.ones((len(groups), len(columns)))
    varies = np.zeros((len(groups), len(columns)), bool)
    for position, together in enumerate(pooled):
        if together.count:
            # What a series of its own scaling was never seen to do, it does as all others.
            mean[:, position] = together.mean
            deviation[:, position] = together.deviation if together.deviation > SMALLEST else 1.0
        for number, group in enumerate(groups):
            own = group[position]
            if own.count:
                mean[number, position] = own.mean
            if own.varies and own.deviation > SMALLEST:
                deviation[number, position] = own.deviation
                varies[number, position] = True
    gaps = np.array([together.absent for together in pooled])
    for name in table.targets:
        constant = np.flatnonzero(~varies[:, columns.index(name)])
        if len(constant):
            owner = f" of series {table.series[constant[0]]}" if per_series and constant[0] < len(table.series) else ""
            raise DataError(
                f'{table.source}, column "{name}": the target{owner} must vary within the training span; it is missing '
                "or constant there; choose other spans",
                file=table.source,
                column=name,
            )
    features = tuple(name for name in table.features if varies[:, columns.index(name)].any())
    if not features:
        raise DataError(f"{table.source}: no feature varies within the training span", file=table.source)
    masked = tuple(name for name in features if gaps[columns.index(name)])
    return Scaling(columns, mean, deviation, features, masked, table.targets, table.series if per_series else ())


def filled_targets(table: AnyTable, targets: tuple[str, ...]) -> TableArray:
    """The targets in their own unit, missing ones filled with the last observed; NaN before the first."""
    return table.filled_of(targets, np.arange(table.rows))
