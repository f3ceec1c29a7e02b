"""Which columns matter to a forecaster: by how much it errs more when one of them comes from other windows.

Breiman, "Random Forests" (2001), section 10; Fisher, Rudin and Dominici, "All Models are Wrong, but Many are
Useful" (2019).
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from ...axes import AnchorArray
from ...evaluation.panels import Figure, Line, Panel
from ...training.sampling import evenly_spread
from .learned import LearnedForecaster
from .models import Model, point
from .prepare import PreparedForecast, Swap, View

WINDOWS, REPEATS, MOST_COLUMNS = 256, 5, 40


@dataclass(frozen=True)
class Importance:
    """What one column is worth to a model.

    Attributes:
        column: Its name.
        values: The scaled error that each shuffle of it added.
    """

    column: str
    values: Float64[np.ndarray, " repeat"]

    @property
    def mean(self) -> float:
        """The error that a shuffle added on average."""
        return float(self.values.mean())

    @property
    def spread(self) -> float:
        """The standard deviation over the shuffles."""
        return float(self.values.std(ddof=1))


def column_importance(
    model: Model, view: View, anchors: AnchorArray, *, repeats: int = REPEATS, seed: int = 0
) -> list[Importance]:
    """Shuffles each column among some windows, several times, and looks at the error.

    Args:
        model: What forecasts.
        view: The table.
        anchors: The windows.
        repeats: Shuffles of each column.
        seed: Where the shuffles come from.

    Returns:
        The columns, the one that matters most first.
    """
    generator = np.random.default_rng(seed)
    before = _error(model, view, anchors)
    found = []
    for column in view.columns:
        values = []
        for _ in range(repeats):
            partners = anchors[generator.permutation(len(anchors))]
            values.append(_error(model, view.swapped(Swap(column, anchors, partners)), anchors) - before)
        found.append(Importance(column, np.array(values)))
    return sorted(found, key=lambda own: -own.mean)


def importance_panel(prepared: PreparedForecast, fitted: LearnedForecaster) -> Panel | None:
    """What each column is worth to a rung on the validation span; None where it reads one column, or too many.

    Args:
        prepared: The data.
        fitted: The rung.
    """
    view = prepared.view.reshaped(fitted.shape)
    if not 1 < len(view.columns) <= MOST_COLUMNS or not fitted.learns_from_columns:
        return None
    anchors = prepared.anchors.spans["validation"]
    chosen = np.unique(anchors[evenly_spread(len(anchors), WINDOWS)])
    found = column_importance(fitted.model, view, chosen)
    line = Line(
        fitted.rung,
        [own.column for own in found],
        [own.mean for own in found],
        [own.mean - own.spread for own in found],
        [own.mean + own.spread for own in found],
        colour=1,
    )
    figure = Figure(
        "bars",
        f"What {fitted.rung} loses without each column",
        "",
        "MAE added, scaled",
        [line],
        f"Each column was taken from other windows, {REPEATS} times; the whiskers are one standard deviation. Columns "
        "that say the same stand in for each other, and each of them then looks unimportant.",
    )
    prose = f"Permutation importance on {len(chosen)} windows of the validation span."
    if view.covariates.calendar or view.covariates.statics:
        prose += " The calendar and static columns are not among them."
    return Panel("Which columns mattered", prose, [figure])


def _error(model: Model, view: View, anchors: AnchorArray) -> float:
    deviation = view.history.deviation[view.table.codes_of(anchors)]
    errors = np.abs(point(model.predict(view, anchors)) - view.history.truths(anchors))
    return float((errors.mean(axis=1) / deviation).mean())
