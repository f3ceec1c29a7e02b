"""What simple rules see of a table: its targets in their own unit, and the time of every row and of the future."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float64, Int64

from ..axes import AnchorArray, ForecastArray, TableArray
from ..data.scaling import Scaling, filled_targets
from ..data.tables import Table
from ..data.windows import Windows, WindowShape, target_rows


@dataclass(frozen=True)
class History:
    """The targets of a table.

    Attributes:
        table: The rows.
        shape: What a window reads.
        observed: The targets; NaN where missing.
        filled: The targets with the last observed value where one is missing, the training mean before the first.
        mean: The training mean of each target, for each series.
        deviation: The standard deviation that scales it.
    """

    table: Table
    shape: WindowShape
    observed: TableArray
    filled: TableArray
    mean: Float64[np.ndarray, "series target"]
    deviation: Float64[np.ndarray, "series target"]

    @cached_property
    def target_windows(self) -> Windows:
        """Windows over the scaled targets alone, missing ones filled."""
        codes = self.table.codes
        scaled, observed = (
            ((values - self.mean[codes]) / self.deviation[codes]).astype(np.float32)
            for values in (self.filled, self.observed)
        )
        return Windows(scaled, observed, self.shape, self.table.starts)

    @classmethod
    def of(cls, table: Table, shape: WindowShape, scaling: Scaling) -> "History":
        """The history that a table and what was learned of its columns make."""
        mean, deviation = scaling.target_scales(table)
        filled = filled_targets(table, scaling.targets)
        filled = np.where(np.isnan(filled), mean[table.codes], filled)
        return cls(table, shape, table.take(scaling.targets), filled, mean, deviation)

    def last(self, anchors: AnchorArray) -> Float64[np.ndarray, "window target"]:
        """The target at the last input of each window."""
        return self.filled[anchors - self.shape.last_input]

    def truths(self, anchors: AnchorArray) -> ForecastArray:
        """What came: the targets of each window."""
        return self.observed[target_rows(anchors, self.shape)]

    def target_times(self, anchors: AnchorArray) -> Int64[np.ndarray, "window lead"]:
        """The time of each target, also where it lies past the last row."""
        table = self.table
        first = table.starts[:-1][table.codes[anchors]]
        leads = np.arange(self.shape.leads[0], self.shape.leads[1] + 1)
        if self.shape.align == "lecture":
            # Rows as they came need not lie on the grid: each target is so many steps after its own anchor.
            if table.frequency.unit == "microsecond":
                return table.times[anchors][:, None] + leads * table.frequency.count
            return np.stack([table.frequency.times(leads, int(now)) for now in table.times[anchors]])
        times = np.empty((len(anchors), len(leads)), np.int64)
        for start in np.unique(first):
            own = first == start
            places = (anchors[own] - start)[:, None] + leads
            times[own] = table.frequency.times(places.reshape(-1), int(table.times[start])).reshape(places.shape)
        return times
