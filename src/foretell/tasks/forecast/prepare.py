"""From a user's table to everything that the rungs share: spans, scaling, windows."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from torch import Tensor

from ...axes import AnchorArray
from ...config import entries
from ...data.covariates import NONE, Covariates, KnownAhead, learn_covariates
from ...data.health import Finding
from ...data.lecture import lecture_anchors
from ...data.reading import open_table
from ...data.scaling import Scaling, learn_scaling
from ...data.spans import Spans, cut_spans, roll_spans
from ...data.stored import StoredTable
from ...data.stored_windows import StoredKnown, StoredWindows
from ...data.tables import AnyTable, require_targets, split_names, unit_of
from ...data.windows import Anchors, Windows, WindowShape, find_anchors, require_rows
from ...errors import ConfigurationError, counted
from ...evaluation.history import History
from .config import RUNGS, Configuration
from .drifting import Remembered, remember_columns


@dataclass(frozen=True)
class Swap:
    """One column that is read from other windows than the rest.

    Attributes:
        column: Its name.
        anchors: Windows, rising.
        partners: Of each the window that it takes the column from.
    """

    column: str
    anchors: AnchorArray
    partners: AnchorArray

    def of(self, anchors: AnchorArray) -> AnchorArray:
        """The windows that some of the windows take the column from."""
        return self.partners[np.searchsorted(self.anchors, anchors)]


@dataclass(frozen=True)
class View:
    """A table as a model sees it: its windows and its history, each made when first asked for.

    Attributes:
        table: The rows.
        shape: What a window reads.
        scaling: What was learned of the columns.
        covariates: What networks read beside columns.
        swap: A column that comes from other windows, to see what it is worth.
    """

    table: AnyTable
    shape: WindowShape
    scaling: Scaling
    covariates: Covariates = NONE
    swap: Swap | None = None
    _others: dict[WindowShape, "View"] = field(default_factory=dict, repr=False, compare=False)

    @cached_property
    def windows(self) -> Windows | StoredWindows:
        """Scaled inputs and targets, for networks."""
        if isinstance(self.table, StoredTable):
            names, masked = self.scaling.features, self.scaling.masked
            return StoredWindows(self.table, self.shape, self.scaling, names, masked, self.covariates)
        table = self.table.whole()
        inputs = np.concatenate([self.scaling.inputs(table), self.covariates.inputs(table)], axis=1)
        return Windows(inputs, self.scaling.scaled_targets(table), self.shape, table.starts)

    @cached_property
    def history(self) -> History:
        """Targets and times, for simple rules and for judging."""
        return History.of(self.table, self.shape, self.scaling)

    @cached_property
    def known(self) -> KnownAhead:
        """What is known of each row and of those ahead."""
        if isinstance(self.table, StoredTable):
            return StoredKnown(self.table, self.scaling, self.covariates)
        return self.covariates.ahead(self.table.whole(), self.scaling, self.shape.leads[1])

    def __getstate__(self) -> dict[str, Any]:
        # What is made from the rows when it is asked for does not travel: it would be the same rows over again.
        made = {"windows", "history", "known", "_others"}
        return {name: value for name, value in self.__dict__.items() if name not in made} | {"_others": {}}

    @property
    def width(self) -> int:
        """Inputs of a network at each step."""
        return self.scaling.width + self.covariates.width(self.table.frequency)

    @property
    def known_width(self) -> int:
        """Numbers that are known ahead at each lead."""
        return self.covariates.ahead_width(self.table.frequency)

    def inputs_at(self, anchors: AnchorArray, own_past: bool) -> tuple[Tensor, ...]:
        """All that a network reads of some windows.

        Args:
            anchors: The rows that are "now".
            own_past: Whether it reads each target's own past alone, rather than all features.
        """
        windows = self.history.target_windows if own_past else self.windows
        inputs = windows.inputs_at(anchors)
        if self.swap:
            places = self._places(self.swap.column, self.scaling.targets if own_past else None)
            inputs[:, :, places] = windows.inputs_at(self.swap.of(anchors))[:, :, places]
        if not self.known_width:
            return (inputs,)
        known = self.known.at(anchors, self.shape.leads)
        if self.swap and self.swap.column in self.covariates.known:
            place = known.shape[2] - len(self.covariates.known) + self.covariates.known.index(self.swap.column)
            known[:, :, place] = self.known.at(self.swap.of(anchors), self.shape.leads)[:, :, place]
        return inputs, known

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that can be swapped: features and targets."""
        return self.scaling.used

    def swapped(self, swap: Swap) -> "View":
        """The same table with one column read from other windows."""
        others = {shape: view._with(swap, {}) for shape, view in self._others.items()}
        return self._with(swap, others)

    def _with(self, swap: Swap, others: dict[WindowShape, "View"]) -> "View":
        """The same windows and history; what was made before is made for good."""
        other = View(self.table, self.shape, self.scaling, self.covariates, swap, others)
        for name in ("windows", "history", "known"):
            if name in self.__dict__:
                other.__dict__[name] = self.__dict__[name]
        return other

    def _places(self, column: str, own: tuple[str, ...] | None) -> list[int]:
        """Where a column stands among the inputs, its mask included."""
        if own is not None:
            return [own.index(column)] if column in own else []
        scaling = self.scaling
        places = [scaling.features.index(column)] if column in scaling.features else []
        return places + ([len(scaling.features) + scaling.masked.index(column)] if column in scaling.masked else [])

    def reshaped(self, shape: WindowShape) -> "View":
        """The same table with windows of another shape."""
        if shape == self.shape:
            return self
        if shape not in self._others:
            self._others[shape] = View(self.table, shape, self.scaling, self.covariates, self.swap, self._others)
        return self._others[shape]


@dataclass(frozen=True)
class Known:
    """What a model that is trained on has learned of columns.

    Attributes:
        scaling: Means and deviations.
        covariates: What it reads beside columns.
        rescale: Whether means and deviations are learned anew.
    """

    scaling: Scaling
    covariates: Covariates
    rescale: bool = False


@dataclass(frozen=True)
class PreparedForecast:
    """A table that every rung can learn from.

    Attributes:
        configuration: All options.
        view: The table, its window shape and scaling.
        spans: How time is cut.
        anchors: The windows of each span.
        reach: How many rows before its anchor the first input of any rung may lie.
        fold: The number of the fold of a backtest, counted from 0.
        known: What was learned of columns before, by a model that is trained on.
        idle: Options that were named and that no rung reads.
    """

    configuration: Configuration
    view: View
    spans: Spans
    anchors: Anchors
    reach: int
    fold: int = 0
    known: Known | None = None
    idle: tuple[str, ...] = ()

    @property
    def counts(self) -> dict[str, int]:
        """How many windows each span has."""
        return self.anchors.counts

    @property
    def dropped(self) -> dict[str, int]:
        """How many windows were dropped, by reason."""
        return self.anchors.dropped

    @cached_property
    def messages(self) -> list[str]:
        """What the user should know about the table and its windows."""
        table, counts = self.view.table, self.counts
        told = [f"{table.rows} rows every {table.frequency}{_series(table)}"]
        told += [finding.message for finding in notable(table.health.findings)]
        unused = [name for name in table.features if name not in self.view.scaling.features]
        if unused:
            told.append(f"left out, since constant or missing throughout training: {', '.join(unused)}")
        told += _without_windows(table, self.anchors)
        dropped = ", ".join(f"{reason.replace('_', ' ')} {count}" for reason, count in self.dropped.items() if count)
        told.append(
            f"windows: {counts['train']} train, {counts['validation']} validation, {counts['test']} test"
            + (f"; dropped: {dropped}" if dropped else "; none dropped")
        )
        if self.idle:
            flags = ", ".join("--" + name.replace("_", "-") for name in self.idle)
            told.append(f"no rung that is asked for has a use for {flags}")
        return told

    def of_rung(self, options: Mapping[str, object], shape: WindowShape) -> "PreparedForecast":
        """The same as a rung sees it.

        Args:
            options: Its own values of options that nobody named.
            shape: What its windows read.
        """
        return replace(self, configuration=self.configuration.of_rung(options), view=self.view.reshaped(shape))

    @property
    def seed(self) -> int:
        """Where the random choices of a training on this table come from."""
        return self.configuration.training.seed

    @property
    def sampling_note(self) -> str:
        """How densely a rung samples its windows, where that is another stride than the others' or was asked for."""
        section, frequency, every = self.configuration.windows, self.view.table.frequency, self.view.shape.every
        if section.density == 1:
            return ""
        if every * section.density == frequency.rows(section.every, "every"):
            return f"sampled {section.density} times as densely as the others: {counted(self.view.shape.steps, 'step')}"
        return f"sampled as the others: {counted(every, 'row')} cannot be cut into {section.density} equal strides"

    @property
    def units(self) -> tuple[str | None, ...]:
        """The unit of each target."""
        named = self.configuration.data.unit
        return (named,) if named else tuple(unit_of(name) for name in self.view.scaling.targets)

    @cached_property
    def fingerprint(self) -> str:
        """A hash of the columns that a model of this data reads or forecasts."""
        return self.view.table.fingerprint(self.view.scaling.used)

    @cached_property
    def remembered(self) -> Remembered:
        """How the columns lie in training, to tell later whether they have drifted."""
        return remember_columns(self.view.table, self.spans.training_rows, self.view.scaling.used)

    @cached_property
    def naive_errors(self) -> np.ndarray:
        """What the seasonal naive rule misses by within training, for each target: the unit of MASE.

        Hyndman and Koehler, "Another look at measures of forecast accuracy" (2006): the season is a day where
        rows are finer than that, else one row.
        """
        table, season = self.view.table, max(1, round(self.view.table.frequency.rows_per_day))
        sums = np.zeros((2, len(self.view.scaling.targets)))
        for stretch in table.stretches(before=season):
            part, training = stretch.part, self.spans.training_rows
            rows = np.arange(max(stretch.own.start, season), stretch.own.stop)
            rows = rows[(part.codes[rows] == part.codes[rows - season]) & training[rows + stretch.first]]
            observed = part.take(self.view.scaling.targets)
            changes = np.abs(observed[rows] - observed[rows - season])
            sums += np.nansum(changes, axis=0), (~np.isnan(changes)).sum(axis=0)
        return np.asarray(np.where(sums[1] > 0, sums[0] / np.maximum(sums[1], 1), 0.0))


def prepare(
    source: object, configuration: Configuration, reach: int | None = None, known: Known | None = None
) -> PreparedForecast:
    """Reads a table and learns from its training span what the rungs share.

    Args:
        source: A path or data frame.
        configuration: All options.
        reach: How many rows before its anchor the first input of any rung lies; that of the rungs to climb where None.
        known: What was learned of columns before, by a model that is trained on; learned from the rows where None.

    Raises:
        InputError: The table does not fit what was asked.
    """
    lecture = configuration.windows.align == "lecture"
    table = open_table(source, configuration.data, regular=not lecture)
    require_targets(table)
    if configuration.data.unit and len(table.targets) > 1:
        raise ConfigurationError(
            "--unit names the unit of one target; with several, write it in their headers", option="unit"
        )
    shape = WindowShape.resolve(configuration.windows, table.frequency)
    shapes = {shape_of(rung, shape, configuration) for rung in rungs_of(configuration)}
    reach = max(own.first_input for own in (shape, *shapes)) if reach is None else reach
    require_rows(table, shape, shape.leads[1], reach)
    spans = cut_spans(table, configuration.spans.spans, as_they_come=lecture)
    if configuration.evaluation.folds == 1 and configuration.evaluation.origin == "sliding":
        raise ConfigurationError("--origin sliding goes with --folds: one test has one training", option="origin")
    if configuration.evaluation.folds > 1 and lecture:
        raise ConfigurationError("--folds goes with --align standard; the lectures know one test", option="folds")
    return _within(table, spans, shape, configuration, reach, known)


def folds(prepared: PreparedForecast) -> list[PreparedForecast]:
    """The table cut anew for each test of a backtest: the test span in equal parts, each with a training before it.

    Tashman, "Out-of-sample tests of forecasting accuracy: an analysis and review" (2000).

    Args:
        prepared: The table, cut once.
    """
    section, table, view = prepared.configuration.evaluation, prepared.view.table, prepared.view
    cuts = roll_spans(table, prepared.spans, section.folds, sliding=section.origin == "sliding")
    if len(cuts) == 1:
        return [prepared]
    known = prepared.known
    parts = [_within(table, own, view.shape, prepared.configuration, prepared.reach, known) for own in cuts]
    return [replace(part, fold=number) for number, part in enumerate(parts)]


def _within(
    table: AnyTable, spans: Spans, shape: WindowShape, configuration: Configuration, reach: int, known: Known | None
) -> PreparedForecast:
    """What the rungs share, learned from the training span of some spans."""
    lecture = shape.align == "lecture"
    training = spans.training_rows
    if known is None:
        scaling = learn_scaling(table, training, per_series=configuration.spans.scale == "per-series")
        ahead = split_names(configuration.data.known, table.columns)
        ahead = tuple(name for name in ahead if name in scaling.features)
        covariates = learn_covariates(table, training, configuration.data.calendar, ahead)
    else:
        scaling = known.scaling.refitted(table, training) if known.rescale else known.scaling
        covariates = known.covariates
    if lecture:
        anchors = lecture_anchors(table.whole(), shape, spans, configuration.training.batch_size)
    else:
        anchors = find_anchors(table, shape, spans, scaling.missing(table), configuration.data.max_missing, reach)
        anchors = anchors.thinned(configuration.evaluation.judged)
    view = View(table, shape, scaling, covariates)
    return PreparedForecast(configuration, view, spans, anchors, reach, known=known)


def rungs_of(configuration: Configuration) -> list[str]:
    """The rungs that a configuration is about: one, those that it names, or all."""
    run = configuration.run
    return [run.rung] if run.rung else [name for name in entries(run.rungs) if name in RUNGS] or list(RUNGS)


def shape_of(rung: str, shape: WindowShape, configuration: Configuration) -> WindowShape:
    """What a rung's windows read: the common shape, or sampled more densely where the rows allow it.

    Args:
        rung: Its name.
        shape: What all rungs' windows have in common.
        configuration: All options.
    """
    density = configuration.of_rung(RUNGS[rung].options).windows.density
    return replace(shape, every=shape.every // density) if shape.every % density == 0 else shape


def notable(findings: list[Finding]) -> list[Finding]:
    """The findings that stand in a summary; the count of a sentinel in every column would drown the rest."""
    return [finding for finding in findings if finding.kind != "missing" or finding.severity != "note"]


def _without_windows(table: AnyTable, anchors: Anchors) -> list[str]:
    """Which series have no window in training."""
    # Anchors rise, so that those of a series stand together.
    bounds = np.searchsorted(anchors.spans["train"], table.starts)
    absent = [table.series[code] for code in np.flatnonzero(np.diff(bounds) == 0)]
    if not absent:
        return []
    shown = ", ".join(absent[:5]) + (" ..." if len(absent) > 5 else "")
    return [f"series without a training window: {len(absent)} ({shown})"]


def _series(table: AnyTable) -> str:
    return f", {len(table.series)} series" if table.series_column else ""
