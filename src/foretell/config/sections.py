"""Typed sections of options, one for each concern; a line of help for each option."""

from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field
from pydantic.fields import FieldInfo

from .kinds import LARGEST_FACTOR, Activations, Duration, LearningRate, Levels, Names, Place, Seconds, Sizes

FILES: dict[str, Any] = {"files": True}
"""Marks an option whose texts name files."""
MACHINES: dict[str, Any] = {"machines": True}
"""Marks an option that says which machines work, and with how much of them."""
CODE: dict[str, Any] = {"code": True}
"""Marks an option that names code, which is imported and run."""


def names_files(field: FieldInfo) -> bool:
    """Whether an option names files or folders of the machine, which is for its user to do and for nobody else.

    Args:
        field: The option.
    """
    extra = field.json_schema_extra
    return "Path" in str(field.annotation) or (isinstance(extra, dict) and bool(extra.get("files")))


def names_machines(field: FieldInfo) -> bool:
    """Whether an option says which machines work: a client of a service is not to send its machine elsewhere.

    Args:
        field: The option.
    """
    extra = field.json_schema_extra
    return isinstance(extra, dict) and bool(extra.get("machines"))


def names_code(field: FieldInfo) -> bool:
    """Whether an option names code to run: its user may, in words of his own, and no file that came from anywhere.

    Args:
        field: The option.
    """
    extra = field.json_schema_extra
    return isinstance(extra, dict) and bool(extra.get("code"))


def own(default: Any, **rules: Any) -> Any:
    """A field whose default a rung may replace by its own.

    Args:
        default: What rungs have that say nothing else.
        **rules: As for :func:`pydantic.Field`.
    """
    return Field(default, json_schema_extra={"own": True}, **rules)


class Section(BaseModel):
    """A group of options; unknown names are errors, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True, allow_inf_nan=False)

    @classmethod
    def owned(cls) -> set[str]:
        """The options of which a rung may have values of its own."""
        extras = {name: field.json_schema_extra for name, field in cls.model_fields.items()}
        return {name for name, extra in extras.items() if isinstance(extra, dict) and extra.get("own")}

    def unusual(self) -> set[str]:
        """The options that are not as nobody named them."""
        usual = type(self)()
        return {name for name in type(self).model_fields if getattr(self, name) != getattr(usual, name)}

    def left_open(self) -> set[str]:
        """Those of them that nobody named: each rung takes its own value."""
        return self.owned() - self.model_fields_set


class DataSection(Section):
    """How the user's table is read."""

    target: Names = Field((), description="Column to forecast; several, or 'all'.")
    time: str | None = Field(None, description="Column with the time of each row (found when not named).")
    time_format: str | None = Field(None, description="Format of the times, as in strftime: '%d.%m.%Y %H:%M:%S'.")
    timezone: str | None = Field(
        None, description="Zone of local times ('Europe/Berlin'); its repeated hour is read in order."
    )
    series: str | None = Field(None, description="Column that tells several series apart.")
    features: Names = Field((), description="Input columns (all columns of numbers when not named).")
    calendar: bool = Field(
        False, description="Networks read hour, day of week and day of year, of each row and of what lies ahead."
    )
    known: Names = Field((), description="Columns that are known ahead, such as a plan or a holiday.")
    static: Names = Field((), description="Columns with one value for each series, numbers or words.")
    missing: Names = Field((), description="Values that stand for missing ones, such as -9999.")
    duplicates: Literal["error", "first", "last", "mean"] = Field(
        "error", description="What to do with rows of one time that disagree."
    )
    frequency: str | None = Field(
        None, description="Step of the time grid; times are rounded down to it (inferred when not named)."
    )
    max_missing: float = Field(0.5, ge=0, le=1, description="Share of missing inputs above which a window is dropped.")
    unit: str | None = Field(
        None, description="Unit of the target (read from a header such as 'T (degC)' when not named)."
    )
    store: Literal["auto", "yes", "no"] = Field(
        "auto",
        description="Whether a Parquet table is read piece by piece into a store on disk rather than into memory; auto "
        "does so where it is large.",
    )
    cache_dir: Path | None = Field(
        None, description="Folder of stores (that of the platform's cache when not named); see 'foretell cache'."
    )


class WindowSection(Section):
    """What a window holds: how far back it reads, how densely, and what lies ahead."""

    lookback: Duration = Field("48", description="How far back a window reads: a duration (10d) or rows.")
    every: Duration = Field("1", description="Stride at which a window samples: a duration (1h) or rows.")
    density: int = own(
        1, ge=1, le=1000, description="Times as densely as --every that a rung samples, where the rows allow it."
    )
    ahead: Duration = Field("24", description="How far ahead the target lies: a duration, rows, or a range (1:96).")
    align: Literal["standard", "lecture"] = Field(
        "standard", description="'lecture' places windows as the lectures' generator does."
    )


class SpanSection(Section):
    """How time is cut into training, validation and test."""

    spans: str = Field(
        "0.7,0.15,0.15",
        description="Train, validation, test: shares, rows or durations (the last may be 'rest'), or two dates.",
    )
    scale: Literal["all", "per-series"] = Field("all", description="One scaling for all series, or one for each.")


class EvaluationSection(Section):
    """How models are judged: intervals around forecasts, and how often the origin moves on."""

    intervals: Levels = Field(
        (), description="Shares of the truth that intervals around forecasts shall cover, such as 0.8,0.95."
    )
    folds: int = Field(1, ge=1, le=100, description="Backtest: so many tests one after the other, each trained anew.")
    origin: Literal["expanding", "sliding"] = Field(
        "expanding", description="Whether training grows from fold to fold, or keeps its length and moves on."
    )
    judged: int = Field(
        1_000_000, ge=0, description="Most windows of validation, and of test, that count, evenly spread; 0 takes all."
    )


class RecurrentSection(Section):
    """The shape of recurrent layers, and what they drop while they learn; what is not named is each rung's own."""

    units: Sizes = own((32,), min_length=1, description="Units of a layer; several: one for each layer (32,64).")
    layers: int = own(1, ge=1, le=64, description="How many layers, where --units names one size.")
    activation: Activations = own(
        ("tanh",), description="Of recurrent layers: tanh or relu; several: one for each layer."
    )
    reset: Literal["after", "before"] = own(
        "after", description="Where a GRU's reset gate acts: after the product with the state, or before (the slides)."
    )
    dropout: float = own(0.0, ge=0, lt=1, description="Share of a layer's inputs dropped in training.")
    recurrent_dropout: float = own(
        0.0, ge=0, lt=1, description="Share of a recurrent layer's state that its matrices do not see in training."
    )
    mask: Literal["sequence", "step"] = own(
        "sequence", description="Recurrent layers drop the same all along a sequence, or anew at each 'step'."
    )


class NetworkSection(RecurrentSection):
    """The shape of a network, and what it drops while it learns; what is not named is each rung's own."""

    direction: Literal["forward", "backward", "both"] = own(
        "forward", description="How recurrent layers read: forward in time, backward, or both ways."
    )
    merge: Literal["concatenate", "sum", "mean", "product"] = own(
        "concatenate", description="What is made of both directions."
    )
    head: Sizes = own((), description="Units of further dense layers before the output, such as 64,32.")


Training = TypeVar("Training", bound="TrainingSection")


class TrainingSection(Section):
    """How a network learns."""

    loss: Literal["mae", "mse", "quantile", "cross-entropy"] = Field("mae", description="Loss to minimise.")
    optimiser: Literal["rmsprop", "adamw", "adam", "lazy-adam"] = own(
        "rmsprop",
        description="Optimiser; rmsprop is Keras's, adam the Transformer's (0.9, 0.98); lazy-adam moves only what a "
        "batch holds.",
    )
    learning_rate: LearningRate = own(1e-3, description="Learning rate, or 'auto' to find one before training.")
    schedule: Literal["constant", "cosine", "inverse-sqrt"] = own(
        "constant", description="Course of the learning rate after its warm-up."
    )
    warmup_steps: int = own(0, ge=0, description="Steps over which the learning rate rises from zero.")
    weight_decay: float = own(0.0, ge=0, le=LARGEST_FACTOR, description="Decoupled weight decay (adamw).")
    clip: float = own(1.0, ge=0, le=LARGEST_FACTOR, description="Largest norm of the gradient; 0 leaves it alone.")
    epochs: int = own(20, ge=1, description="Most epochs to train.")
    steps_per_epoch: int | None = Field(
        None, ge=1, description="Steps of an epoch (when not named, each example once)."
    )
    batch_size: int = own(128, ge=1, description="Examples of a step: windows, texts, pairs.")
    accumulate: int = Field(
        1, ge=1, le=10_000, description="Parts in which a step's batch is worked through, so that large ones fit."
    )
    average_last: int = own(
        1, ge=1, le=100, description="Epochs after whose ends weights are averaged, the last so many."
    )
    patience: int = own(5, ge=0, description="Epochs without a better validation loss before stopping; 0 never stops.")
    seed: int = Field(0, ge=0, lt=2**32, description="Seed of every random choice.")
    device: Literal["auto", "cpu", "cuda", "mps"] = Field("auto", description="Where to train.")
    devices: int = Field(1, ge=1, description="Devices of each machine that train together, a process for each.")
    nodes: int = Field(1, ge=1, description="Machines that train together; torchrun starts the processes of several.")
    strategy: Literal["ddp", "fsdp"] = Field(
        "ddp",
        description="What devices share: the examples of a step (ddp), or the weights as well (fsdp, CUDA alone).",
    )
    precision: Literal["32", "64", "bf16"] = Field("32", description="Arithmetic of the training.")
    threads: int = Field(
        0, ge=0, description="Processor threads; 0 means torch's choice, and one for what is small outside the kernels."
    )
    kernel: Literal["auto", "fused", "torch", "compiled", "loop"] = Field(
        "auto", description="How recurrent layers are computed; 'foretell doctor' says what auto means here."
    )
    checkpoint_seconds: float = Field(
        15.0, ge=0, description="Seconds between checkpoints inside an epoch; 0 is every step."
    )

    def seeded(self: Training, seed: int | None) -> Training:
        """The same from another seed; from its own where None."""
        return self if seed is None else self.model_copy(update={"seed": seed})


class RunSection(Section):
    """Which rungs, and where runs are kept."""

    rungs: Names = Field((), description="Rungs to climb, separated by commas (all when not named).")
    rung: str | None = Field(None, description="The rung to train.")
    seeds: int = Field(1, ge=1, le=100, description="Trainings of each model, each from its own seed.")
    budget: Seconds | None = Field(
        None, description="Time that all trainings share fairly (90s, 10m, 2h); what is cut is told."
    )
    on: Place = Field(
        "here",
        description="Where trainings run: here, processes[:N] of this machine, ray, or ray://HOST:PORT.",
        json_schema_extra=MACHINES,
    )
    training_cpus: int = Field(
        1, ge=1, le=4096, description="Processors that one training elsewhere asks for.", json_schema_extra=MACHINES
    )
    training_gpus: float = Field(
        0.0,
        ge=0,
        le=64,
        description="Graphics processors that one training on Ray asks for.",
        json_schema_extra=MACHINES,
    )
    runs_dir: Path = Field(Path("runs"), description="Folder of runs.")
    name: str | None = Field(
        None, description="Name of the run (made from the data's name and a number when not given)."
    )
