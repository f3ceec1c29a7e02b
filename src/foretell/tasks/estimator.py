"""What every estimator for Python does: store parameters, fit, evaluate, predict, save."""

import tempfile
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from ..artefact import write_artefact
from ..data.frames import like
from ..errors import InputError, UsageError, nearest
from . import get_task, require_alone
from .interface import Attempt, Silent

Own = TypeVar("Own", bound="Estimator")


class Estimator:
    """One rung of a task; what it learns ends in an underscore.

    Args:
        rung: Its name on the ladder.
        **options: Any option of the task, as ``foretell config render`` lists them.
    """

    task_name: ClassVar[str]

    def __init__(self, rung: str, **options: Any) -> None:
        self.rung = rung
        self.options = options

    def fit(self: Own, data: Any) -> Own:
        """Learns from data: cuts spans, trains on the first, keeps the best epoch on validation.

        Args:
            data: A path, or any data frame.

        Returns:
            Itself, with ``learned_``, ``counts_`` and ``metrics_``.

        Raises:
            UsageError: There is no such rung or option.
            InputError: The data do not fit what was asked.
        """
        task = get_task(self.task_name)
        require_alone(task.name, self.rung)
        flags = self._flags()
        known = [name for section, name, _ in task.configuration.options() if section != "run"]
        for name in flags:
            if name not in known:
                raise UsageError(f'there is no option "{name}"; {nearest(name, known)}', option=name)
        configuration = task.configuration.build({**flags, "rung": self.rung}, environment={})
        prepared = task.prepare(data, configuration)
        with tempfile.TemporaryDirectory(prefix="foretell-") as folder:
            learned = task.fit(prepared, self.rung, Attempt(Path(folder), Silent()))
        self.learned_: Any = learned
        self.counts_ = prepared.counts
        self.metrics_ = {span: task.evaluate(prepared, learned, span).metrics for span in ("validation", "test")}
        return self

    def evaluate(self, data: Any = None) -> dict[str, Any]:
        """Its errors on the test span, or on all of other data.

        Args:
            data: Other data; the test span of its own where None.
        """
        self._must_be_fitted()
        if data is None:
            return dict(self.metrics_["test"])
        return dict(get_task(self.task_name).judge(self.learned_, data)["metrics"])

    def save(self, folder: str | Path) -> Path:
        """Writes the model folder.

        Args:
            folder: Where; it must not exist yet.
        """
        self._must_be_fitted()
        write_artefact(Path(folder), self.learned_.artefact(self.metrics_))
        return Path(folder)

    def _flags(self) -> dict[str, Any]:
        """The options that were named."""
        return {name: value for name, value in self.options.items() if value != ()}

    def _predicted(self, data: Any, **options: Any) -> Any:
        """What the model says of data, as the kind of frame that came in."""
        self._must_be_fitted()
        return like(self.learned_.predict(data, **options), data)

    def _must_be_fitted(self) -> None:
        if not hasattr(self, "learned_"):
            raise InputError(f"this {type(self).__name__} has learned nothing yet; call fit(data) first")
