"""A model to go on from: its options, and what may be asked otherwise."""

from pathlib import Path
from typing import Any

from ..config import entries
from ..errors import ConfigurationError, UsageError
from .options import Asked

_OF_THE_PLACE = ("devices", "nodes", "strategy", "store", "cache_dir")


def start_from(task_name: str, reference: str, rescale: bool, asked: Asked) -> tuple[Any, Any]:
    """A model to go on from, and the options of its further training.

    Args:
        task_name: The task that was named.
        reference: A run, or a model folder.
        rescale: Whether scaling is learned anew.
        asked: What is wanted otherwise.

    Raises:
        UsageError: The model is of another task or rung.
        ConfigurationError: An option is asked that is the model's.
    """
    from .. import runs
    from ..predictor import Predictor
    from ..tasks.interface import Start

    folder = runs.model_folder(reference, asked.build().run.runs_dir)
    predictor = Predictor(folder)
    if predictor.task != task_name:
        raise UsageError(f"{reference} is a model of {predictor.task}, not of {task_name}")
    rung = predictor.fitted.rung
    own = predictor.artefact.document["config"]
    # On how many devices a model has learned, and by way of which store, is nothing of it.
    below = {
        section: {name: value for name, value in options.items() if name not in _OF_THE_PLACE}
        for section, options in own.items()
    }
    configuration = asked.build({**below, "run": {"rung": rung}})
    if configuration.run.rung != rung:
        other = configuration.run.rung
        raise UsageError(f"{reference} is a {rung}; leave --rung away, or train {other} anew", rung=rung)
    before = asked.configuration.model_validate(own)
    for section, options in asked.configuration.fixed.items():
        for name, value in getattr(before, section).model_dump(include=set(options) or None).items():
            wanted = getattr(getattr(configuration, section), name)
            if _plain(wanted) != _plain(value):
                raise ConfigurationError(
                    f"{section}.{name} is the model's, {value}; found {wanted}; leave it away, or train anew",
                    option=name,
                )
    return Start(predictor.fitted, str(folder), rescale), configuration


def _plain(value: Any) -> Any:
    """Names one by one, however they were written."""
    names = isinstance(value, tuple | list) and all(isinstance(entry, str) for entry in value)
    return entries(value) if names else value


def start_again(job: dict[str, Any]) -> Any:
    """The model that a run went on from; None where it began anew.

    Args:
        job: What the run is for.
    """
    from ..predictor import Predictor
    from ..tasks.interface import Start

    if not job.get("from"):
        return None
    return Start(Predictor(Path(job["from"])).fitted, str(job["from"]), bool(job.get("rescale")))
