"""The options of recalling, and its rungs in ladder order; nothing here imports torch."""

from typing import ClassVar, Literal

from pydantic import Field

from ...config import NetworkSection, RunSection, Section, TaskConfiguration, TrainingSection
from ...evaluation.words import Measure
from ..rung import Rung


class RecallSection(Section):
    """What is to be remembered, for how long, and how often it is tried."""

    gap: int = Field(10, ge=1, le=10_000, description="Steps from the symbol that is asked for to the last one.")
    symbols: int = Field(8, ge=2, le=256, description="How many symbols there are.")
    training_sequences: int = Field(20_000, ge=1, le=10_000_000, description="Sequences to learn from.")
    validation_sequences: int = Field(2_000, ge=1, le=1_000_000, description="Sequences to choose the best epoch on.")
    test_sequences: int = Field(2_000, ge=1, le=1_000_000, description="Sequences to judge on.")


class RecallTraining(TrainingSection):
    """How a network learns."""

    loss: Literal["cross-entropy"] = Field("cross-entropy", description="Loss to minimise, on the symbols.")


class Configuration(TaskConfiguration):
    """Every option of ``foretell compare recall`` and ``foretell train recall``."""

    reads_data: ClassVar[bool] = False
    recall: RecallSection = RecallSection()
    network: NetworkSection = NetworkSection()
    training: RecallTraining = RecallTraining()
    run: RunSection = RunSection()


class Predicting(Section):
    """The options of ``foretell predict`` for what has learned to recall."""

    answers: ClassVar[str] = "symbols"
    anchors: Literal["latest", "all"] | None = Field(
        None, description="'all' rows that have enough rows before them, or the 'latest' one."
    )


MEASURE = Measure(
    "error",
    "share of wrong answers",
    "error",
    lambda metrics: f"{metrics['error']:.1%}",
    lambda metrics: (float(metrics["accuracy"]), "accuracy"),
    listed=("accuracy", "error"),
    further={"accuracy": "accuracy"},
    loss="cross-entropy (nats)",
    counted="sequences",
)

RUNGS: dict[str, Rung] = {
    "chance": Rung("baseline", "always the most frequent symbol", constant=True),
    "rnn": Rung("model", "simple recurrent layer, dense"),
    "gru": Rung("model", "gated recurrent units, dense"),
    "lstm": Rung("model", "long short-term memory, dense"),
}
