"""What travels between this process and those that train: results as plain data, errors as themselves."""

import json
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..artefact import Artefact
from ..errors import ForetellError
from ..files import json_text, make_folder, write_atomically
from ..tasks import get_task
from ..tasks.interface import Evaluation, Prepared, Task
from ..training.curves import CURVE, RATES, RangeTest
from .work import Done, GivenUp, Work, carry_out

Message = tuple[Any, ...]
"""What a training elsewhere tells: its kind, and what belongs to it."""
BEGAN, STEP, EPOCH, DONE, FAILED, LOST = "began", "step", "epoch", "done", "failed", "lost"
_SECONDS = 1.0  # between two steps that are told


@dataclass(frozen=True)
class Travelled:
    """What a training came to, as plain data.

    Attributes:
        artefact: The model, as its folder would hold it.
        history: A record for each epoch.
        rates: What the search for a learning rate found.
        evaluations: How good it is, by span.
        seconds: How long it took.
        files: What it left in its folder, by name.
    """

    artefact: Artefact
    history: list[dict[str, Any]]
    rates: RangeTest | None
    evaluations: Mapping[str, Evaluation]
    seconds: float
    files: Mapping[str, bytes]


def packed(work: Work, done: Done, *, files: bool) -> Travelled:
    """What a training came to, ready to travel.

    Args:
        work: The training.
        done: What it came to.
        files: Whether what it left in its folder travels as well.
    """
    left = _files(work) if files else {}
    fitted = done.fitted
    kept = fitted.artefact(done.metrics)
    return Travelled(kept, fitted.history, fitted.rates, done.evaluations, done.seconds, left)


def unpacked(task: Task, work: Work, travelled: Travelled) -> Done:
    """What a training elsewhere came to; what it left in its folder is in the run's own.

    Args:
        task: Whose rung.
        work: The training.
        travelled: As it has arrived; it may lie in memory that is not ours.
    """
    for name, content in travelled.files.items():
        make_folder((work.folder / name).parent)
        write_atomically(work.folder / name, content)
    own = deepcopy(travelled)
    fitted = task.restore(_as_read(own.artefact)).with_history(own.history, own.rates)
    return Done(fitted, own.evaluations, own.seconds)


def _files(work: Work) -> dict[str, bytes]:
    paths = work.folder.rglob("*") if work.keeps_all else (work.folder / name for name in (CURVE, RATES))
    return {path.relative_to(work.folder).as_posix(): path.read_bytes() for path in paths if path.is_file()}


def _as_read(artefact: Artefact) -> Artefact:
    """A model's documents as they would be read from its folder."""
    document = json.loads(json_text(artefact.document))
    files = {name: json.loads(json_text(content)) for name, content in artefact.files.items()}
    arrays = {name: np.asarray(array, order="C") for name, array in artefact.arrays.items()}
    return Artefact(artefact.task, document, arrays, files, artefact.card)


class Teller:
    """A watcher of a training that tells those at home, and ends it where they do not want more of it.

    Args:
        tell: Sends a message; says whether the training goes on.
    """

    def __init__(self, tell: Callable[[Message], bool]) -> None:
        self._tell, self._told = tell, time.monotonic()
        self._wanted = True

    def step(self, epoch: int, step: int, steps: int, loss: float) -> None:
        """A step is done; one in a second is told."""
        if time.monotonic() - self._told > _SECONDS:
            self._told = time.monotonic()
            self._wanted &= self._tell((STEP, epoch, step, steps, loss))

    def epoch(self, record: dict[str, Any], epochs: int) -> None:
        """An epoch is done.

        Raises:
            GivenUp: The training is not to go on.
        """
        self._wanted &= self._tell((EPOCH, record, epochs))
        if not self._wanted:
            raise GivenUp


def carried_out(
    task: str, work: Work, parts: Sequence[Prepared], tell: Callable[[Message], bool], *, files: bool
) -> Message:
    """A training carried out for those who wait for it elsewhere: what came of it, or why nothing did.

    Args:
        task: The name of the task.
        work: The training.
        parts: Its data.
        tell: Sends a message to those who wait.
        files: Whether what it leaves in its folder travels as well.
    """
    try:
        done = carry_out(get_task(task), work, parts, Teller(tell))
        return DONE, packed(work, done, files=files)
    except (ForetellError, GivenUp) as error:
        return FAILED, error
    except Exception as error:
        # An error of another kind may hold anything: what it says travels, and where it was raised.
        plain = MemoryError(str(error)) if isinstance(error, MemoryError) else RuntimeError(_sentence(error))
        plain.add_note(traceback.format_exc())
        return FAILED, plain


def _sentence(error: Exception) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
