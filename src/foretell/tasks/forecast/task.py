"""Forecasting as a task: what the ladder, the predictor and the command line call."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Int64
from torch import Tensor

from ...artefact import Artefact
from ...axes import AnchorArray
from ...data.stored import StoredTable
from ...errors import ConfigurationError, UsageError, counted
from ...evaluation.conformal import quantiles_of
from ...evaluation.drift import error_limits
from ...evaluation.panels import Panel
from ...nn import recurrence
from ...training.group import Group
from ...training.losses import LOSSES, Loss, quantile_loss
from ...training.sampling import Sampler, evenly_spread
from ...training.seeds import seeded
from ..interface import Attempt, Evaluation, Exported, Probe, Start
from ..rung import Rung
from ..training import begin_with, nothing_to_go_on, train_network
from .config import MEASURE, RUNGS, Configuration
from .exporting import FORMS, export
from .following import Follower
from .judging import judge_span, judge_windows, learn_intervals, summary, validation_losses
from .learned import LearnedForecaster, describe
from .models import BaselineModel, EnsembleModel, Member, Model, NetworkModel, chunks
from .panels import forecast_panels
from .prepare import Known, PreparedForecast, View, folds, prepare, rungs_of, shape_of
from .rungs import BASELINES, ENSEMBLE, NETWORKS, TREES, NetworkShape, build_network, rung_note, unread
from .scoring import Scored, score_rows
from .trees import fit_trees

_COMPARED = 2000  # windows that both programs forecast after an export


class ForecastExamples:
    """The windows of a prepared table, as the training loop draws them.

    Args:
        view: The table as the network sees it.
        anchors: The windows of each span.
        own_past: Whether it reads each target's own past alone.
    """

    def __init__(self, view: View, anchors: dict[str, AnchorArray], own_past: bool) -> None:
        self.view, self.own_past = view, own_past
        self.training, self.validation = anchors["train"], anchors["validation"]

    def batch(self, positions: Int64[np.ndarray, " batch"]) -> tuple[tuple[Tensor, ...], Tensor]:
        """Inputs and targets of some training windows."""
        anchors = self.training[positions]
        return self.view.inputs_at(anchors, self.own_past), self.view.windows.targets_at(anchors)

    def validate(self, network: Any, loss: Loss, device: torch.device, group: Group) -> dict[str, float]:
        """The mean loss over all validation windows."""
        total = 0.0
        for _, anchors in chunks(self.validation[group.share(len(self.validation))], self.view):
            outputs = network(*(part.to(device) for part in self.view.inputs_at(anchors, self.own_past)))
            total += loss(outputs, self.view.windows.targets_at(anchors).to(device)).item() * len(anchors)
        (whole,) = group.sums(total)
        return {"loss": whole / len(self.validation)}


class ForecastTask:
    """Forecast a series."""

    name = "forecast"
    configuration = Configuration
    rungs: dict[str, Rung] = RUNGS
    measure = MEASURE
    forms = FORMS

    def prepare(self, source: object, configuration: Configuration, start: Start | None = None) -> PreparedForecast:
        """Reads a table and learns what the rungs share, or takes it from a model to start from."""
        if start is None:
            return _checked(prepare(source, configuration))
        fitted = start.fitted
        if not isinstance(fitted.model, NetworkModel):
            raise nothing_to_go_on(start)
        numbers = _numbers(configuration)
        if numbers != fitted.model.quantiles:
            raise ConfigurationError(
                f"{start.name} forecasts {counted(fitted.model.quantiles, 'number')} of each target, and its further "
                f"training would make {numbers}; say --loss and --intervals as it was trained, or train anew",
                option="loss",
            )
        columns = {"features": fitted.scaling.used, "target": fitted.scaling.targets}
        data = configuration.data.model_copy(update=columns)
        known = Known(fitted.scaling, fitted.covariates, start.rescale)
        return prepare(source, configuration.model_copy(update={"data": data}), known=known)

    def reconfigured(self, prepared: PreparedForecast, configuration: Configuration) -> PreparedForecast:
        """The same table under other options."""
        return _checked(replace(prepared, configuration=configuration))

    def folds(self, prepared: PreparedForecast) -> list[PreparedForecast]:
        """The table cut anew for each test of a backtest."""
        return folds(prepared)

    def fit(self, prepared: PreparedForecast, rung: str, attempt: Attempt) -> LearnedForecaster:
        """Learns one rung; a network goes on from its last checkpoint in the attempt's folder."""
        shape = shape_of(rung, prepared.view.shape, prepared.configuration)
        own = prepared.of_rung(RUNGS[rung].options, shape)
        if rung in BASELINES:
            anchors = prepared.anchors.spans
            baseline = BASELINES[rung]().fit(own.view.history, prepared.spans.training_rows, anchors)
            learned = _learned(own, rung, BaselineModel(baseline), baseline.note)
        elif rung == ENSEMBLE:
            learned = _combined(own, attempt)
        elif rung == TREES:
            learned = _learned(own, rung, *fit_trees(own, attempt))
        else:
            learned = _trained(own, rung, attempt)
        intervals = learn_intervals(learned.model, own, prepared.configuration.levels)
        names = own.view.scaling.targets if rung in BASELINES else own.view.scaling.used
        losses = validation_losses(learned.model, own)
        stride = max(1, prepared.counts["validation"] // len(losses))
        drift = prepared.remembered.of(names, error_limits(losses, stride))
        return replace(learned, intervals=intervals, drift=drift)

    def evaluate(self, prepared: PreparedForecast, fitted: LearnedForecaster, span: str) -> Evaluation:
        """Judges a rung on one span."""
        own = prepared.of_rung(RUNGS[fitted.rung].options, fitted.shape)
        evaluation = judge_span(fitted.model, own, span, fitted.intervals)
        metrics = summary(evaluation, own.view, own.units)
        return Evaluation(metrics, evaluation.losses, evaluation.moments, evaluation.block, evaluation.details)

    def judge(self, fitted: LearnedForecaster, source: object) -> dict[str, Any]:
        """Judges a rung on the test span of its own data, or on all windows of other data."""
        view = fitted.view(fitted.read(source))
        own, units = fitted.own(view), tuple(fitted.about["units"])
        if own is not None:
            return {
                "span": "test",
                "metrics": summary(judge_span(fitted.model, own, "test", fitted.intervals), view, units),
            }
        anchors, places = fitted.all_windows(view), np.asarray
        naive = np.zeros(len(units))
        evaluation = judge_windows(fitted.model, view, anchors, places, units, naive, fitted.intervals)
        return {"span": "all", "metrics": summary(evaluation, view, units)}

    def probe(self, fitted: LearnedForecaster, source: object, count: int) -> Probe | None:
        """A network with some windows, evenly spread over the validation span, or over all of other data."""
        if not isinstance(fitted.model, NetworkModel):
            return None
        view = fitted.view(fitted.read(source))
        own = fitted.own(view)
        anchors = fitted.all_windows(view) if own is None else own.anchors.spans["validation"]
        chosen = anchors[evenly_spread(len(anchors), count)]
        inputs, targets = view.inputs_at(chosen, fitted.model.own_past), view.windows.targets_at(chosen)
        loss = _loss(fitted.configuration)
        return Probe(fitted.model.network, inputs, targets, loss, "all" if own is None else "validation")

    def export(self, fitted: LearnedForecaster, form: str, folder: Path, source: object) -> Exported:
        """Writes a forecaster for another program, and has both forecast the windows of test, or of other data."""
        if source is None:
            return export(fitted, folder, None, np.zeros(0, np.int64))
        table = fitted.read(source)
        if isinstance(table, StoredTable):  # the windows at its end will do
            table = table.last_rows(fitted.shape.rows_to_train + _COMPARED // len(table.series))
        view = fitted.view(table)
        own = fitted.own(view)
        anchors = fitted.all_windows(view) if own is None else own.anchors.spans["test"]
        return export(fitted, folder, view, anchors[evenly_spread(len(anchors), _COMPARED)])

    def follow(self, fitted: LearnedForecaster, folder: Path) -> Follower:
        """A forecaster with the last rows that it knows."""
        return Follower.open(fitted, folder)

    def score(self, fitted: LearnedForecaster, source: object, folder: Path, said: Path | None) -> Scored:
        """Earlier forecasts beside what came."""
        return score_rows(fitted, source, folder, said)

    def restore(self, artefact: Artefact) -> LearnedForecaster:
        """The forecaster that a model folder holds."""
        return LearnedForecaster.restore(artefact)

    def panels(
        self,
        prepared: PreparedForecast,
        learned: Mapping[str, LearnedForecaster],
        kept: str,
        evaluations: dict[str, Evaluation],
        reference: str,
    ) -> list[Panel]:
        """Forecast against truth, errors by hour and lead, residuals, which columns mattered, windows."""
        return forecast_panels(prepared, learned[kept], evaluations, reference)


def _trained(prepared: PreparedForecast, rung: str, attempt: Attempt) -> LearnedForecaster:
    """A network that has learned."""
    view, configuration, made = prepared.view, prepared.configuration, NETWORKS[rung]
    section = configuration.training.seeded(attempt.seed)
    numbers = _numbers(configuration)
    sizes = (view.width, len(view.scaling.targets), numbers, view.known_width, view.scaling.target_places)
    shape = NetworkShape(view.shape, *sizes)
    with seeded(section.seed):
        network = build_network(rung, shape, configuration.network)
    if attempt.start:
        begin_with(network, attempt.start.fitted.model.network, attempt.start)
    lecture = view.shape.align == "lecture"
    steps = section.steps_per_epoch or (500 if lecture else None)
    sampler = Sampler(prepared.counts["train"], section.batch_size, steps, section.seed, replace=lecture)
    examples = ForecastExamples(view, prepared.anchors.spans, made.own_past)
    loss = _loss(configuration)
    result, note = train_network(network, examples, loss, sampler, section, attempt)
    notes = [note, prepared.sampling_note, rung_note(rung, shape, configuration.network)]
    model = NetworkModel(network, made.own_past, configuration.network, numbers)
    learned = _learned(prepared, rung, model, "; ".join(filter(None, notes)))
    return replace(learned, history=result.history, rates=result.rates)


def _numbers(configuration: Configuration) -> int:
    """How many numbers a network forecasts of each target: one, or its quantiles."""
    return len(quantiles_of(configuration.levels)) if configuration.training.loss == "quantile" else 1


def _loss(configuration: Configuration) -> Loss:
    """What the options say is to be made small."""
    name = configuration.training.loss
    return quantile_loss(quantiles_of(configuration.levels)) if name == "quantile" else LOSSES[name]


def _checked(prepared: PreparedForecast) -> PreparedForecast:
    """The same, its networks checked and the options that none of its rungs reads noted."""
    rungs = rungs_of(prepared.configuration)
    for rung in rungs:
        check_network(rung, prepared)
    return replace(prepared, idle=tuple(unread(prepared.configuration, rungs)))


def check_network(rung: str, prepared: PreparedForecast) -> None:
    """Checks that the options make a network, before anything is trained.

    Args:
        rung: Its name; what is no network is not checked.
        prepared: The data, and the options.

    Raises:
        ConfigurationError: They contradict each other, do not fit the window, or cannot be computed as they say.
    """
    if rung not in NETWORKS:
        return
    own = prepared.of_rung(RUNGS[rung].options, shape_of(rung, prepared.view.shape, prepared.configuration))
    view, configuration = own.view, own.configuration
    shape = NetworkShape(view.shape, view.width, len(view.scaling.targets), places=view.scaling.target_places)
    with torch.device("meta"), torch.no_grad():
        build_network(rung, shape, configuration.network)
    if configuration.training.kernel == "torch":  # whose layers lack some of what ours can do
        width = shape.targets if NETWORKS[rung].own_past else shape.features
        with seeded(0), recurrence("torch"), torch.no_grad():
            build_network(rung, shape, configuration.network)(torch.zeros(1, view.shape.steps, width))


def _combined(prepared: PreparedForecast, attempt: Attempt) -> LearnedForecaster:
    """The mean of other rungs."""
    if not attempt.members:
        raise UsageError(
            f"{ENSEMBLE} is the mean of other rungs, which a comparison trains: foretell compare forecast DATA",
            rung=ENSEMBLE,
        )
    members = tuple(Member(name, member.model, member.shape) for name, member in attempt.members.items())
    return _learned(prepared, ENSEMBLE, EnsembleModel(members), f"mean of {', '.join(attempt.members)}")


def _learned(prepared: PreparedForecast, rung: str, model: Model, note: str) -> LearnedForecaster:
    view = prepared.view
    about = {**describe(prepared), "rows_needed": model.rows_needed(view)}
    known = (model, view.scaling, view.shape, view.table.frequency, about, note)
    return LearnedForecaster(rung, prepared.configuration, *known, covariates=view.covariates)


task = ForecastTask()
