"""The models that a service offers, by name: loaded once, tried once, and loaded anew without a request being lost."""

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import ForetellError, RefusedError, UsageError, nearest
from ..predictor import BuiltIn, Predictor
from ..runs import tidy
from ..tasks import BUILT_IN

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Served:
    """A model under a name.

    Attributes:
        name: What clients call it.
        predictor: The model.
    """

    name: str
    predictor: Predictor

    def summary(self) -> dict[str, Any]:
        """What a list of models tells."""
        return {"name": self.name, "task": self.predictor.task, "rung": self.predictor.rung}

    def document(self) -> dict[str, Any]:
        """All that is told of it."""
        predictor, document = self.predictor, self.predictor.artefact.document
        told = ("note", "parameters", "metrics", "data", "versions")
        return {
            **self.summary(),
            **{key: document[key] for key in told if key in document},
            "inputs": predictor.service.expects(predictor.fitted),
            "example": predictor.service.example(predictor.fitted),
            "card": predictor.artefact.card,
        }


class Models:
    """Models by name, from folders that may be read anew.

    Args:
        folders: The model folder of each name; None for a model that comes with Foretell and is called as its task.
    """

    def __init__(self, folders: Mapping[str, Path | None]) -> None:
        self._folders = dict(folders)
        self._lock = threading.Lock()
        self._served = {name: opened(name, folder) for name, folder in self._folders.items()}

    def __getitem__(self, name: str) -> Served:
        found = self._served.get(name)
        if found is None:
            raise RefusedError(
                404, f'there is no model "{name[:100]}" here; {nearest(name[:100], self._served)}', model=name
            )
        return found

    def has(self, name: str) -> bool:
        """Whether there is a model of a name, as far as that is known at once."""
        return name in self._served

    def all(self) -> list[Served]:
        """All models, in the order in which they were named."""
        return list(self._served.values())

    def entries(self) -> list[dict[str, Any]]:
        """All that can be asked, in a line each."""
        return [served.summary() for served in self.all()]

    @property
    def at_hand(self) -> bool:
        """Whether asking for one takes no time."""
        return True

    def reload(self, told: Callable[[str], None] = _log.warning) -> None:
        """Reads every folder anew; requests that are under way go on with the model that they began with.

        Args:
            told: Is told what could not be read; the model that was there stays.
        """
        with self._lock:
            for name, folder in self._folders.items():
                if folder is None:
                    continue
                try:
                    self._served[name] = opened(name, folder)
                except ForetellError as error:
                    told(f"{name} stays as it was: {error.message}")
                else:
                    told(f"{name} was read anew from {folder}")


def opened(name: str, folder: Path | None) -> Served:
    """A model that is ready: whatever is compiled or loaded when it is first asked has been."""
    predictor = BuiltIn(name) if folder is None else Predictor(folder)
    service = predictor.service
    question = service.question.model_validate(service.example(predictor.fitted))
    service.answers(predictor.fitted, [question])
    return Served(name, predictor)


def names_of(references: tuple[str, ...], find: Callable[[str], Path]) -> dict[str, Path | None]:
    """A name for each model, and its folder: ``NAME=RUN``, or a run by its own name.

    Args:
        references: As the command line has them.
        find: Finds the model folder of a run.

    Raises:
        UsageError: Two models have one name.
    """
    found: dict[str, Path | None] = {}
    for reference in references:
        name, sign, run = reference.partition("=")
        if not sign or Path(reference).exists():
            name, run = "", reference
        own = None if run in BUILT_IN and not Path(run).exists() else find(run)
        called = tidy(name) or (run if own is None else _called(own))
        if called in found:
            raise UsageError(
                f'two models are called "{called}"; say what one of them is called: NAME={run}', name=called
            )
        found[called] = own
    return found


def _called(folder: Path) -> str:
    """The name of a model: its run's, with the rung's where it is one of several.

    >>> _called(Path("/srv/runs/weather-1/model")), _called(Path("/srv/runs/weather-1/gru/model"))
    ('weather-1', 'gru')
    """
    home = folder.parent if folder.name == "model" else folder
    above = home.parent if not (home / "run.json").exists() and (home.parent / "run.json").exists() else None
    return tidy(f"{above.name}-{home.name}" if above else home.name) or "model"
