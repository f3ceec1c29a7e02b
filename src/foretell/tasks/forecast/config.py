"""The options of forecasting, and its rungs in ladder order; nothing here imports torch."""

from pydantic import Field

from ...config import DataSection, NetworkSection, RunSection, SpanSection, TaskConfiguration, TrainingSection, WindowSection


class Configuration(TaskConfiguration):
    """Every option of ``foretell compare forecast`` and ``foretell train forecast``."""

    data: DataSection = Field(default_factory=DataSection)
    windows: WindowSection = Field(default_factory=WindowSection)
    spans: SpanSection = Field(default_factory=SpanSection)
    network: NetworkSection = Field(default_factory=NetworkSection)
    training: TrainingSection = Field(default_factory=TrainingSection)
    run: RunSection = Field(default_factory=RunSection)
