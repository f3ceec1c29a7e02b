"""Windows over a table: what they read, which ones exist, and their inputs gathered straight into one batch.

For anchor a, lookback L and stride s the inputs are rows a-(n-1)s, ..., a-s, a with n = L/s, and the targets
rows a + lead. Rows are stored grouped by (row mod s), so that every window is one contiguous stretch of
memory and a batch is one indexed copy: no loop over samples, no copy of all windows.
"""

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal

import numpy as np
import torch
from jaxtyping import Bool, Float32, Int64
from torch import Tensor

from ..axes import AnchorArray, FeatureArray, MissingRows, TargetArray
from ..config import WindowSection
from ..errors import ConfigurationError, DataError
from .frequency import Frequency
from .spans import SPAN_NAMES, Spans
from .storage import Numbers
from .tables import AnyTable, Table


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

    def thinned(self, most: int) -> "Anchors":
        """The same with so many windows of validation and of test at most, evenly spread; the others are counted.

        Args:
            most: How many; 0 leaves all.
        """
        kept = {
            name: anchors if name == "train" or not most else anchors[spread_over(len(anchors), most)]
            for name, anchors in self.spans.items()
        }
        left = sum(self.counts.values()) - sum(map(len, kept.values()))
        return Anchors(kept, {**self.dropped, "not_judged": left}) if left else self


def spread_over(count: int, most: int) -> Int64[np.ndarray, " chosen"]:
    """So many of some places, one in each of equal stretches; where in it follows no period that data may have.

    >>> spread_over(10, 3).tolist(), spread_over(2, 3).tolist()
    ([1, 6, 8], [0, 1])
    """
    if count <= most:
        return np.arange(count)
    edges = np.linspace(0, count, most + 1)
    where = (np.arange(most) + 0.5) * ((5**0.5 - 1) / 2) % 1  # the golden ratio's multiples fill every stretch evenly
    return (edges[:-1] + where * np.diff(edges)).astype(np.int64)


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
    table: AnyTable,
    shape: WindowShape,
    spans: Spans,
    missing: MissingRows,
    max_missing: float,
    reach: int | None = None,
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
    ahead, own_reach = shape.leads[1], shape.first_input if reach is None else reach
    require_rows(table, shape, ahead, own_reach)
    found = [Numbers() for _ in SPAN_NAMES]
    dropped = dict.fromkeys(("border", "target_missing", "inputs_missing", "outside_spans"), 0)
    for stretch in table.stretches(max(own_reach, shape.first_input), ahead):
        part = stretch.part
        anchors = anchors_within(part, own_reach, ahead)
        anchors = anchors[(anchors >= stretch.own.start) & (anchors < stretch.own.stop)]
        places = spans.places_of(anchors + stretch.first)
        first, last = spans.of(places + shape.leads[0]), spans.of(places + ahead)
        target_missing = targets_missing(part, shape, anchors)
        gone = missing[stretch.first : stretch.first + part.rows]
        sparse = missing_share(part, shape, anchors, gone) > max_missing
        outside, border = last == 3, (first != last) & (last != 3)
        usable = ~(outside | border | target_missing | sparse)
        dropped["border"] += int(border.sum())
        dropped["target_missing"] += int((target_missing & ~border & ~outside).sum())
        dropped["inputs_missing"] += int((sparse & ~target_missing & ~border & ~outside).sum())
        dropped["outside_spans"] += int(outside.sum())
        for number, own in enumerate(found):
            own.add(anchors[usable & (last == number)] + stretch.first)
    if own_reach > shape.first_input:
        # Windows that only those rungs could read which sample less densely; all rungs have the same ones.
        lengths = np.diff(table.starts) - ahead
        too_early = int((np.maximum(lengths - shape.first_input, 0) - np.maximum(lengths - own_reach, 0)).sum())
        dropped |= {"denser_inputs_missing": too_early} if too_early else {}
    anchors_of = Anchors({name: own.all() for name, own in zip(SPAN_NAMES, found, strict=True)}, dropped)
    for number, (name, count) in enumerate(anchors_of.counts.items()):
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
    return anchors_of


def possible_anchors(table: Table, shape: WindowShape, ahead: int) -> AnchorArray:
    """The anchors whose inputs, and targets up to ``ahead`` rows on, lie inside their series.

    Args:
        table: The rows.
        shape: What a window reads.
        ahead: The farthest row after the anchor that must be there.

    Raises:
        DataError: No series has enough rows.
    """
    require_rows(table, shape, ahead, shape.first_input)
    return anchors_within(table, shape.first_input, ahead)


def require_rows(table: AnyTable, shape: WindowShape, ahead: int, reach: int) -> None:
    """Checks that a series is long enough for a window.

    Args:
        table: The rows.
        shape: What a window reads.
        ahead: The farthest row after the anchor that must be there.
        reach: The farthest row before it.

    Raises:
        DataError: No series has enough rows.
    """
    needed, longest = reach + 1 + ahead, int(np.diff(table.starts).max())
    if longest < needed:
        raise DataError(
            f"{table.source} has {longest} rows{' in its longest series' if len(table.series) > 1 else ''}; "
            f"one window needs {needed} (lookback {shape.lookback}, ahead {shape.leads[1]}, frequency "
            f"{table.frequency})",
            file=table.source,
            rows=longest,
            needed=needed,
        )


def anchors_within(table: Table, reach: int, ahead: int) -> AnchorArray:
    """The anchors with so many rows of their series before and after them."""
    return np.concatenate([np.arange(start + reach, stop - ahead) for start, stop in pairwise(table.starts)])


def targets_missing(table: Table, shape: WindowShape, anchors: AnchorArray) -> Bool[np.ndarray, " window"]:
    """Whether one of the targets of each window is missing."""
    lost = (np.isnan(table.take(table.targets)).any(axis=1)).astype(np.int64)
    total = np.concatenate([[0], np.cumsum(lost)])
    return np.asarray(total[anchors + shape.leads[1] + 1] - total[anchors + shape.leads[0]] > 0)


def missing_share(table: Table, shape: WindowShape, anchors: AnchorArray, missing: MissingRows) -> np.ndarray:
    """The share of missing values among the inputs of each window."""
    absent = missing[:]
    by_row = absent.sum(axis=1)
    places = grouped_places(table.starts, shape.every)
    if places is not None:
        grouped = np.empty_like(by_row)
        grouped[places] = by_row
        by_row = grouped
    # Whole numbers, so that no rounding of far rows decides about a window at the limit.
    total = np.concatenate([[0], np.cumsum(by_row)])
    last = anchors - shape.last_input
    end = (last if places is None else places[last]) + 1
    return (total[end] - total[end - shape.steps]) / (shape.steps * absent.shape[1])


def _reasons(dropped: dict[str, int]) -> str:
    told = [f"{reason.replace('_', ' ')} ({count})" for reason, count in dropped.items() if count]
    return ", ".join(told) or "no other reason"
