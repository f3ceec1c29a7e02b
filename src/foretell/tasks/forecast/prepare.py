"""From a user's table to everything that the rungs share: spans, scaling, windows."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ...data.health import Finding
from ...data.lecture import lecture_anchors
from ...data.scaling import Scaling, learn_scaling
from ...data.spans import Spans, cut_spans
from ...data.tables import Table, read_table, require_targets, unit_of
from ...data.windows import Anchors, Windows, WindowShape, find_anchors, possible_anchors
from ...errors import ConfigurationError
from ...evaluation.history import History
from .config import Configuration


@dataclass(frozen=True)
class View:
    """A table as a model sees it: its windows and its history, each made when first asked for."""

    table: Table
    shape: WindowShape
    scaling: Scaling

    @cached_property
    def windows(self) -> Windows:
        """Scaled inputs and targets, for networks."""
        return Windows(
            self.scaling.inputs(self.table), self.scaling.scaled_targets(self.table), self.shape, self.table.starts
        )

    @cached_property
    def history(self) -> History:
        """Targets and times, for simple rules and for judging."""
        return History.of(self.table, self.shape, self.scaling)


@dataclass(frozen=True)
class PreparedForecast:
    """A table that every rung can learn from.

    Attributes:
        configuration: All options.
        view: The table, its window shape and scaling.
        spans: How time is cut.
        anchors: The windows of each span.
    """

    configuration: Configuration
    view: View
    spans: Spans
    anchors: Anchors

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
        return told

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
    def naive_errors(self) -> np.ndarray:
        """What the seasonal naive rule misses by within training, for each target: the unit of MASE.

        Hyndman and Koehler, "Another look at measures of forecast accuracy" (2006): the season is a day where
        rows are finer than that, else one row.
        """
        table, season = self.view.table, max(1, round(self.view.table.frequency.rows_per_day))
        observed = self.view.history.observed
        same = (table.codes[season:] == table.codes[:-season]) & self.spans.training_rows[season:]
        changes = np.abs(observed[season:] - observed[:-season])[same]
        errors = np.zeros(changes.shape[1])
        for target in range(len(errors)):
            seen = changes[:, target][~np.isnan(changes[:, target])]
            errors[target] = seen.mean() if len(seen) else 0.0
        return errors


def prepare(source: object, configuration: Configuration) -> PreparedForecast:
    """Reads a table and learns from its training span what the rungs share.

    Args:
        source: A path or data frame.
        configuration: All options.

    Raises:
        InputError: The table does not fit what was asked.
    """
    lecture = configuration.windows.align == "lecture"
    table = read_table(source, configuration.data, regular=not lecture)
    require_targets(table)
    if configuration.data.unit and len(table.targets) > 1:
        raise ConfigurationError(
            "--unit names the unit of one target; with several, write it in their headers", option="unit"
        )
    shape = WindowShape.resolve(configuration.windows, table.frequency)
    possible_anchors(table, shape, shape.leads[1])
    spans = cut_spans(table, configuration.spans.spans, as_they_come=lecture)
    scaling = learn_scaling(table, spans.training_rows, per_series=configuration.spans.scale == "per-series")
    if lecture:
        anchors = lecture_anchors(table, shape, spans, configuration.training.batch_size)
    else:
        anchors = find_anchors(table, shape, spans, scaling.missing(table), configuration.data.max_missing)
    return PreparedForecast(configuration, View(table, shape, scaling), spans, anchors)


def notable(findings: list[Finding]) -> list[Finding]:
    """The findings that stand in a summary; the count of a sentinel in every column would drown the rest."""
    return [finding for finding in findings if finding.kind != "missing" or finding.severity != "note"]


def _without_windows(table: Table, anchors: Anchors) -> list[str]:
    """Which series have no window in training."""
    seen = np.unique(table.codes[anchors.spans["train"]])
    absent = [name for code, name in enumerate(table.series) if code not in seen]
    if not absent:
        return []
    shown = ", ".join(absent[:5]) + (" ..." if len(absent) > 5 else "")
    return [f"series without a training window: {len(absent)} ({shown})"]


def _series(table: Table) -> str:
    return f", {len(table.series)} series" if table.series_column else ""
