"""A forecaster that has learned: what it needs to forecast again, on another machine, from a folder alone."""

import warnings
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

import numpy as np
import polars as pl

from ...artefact import Artefact
from ...axes import AnchorArray
from ...data.appending import longer
from ...data.covariates import NONE, Covariates
from ...data.frequency import Frequency
from ...data.reading import names_parquet, open_table
from ...data.scaling import Scaling
from ...data.storage import Numbers
from ...data.stored import StoredTable
from ...data.tables import AnyTable, Table, show_time
from ...data.times import Written
from ...data.windows import WindowShape, anchors_within, missing_share, require_rows, spread_over, targets_missing
from ...errors import DataError, UnsafeFileError
from ...evaluation.conformal import Intervals
from ...numbers import usable
from ...training.curves import RangeTest
from ..cards import document_of
from ..weights import load_network, of_a_model_folder, require_few, require_kinds
from .config import Configuration, ForecastNetwork
from .describing import forecaster_card
from .drifting import NOTHING, Remembered
from .models import BaselineModel, EnsembleModel, Member, Model, NetworkModel, arrays_of
from .predicting import Which, forecast_frame
from .prepare import PreparedForecast, View, folds, prepare
from .rungs import BASELINES, ENSEMBLE, NETWORKS, TREES, NetworkShape, build_network
from .trees import PREFIX as TREES_PREFIX
from .trees import TreesModel

_MARGINS = "intervals/margins"
LONGEST = 10_000_000  # rows that a window may reach
LONGEST_STEP = 10**15  # microseconds from a row to the next
MOST_NEEDED = 1_000_000  # rows without which nothing is forecast
_ABOUT = {  # what is told of data, and what it must be
    **dict.fromkeys(("source", "fingerprint", "first", "last"), str),
    **dict.fromkeys(("rows", "rows_needed"), int),
    "units": list[str | None],
    "series": list[str] | None,
    "written": dict[Literal["column", "pattern"], str | None] | None,
    **dict.fromkeys(("reach", "fold"), int | None),
    **dict.fromkeys(("windows", "dropped"), dict[str, int] | None),
    "spans": list[Any] | None,
}


@dataclass(frozen=True)
class LearnedForecaster:
    """One rung, learned.

    Attributes:
        rung: Its name on the ladder.
        configuration: All options of its training.
        model: The baseline or network.
        scaling: What was learned about the columns.
        shape: What a window reads.
        frequency: The step of the rows.
        about: The data it learned from: source, fingerprint, rows, range, units.
        note: What it chose or found, in a sentence.
        history: One record for each epoch of its training.
        covariates: What it reads beside columns.
        intervals: Around its forecasts, where they were asked for.
        drift: What it remembers of its training, to tell later whether inputs or errors have drifted.
        rates: What the search for a learning rate found, where one was asked for.
    """

    rung: str
    configuration: Configuration
    model: Model
    scaling: Scaling
    shape: WindowShape
    frequency: Frequency
    about: dict[str, Any]
    note: str = ""
    history: list[dict[str, Any]] = field(default_factory=list)
    covariates: Covariates = NONE
    intervals: Intervals | None = None
    drift: Remembered = NOTHING
    rates: RangeTest | None = None

    def with_history(self, history: list[dict[str, Any]], rates: RangeTest | None) -> "LearnedForecaster":
        """The same with what a model folder does not hold: its curve, and the rates that were tried."""
        return replace(self, history=history, rates=rates)

    @property
    def parameters(self) -> int:
        """How many numbers it learned."""
        return self.model.parameters

    @property
    def learns_from_columns(self) -> bool:
        """Whether it is a model, rather than a rule on each target's own past."""
        return not isinstance(self.model, BaselineModel)

    def view(self, table: AnyTable) -> View:
        """A table as this forecaster sees it.

        Raises:
            DataError: Its rows have another frequency.
        """
        if table.frequency != self.frequency and table.rows > len(table.series):
            raise DataError(
                f"{table.source} has rows every {table.frequency}; the model was trained on rows "
                f"every {self.frequency}",
                file=table.source,
            )
        return View(table, self.shape, self.scaling, self.covariates)

    def configuration_of_columns(self) -> Configuration:
        """The configuration with the columns that were found of use in training."""
        columns = {"features": self.scaling.features, "target": self.scaling.targets}
        return self.configuration.model_copy(update={"data": self.configuration.data.model_copy(update=columns)})

    def own(self, view: View) -> PreparedForecast | None:
        """A table cut into spans as in training; None where it is not the table of the training."""
        if view.table.fingerprint(self.scaling.used) != self.about["fingerprint"]:
            return None
        again = prepare(view.table, self.configuration_of_columns(), self.about.get("reach", self.shape.first_input))
        again = folds(again)[self.about.get("fold") or 0]
        return replace(again, configuration=self.configuration, view=view)

    def all_windows(self, view: View) -> AnchorArray:
        """Every window of a table that has its targets and enough of its inputs.

        Raises:
            DataError: There is none.
        """
        table, ahead, found = view.table, self.shape.leads[1], Numbers()
        require_rows(table, self.shape, ahead, self.shape.first_input)
        for stretch in table.stretches(self.shape.first_input, ahead):
            part = stretch.part
            anchors = anchors_within(part, self.shape.first_input, ahead)
            anchors = anchors[(anchors >= stretch.own.start) & (anchors < stretch.own.stop)]
            share = missing_share(part, self.shape, anchors, self.scaling.missing(part))
            anchors = anchors[share <= self.configuration.data.max_missing]
            found.add(anchors[~targets_missing(part, self.shape, anchors)] + stretch.first)
        anchors, most = found.all(), self.configuration.evaluation.judged
        anchors = anchors[spread_over(len(anchors), most)] if most else anchors
        if len(anchors) == 0:
            raise DataError(
                f"{table.source} has no window to read: each lacks its target or more inputs than --max-missing allows",
                file=table.source,
            )
        return anchors

    def read(self, source: object) -> AnyTable:
        """Reads a table with the columns and options of the training."""
        section = self.configuration.data
        # Other rows than those of the training may well be such as cannot go through a store.
        store = section.store if names_parquet(source) or section.store == "no" else "auto"
        columns = {"features": self.scaling.used, "target": self.scaling.targets, "cache_dir": None, "store": store}
        named = section.model_copy(update=columns)
        before = Written(**self.about["written"]) if self.about.get("written") else None
        grid = None if section.frequency else self.frequency
        return open_table(source, named, regular=self.shape.align != "lecture", grid=grid, before=before)

    def predict(self, source: object, *, anchors: Which = "latest") -> pl.DataFrame:
        """Forecasts from the last rows of a table, or from each of its windows.

        Args:
            source: A path or data frame with the columns of the training.
            anchors: ``latest``: one forecast for each future row within reach, from the latest window that
                reaches it; ``all``: every window of the table.

        Raises:
            DataError: The table has too few rows, another frequency, or lacks a column.
        """
        table = self.read(source)
        if anchors == "latest" and isinstance(table, StoredTable):
            # Where some columns are known ahead, rows that only they fill stand behind the last observed one.
            reach = self.model.rows_needed(self.view(table)) + 2 * self.shape.leads[1]
            return self.predict_table(table.last_rows(reach))
        return self.predict_table(table.whole(), anchors=anchors)

    def predict_table(self, table: Table, *, anchors: Which = "latest") -> pl.DataFrame:
        """The same from a table that was read before."""
        for static in self.covariates.statics:
            if new := static.unseen(table):
                told = f'"{static.name}" holds what training never saw and counts as unknown: {", ".join(new[:5])}'
                warnings.warn(f"{table.source}: {told}", stacklevel=2)
        if table.series_column and anchors == "latest":
            # A series that is younger than a window begins with missing rows; --max-missing says how many there may be.
            table = longer(table, self.model.rows_needed(self.view(table)) + self.shape.leads[1])
        limit = self.configuration.data.max_missing
        return forecast_frame(self.model, self.view(table), anchors, limit, self.intervals)

    def artefact(self, metrics: dict[str, Any]) -> Artefact:
        """All it knows, and how good it is."""
        values, arrays = self.model.state()
        document = {
            **document_of(self, metrics),
            "windows": asdict(self.shape),
            "frequency": asdict(self.frequency),
            "model": values,
        }
        if self.intervals:
            document["intervals"] = list(self.intervals.levels)
            arrays |= {_MARGINS: self.intervals.margins}
        beside = {"covariates": self.covariates.document(), "drift": self.drift.document()}
        files = {"scaling.json": {**self.scaling.document(), **beside}}
        return Artefact("forecast", document, arrays, files, forecaster_card(self, metrics))

    @classmethod
    def restore(cls, artefact: Artefact) -> "LearnedForecaster":
        """The forecaster that a model folder holds.

        Raises:
            UnsafeFileError: The folder's documents contradict each other.
        """
        document = artefact.document
        with of_a_model_folder():
            rung = str(document["rung"])
            configuration = Configuration.model_validate(document["config"])
            scaling = _scaling(artefact.files["scaling.json"])
            windows = document["windows"]
            shape = WindowShape(
                int(windows["lookback"]), int(windows["every"]), _pair(windows["leads"]), windows["align"]
            )
            frequency = Frequency(**document["frequency"])
            _must_make_sense(shape, frequency, artefact.arrays)
            covariates = Covariates.restore(artefact.files["scaling.json"].get("covariates", NONE.document()))
            known, beside = covariates.ahead_width(frequency), covariates.width(frequency)
            sizes, places = (scaling.width + beside, len(scaling.targets)), scaling.target_places
            network = NetworkShape(shape, *sizes, known=known, places=places)
            arrays = dict(artefact.arrays)
            intervals = _intervals(document.get("intervals"), arrays.pop(_MARGINS, None), network)
            model = _model(rung, document["model"], arrays, network)
            about = dict(document["data"])
            require_kinds(about, _ABOUT)
            if len(about["units"]) != len(scaling.targets) or not 1 <= about["rows_needed"] <= MOST_NEEDED:
                raise ValueError("what it says of its data contradicts its targets")
            if not 0 <= (about.get("fold") or 0) < configuration.evaluation.folds:
                raise ValueError("it learned from a fold that there is not")
            if not set(covariates.known) <= set(scaling.columns) or (configuration.data.series and not about["series"]):
                raise ValueError("what it reads beside its targets is not in its data")
            note = str(document["note"])
            learned = cls(rung, configuration, model, scaling, shape, frequency, about, note)
            drift = Remembered.restore(artefact.files["scaling.json"].get("drift", NOTHING.document()))
            if not drift.columns.keys() <= set(scaling.columns):
                raise ValueError("what is remembered of training names columns that are not scaled")
            return replace(learned, covariates=covariates, intervals=intervals, drift=drift)


def describe(prepared: PreparedForecast) -> dict[str, Any]:
    """What a model folder says of the data that its model learned from."""
    table = prepared.view.table
    return {
        "source": table.source,
        "fingerprint": prepared.fingerprint,
        "rows": table.rows,
        "series": list(table.series) if table.series_column else None,
        "written": asdict(table.written) if table.written else None,
        "first": show_time(table.first_time, table.timezone),
        "last": show_time(table.last_time, table.timezone),
        "spans": list(prepared.spans.starts),
        "targets": list(prepared.view.scaling.targets),
        "features": list(prepared.view.scaling.features),
        "units": list(prepared.units),
        "windows": prepared.counts,
        "dropped": prepared.dropped,
        "reach": prepared.reach,
        "fold": prepared.fold,
    }


def _must_make_sense(shape: WindowShape, frequency: Frequency, arrays: Mapping[str, np.ndarray]) -> None:
    """Checks what a document may claim before anything is built from it."""
    rows = (shape.every, shape.lookback, *shape.leads)
    if not (1 <= min(rows) <= max(rows) <= LONGEST and shape.lookback % shape.every == 0 and shape.lead_count >= 1):
        raise ValueError(f"windows of {shape} cannot be")
    if shape.align not in ("standard", "lecture"):
        raise ValueError(f"there is no alignment {shape.align!r}")
    if (
        frequency.unit not in ("microsecond", "weekday", "month")
        or type(frequency.count) is not int
        or not 1 <= frequency.count <= LONGEST_STEP
    ):
        raise ValueError(f"there is no frequency {frequency!r}")
    for name, array in arrays.items():
        # Trees ask with a threshold of infinity whether a number is there; they check their arrays themselves.
        if not (usable(array) or (TREES_PREFIX in name and array.dtype.kind == "f" and not np.isnan(array).any())):
            raise ValueError(f"{name} must hold finite numbers")


def _pair(values: list[int]) -> tuple[int, int]:
    first, last = values
    return int(first), int(last)


def _scaling(document: Mapping[str, Any]) -> Scaling:
    names = {key: tuple(map(str, document[key])) for key in ("columns", "features", "masked", "targets", "series")}
    mean, deviation = (np.asarray(document[key], np.float64) for key in ("mean", "deviation"))
    rows = (len(names["series"]), len(names["series"]) + 1) if names["series"] else (1,)
    if mean.shape not in [(count, len(names["columns"])) for count in rows] or deviation.shape != mean.shape:
        raise ValueError("scaling.json must hold a mean and a deviation for each column, and for each series")
    if not (usable(mean) and usable(deviation) and (deviation > 0).all()):
        raise ValueError("the means of scaling.json must be finite, the deviations above zero")
    if any(len(set(own)) < len(own) for own in names.values()) or not names["targets"]:
        raise ValueError("scaling.json names a column twice, or no target")
    if not set(names["targets"] + names["features"]) <= set(names["columns"]) or not set(names["masked"]) <= set(
        names["features"]
    ):
        raise ValueError("scaling.json contradicts itself")
    return Scaling(
        names["columns"], mean, deviation, names["features"], names["masked"], names["targets"], names["series"]
    )


def _intervals(levels: object, margins: np.ndarray | None, shape: NetworkShape) -> Intervals | None:
    if levels is None and margins is None:
        return None
    shares = tuple(float(level) for level in levels) if isinstance(levels, list) else ()
    expected = (len(shares), shape.window.lead_count, shape.targets)
    if margins is None or not shares or margins.shape != expected or not all(0 < share < 1 for share in shares):
        raise ValueError(f"intervals must hold {expected} margins")
    return Intervals(shares, margins.astype(np.float64))


def _model(rung: str, values: dict[str, Any], arrays: dict[str, np.ndarray], shape: NetworkShape) -> Model:
    if rung in BASELINES:
        baseline = BASELINES[rung].restore(values, arrays)
        if not baseline.fits(shape.window.steps, shape.window.lead_count, shape.targets):
            raise ValueError(f"what {rung} learned does not fit the windows")
        return BaselineModel(baseline)
    if rung == ENSEMBLE:
        return EnsembleModel(tuple(_members(values["members"], arrays, shape)))
    if rung == TREES:
        return TreesModel.restore(values, arrays)
    if rung not in NETWORKS:
        raise UnsafeFileError(f'the model folder names a rung "{rung}" that this version does not know')
    section = ForecastNetwork.model_validate(values.get("network", {"units": values.get("units")}))
    own = replace(shape, numbers=int(values.get("quantiles", 1)))
    network = load_network(lambda: build_network(rung, own, section), arrays)
    return NetworkModel(network, NETWORKS[rung].own_past, section, own.numbers)


def _members(values: list[dict[str, Any]], arrays: dict[str, np.ndarray], shape: NetworkShape) -> Iterator[Member]:
    require_few(values)
    for number, member in enumerate(values):
        rung, windows = str(member["rung"]), member["windows"]
        own = replace(shape.window, lookback=int(windows["lookback"]), every=int(windows["every"]))
        if rung == ENSEMBLE or not (1 <= own.every <= own.lookback <= LONGEST and own.lookback % own.every == 0):
            raise ValueError(f"an ensemble cannot have the member {member['rung']} with windows of {windows}")
        yield Member(rung, _model(rung, member["model"], arrays_of(number, arrays), replace(shape, window=own)), own)
