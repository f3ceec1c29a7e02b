"""``foretell.Forecaster``: forecasting from Python."""

from typing import Any

from ..estimator import Estimator
from .predicting import Which


class Forecaster(Estimator):
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

    task_name = "forecast"

    def __init__(
        self,
        rung: str = "gru",
        target: str | tuple[str, ...] = (),
        lookback: str | int = "48",
        every: str | int = "1",
        ahead: str | int = "24",
        **options: Any,
    ) -> None:
        super().__init__(rung, **options)
        self.target = target
        self.lookback = lookback
        self.every = every
        self.ahead = ahead

    def predict(self, data: Any, *, anchors: Which = "latest") -> Any:
        """Forecasts from the last rows of a table, as the kind of frame that came in.

        Args:
            data: A path, any data frame, or a :class:`~foretell.Table`.
            anchors: ``latest``: each future row within reach once; ``all``: from every window.
        """
        return self._predicted(data, anchors=anchors)

    def _flags(self) -> dict[str, Any]:
        own = {"target": self.target, "lookback": self.lookback, "every": self.every, "ahead": self.ahead}
        return {name: value for name, value in (own | self.options).items() if value != ()}
