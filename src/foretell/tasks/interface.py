"""What every task offers to the rooms below it, which treat all tasks alike."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import polars as pl
from jaxtyping import Float64, Int64
from torch import Tensor, nn

from ..artefact import Artefact
from ..config import TaskConfiguration
from ..evaluation.panels import Panel
from ..evaluation.words import Measure
from ..training.curves import RangeTest
from ..training.loop import Watcher
from ..training.losses import Loss
from .rung import Rung


@dataclass(frozen=True)
class Evaluation:
    """How a model did on one span.

    Attributes:
        metrics: As in the leaderboard's JSON; the task's measure says which one models are chosen by.
        losses: The error of each window, the same windows for every rung; several numbers of each where it is pooled.
        moments: The place in time of each window.
        block: Length of a bootstrap block, in places; None where examples have nothing to do with each other.
        details: What the task's own panels need.
        pooled: The error of examples whose numbers add up to some; None where it is the mean of their losses.
    """

    metrics: dict[str, Any]
    losses: Float64[np.ndarray, "window ..."]
    moments: Int64[np.ndarray, " window"]
    block: int | None
    details: Any = None
    pooled: Callable[[Any], float] | None = None


@dataclass(frozen=True)
class Probe:
    """A network with some windows as it reads them, for those who look inside.

    Attributes:
        network: As it predicts.
        inputs: Windows (or texts) of one length, along the first axis; all that the network reads.
        targets: What comes next in each.
        loss: What it was trained to make small: a function of outputs and targets, a mean over windows.
        span: Where the windows come from: ``validation`` of its own data, or ``all`` of other data.
    """

    network: nn.Module
    inputs: tuple[Tensor, ...]
    targets: Tensor
    loss: Loss
    span: str


@runtime_checkable
class Fitted(Protocol):
    """A rung that has learned."""

    rung: str
    parameters: int
    note: str
    history: list[dict[str, Any]]
    rates: RangeTest | None

    def artefact(self, metrics: dict[str, Any]) -> Artefact:
        """All it knows, and how good it is."""
        ...

    def with_history(self, history: list[dict[str, Any]], rates: RangeTest | None) -> "Fitted":
        """The same with what a model folder does not hold: its curve, and the rates that were tried."""
        ...

    def predict(self, source: object, **options: Any) -> pl.DataFrame:
        """What it says of new data."""
        ...


@dataclass(frozen=True)
class Attempt:
    """One training of a rung: where it is kept, who watches, and what it starts from.

    Attributes:
        folder: Gets its metrics and checkpoints; training goes on from those that it holds.
        watcher: Is told how it goes.
        seed: In place of the configuration's; None leaves that.
        seconds: After how many seconds it ends with the epoch that is under way; None has time.
        members: The rungs that a rung is made of which combines others.
        start: A model whose weights training starts from.
    """

    folder: Path
    watcher: Watcher
    seed: int | None = None
    seconds: float | None = None
    members: Mapping[str, Any] = field(default_factory=dict)
    start: "Start | None" = None


@dataclass(frozen=True)
class Start:
    """A model that is trained on with other data.

    Attributes:
        fitted: What it has learned.
        name: Where it comes from, in words.
        rescale: Whether scaling is learned anew from the new data, rather than kept.
    """

    fitted: Any
    name: str
    rescale: bool = False


def started_from(start: Start | None) -> str:
    """What a training started from, in words; nothing where it began anew."""
    if start is None:
        return ""
    return f"went on from {start.name}{', its scaling learned anew' if start.rescale else ''}"


@runtime_checkable
class Prepared(Protocol):
    """A user's data, ready for every rung of a task."""

    @property
    def counts(self) -> dict[str, int]:
        """How many windows (or texts, or pairs) each span has."""
        ...

    @property
    def dropped(self) -> dict[str, int]:
        """How many were dropped, by reason."""
        ...

    @property
    def fingerprint(self) -> str:
        """A hash that tells whether the data are still the same."""
        ...

    @property
    def seed(self) -> int:
        """Where the random choices of a training on these data come from."""
        ...

    @property
    def idle(self) -> tuple[str, ...]:
        """Options that were named and that no rung reads."""
        ...

    @property
    def messages(self) -> list[str]:
        """What the user should know about the data, a sentence each."""
        ...


@runtime_checkable
class Task(Protocol):
    """A task: from data to models that can be judged, kept and shown."""

    name: str
    configuration: type[TaskConfiguration]
    rungs: dict[str, Rung]
    measure: Measure

    def prepare(self, source: object, configuration: Any, start: "Start | None" = None) -> Prepared:
        """Reads and checks the data (None where the task makes its own), cuts spans, learns scaling or vocabulary.

        With a model to start from, scaling and vocabulary are that model's.
        """
        ...

    def reconfigured(self, prepared: Any, configuration: Any) -> Prepared:
        """The same data under other options, which change neither windows nor spans."""
        ...

    def folds(self, prepared: Any) -> Sequence[Prepared]:
        """The data cut anew for each test of a backtest, in the order of time; themselves where there is one test."""
        ...

    def fit(self, prepared: Any, rung: str, attempt: Attempt) -> Fitted:
        """Trains one rung, from its last checkpoint where the attempt's folder holds one."""
        ...

    def evaluate(self, prepared: Any, fitted: Any, span: str) -> Evaluation:
        """Judges a rung on one span."""
        ...

    def judge(self, fitted: Any, source: object) -> dict[str, Any]:
        """Judges a rung on the test span of its own data (``span`` is ``test``), or on all of other data (``all``)."""
        ...

    def probe(self, fitted: Any, source: object, count: int) -> Probe | None:
        """A rung's network and so many windows, spread over validation or other data; None where it has no network."""
        ...

    def restore(self, artefact: Artefact) -> Fitted:
        """The rung that a model folder holds."""
        ...

    def panels(
        self, prepared: Any, learned: Mapping[str, Any], kept: str, evaluations: dict[str, Evaluation], reference: str
    ) -> list[Panel]:
        """What a report shows of the rung that is kept and of a baseline beside it, beyond leaderboard and curves.

        All that learned are at hand, for what a task tells of each.
        """
        ...


@runtime_checkable
class Follows(Protocol):
    """A task whose models can follow their data as they come."""

    def follow(self, fitted: Any, folder: Path) -> Any:
        """A model with the last rows that it knows, those that a folder keeps: it has ``update`` and ``save``."""
        ...

    def score(self, fitted: Any, source: object, folder: Path, said: Path | None) -> Any:
        """What a model said earlier beside what came: a ``document``, and ``panels`` of a page."""
        ...


@runtime_checkable
class Explains(Protocol):
    """What has learned, and can say what moved its answers."""

    rung: str

    def explain(self, source: object, **options: Any) -> tuple[pl.DataFrame, list[Panel]]:
        """Its answers with what moved them, as a table and as a page shows them."""
        ...


@runtime_checkable
class ReadsLines(Protocol):
    """What has learned, and answers texts one by one."""

    @property
    def encoding(self) -> str:
        """How its texts were encoded."""
        ...

    def answer(self, texts: Sequence[str], **options: Any) -> pl.DataFrame:
        """An answer for each text, as the options of predicting say."""
        ...


@dataclass(frozen=True)
class Exported:
    """A model for another program, and how it compares on some texts or windows.

    Attributes:
        files: The names of what was written.
        compared: How many both answered.
        same: How many of them alike.
        seconds: How long that took here.
        their_seconds: How long it took the other program.
        answers: What both gave: ``forecasts``.
        alike: When two of them count as the same, in words.
        largest: The largest difference of any number, in the measure of ``alike``; None where answers are no numbers.
    """

    files: list[str]
    compared: int
    same: int
    seconds: float
    their_seconds: float
    answers: str
    alike: str
    largest: float | None = None


@runtime_checkable
class Exports(Protocol):
    """A task whose models can be written for other programs."""

    forms: tuple[str, ...]

    def export(self, fitted: Any, form: str, folder: Path, source: object) -> Exported:
        """Writes a model for another program, and has both answer what a source holds; nothing where it is None."""
        ...


@runtime_checkable
class Embeds(Protocol):
    """What has learned, and may have learned a vector for each word of a vocabulary."""

    def vectors(self) -> "tuple[list[str], Float64[np.ndarray, 'token unit']] | None":
        """The words and their vectors; None where it has none."""
        ...


class Silent:
    """A watcher that says nothing."""

    def step(self, epoch: int, step: int, steps: int, loss: float) -> None:
        """Nothing."""

    def epoch(self, record: dict[str, Any], epochs: int) -> None:
        """Nothing."""
