"""Windows over a table: what they read, which ones exist, and their inputs gathered straight into one batch.

For anchor a, lookback L and stride s the inputs are rows a-(n-1)s, ..., a-s, a with n = L/s, and the targets
rows a + lead. Rows are stored grouped by (row mod s), so that every window is one contiguous stretch of
memory and a batch is one indexed copy: no loop over samples, no copy of all windows.
"""

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float32, Int64
from torch import Tensor

from ..axes import AnchorArray, FeatureArray, MissingArray, TargetArray
from ..config import WindowSection
from ..errors import ConfigurationError, DataError
from .frequency import Frequency
from .spans import SPAN_NAMES, Spans
from .tables import Table


@dataclass(frozen=True)
class WindowShape:
    """How far back a window reads, how densely, and how far ahead its targets lie, all in rows.

    Attributes:
        lookback: Rows that it reaches back.
        every: The stride at which it samples them.
        leads: First and last distance from the anchor to a target.
        align: ``standard``, or ``lecture``: the last input lies one stride before the anchor.
    """

    lookback: int
    every: int
    leads: tuple[int, int]
    align: Literal["standard", "lecture"] = "standard"

    @property
    def steps(self) -> int:
        """Inputs of a window: n = lookback / every."""
        return self.lookback // self.every

    @property
    def lead_count(self) -> int:
        """Targets of a window."""
        return self.leads[1] - self.leads[0] + 1

    @property
    def last_input(self) -> int:
        """How many rows before the anchor the last input lies."""
        return self.every if self.align == "lecture" else 0

    @property
    def first_input(self) -> int:
        """How many rows before the anchor the first input lies."""
        return self.last_input + (self.steps - 1) * self.every

    @property
    def rows_to_predict(self) -> int:
        """Rows that one forecast needs."""
        return self.first_input + 1

    @property
    def rows_to_train(self) -> int:
        """Rows that one window with its targets covers."""
        return self.rows_to_predict + self.leads[1]

    @classmethod
    def resolve(cls, section: WindowSection, frequency: Frequency) -> "WindowShape":
        """The shape that options stand for, once the rows' frequency is known.

        Raises:
            ConfigurationError: A length is zero or no multiple of the frequency, or lookback none of every.
        """
        lookback, every = frequency.rows(section.lookback, "lookback"), frequency.rows(section.every, "every")
        for option, rows in (("lookback", lookback), ("every", every)):
            if rows < 1:
                raise ConfigurationError(f"{option} must be at least one row; found {rows}", option=option, value=rows)
        if lookback % every:
            near = max(every, round(lookback / every) * every)
            raise ConfigurationError(
                f"lookback must be a multiple of every; found {section.lookback} ({lookback} rows) and {section.every} "
                f"({every} rows); the nearest lookback is {near} rows",
                option="lookback",
                value=lookback,
                nearest=near,
            )
        first, _, last = section.ahead.partition(":")
        if section.ahead.count(":") > 1 or (":" in section.ahead and not (first and last)):
            raise ConfigurationError(
                f'ahead is one value (24h) or a range (1:24); found "{section.ahead}"',
                option="ahead",
                value=section.ahead,
            )
        leads = (frequency.rows(first, "ahead"), frequency.rows(last or first, "ahead"))
        if leads[0] < 1 or leads[1] < leads[0]:
            raise ConfigurationError(
                f"ahead must be at least one row, and a range must rise (1:24); found {section.ahead}",
                option="ahead",
                value=section.ahead,
            )
        if section.align == "lecture" and leads[0] != leads[1]:
            raise ConfigurationError("--align lecture knows one lead; give --ahead one value", option="ahead")
        return cls(lookback, every, leads, section.align)


@dataclass(frozen=True)
class Anchors:
    """The anchors of each span, and how many windows were dropped, and why.

    Attributes:
        spans: Anchors by span: train, validation, test.
        dropped: Windows that are in no span, by reason.
    """

    spans: dict[str, AnchorArray]
    dropped: dict[str, int] = field(default_factory=dict)

    @property
    def counts(self) -> dict[str, int]:
        """How many windows each span has."""
        return {name: len(anchors) for name, anchors in self.spans.items()}


class Windows:
    """A table's inputs and targets, gathered for any anchors.

    Args:
        inputs: Scaled features, none missing.
        targets: Scaled targets.
        shape: What a window reads.
        starts: The first row of each series, and the number of rows at the end.
    """

    def __init__(
        self, inputs: FeatureArray, targets: TargetArray, shape: WindowShape, starts: Int64[np.ndarray, " bound"]
    ) -> None:
        self.shape = shape
        self.targets = torch.from_numpy(targets)
        self._places = grouped_places(starts, shape.every)
        if self._places is None:
            grouped = np.ascontiguousarray(inputs)
        else:
            grouped = np.empty(inputs.shape, np.float32)
            grouped[self._places] = inputs
        rows, width = grouped.shape
        self.width = width
        # Row r of this view is the window that starts at grouped row r; it shares the table's memory.
        self._view = torch.from_numpy(grouped).as_strided(
            (max(rows - shape.steps + 1, 0), shape.steps, width), (width, width, 1)
        )

    def starts_of(self, anchors: AnchorArray) -> Int64[np.ndarray, " window"]:
        """The grouped row at which each anchor's window starts."""
        last = anchors - self.shape.last_input
        return (last if self._places is None else self._places[last]) - (self.shape.steps - 1)

    def inputs_at(
        self, anchors: AnchorArray, out: Float32[Tensor, "batch time feature"] | None = None
    ) -> Float32[Tensor, "batch time feature"]:
        """The inputs of some windows, copied once into one tensor.

        Args:
            anchors: The rows that are "now".
            out: A tensor to fill; a new one where None.
        """
        starts = torch.from_numpy(self.starts_of(anchors))
        return (
            torch.index_select(self._view, 0, starts, out=out)
            if out is not None
            else self._view.index_select(0, starts)
        )

    def targets_at(self, anchors: AnchorArray) -> Float32[Tensor, "batch lead target"]:
        """The scaled targets of some windows."""
        rows = torch.from_numpy(target_rows(anchors, self.shape).reshape(-1))
        return self.targets.index_select(0, rows).view(len(anchors), self.shape.lead_count, -1)


def target_rows(anchors: AnchorArray, shape: WindowShape) -> Int64[np.ndarray, "window lead"]:
    """The rows that windows forecast."""
    return anchors[:, None] + np.arange(shape.leads[0], shape.leads[1] + 1)


def grouped_places(starts: Int64[np.ndarray, " bound"], every: int) -> Int64[np.ndarray, " row"] | None:
    """Where each row goes when the rows of each series are grouped by (row mod every); None when nothing moves.

    >>> grouped_places(np.array([0, 5]), 2)
    array([0, 3, 1, 4, 2])
    """
    if every == 1:
        return None
    lengths = np.diff(starts)
    first = np.repeat(starts[:-1], lengths)
    local = np.arange(starts[-1]) - first
    quotient, rest = np.divmod(np.repeat(lengths, lengths), every)
    step, phase = np.divmod(local, every)
    return first + phase * quotient + np.minimum(phase, rest) + step


def find_anchors(
    table: Table, shape: WindowShape, spans: Spans, missing: MissingArray, max_missing: float, reach: int | None = None
) -> Anchors:
    """Every window of a table, by the span in which all its target rows lie; the others counted by reason.

    Args:
        table: The rows.
        shape: What a window reads.
        spans: How time is cut.
        missing: Where inputs are missing.
        max_missing: Share of missing inputs above which a window is dropped.
        reach: How many rows before its anchor an input may lie; the shape's own where None.

    Raises:
        DataError: No series has the rows of one window, or a span has no window.
    """
    anchors = possible_anchors(table, shape, shape.leads[1], reach)
    first = spans.of(spans.places[anchors + shape.leads[0]])
    last = spans.of(spans.places[anchors + shape.leads[1]])
    lost = (np.isnan(table.take(table.targets)).any(axis=1)).astype(np.int64)
    total = np.concatenate([[0], np.cumsum(lost)])
    target_missing = total[anchors + shape.leads[1] + 1] - total[anchors + shape.leads[0]] > 0
    sparse = missing_share(table, shape, anchors, missing) > max_missing
    outside, border = last == 3, (first != last) & (last != 3)
    usable = ~(outside | border | target_missing | sparse)
    dropped = {
        "border": int(border.sum()),
        "target_missing": int((target_missing & ~border & ~outside).sum()),
        "inputs_missing": int((sparse & ~target_missing & ~border & ~outside).sum()),
        "outside_spans": int(outside.sum()),
    }
    if reach is not None and reach > shape.first_input:
        # Windows that only those rungs could read which sample less densely; all rungs have the same ones.
        too_early = len(possible_anchors(table, shape, shape.leads[1])) - len(anchors)
        dropped |= {"denser_inputs_missing": too_early} if too_early else {}
    found = Anchors({name: anchors[usable & (last == number)] for number, name in enumerate(SPAN_NAMES)}, dropped)
    for number, (name, count) in enumerate(found.counts.items()):
        if count == 0:
            rows = spans.borders[number + 1] - spans.borders[number]
            raise DataError(
                f"{table.source}: the {name} span has no window: it holds {rows} rows of time, a window needs "
                f"{shape.rows_to_train} with {shape.lead_count} of them as targets inside the span, and windows were "
                f"dropped for {_reasons(dropped)}; choose other spans, a shorter lookback or ahead",
                file=table.source,
                span=name,
                rows=rows,
                needed=shape.rows_to_train,
            )
    return found


def possible_anchors(table: Table, shape: WindowShape, ahead: int, reach: int | None = None) -> AnchorArray:
    """The anchors whose inputs, and targets up to ``ahead`` rows on, lie inside their series.

    Args:
        table: The rows.
        shape: What a window reads.
        ahead: The farthest row after the anchor that must be there.
        reach: The farthest row before it; the shape's own where None.

    Raises:
        DataError: No series has enough rows.
    """
    reach = shape.first_input if reach is None else reach
    ranges = [
        np.arange(start + reach, stop - ahead) for start, stop in zip(table.starts[:-1], table.starts[1:], strict=True)
    ]
    anchors = np.concatenate(ranges)
    if len(anchors) == 0:
        needed, longest = reach + 1 + ahead, int(np.diff(table.starts).max())
        raise DataError(
            f"{table.source} has {longest} rows{' in its longest series' if len(table.series) > 1 else ''}; "
            f"one window needs {needed} (lookback {shape.lookback}, ahead {shape.leads[1]}, frequency "
            f"{table.frequency})",
            file=table.source,
            rows=longest,
            needed=needed,
        )
    return anchors


def missing_share(table: Table, shape: WindowShape, anchors: AnchorArray, missing: MissingArray) -> np.ndarray:
    """The share of missing values among the inputs of each window."""
    by_row = missing.sum(axis=1)
    places = grouped_places(table.starts, shape.every)
    if places is not None:
        grouped = np.empty_like(by_row)
        grouped[places] = by_row
        by_row = grouped
    # Whole numbers, so that no rounding of far rows decides about a window at the limit.
    total = np.concatenate([[0], np.cumsum(by_row)])
    last = anchors - shape.last_input
    end = (last if places is None else places[last]) + 1
    return (total[end] - total[end - shape.steps]) / (shape.steps * missing.shape[1])


def _reasons(dropped: dict[str, int]) -> str:
    told = [f"{reason.replace('_', ' ')} ({count})" for reason, count in dropped.items() if count]
    return ", ".join(told) or "no other reason"
