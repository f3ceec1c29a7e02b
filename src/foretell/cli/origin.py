"""Which data a verb reads: those that it names, one or several files; else those of the run that a model is of."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from ..errors import UsageError

if TYPE_CHECKING:
    from ..predictor import Predictor

Learned = TypeVar("Learned")
Data = str | tuple[Path, ...] | None
"""A path (``-`` for standard input), several, or nothing."""


def named(data: Sequence[str]) -> Data:
    """The data that a command line names.

    Raises:
        UsageError: Standard input is named beside others.

    >>> named(()), named(("a.txt",)), len(named(("a.txt", "b.txt")))
    (None, 'a.txt', 2)
    """
    if len(data) > 1 and "-" in data:
        raise UsageError("- stands for standard input, which is read alone; name files beside files")
    return tuple(map(Path, data)) if len(data) > 1 else next(iter(data), None)


def kept(data: Data) -> str | list[str] | None:
    """Data as a run keeps them: as another working directory would name them."""
    if isinstance(data, tuple):
        return [str(path.resolve()) for path in data]
    return str(Path(data).resolve()) if data is not None and Path(data).exists() else data


def from_kept(data: str | list[str] | None) -> Data:
    """Data as a run keeps them, to be read."""
    return named(data) if isinstance(data, list) else data


def shown(data: Data) -> str:
    """Data in words."""
    return ", ".join(map(str, data)) if isinstance(data, tuple) else str(data)


def run_of(folder: Path) -> Path | None:
    """The run that a model folder, or a rung's, belongs to; None where it belongs to none."""
    return next((parent for parent in (folder, *folder.parents[:3]) if (parent / "run.json").exists()), None)


def data_of(task: str, folder: Path, reference: str, verb: str) -> Data:
    """The data that a model learned from; None for a task that makes its own.

    Args:
        task: The model's task.
        folder: The run's, the rung's or the model's folder.
        reference: What the user calls it.
        verb: What is to be done, for the remedy.

    Raises:
        InputError: The model is of no run, or its data are gone.
    """
    from .. import runs
    from ..errors import InputError
    from ..tasks import task_configuration

    if not task_configuration(task).reads_data:
        return None
    home = run_of(folder)
    remedy = f"name the DATA: foretell {verb} {reference} DATA"
    if home is None:
        raise InputError(f"{folder} is a model folder without its run; {remedy}", run=reference)
    data = from_kept(runs.job_of(home)["data"])
    if data == "-":
        raise InputError(f"{home} read its data from standard input, which is gone; {remedy}", run=reference)
    return data


def model_of(run: str, runs_dir: Path, kind: type[Learned], does: str) -> "tuple[Predictor, Learned]":
    """The model of a run, which must have learned something of a kind.

    Args:
        run: What the user calls it.
        runs_dir: Folder of runs.
        kind: What it must have learned.
        does: What such a model does, for the error.

    Raises:
        UsageError: It has learned something else.
    """
    from .. import runs
    from ..predictor import Predictor

    predictor = Predictor(runs.model_folder(run, runs_dir))
    fitted = predictor.fitted
    if not isinstance(fitted, kind):
        told = f"{run} is a model of {predictor.task}, which {does} nothing"
        raise UsageError(f"{told}; use foretell predict {run} INPUT")
    return predictor, fitted
