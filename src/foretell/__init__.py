"""Foretell learns from sequences: from a user's own file to a model proven against an honest baseline.

>>> import foretell as ft
>>> ft.__version__.count(".") >= 2
True
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0.dev1"

if TYPE_CHECKING:
    from . import nn
    from .data.reading import read_table
    from .data.tables import Table
    from .errors import ForetellError
    from .predictor import Predictor, load
    from .tasks.classify.estimator import Classifier
    from .tasks.dream.estimator import Dreamer
    from .tasks.forecast.estimator import Forecaster
    from .tasks.generate.estimator import Generator
    from .tasks.translate.estimator import Translator

# Imported when first asked for: `import foretell` must not wait for torch.
_HOMES = {
    "Classifier": ".tasks.classify.estimator",
    "Dreamer": ".tasks.dream.estimator",
    "Forecaster": ".tasks.forecast.estimator",
    "ForetellError": ".errors",
    "Generator": ".tasks.generate.estimator",
    "Predictor": ".predictor",
    "Table": ".data.tables",
    "Translator": ".tasks.translate.estimator",
    "load": ".predictor",
    "nn": ".nn",
    "read_table": ".data.reading",
}
__all__ = [
    "Classifier",
    "Dreamer",
    "Forecaster",
    "ForetellError",
    "Generator",
    "Predictor",
    "Table",
    "Translator",
    "__version__",
    "load",
    "nn",
    "read_table",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = import_module(_HOMES[name], __name__)
    return module if name == "nn" else getattr(module, name)


def __dir__() -> list[str]:
    return sorted(__all__)
