"""Options: typed sections, what their values may be, and the one validator that reads them."""

from .configuration import TaskConfiguration, render
from .kinds import Duration, LearningRate, Names, Sizes, entries
from .sections import (
    DataSection,
    EvaluationSection,
    NetworkSection,
    RecurrentSection,
    RunSection,
    Section,
    SpanSection,
    TrainingSection,
    WindowSection,
    own,
)
from .texts import (
    CorpusSection,
    PairSection,
    PieceSection,
    TextSection,
    TextSpanSection,
    TokenizerSection,
    TokenSection,
)

__all__ = [
    "CorpusSection",
    "DataSection",
    "Duration",
    "EvaluationSection",
    "LearningRate",
    "Names",
    "NetworkSection",
    "PairSection",
    "PieceSection",
    "RecurrentSection",
    "RunSection",
    "Section",
    "Sizes",
    "SpanSection",
    "TaskConfiguration",
    "TextSection",
    "TextSpanSection",
    "TokenSection",
    "TokenizerSection",
    "TrainingSection",
    "WindowSection",
    "entries",
    "own",
    "render",
]
