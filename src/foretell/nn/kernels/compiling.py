"""Kernels are compiled once on a machine, where numba can keep them on disk; those who wait for it are told."""

import hashlib
import logging
import threading
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from numba import njit

# Of the kernels' source: stands in every kernel's closure, as numba's cache on disk looks at closures but not at the
# other files whose functions a kernel calls.
_SOURCE = b"".join(path.read_bytes() for path in sorted(Path(__file__).parent.glob("*.py")))
DIGEST = int.from_bytes(hashlib.sha256(_SOURCE).digest()[:7])
_SILENCE = 2.0  # seconds after which a wait is explained
_log = logging.getLogger(__name__)
_ready: set[Hashable] = set()
_explained = threading.Event()


def kernel(function: Any) -> Any:
    """Compiles a function when it is first called, to run without Python's lock; keeps it on disk where it can."""
    try:
        return njit(cache=True, nogil=True)(function)
    except RuntimeError:  # neither beside the source nor in the user's cache folder can anything be written
        return njit(nogil=True)(function)


def is_ready(kernel: Hashable) -> bool:
    """Whether a kernel has been called before."""
    return kernel in _ready


@contextmanager
def patience(kernel: Hashable) -> Iterator[None]:
    """Explains the wait, once, if a kernel's first call takes long.

    Args:
        kernel: What tells it from other kernels.
    """
    if kernel in _ready:
        yield
        return
    timer = threading.Timer(_SILENCE, _explain)
    timer.daemon = True
    timer.start()
    try:
        yield
        _ready.add(kernel)
    finally:
        timer.cancel()


def _explain() -> None:
    if not _explained.is_set():
        _explained.set()
        _log.warning("compiling kernels for this processor: once, some seconds for each kind of layer")
