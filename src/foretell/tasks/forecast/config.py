"""The options of forecasting, and its rungs in ladder order; nothing here imports torch."""

from typing import Literal

from pydantic import Field

from ...config import (
    DataSection,
    EvaluationSection,
    NetworkSection,
    RunSection,
    SpanSection,
    TaskConfiguration,
    TrainingSection,
    WindowSection,
    own,
)
from ...evaluation.words import Measure, error_drawn, error_text, interval_columns
from ..rung import Rung


class ForecastNetwork(NetworkSection):
    """The shape of a network, and what it drops while it learns; what is not named is each rung's own."""

    kernel_size: int = own(5, ge=1, le=1024, description="Steps that a convolution sees at once.")
    pool_size: int = own(3, ge=1, le=1024, description="Steps of which pooling makes one.")
    pool: Literal["maximum", "average"] = own("maximum", description="What pooling keeps.")
    ending: Literal["global", "flatten"] = own("global", description="How convolutions end: pooled over time, or flat.")
    padding: Literal["auto", "valid", "same"] = own(
        "auto", description="Whether convolutions read zeros beyond the ends (same); auto where a window is too short."
    )
    heads: int = own(4, ge=1, le=256, description="Heads of attention.")
    feed_forward: int = own(64, ge=1, le=16_384, description="Units between the dense layers of an encoder block.")
    patch: int = own(16, ge=1, description="Steps of a patch; the whole window where that is shorter.")
    stride: int = own(8, ge=1, description="Steps from one patch to the next.")
    average: int = own(25, ge=1, description="Steps of the moving average that is the trend.")


class ForecastTraining(TrainingSection):
    """How a network learns."""

    loss: Literal["mae", "mse", "quantile"] = Field(
        "mae", description="Loss to minimise, on scaled values; quantile: of the median and the ends of --intervals."
    )


class Configuration(TaskConfiguration):
    """Every option of ``foretell compare forecast`` and ``foretell train forecast``."""

    data: DataSection = DataSection()
    windows: WindowSection = WindowSection()
    spans: SpanSection = SpanSection()
    evaluation: EvaluationSection = EvaluationSection()
    network: ForecastNetwork = ForecastNetwork()
    training: ForecastTraining = ForecastTraining()
    run: RunSection = RunSection()

    @property
    def levels(self) -> tuple[float, ...]:
        """Shares of the truth that intervals shall cover, the smallest first; none where none are wanted."""
        wanted = self.evaluation.intervals or ((0.8,) if self.training.loss == "quantile" else ())
        return tuple(sorted(set(wanted)))


MEASURE = Measure(
    "MAE",
    "mean absolute error",
    "mae_scaled",
    error_text,
    error_drawn,
    listed=("mae", "unit", "mae_scaled", "spread"),
    further={"scaled": "mae_scaled"},
    loss="loss (scaled)",
    columns=interval_columns,
)

_LONG = {"epochs": 40}  # as the lectures train what drops out
_ATTENTION = {"optimiser": "adamw", "schedule": "cosine", "weight_decay": 0.01}

RUNGS: dict[str, Rung] = {
    "persistence": Rung("baseline", "as it is now"),
    "seasonal": Rung("baseline", "as it was a day or a week before"),
    "climatology": Rung("baseline", "as it usually is at this hour and season"),
    "ridge": Rung("baseline", "linear regression on the window"),
    "mlp": Rung("model", "flatten, dense, dense"),
    "rnn": Rung("model", "simple recurrent layer, dense"),
    "gru": Rung("model", "gated recurrent units, dense"),
    "gru-dropout": Rung("model", "the same with dropout", {"dropout": 0.2, "recurrent_dropout": 0.2, **_LONG}),
    "gru-stacked": Rung(
        "model",
        "two of them, one upon the other",
        {"units": (32, 64), "activation": ("tanh", "relu"), "dropout": 0.1, "recurrent_dropout": 0.5, **_LONG},
    ),
    "gru-bidirectional": Rung("model", "one of them in each direction", {"direction": "both"}),
    "gru-reversed": Rung("model", "one that reads backward in time", {"direction": "backward"}),
    "lstm": Rung("model", "long short-term memory, dense"),
    "conv": Rung("model", "convolutions and pooling, dense", {"layers": 3}),
    "conv-gru": Rung(
        "model",
        "convolutions, then gated recurrent units",
        {"layers": 2, "dropout": 0.1, "recurrent_dropout": 0.5, "density": 2},
    ),
    "transformer": Rung("model", "attention over the window", {"layers": 2, "dropout": 0.1, **_ATTENTION}),
    "dlinear": Rung("model", "trend and remainder, each linear", {"optimiser": "adamw", "schedule": "cosine"}),
    "patch-transformer": Rung(
        "model",
        "attention over patches of each target",
        {"units": (16,), "layers": 3, "feed_forward": 128, "dropout": 0.3, **_ATTENTION},
    ),
    "ensemble": Rung("model", "mean of the best three on validation", combines=3),
}
