"""Forecasting as a task: what the ladder, the predictor and the command line call."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Int64
from torch import Tensor

from ...artefact import Artefact
from ...evaluation.panels import Panel
from ...training.loop import LOSSES, Loss, Watcher, train
from ...training.sampling import Sampler, evenly_spread
from ...training.seeds import seeded
from ..interface import Evaluation, Probe
from ..rung import Rung
from .config import MEASURE, RUNGS, Configuration
from .judging import judge_span, judge_windows, summary
from .learned import LearnedForecaster, describe
from .models import CHUNK, BaselineModel, NetworkModel
from .panels import forecast_panels
from .prepare import PreparedForecast, prepare
from .rungs import BASELINES, NETWORKS, NetworkShape


class ForecastExamples:
    """The windows of a prepared table, as the training loop draws them.

    Args:
        prepared: The table.
    """

    def __init__(self, prepared: PreparedForecast) -> None:
        self.windows = prepared.view.windows
        self.training = prepared.anchors.spans["train"]
        self.validation = prepared.anchors.spans["validation"]

    def batch(self, positions: Int64[np.ndarray, " batch"]) -> tuple[Tensor, Tensor]:
        """Inputs and targets of some training windows."""
        anchors = self.training[positions]
        return self.windows.inputs_at(anchors), self.windows.targets_at(anchors)

    def validate(self, network: Any, loss: Loss, device: torch.device) -> dict[str, float]:
        """The mean loss over all validation windows."""
        total = 0.0
        for start in range(0, len(self.validation), CHUNK):
            anchors = self.validation[start : start + CHUNK]
            outputs = network(self.windows.inputs_at(anchors).to(device))
            total += loss(outputs, self.windows.targets_at(anchors).to(device)).item() * len(anchors)
        return {"loss": total / len(self.validation)}


class ForecastTask:
    """Forecast a series."""

    name = "forecast"
    configuration = Configuration
    rungs: dict[str, Rung] = RUNGS
    measure = MEASURE

    def prepare(self, source: object, configuration: Configuration) -> PreparedForecast:
        """Reads a table and learns what the rungs share."""
        return prepare(source, configuration)

    def fit(self, prepared: PreparedForecast, rung: str, folder: Path, watcher: Watcher) -> LearnedForecaster:
        """Learns one rung; a network goes on from its last checkpoint in the folder."""
        view, configuration = prepared.view, prepared.configuration
        if rung in BASELINES:
            baseline = BASELINES[rung]().fit(view.history, prepared.spans.training_rows, prepared.anchors.spans)
            return _learned(prepared, rung, BaselineModel(baseline), baseline.note)
        section = configuration.training
        shape = NetworkShape(view.shape, view.scaling.width, len(view.scaling.targets))
        with seeded(section.seed):
            network = NETWORKS[rung](shape, configuration.network)
        lecture = view.shape.align == "lecture"
        steps = section.steps_per_epoch or (500 if lecture else None)
        sampler = Sampler(prepared.counts["train"], section.batch_size, steps, section.seed, replace=lecture)
        result = train(network, ForecastExamples(prepared), sampler, section, folder, watcher)
        note = f"best of {len(result.history)} epochs: {result.best_epoch}" + (
            ", stopped early" if result.stopped_early else ""
        )
        return _learned(prepared, rung, NetworkModel(network, configuration.network.units), note, result.history)

    def evaluate(self, prepared: PreparedForecast, fitted: LearnedForecaster, span: str) -> Evaluation:
        """Judges a rung on one span."""
        evaluation = judge_span(fitted.model, prepared, span)
        metrics = summary(evaluation, prepared.view, prepared.units)
        return Evaluation(metrics, evaluation.losses, evaluation.moments, evaluation.block, evaluation.details)

    def judge(self, fitted: LearnedForecaster, source: object) -> dict[str, Any]:
        """Judges a rung on the test span of its own data, or on all windows of other data."""
        view = fitted.view(fitted.read(source))
        own, units = fitted.own(view), tuple(fitted.about["units"])
        if own is not None:
            return {"span": "test", "metrics": summary(judge_span(fitted.model, own, "test"), view, units)}
        anchors, places = fitted.all_windows(view), np.arange(view.table.rows)
        evaluation = judge_windows(fitted.model, view, anchors, places, units, np.zeros(len(units)))
        return {"span": "all", "metrics": summary(evaluation, view, units)}

    def probe(self, fitted: LearnedForecaster, source: object, count: int) -> Probe | None:
        """A network with some windows, evenly spread over the validation span, or over all of other data."""
        if not isinstance(fitted.model, NetworkModel):
            return None
        view = fitted.view(fitted.read(source))
        own = fitted.own(view)
        anchors = fitted.all_windows(view) if own is None else own.anchors.spans["validation"]
        chosen = anchors[evenly_spread(len(anchors), count)]
        inputs, targets = view.windows.inputs_at(chosen), view.windows.targets_at(chosen)
        loss = LOSSES[fitted.configuration.training.loss]
        return Probe(fitted.model.network, inputs, targets, loss, "all" if own is None else "validation")

    def restore(self, artefact: Artefact) -> LearnedForecaster:
        """The forecaster that a model folder holds."""
        return LearnedForecaster.restore(artefact)

    def panels(
        self, prepared: PreparedForecast, evaluations: dict[str, Evaluation], best: str, reference: str
    ) -> list[Panel]:
        """Forecast against truth, errors by hour and lead, residuals, windows."""
        return forecast_panels(prepared, evaluations, best, reference)


def _learned(
    prepared: PreparedForecast, rung: str, model: Any, note: str, history: list[dict[str, Any]] | None = None
) -> LearnedForecaster:
    view = prepared.view
    return LearnedForecaster(
        rung,
        prepared.configuration,
        model,
        view.scaling,
        view.shape,
        view.table.frequency,
        {**describe(prepared), "rows_needed": model.rows_needed(view)},
        note,
        history or [],
    )


task = ForecastTask()
