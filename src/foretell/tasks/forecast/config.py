"""The options of forecasting, and its rungs in ladder order; nothing here imports torch."""

from ...config import (
    DataSection,
    NetworkSection,
    RunSection,
    SpanSection,
    TaskConfiguration,
    TrainingSection,
    WindowSection,
)


class Configuration(TaskConfiguration):
    """Every option of ``foretell compare forecast`` and ``foretell train forecast``."""

    data: DataSection = DataSection()
    windows: WindowSection = WindowSection()
    spans: SpanSection = SpanSection()
    network: NetworkSection = NetworkSection()
    training: TrainingSection = TrainingSection()
    run: RunSection = RunSection()
