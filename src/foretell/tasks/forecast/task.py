"""Forecasting as a task: what the ladder, the predictor and the command line call."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Int64
from torch import Tensor

from ...artefact import Artefact
from ...data.windows import missing_share, possible_anchors
from ...evaluation.panels import Panel
from ...training.loop import Loss, Watcher, train
from ...training.sampling import Sampler
from ...training.seeds import seeded
from ..interface import Evaluation
from ..rung import Rung
from .config import RUNGS, Configuration
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
    score = "mae_scaled"

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
        table, units = view.table, tuple(fitted.about["units"])
        if table.fingerprint(fitted.scaling.used) == fitted.about["fingerprint"]:
            prepared = prepare(table, fitted.configuration_of_columns())
            own = PreparedForecast(fitted.configuration, view, prepared.spans, prepared.anchors)
            evaluation = judge_span(fitted.model, own, "test")
            return {"span": "test", "metrics": summary(evaluation, view, units)}
        anchors = possible_anchors(table, fitted.shape, fitted.shape.leads[1])
        share = missing_share(table, fitted.shape, anchors, fitted.scaling.missing(table))
        anchors = anchors[share <= fitted.configuration.data.max_missing]
        anchors = anchors[~np.isnan(view.history.truths(anchors)).any(axis=(1, 2))]
        evaluation = judge_windows(fitted.model, view, anchors, np.arange(table.rows), units, np.zeros(len(units)))
        return {"span": "all", "metrics": summary(evaluation, view, units)}

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
