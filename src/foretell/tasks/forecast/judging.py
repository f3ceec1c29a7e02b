"""How good a forecaster is on some windows, and what there is to look at."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Int64

from ...axes import AnchorArray
from ...data.tables import local_times
from ...evaluation.metrics import ErrorSums
from ..interface import Evaluation
from .models import CHUNK, Model, point
from .prepare import PreparedForecast, View

_SHOWN_DAYS = 14


@dataclass(frozen=True)
class ForecastDetails:
    """What the report shows of a forecaster's errors.

    Attributes:
        sums: Errors by series, lead and hour.
        residuals: Forecast less truth at the last lead, of evenly spaced windows.
        times: Times of a stretch of one series.
        truth: The first target there.
        forecast: Its forecasts at the last lead.
    """

    sums: ErrorSums
    residuals: np.ndarray
    times: list[str]
    truth: np.ndarray
    forecast: np.ndarray


def judge_windows(
    model: Model, view: View, anchors: AnchorArray, places: np.ndarray, units: tuple[str | None, ...], naive: np.ndarray
) -> Evaluation:
    """Judges a model on some windows.

    Args:
        model: What forecasts.
        view: The table.
        anchors: The windows.
        places: The place in time of each row of the table.
        units: The unit of each target.
        naive: What the seasonal naive rule misses by in training.
    """
    history, table = view.history, view.table
    sums = ErrorSums(history.deviation, view.shape.lead_count)
    residuals = []
    stretch = _stretch(view, anchors)
    shown: list[np.ndarray] = []
    step = max(1, len(anchors) // 20_000)
    for start in range(0, len(anchors), CHUNK):
        chunk = anchors[start : start + CHUNK]
        forecasts, truths = point(model.predict(view, chunk)), history.truths(chunk)
        times = history.target_times(chunk)
        hours = table.local_hours(times.reshape(-1)).reshape(times.shape)
        sums.add(forecasts, truths, table.codes[chunk], hours)
        errors = forecasts[:, -1] - truths[:, -1]
        residuals.append(errors[::step])
        inside = np.isin(chunk, stretch)
        if inside.any():
            shown.append(np.stack([truths[inside, -1, 0], forecasts[inside, -1, 0]], axis=1))
    pair = np.concatenate(shown)
    last_times = history.target_times(stretch)[:, -1]
    iso = local_times(last_times, table.timezone).dt.strftime("%Y-%m-%dT%H:%M:%S%.f").to_list()
    details = ForecastDetails(sums, np.concatenate(residuals), iso, pair[:, 0], pair[:, 1])
    block = max(view.shape.leads[1], int(np.ceil(table.frequency.rows_per_day)), 1)
    return Evaluation(sums.metrics(view.scaling.targets, units, naive), sums.losses, places[anchors], block, details)


def judge_span(model: Model, prepared: PreparedForecast, span: str) -> Evaluation:
    """Judges a model on one span of its data."""
    anchors = prepared.anchors.spans[span]
    return judge_windows(model, prepared.view, anchors, prepared.spans.places, prepared.units, prepared.naive_errors)


def _stretch(view: View, anchors: AnchorArray) -> Int64[np.ndarray, " shown"]:
    """The last windows of the first series among them: a fortnight, or what there is."""
    table = view.table
    first = table.codes[anchors].min()
    own = np.unique(anchors[table.codes[anchors] == first])
    rows = max(48, round(_SHOWN_DAYS * table.frequency.rows_per_day))
    span = own[-1] - rows
    chosen = own[own > span]
    return chosen[:: max(1, len(chosen) // 2000)]


def summary(evaluation: Evaluation, view: View, units: tuple[str | None, ...]) -> dict[str, Any]:
    """The metrics, and the errors of each series where there are several."""
    details: ForecastDetails = evaluation.details
    document = dict(evaluation.metrics)
    if len(view.table.series) > 1:
        document["series"] = details.sums.by_series(view.table.series, view.scaling.targets, units)
    return document
