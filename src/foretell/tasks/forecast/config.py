"""The options of forecasting, and its rungs in ladder order; nothing here imports torch."""

from typing import Literal

from pydantic import Field

from ...config import (
    DataSection,
    NetworkSection,
    RunSection,
    SpanSection,
    TaskConfiguration,
    TrainingSection,
    WindowSection,
)
from ...evaluation.words import Measure, error_drawn, error_text
from ..rung import Rung


class ForecastTraining(TrainingSection):
    """How a network learns."""

    loss: Literal["mae", "mse"] = Field("mae", description="Loss to minimise, on scaled values.")


class Configuration(TaskConfiguration):
    """Every option of ``foretell compare forecast`` and ``foretell train forecast``."""

    data: DataSection = DataSection()
    windows: WindowSection = WindowSection()
    spans: SpanSection = SpanSection()
    network: NetworkSection = NetworkSection()
    training: ForecastTraining = ForecastTraining()
    run: RunSection = RunSection()


MEASURE = Measure(
    "MAE",
    "mean absolute error",
    "mae_scaled",
    error_text,
    error_drawn,
    listed=("mae", "unit", "mae_scaled"),
    further={"scaled": "mae_scaled"},
    loss="loss (scaled)",
)

RUNGS: dict[str, Rung] = {
    "persistence": Rung("baseline", "as it is now"),
    "seasonal": Rung("baseline", "as it was a day or a week before"),
    "climatology": Rung("baseline", "as it usually is at this hour and season"),
    "ridge": Rung("baseline", "linear regression on the window"),
    "mlp": Rung("model", "flatten, dense, dense"),
    "rnn": Rung("model", "simple recurrent layer, dense"),
    "gru": Rung("model", "gated recurrent units, dense"),
    "lstm": Rung("model", "long short-term memory, dense"),
}
