"""What simple rules see of a table: its targets in their own unit, and the time of every row and of the future."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float64, Int64

from ..axes import AnchorArray, ForecastArray
from ..data.scaling import Scaling
from ..data.stored import StoredTable
from ..data.stored_windows import StoredWindows
from ..data.tables import AnyTable, Places
from ..data.windows import Windows, WindowShape, target_rows

TargetValues = Float64[np.ndarray, "*row target"]


@dataclass(frozen=True)
class History:
    """The targets of a table.

    Attributes:
        table: The table.
        shape: What a window reads.
        scaling: Of the targets.
        mean: The training mean of each target, for each series.
        deviation: The standard deviation that scales it.
    """

    table: AnyTable
    shape: WindowShape
    scaling: Scaling
    mean: Float64[np.ndarray, "series target"]
    deviation: Float64[np.ndarray, "series target"]

    @classmethod
    def of(cls, table: AnyTable, shape: WindowShape, scaling: Scaling) -> "History":
        """The history that a table and what was learned of its columns make."""
        return cls(table, shape, scaling, *scaling.target_scales(table))

    @cached_property
    def target_windows(self) -> Windows | StoredWindows:
        """Windows over the scaled targets alone, missing ones filled."""
        if isinstance(self.table, StoredTable):
            return StoredWindows(self.table, self.shape, self.scaling, self.scaling.targets)
        rows = np.arange(self.table.rows)
        codes = self.table.codes_of(rows)
        scaled, observed = (
            ((values - self.mean[codes]) / self.deviation[codes]).astype(np.float32)
            for values in (self.filled(rows), self.observed(rows))
        )
        return Windows(scaled, observed, self.shape, self.table.starts)

    def observed(self, rows: Places) -> TargetValues:
        """The targets in some rows; NaN where missing."""
        return self.table.values_of(self.scaling.targets, rows)

    def filled(self, rows: Places) -> TargetValues:
        """The targets in some rows, missing ones filled with what was last observed, before that with the mean."""
        found = self.table.filled_of(self.scaling.targets, rows)
        return np.where(np.isnan(found), self.mean[self.table.codes_of(rows)], found)

    def last(self, anchors: AnchorArray) -> Float64[np.ndarray, "window target"]:
        """The target at the last input of each window."""
        return self.filled(anchors - self.shape.last_input)

    def truths(self, anchors: AnchorArray) -> ForecastArray:
        """What came: the targets of each window."""
        return self.observed(target_rows(anchors, self.shape))

    def target_times(self, anchors: AnchorArray) -> Int64[np.ndarray, "window lead"]:
        """The time of each target, also where it lies past the last row."""
        table = self.table
        first = table.starts[:-1][table.codes_of(anchors)]
        leads = np.arange(self.shape.leads[0], self.shape.leads[1] + 1)
        if self.shape.align == "lecture":
            # Rows as they came need not lie on the grid: each target is so many steps after its own anchor.
            return table.frequency.times(np.tile(leads, (len(anchors), 1)), table.times_of(anchors)[:, None])
        return table.frequency.times((anchors - first)[:, None] + leads, table.times_of(first)[:, None])
