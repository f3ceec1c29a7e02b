"""The only door for serving: a model folder in, ``predict`` out. It trains nothing and knows no task by name."""

from pathlib import Path
from typing import Any

from .artefact import read_artefact
from .data.frames import like
from .errors import UnsafeFileError, UsageError, nearest
from .tasks import BUILT_IN, NAMES, get_task, task_service
from .tasks.interface import Follows
from .tasks.serving import Service


class Predictor:
    """A model folder that answers.

    Args:
        folder: The model folder.

    Raises:
        InputError: It is no model folder.
        UnsafeFileError: It is damaged.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.artefact = read_artefact(self.folder)
        if self.artefact.task not in NAMES:
            raise UnsafeFileError(
                f'{folder} is of an unknown task "{self.artefact.task}"; {nearest(self.artefact.task, NAMES)}'
            )
        try:
            self.fitted = get_task(self.artefact.task).restore(self.artefact)
        except UnsafeFileError as error:  # a task reads documents, and does not know where they lie
            details = {"folder": str(self.folder), **error.details}
            raise UnsafeFileError(f"{self.folder}: {error.message}", **details) from None

    @property
    def task(self) -> str:
        """The name of the task that the model belongs to."""
        return self.artefact.task

    @property
    def rung(self) -> str:
        """The name of the rung that it is."""
        return str(self.fitted.rung)

    @property
    def service(self) -> Service:
        """How programs ask it.

        Raises:
            UsageError: Models of its task are not served.
        """
        return task_service(self.task)

    def predict(self, source: Any, **options: Any) -> Any:
        """What the model says of new data, as the kind of frame that came in.

        Args:
            source: A path (a Polars frame comes back) or any data frame.
            **options: What the task allows.
        """
        return like(self.fitted.predict(source, **options), source)

    def follow(self, history: Any = None) -> Any:
        """The model with the last rows of a table, to be updated with new rows as they come.

        Args:
            history: A path or data frame; nothing is known yet where None.

        Returns:
            Something whose ``update(rows)`` appends rows and forecasts again, from the last window alone.

        Raises:
            UsageError: The task follows nothing.
        """
        task = get_task(self.task)
        if not isinstance(task, Follows):
            raise UsageError(f"a model of {self.task} follows nothing")
        follower = task.follow(self.fitted, self.folder / "nothing kept")
        if history is not None:
            follower.begin(history)
        return follower


def load(folder: str | Path) -> Predictor:
    """The model in a folder, ready to predict.

    Args:
        folder: A model folder, or a run folder with one in it.
    """
    path = Path(folder)
    return Predictor(path / "model" if (path / "model").is_dir() else path)


class BuiltIn(Predictor):
    """A model that comes with Foretell, without a folder.

    Args:
        task: Whose.

    Raises:
        UsageError: No model of that task comes with Foretell.
        MissingError: What it needs is not installed.
    """

    def __init__(self, task: str) -> None:
        if task not in BUILT_IN:
            raise UsageError(f'no model of "{task}" comes with Foretell; {nearest(task, BUILT_IN)}', task=task)
        built: Any = task_service(task)
        self.fitted, self.artefact = built.built_in()
        self.folder = Path()
