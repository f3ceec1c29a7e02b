"""What every task offers to the rooms below it, which treat all tasks alike."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import polars as pl
from jaxtyping import Float64, Int64

from ..artefact import Artefact
from ..config import TaskConfiguration
from ..evaluation.panels import Panel
from ..training.loop import Watcher
from .rung import Rung


@dataclass(frozen=True)
class Evaluation:
    """How a model did on one span.

    Attributes:
        metrics: As in the leaderboard's JSON; ``score`` names the one by which models are chosen.
        losses: The error of each window, the same windows for every rung.
        moments: The place in time of each window.
        block: Length of a bootstrap block, in places.
        details: What the task's own panels need.
    """

    metrics: dict[str, Any]
    losses: Float64[np.ndarray, " window"]
    moments: Int64[np.ndarray, " window"]
    block: int
    details: Any = None


@runtime_checkable
class Fitted(Protocol):
    """A rung that has learned."""

    rung: str
    parameters: int
    note: str
    history: list[dict[str, Any]]

    def artefact(self, metrics: dict[str, Any]) -> Artefact:
        """All it knows, and how good it is."""
        ...

    def predict(self, source: object, **options: Any) -> pl.DataFrame:
        """What it says of new data."""
        ...


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
    def messages(self) -> list[str]:
        """What the user should know about the data, a sentence each."""
        ...


@runtime_checkable
class Task(Protocol):
    """A task: from data to models that can be judged, kept and shown."""

    name: str
    configuration: type[TaskConfiguration]
    rungs: dict[str, Rung]
    score: str

    def prepare(self, source: object, configuration: Any) -> Prepared:
        """Reads and checks the data, cuts spans, learns scaling or vocabulary from training."""
        ...

    def fit(self, prepared: Any, rung: str, folder: Path, watcher: Watcher) -> Fitted:
        """Trains one rung, from its last checkpoint where the folder holds one."""
        ...

    def evaluate(self, prepared: Any, fitted: Any, span: str) -> Evaluation:
        """Judges a rung on one span."""
        ...

    def judge(self, fitted: Any, source: object) -> dict[str, Any]:
        """Judges a rung on the test span of its own data (``span`` is ``test``), or on all of other data (``all``)."""
        ...

    def restore(self, artefact: Artefact) -> Fitted:
        """The rung that a model folder holds."""
        ...

    def panels(self, prepared: Any, evaluations: dict[str, Evaluation], best: str, reference: str) -> list[Panel]:
        """What a report shows beyond leaderboard and learning curves."""
        ...


class Silent:
    """A watcher that says nothing."""

    def step(self, epoch: int, step: int, steps: int, loss: float) -> None:
        """Nothing."""

    def epoch(self, record: dict[str, Any], epochs: int) -> None:
        """Nothing."""
