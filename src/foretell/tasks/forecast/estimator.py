"""Forecasting from Python: store parameters, fit, evaluate, predict, save."""

import tempfile
from pathlib import Path
from typing import Any

from ...artefact import write_artefact
from ...data.frames import like
from ...errors import InputError, UsageError, nearest
from .. import check_rung
from ..interface import Attempt, Silent
from .config import Configuration
from .learned import LearnedForecaster
from .predicting import Which
from .task import task


class Forecaster:
    """A forecaster of one rung; what it learns ends in an underscore.

    Args:
        rung: Its name on the ladder: ``persistence``, ``ridge``, ``gru`` ...
        target: Column to forecast, several, or ``all``.
        lookback: How far back a window reads: a duration or rows.
        every: The stride at which it samples.
        ahead: How far ahead the target lies; a range such as ``1:24`` for several.
        **options: Any option of ``foretell config render forecast``, such as ``epochs=5`` or ``series="station"``.

    Example:
        >>> forecaster = Forecaster("ridge", "temperature (degC)", lookback="2d", ahead="24h", series="station")
        >>> metrics = forecaster.fit("nyc-weather").evaluate()
        >>> metrics["unit"], 2 < metrics["mae"] < 5
        ('degC', True)
        >>> forecaster.predict("nyc-weather").columns
        ['station', 'time', 'made at', 'forecast temperature (degC)']
    """

    def __init__(
        self,
        rung: str = "gru",
        target: str | tuple[str, ...] = (),
        lookback: str | int = "48",
        every: str | int = "1",
        ahead: str | int = "24",
        **options: Any,
    ) -> None:
        self.rung = rung
        self.target = target
        self.lookback = lookback
        self.every = every
        self.ahead = ahead
        self.options = options

    def fit(self, data: Any) -> "Forecaster":
        """Learns from a table: cuts spans, scales on training, trains, keeps the best epoch on validation.

        Args:
            data: A path, any data frame, or a :class:`~foretell.Table`.

        Returns:
            Itself, with ``learned_``, ``windows_`` and ``metrics_``.

        Raises:
            UsageError: There is no such rung or option.
            InputError: The data do not fit what was asked.
        """
        check_rung(task.name, self.rung)
        known = [name for section, name, _ in Configuration.options() if section != "run"]
        for name in self.options:
            if name not in known:
                raise UsageError(f'there is no option "{name}"; {nearest(name, known)}', option=name)
        flags = {
            "target": self.target,
            "lookback": self.lookback,
            "every": self.every,
            "ahead": self.ahead,
            **self.options,
        }
        flags = {name: value for name, value in flags.items() if value != ()}
        configuration = Configuration.build({**flags, "rung": self.rung}, environment={})
        prepared = task.prepare(data, configuration)
        with tempfile.TemporaryDirectory(prefix="foretell-") as folder:
            learned = task.fit(prepared, self.rung, Attempt(Path(folder), Silent()))
        self.learned_: LearnedForecaster = learned
        self.windows_ = prepared.counts
        self.metrics_ = {span: task.evaluate(prepared, learned, span).metrics for span in ("validation", "test")}
        return self

    def evaluate(self, data: Any = None) -> dict[str, Any]:
        """Its errors on the test span, or on every window of other data.

        Args:
            data: Other data; the test span of its own where None.
        """
        self._must_be_fitted()
        if data is None:
            return dict(self.metrics_["test"])
        return dict(task.judge(self.learned_, data)["metrics"])

    def predict(self, data: Any, *, which: Which = "latest") -> Any:
        """Forecasts from the last rows of a table, as the kind of frame that came in.

        Args:
            data: A path, any data frame, or a :class:`~foretell.Table`.
            which: ``latest``: each future row within reach once; ``all``: from every window.
        """
        self._must_be_fitted()
        return like(self.learned_.predict(data, which=which), data)

    def save(self, folder: str | Path) -> Path:
        """Writes the model folder.

        Args:
            folder: Where; it must not exist yet.
        """
        self._must_be_fitted()
        write_artefact(Path(folder), self.learned_.artefact(self.metrics_))
        return Path(folder)

    def _must_be_fitted(self) -> None:
        if not hasattr(self, "learned_"):
            raise InputError("this forecaster has learned nothing yet; call fit(data) first")
