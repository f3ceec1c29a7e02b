"""What is learned about columns before any network: means, deviations, which inputs exist. From training rows alone.

Missing values take the last observed one of their series, before the first the training mean; a column that
has missing values in training gets a mask beside it (1 where the value was missing).
"""

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from jaxtyping import Bool, Float64

from ..axes import FeatureArray, MissingArray, TableArray, TargetArray
from ..errors import DataError
from .tables import Table, show_time

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

    def scales(self, table: Table) -> np.ndarray:
        """Which row of ``mean`` belongs to each series of a table; a new one has that of all series together.

        Raises:
            DataError: Each series has its own scaling, one is new, and nothing is known of all together.
        """
        if not self.series:
            return np.zeros(len(table.series), np.int64)
        unknown = [name for name in table.series if name not in self.series]
        if unknown and len(self.mean) == len(self.series):  # as in folders before format 1.2
            raise DataError(
                f'{table.source}: series "{unknown[0]}" was not in training, and each series has its own scaling; '
                f"known are {', '.join(self.series[:8])}",
                file=table.source,
                series=unknown[0],
            )
        known = {name: place for place, name in enumerate(self.series)}
        return np.array([known.get(name, len(self.series)) for name in table.series])

    def target_scales(
        self, table: Table
    ) -> tuple[Float64[np.ndarray, "series target"], Float64[np.ndarray, "series target"]]:
        """Mean and deviation of each target, for each series of a table."""
        chosen = [self.columns.index(name) for name in self.targets]
        rows = self.scales(table)
        return self.mean[rows][:, chosen], self.deviation[rows][:, chosen]

    def of_column(
        self, table: Table, name: str
    ) -> tuple[Float64[np.ndarray, " series"], Float64[np.ndarray, " series"]]:
        """Mean and deviation of a column, for each series of a table."""
        column, rows = self.columns.index(name), self.scales(table)
        return self.mean[rows, column], self.deviation[rows, column]

    @property
    def target_places(self) -> tuple[int, ...]:
        """Where the targets stand among the inputs; none where one of them is no feature."""
        read = set(self.targets) <= set(self.features)
        return tuple(self.features.index(name) for name in self.targets) if read else ()

    def missing(self, table: Table) -> MissingArray:
        """Where features are missing."""
        return np.isnan(table.take(self.features))

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

    def refitted(self, table: Table, training: Bool[np.ndarray, " row"]) -> "Scaling":
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
        for position, name in enumerate(self.columns):
            observed = table.take([name])[training, 0]
            observed = observed[~np.isnan(observed)]
            if len(observed) and observed.std() > SMALLEST:
                mean[0, position], deviation[0, position] = observed.mean(), observed.std()
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


def learn_scaling(table: Table, training: Bool[np.ndarray, " row"], *, per_series: bool = False) -> Scaling:
    """Learns means and deviations from the training rows.

    Args:
        table: The rows.
        training: Which of them lie in the training span.
        per_series: Whether each series gets its own.

    Raises:
        DataError: A target is missing or constant throughout the training span.
    """
    columns = table.columns
    if per_series:
        groups = [np.arange(start, stop)[training[start:stop]] for start, stop in pairwise(table.starts)]
        groups.append(np.flatnonzero(training))
    else:
        groups = [np.flatnonzero(training)]
    mean = np.zeros((len(groups), len(columns)))
    deviation = np.ones((len(groups), len(columns)))
    varies = np.zeros((len(groups), len(columns)), bool)
    gaps = np.zeros(len(columns), bool)
    for position in range(len(columns)):
        values = table.values[:, position]
        pooled = values[training & ~np.isnan(values)]
        if len(pooled):
            # What a series of its own scaling was never seen to do, it does as all others.
            mean[:, position], deviation[:, position] = pooled.mean(), pooled.std() if pooled.std() > SMALLEST else 1.0
        for number, group in enumerate(groups):
            observed = values[group]
            absent = np.isnan(observed)
            gaps[position] |= bool(absent.any())
            observed = observed[~absent]
            if len(observed) == 0:
                continue
            mean[number, position] = observed.mean()
            spread = observed.std()
            if observed.min() < observed.max() and spread > SMALLEST:
                deviation[number, position] = spread
                varies[number, position] = True
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


def fill_forward(values: np.ndarray, starts: np.ndarray, before_first: float) -> np.ndarray:
    """The last observed value in place of missing ones, never from another series.

    Args:
        values: One column; NaN where missing.
        starts: The first row of each series, and the number of rows at the end.
        before_first: The value before a series' first observation.

    >>> fill_forward(np.array([np.nan, 1.0, np.nan, np.nan]), np.array([0, 3, 4]), 0.0)
    array([0., 1., 1., 0.])
    """
    latest = np.where(np.isnan(values), -1, np.arange(len(values)))
    latest = np.maximum.accumulate(latest)
    first = np.repeat(starts[:-1], np.diff(starts))
    return np.where(latest >= first, values[np.maximum(latest, 0)], before_first).astype(values.dtype)


def filled_targets(table: Table, targets: tuple[str, ...]) -> TableArray:
    """The targets in their own unit, missing ones filled with the last observed; NaN before the first."""
    values = table.take(targets)
    return np.column_stack(
        [fill_forward(values[:, position], table.starts, np.nan) for position in range(values.shape[1])]
    )
