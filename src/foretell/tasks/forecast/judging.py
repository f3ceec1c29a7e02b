"""How good a forecaster is on some windows, and what there is to look at."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float64

from ...axes import AnchorArray
from ...data.tables import Places, local_hours, local_times
from ...evaluation.conformal import MOST_SCORES, Calibration, CoverageSums, Intervals
from ...evaluation.metrics import MOST_SERIES, ErrorSums
from ...training.sampling import evenly_spread
from ..interface import Evaluation
from .models import CHUNK, Model, point
from .prepare import PreparedForecast, View

_SHOWN_DAYS = 14
MOST_REMEMBERED = 4096  # windows


@dataclass(frozen=True)
class Stretch:
    """Some weeks of one series, as the report draws them.

    Attributes:
        series: Its name.
        times: Of the targets at the last lead.
        truth: The first target there.
        forecast: What was forecast.
        low: The lower ends of the widest intervals; none where there are no intervals.
        high: The upper ones.
    """

    series: str
    times: list[str]
    truth: np.ndarray
    forecast: np.ndarray
    low: np.ndarray | None = None
    high: np.ndarray | None = None


@dataclass(frozen=True)
class ForecastDetails:
    """What the report shows of a forecaster's errors.

    Attributes:
        sums: Errors by series, lead and hour.
        residuals: Forecast less truth at the last lead, of evenly spaced windows.
        stretch: The end of the span.
        coverage: How often intervals held the truth; None where there are none.
    """

    sums: ErrorSums
    residuals: np.ndarray
    stretch: Stretch
    coverage: CoverageSums | None = None


def judge_windows(
    model: Model,
    view: View,
    anchors: AnchorArray,
    places: Callable[[AnchorArray], Places],
    units: tuple[str | None, ...],
    naive: np.ndarray,
    intervals: Intervals | None = None,
    *,
    thinned: bool = False,
) -> Evaluation:
    """Judges a model on some windows.

    Args:
        model: What forecasts.
        view: The table.
        anchors: The windows.
        places: The place in time of some rows of the table.
        units: The unit of each target.
        naive: What the seasonal naive rule misses by in training.
        intervals: Around its forecasts, where there are any.
        thinned: Whether there are windows between these.
    """
    history, table = view.history, view.table
    sums = ErrorSums(history.deviation, view.shape.lead_count)
    coverage = None if intervals is None else CoverageSums(intervals, history.deviation)
    residuals = []
    step = max(1, len(anchors) // 20_000)
    for start in range(0, len(anchors), CHUNK):
        chunk = anchors[start : start + CHUNK]
        codes = table.codes_of(chunk)
        quantiles, truths = model.predict(view, chunk), history.truths(chunk)
        forecasts = point(quantiles)
        times = history.target_times(chunk)
        hours = local_hours(times.reshape(-1), table.timezone).reshape(times.shape)
        sums.add(forecasts, truths, codes, hours)
        errors = forecasts[:, -1] - truths[:, -1]
        residuals.append(errors[::step])
        if coverage is not None:
            coverage.add(quantiles, truths, codes)
    stretch = _stretch(model, view, anchors, intervals, thinned=thinned)
    details = ForecastDetails(sums, np.concatenate(residuals), stretch, coverage)
    block = max(view.shape.leads[1], int(np.ceil(table.frequency.rows_per_day)), 1)
    metrics = sums.metrics(view.scaling.targets, units, naive)
    if ends := sums.intervals(places(anchors), block):
        metrics["error_intervals"] = ends
    if coverage is not None:
        metrics["intervals"] = coverage.metrics(0 if len(units) == 1 else None)
        for number, entry in enumerate(metrics.get("targets", {}).values()):
            entry["intervals"] = coverage.metrics(number)
    losses = sums.losses
    sums.forget_windows()
    return Evaluation(metrics, losses, places(anchors), block, details)


def judge_span(model: Model, prepared: PreparedForecast, span: str, intervals: Intervals | None = None) -> Evaluation:
    """Judges a model on one span of its data."""
    anchors = prepared.anchors.spans[span]
    places, naive = prepared.spans.places_of, prepared.naive_errors
    thinned = "not_judged" in prepared.anchors.dropped
    return judge_windows(model, prepared.view, anchors, places, prepared.units, naive, intervals, thinned=thinned)


def validation_losses(model: Model, prepared: PreparedForecast) -> Float64[np.ndarray, " window"]:
    """The scaled error of some validation windows, evenly spread, in the order of time."""
    view, anchors = prepared.view, prepared.anchors.spans["validation"]
    anchors = anchors[evenly_spread(len(anchors), MOST_REMEMBERED)]
    anchors = anchors[np.argsort(view.table.times_of(anchors), kind="stable")]
    losses = []
    for start in range(0, len(anchors), CHUNK):
        chunk = anchors[start : start + CHUNK]
        deviation = view.history.deviation[view.table.codes_of(chunk)]
        errors = np.abs(point(model.predict(view, chunk)) - view.history.truths(chunk))
        losses.append((errors.mean(axis=1) / deviation).mean(axis=1))
    return np.concatenate(losses)


def learn_intervals(model: Model, prepared: PreparedForecast, levels: tuple[float, ...]) -> Intervals | None:
    """Intervals around a model's forecasts, from its errors on the validation span; None where none are wanted.

    Args:
        model: What forecasts.
        prepared: The data.
        levels: Shares of the truth that they shall cover, the smallest first.

    Raises:
        DataError: The validation span has too few windows.
    """
    if not levels:
        return None
    view, anchors = prepared.view, prepared.anchors.spans["validation"]
    most = max(1000, MOST_SCORES // (view.shape.lead_count * len(view.scaling.targets)))
    anchors = anchors[evenly_spread(len(anchors), most)]
    calibration = Calibration(levels)
    for start in range(0, len(anchors), CHUNK):
        chunk = anchors[start : start + CHUNK]
        deviation = view.history.deviation[view.table.codes_of(chunk)]
        calibration.add(model.predict(view, chunk), view.history.truths(chunk), deviation)
    return calibration.intervals(view.table.source)


def _stretch(model: Model, view: View, anchors: AnchorArray, intervals: Intervals | None, *, thinned: bool) -> Stretch:
    """The last windows of the first series among them: a fortnight, or what there is; those between them as well."""
    table, history = view.table, view.history
    codes = table.codes_of(anchors)
    own = np.unique(anchors[codes == codes.min()])
    first = max(int(own[0]), int(own[-1]) + 1 - max(48, round(_SHOWN_DAYS * table.frequency.rows_per_day)))
    chosen = np.arange(first, own[-1] + 1) if thinned else own[own >= first]
    chosen = chosen[:: max(1, len(chosen) // 2000)]
    truths = history.truths(chosen)
    if thinned:
        there = ~np.isnan(truths[:, -1, 0])
        chosen, truths = chosen[there], truths[there]
    quantiles = model.predict(view, chosen)
    lines = [truths, point(quantiles)]
    if intervals is not None:
        deviation = history.deviation[table.codes_of(chosen)]
        lines += intervals.around(quantiles, deviation, len(intervals.levels) - 1)
    times = local_times(history.target_times(chosen)[:, -1], table.timezone)
    iso = times.dt.strftime("%Y-%m-%dT%H:%M:%S%.f").to_list()
    return Stretch(table.series[codes.min()], iso, *(line[:, -1, 0] for line in lines))


def summary(evaluation: Evaluation, view: View, units: tuple[str | None, ...]) -> dict[str, Any]:
    """The metrics, and the errors of each series where there are several."""
    details: ForecastDetails = evaluation.details
    document = dict(evaluation.metrics)
    if len(view.table.series) > 1:
        document["series"] = details.sums.by_series(view.table.series, view.scaling.targets, units)
        if len(view.table.series) > MOST_SERIES:
            document["series_left_out"] = len(view.table.series) - MOST_SERIES  # those that err least
    return document
