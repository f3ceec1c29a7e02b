"""A graph that was written, read again by onnxruntime: the other program, to be compared with."""

import os
import time
import warnings
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from ..errors import MissingError
from ..nn.threads import usable_processors

Feed = Mapping[str, np.ndarray]
Asked = TypeVar("Asked")


def runtime() -> Any:
    """onnxruntime, which reports nothing of its use: else its first session sends its maker what runs here.

    Raises:
        ImportError: It is not installed.
    """
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # read as it is imported
    import onnxruntime

    return onnxruntime


def comparable() -> bool:
    """Whether onnxruntime is installed, to compare with what was written.

    Warns:
        UserWarning: It is not.
    """
    try:
        runtime()
    except ImportError:
        told = "nothing was compared: onnxruntime is not installed here; pip install 'foretell[export]' brings it"
        warnings.warn(told, stacklevel=2)
        return False
    return True


def session(path: Path) -> Callable[[Feed], dict[str, np.ndarray]]:
    """A graph as onnxruntime computes it: arrays by the names of inputs in, arrays by the names of outputs out.

    Args:
        path: The graph's file.

    Raises:
        MissingError: onnxruntime is not installed.
    """
    try:
        onnxruntime = runtime()
    except ImportError:
        told = "what was written is compared in onnxruntime, not installed here: pip install 'foretell[export]'"
        raise MissingError(told, extra="export") from None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = usable_processors()
    opened = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    names = [output.name for output in opened.get_outputs()]

    def run(feed: Feed) -> dict[str, np.ndarray]:
        return dict(zip(names, opened.run(None, dict(feed)), strict=True))

    return run


def timed(
    answer: Callable[[Asked], dict[str, np.ndarray]], parts: Iterable[Asked]
) -> tuple[dict[str, np.ndarray], float]:
    """Answers to all parts, one after the other, and the seconds that they took after a first one.

    Args:
        answer: Arrays by name, the same number of rows in each.
        parts: What is asked.
    """
    asked = list(parts)
    if not asked:
        return {}, 0.0
    answer(asked[0])
    started = time.perf_counter()
    found = [answer(part) for part in asked]
    seconds = time.perf_counter() - started
    return {name: np.concatenate([one[name] for one in found]) for name in found[0]}, seconds
