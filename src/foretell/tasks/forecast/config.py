"""The options of forecasting, and its rungs in ladder order; nothing here imports torch."""

from collections.abc import Mapping
from typing import ClassVar, Literal

from pydantic import Field

from ...config import (
    DataSection,
    EvaluationSection,
    NetworkSection,
    RunSection,
    Section,
    SpanSection,
    TaskConfiguration,
    TrainingSection,
    WindowSection,
    own,
)
from ...evaluation.words import Measure, error_drawn, error_parts, error_text, interval_columns
from ..rung import Choices, Range, Rung, Span


class ForecastNetwork(NetworkSection):
    """The shape of a network, and what it drops while it learns; what is not named is each rung's own."""

    kernel_size: int = own(5, ge=1, le=1024, description="Steps that a convolution sees at once.")
    pool_size: int = own(3, ge=1, le=1024, description="Steps of which pooling makes one.")
    pool: Literal["maximum", "average"] = own("maximum", description="What pooling keeps.")
    ending: Literal["global", "flatten"] = own("global", description="How convolutions end: pooled over time, or flat.")
    padding: Literal["auto", "valid", "same"] = own(
        "auto", description="Whether convolutions read zeros beyond the ends (same); auto where a window is too short."
    )
    heads: int = own(4, ge=1, le=256, description="Heads of attention, or as many of them as divide the width evenly.")
    feed_forward: int = own(64, ge=1, le=16_384, description="Units between the dense layers of an encoder block.")
    patch: int = own(16, ge=1, description="Steps of a patch; the whole window where that is shorter.")
    stride: int = own(8, ge=1, description="Steps from one patch to the next.")
    normalise: Literal["none", "last", "window"] = own(
        "none", description="What a target's own past is told relative to: its last value, or mean and spread."
    )
    aim: Literal["level", "change"] = own(
        "level", description="What networks forecast: a target's level, or its change from the last value."
    )
    average: int = own(25, ge=1, description="Steps of the moving average that is the trend.")


class TreesSection(Section):
    """How boosted trees grow; the loss is that of the networks."""

    trees: int = Field(400, ge=1, le=100_000, description="Most trees to grow; validation says when to stop.")
    tree_rate: float = Field(0.05, gt=0, le=1, description="Share of each tree's correction that is taken.")
    leaves: int = Field(31, ge=2, le=4096, description="Leaves of a tree.")
    leaf_rows: int = Field(100, ge=1, description="Fewest rows of a leaf.")
    column_share: float = Field(0.5, gt=0, le=1, description="Share of the columns that a tree may look at.")
    tree_rows: int = Field(
        100_000, ge=100, description="How many windows and leads trees learn from, about; drawn at random."
    )


class ForecastTraining(TrainingSection):
    """How a network learns."""

    loss: Literal["mae", "mse", "quantile"] = Field(
        "mae", description="Loss to minimise, on scaled values; quantile: of the median and the ends of --intervals."
    )


class Configuration(TaskConfiguration):
    """Every option of ``foretell compare forecast`` and ``foretell train forecast``."""

    reading: ClassVar[tuple[str, ...]] = ("data", "windows", "spans")
    fixed: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "windows": (),
        "network": (),
        "data": ("target", "features", "calendar", "known", "static", "series"),
        "spans": ("scale",),
    }
    searched: ClassVar[tuple[str, ...]] = ("network", "training", "windows", "trees")
    judging: ClassVar[tuple[str, ...]] = (*TaskConfiguration.judging, "ahead", "align")
    shaping: ClassVar[tuple[str, ...]] = ("windows",)
    data: DataSection = DataSection()
    windows: WindowSection = WindowSection()
    spans: SpanSection = SpanSection()
    evaluation: EvaluationSection = EvaluationSection()
    network: ForecastNetwork = ForecastNetwork()
    training: ForecastTraining = ForecastTraining()
    trees: TreesSection = TreesSection()
    run: RunSection = RunSection()

    @property
    def levels(self) -> tuple[float, ...]:
        """Shares of the truth that intervals shall cover, the smallest first; none where none are wanted."""
        wanted = self.evaluation.intervals or ((0.8,) if self.training.loss == "quantile" else ())
        return tuple(sorted(set(wanted)))


class Predicting(Section):
    """The options of ``foretell predict`` for a forecaster."""

    answers: ClassVar[str] = "forecasts"
    anchors: Literal["latest", "all"] | None = Field(
        None,
        description="'latest': each future row within reach, once, as forecasts are unless told otherwise; "
        "'all': from every window of INPUT.",
    )


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
    parts=error_parts,
)

_RATE: dict[str, Span] = {"learning_rate": Range(1e-4, 1e-2, log=True), "dropout": Range(0.0, 0.5)}
_SIZED: dict[str, Span] = {"units": Range(8, 128, log=True), **_RATE}
_RECURRENT: dict[str, Span] = {**_SIZED, "recurrent_dropout": Range(0.0, 0.5)}
_ENCODER: dict[str, Span] = {**_RATE, "units": Choices(("16", "32", "64", "128")), "layers": Range(1, 4)}
_TREES: dict[str, Span] = {
    "tree_rate": Range(0.01, 0.2, log=True),
    "leaves": Range(7, 127, log=True),
    "leaf_rows": Range(20, 1000, log=True),
    "column_share": Range(0.2, 1.0),
}
_LONG = {"epochs": 40}  # as the lectures train what drops out
_DECLINING: dict[str, object] = {"optimiser": "adamw", "schedule": "cosine", "clip": 0.0, "patience": 0}
_ATTENTION: dict[str, object] = {"optimiser": "adamw", "schedule": "cosine", "weight_decay": 0.01}


def _network(summary: str, search: dict[str, Span], **options: object) -> Rung:
    return Rung("model", summary, options, search)


RUNGS: dict[str, Rung] = {
    "persistence": Rung("baseline", "as it is now"),
    "seasonal": Rung("baseline", "as it was a day or a week before"),
    "climatology": Rung("baseline", "as it usually is at this hour and season"),
    "ridge": Rung("baseline", "linear regression on the window"),
    "mlp": _network("flatten, dense, dense", _SIZED),
    "rnn": _network("simple recurrent layer, dense", _RECURRENT),
    "gru": _network("gated recurrent units, dense", _RECURRENT),
    "gru-dropout": _network("the same with dropout", _RECURRENT, dropout=0.2, recurrent_dropout=0.2, **_LONG),
    "gru-stacked": _network(
        "two of them, one upon the other",
        _RECURRENT,
        units=(32, 64),
        layers=2,
        activation=("tanh", "relu"),
        dropout=0.1,
        recurrent_dropout=0.5,
        **_LONG,
    ),
    "gru-bidirectional": _network("one of them in each direction", _RECURRENT, direction="both"),
    "gru-reversed": _network("one that reads backward in time", _RECURRENT, direction="backward"),
    "lstm": _network("long short-term memory, dense", _RECURRENT),
    "conv": _network("convolutions and pooling, dense", {**_SIZED, "kernel_size": Range(3, 9)}, layers=3),
    "conv-gru": _network(
        "convolutions, then gated recurrent units",
        {**_RECURRENT, "kernel_size": Range(3, 9)},
        layers=2,
        dropout=0.1,
        recurrent_dropout=0.5,
        density=2,
    ),
    "transformer": _network("attention over the window", _ENCODER, layers=2, dropout=0.1, **_ATTENTION),
    "gru-change": _network(
        "with dropout, and the change from the last value as its aim",
        _RECURRENT,
        aim="change",
        dropout=0.2,
        recurrent_dropout=0.2,
        optimiser="adamw",
        **_LONG,
    ),
    "dlinear": _network(
        "trend and remainder, each linear",
        {"learning_rate": Range(1e-4, 1e-1, log=True), "average": Range(3, 49)},
        learning_rate=3e-4,
        batch_size=32,
        epochs=10,
        **_DECLINING,
    ),
    "segment-gru": _network(
        "gated recurrent units over segments of each target",
        {**_RATE, "units": Range(32, 256, log=True), "patch": Choices(("12", "24", "48"))},
        units=(128,),
        patch=24,
        dropout=0.2,
        normalise="last",
        learning_rate=2e-3,
        batch_size=32,
        epochs=6,
        **_DECLINING,
    ),
    "patch-transformer": _network(
        "attention over patches of each target",
        {**_ENCODER, "patch": Choices(("8", "16", "24"))},
        layers=2,
        feed_forward=128,
        patch=24,
        stride=24,
        dropout=0.3,
        normalise="window",
        learning_rate=1e-3,
        batch_size=32,
        epochs=8,
        **_DECLINING,
    ),
    "boosted-trees": Rung(
        "model", "gradient-boosted trees on lags and calendar", search=_TREES, needs=("lightgbm", "trees")
    ),
    "ensemble": Rung("model", "mean of the best three on validation", combines=3),
}
