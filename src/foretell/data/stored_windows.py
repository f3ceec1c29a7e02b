"""Windows over a table in a store: gathered from disk, scaled as they are gathered."""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Bool, Float32, Float64
from torch import Tensor

from ..axes import AnchorArray
from ..errors import DataError
from .covariates import NONE, Covariates, calendar_inputs
from .scaling import FARTHEST, Scaling
from .stored import StoredTable
from .tables import Places
from .windows import WindowShape, target_rows


@dataclass(frozen=True)
class StoredWindows:
    """A stored table's inputs and targets, gathered for any anchors.

    Attributes:
        table: The rows.
        shape: What a window reads.
        scaling: Of the columns.
        names: The columns that are read.
        masked: Those of them with a mask beside them.
        covariates: What is read beside columns.

    Raises:
        DataError: A value is too far from all others to be told in single precision.
    """

    table: StoredTable
    shape: WindowShape
    scaling: Scaling
    names: tuple[str, ...]
    masked: tuple[str, ...] = ()
    covariates: Covariates = NONE
    _view: Tensor = field(init=False, repr=False)
    _stored: Tensor = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._must_be_near()
        stored = torch.from_numpy(self.table.stored)
        rows, width = stored.shape
        # Row r of this view is the window that starts at row r of the table; it shares the file's memory.
        reach = (self.shape.steps - 1) * self.shape.every
        view = stored.as_strided((max(rows - reach, 0), self.shape.steps, width), (width, self.shape.every * width, 1))
        object.__setattr__(self, "_stored", stored)
        object.__setattr__(self, "_view", view)

    def inputs_at(
        self, anchors: AnchorArray, out: Float32[Tensor, "batch time feature"] | None = None
    ) -> Float32[Tensor, "batch time feature"]:
        """The inputs of some windows.

        Args:
            anchors: The rows that are "now".
            out: A tensor to fill; a new one where None.
        """
        first = anchors - self.shape.first_input
        found = self._view.index_select(0, torch.from_numpy(first))
        scaled = self._scaled(found, self.names, anchors)
        # Before the first observation of a series stands the mean.
        parts = [scaled.nan_to_num_(nan=0.0) if self.table.masked else scaled, *self._beside(first, len(anchors))]
        whole = torch.cat(parts, dim=2) if len(parts) > 1 else parts[0]
        return whole if out is None else out.copy_(whole)

    def targets_at(self, anchors: AnchorArray) -> Float32[Tensor, "batch lead target"]:
        """The scaled targets of some windows; NaN where missing."""
        rows = target_rows(anchors, self.shape)
        found = self._stored.index_select(0, torch.from_numpy(rows.reshape(-1))).view(*rows.shape, -1)
        scaled = self._scaled(found, self.scaling.targets, anchors)
        if any(name in self.table.masked for name in self.scaling.targets):
            scaled[torch.from_numpy(self.table.absent_of(self.scaling.targets, rows))] = torch.nan
        return scaled

    def _scaled(
        self, stored: Float32[Tensor, "batch time column"], names: tuple[str, ...], anchors: AnchorArray
    ) -> Float32[Tensor, "batch time name"]:
        """Some columns as a network reads them: (offset + distance - mean) / deviation, for each window's series."""
        places = [self.table.held.index(name) for name in names]
        chosen = stored if places == list(range(stored.shape[2])) else stored[:, :, places]
        shift, factor = self._affine[names]
        codes = torch.from_numpy(self.table.codes_of(anchors))
        return torch.addcmul(shift[codes], chosen, factor[codes] if len(factor) > 1 else factor)

    @cached_property
    def _affine(self) -> dict[tuple[str, ...], tuple[Tensor, Tensor]]:
        """What is added to, and multiplied with, what is stored of the columns that are read and forecast."""
        rows, found = self.scaling.scales(self.table), {}
        for names in {self.names, self.scaling.targets}:
            places = [self.table.held.index(name) for name in names]
            columns = [self.scaling.columns.index(name) for name in names]
            mean, deviation = self.scaling.mean[:, columns], self.scaling.deviation[:, columns]
            shift = (self.table.offsets[:, places] - mean[rows]) / deviation[rows]
            factor = 1 / (deviation[rows] if self.scaling.series else deviation)
            single = [torch.from_numpy(own.astype(np.float32))[:, None] for own in (shift, factor)]
            found[names] = (single[0], single[1])
        return found

    def _beside(self, first: Places, count: int) -> list[Float32[Tensor, "batch time _input"]]:
        """What stands beside the columns: masks, the calendar, static values."""
        steps = np.arange(self.shape.steps) * self.shape.every
        rows, parts = first[:, None] + steps, []
        if self.masked:
            parts.append(torch.from_numpy(self.table.absent_of(self.masked, rows).astype(np.float32)))
        if self.covariates.calendar:
            times, table = self.table.times_of(rows.reshape(-1)), self.table
            calendar = calendar_inputs(times, table.timezone, table.frequency)
            parts.append(torch.from_numpy(calendar).view(count, len(steps), -1))
        return parts

    def _must_be_near(self) -> None:
        table = self.table
        for name in self.names:
            place = table.held.index(name)
            ends = table.offsets[:, place] + table.ends[:, :, place]
            mean, deviation = self.scaling.of_column(table, name)
            apart = np.nan_to_num(np.abs((ends - mean) / deviation).max(axis=0))
            if apart.max() > FARTHEST:
                code = int(apart.argmax())
                of = f" of {table.series[code]}" if table.series_column else ""
                raise DataError(
                    f'{table.source}, column "{name}"{of}: values lie within {FARTHEST:g} training deviations of the '
                    f"mean; they reach from {ends[0, code]:g} to {ends[1, code]:g}; say --missing",
                    file=table.source,
                    column=name,
                )


@dataclass(frozen=True)
class StoredKnown:
    """What is known of a stored table's rows, those ahead of the last one included, looked up when it is asked for.

    Attributes:
        table: The rows.
        scaling: Of the columns that are known ahead.
        covariates: What is known.
    """

    table: StoredTable
    scaling: Scaling
    covariates: Covariates

    def at(self, anchors: AnchorArray, leads: tuple[int, int]) -> Float32[Tensor, "batch lead input"]:
        """What is known of the targets of some windows."""
        rows, last = self._rows(anchors, leads)
        parts, table = [], self.table
        if self.covariates.calendar:
            calendar = calendar_inputs(self._times(anchors, rows).reshape(-1), table.timezone, table.frequency)
            parts.append(calendar.reshape(*rows.shape, -1))
        codes = np.broadcast_to(table.codes_of(anchors)[:, None], rows.shape)
        for name in self.covariates.known:
            mean, deviation = self._scaled[name]
            values = table.filled_of((name,), np.minimum(rows, last))[..., 0]
            scaled = (values - mean[codes]) / deviation[codes]
            parts.append(np.nan_to_num(scaled, nan=0.0).astype(np.float32)[..., None])
        return torch.from_numpy(np.concatenate(parts, axis=2))

    @cached_property
    def _scaled(self) -> dict[str, tuple[Float64[np.ndarray, " series"], Float64[np.ndarray, " series"]]]:
        """Mean and deviation of each column, by series."""
        return {name: self.scaling.of_column(self.table, name) for name in self.covariates.known}

    def whole(self, anchors: AnchorArray, leads: tuple[int, int]) -> Bool[np.ndarray, " window"]:
        """Whether all is known of the targets of each window."""
        return np.asarray(~self._absent(anchors, leads).any(axis=1))

    def first_absent(self, anchors: AnchorArray, leads: tuple[int, int]) -> int | None:
        """The time of the first target of some windows of which something is not known; None where all is."""
        absent, (rows, _) = self._absent(anchors, leads), self._rows(anchors, leads)
        return int(self._times(anchors, rows)[absent].min()) if absent.any() else None

    def _absent(self, anchors: AnchorArray, leads: tuple[int, int]) -> np.ndarray:
        rows, last = self._rows(anchors, leads)
        gone = self.table.absent_of(self.covariates.known, np.minimum(rows, last)).any(axis=-1)
        return np.asarray(gone | ((rows > last) & bool(self.covariates.known)))

    def _rows(self, anchors: AnchorArray, leads: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
        """The rows of the targets, be they there or not, and the last row of each window's series."""
        rows = anchors[:, None] + np.arange(leads[0], leads[1] + 1)
        return rows, self.table.starts[self.table.codes_of(anchors) + 1][:, None] - 1

    def _times(self, anchors: AnchorArray, rows: Places) -> Places:
        codes = np.repeat(self.table.codes_of(anchors), rows.shape[1])
        places = rows.reshape(-1) - self.table.starts[codes]
        return self.table.grid_times(codes, places).reshape(rows.shape)
