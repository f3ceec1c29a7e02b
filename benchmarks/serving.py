"""One forecast from a loaded model: ten days of ten-minute rows in, the temperature in 24 hours out."""

import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl

import foretell as ft

from .example import write_csv
from .measure import Row, race, rows

RUNGS = (
    *("rnn", "gru", "gru-dropout", "gru-stacked", "gru-bidirectional", "gru-reversed", "lstm"),
    *("conv-gru", "segment-gru"),
)


def measure() -> list[Row]:
    """Every recurrent rung: a frame of 1,440 rows of 14 columns, read, checked, scaled, forecast from."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "table.csv"
        write_csv(path, 20_000)
        table = pl.read_csv(path)
        models = {}
        for rung in RUNGS:
            forecaster = ft.Forecaster(
                rung, "T (degC)", lookback="10d", every="1h", ahead="24h", epochs=1, steps_per_epoch=2
            )
            models[rung] = ft.load(forecaster.fit(table).save(Path(folder) / rung))
    window = table.tail(1440)
    fitted: dict[str, Any] = {rung: model.fitted for rung, model in models.items()}
    kept = {rung: own.view(own.read(window)) for rung, own in fitted.items()}
    anchors = kept["gru"].table.starts[1:] - 1
    whole = race({rung: partial(model.predict, window) for rung, model in models.items()}, repetitions=31)
    network = race({rung: partial(fitted[rung].model.predict, kept[rung], anchors) for rung in RUNGS}, repetitions=31)
    goals = {rung: ("under 5 ms", lambda seconds, _: seconds < 5e-3) for rung in RUNGS}
    return [
        *rows("one forecast, loaded model, from a frame of 1,440 × 14", whole, "gru", goals),
        *rows("the same from a table that was read", network, "gru", goals),
    ]
