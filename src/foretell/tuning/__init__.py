"""Tune: a rung's options searched with Optuna, bad trials given up early."""

from .searching import tune
from .spaces import Search, check_spans, read_span, search_space, shapes
from .trials import BEFORE_PRUNING, JOURNAL, TRIALS, TuningWatcher

__all__ = [
    "BEFORE_PRUNING",
    "JOURNAL",
    "TRIALS",
    "Search",
    "TuningWatcher",
    "check_spans",
    "read_span",
    "search_space",
    "shapes",
    "tune",
]
