"""The options of forecasting, and its rungs in ladder order; nothing here imports torch."""

from ...config import (
    DataSection,
    NetworkSection,
    RunSection,
    SpanSection,
    TaskConfiguration,
    TrainingSection,
    WindowSection,
)
from ..rung import Rung


class Configuration(TaskConfiguration):
    """Every option of ``foretell compare forecast`` and ``foretell train forecast``."""

    data: DataSection = DataSection()
    windows: WindowSection = WindowSection()
    spans: SpanSection = SpanSection()
    network: NetworkSection = NetworkSection()
    training: TrainingSection = TrainingSection()
    run: RunSection = RunSection()


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
