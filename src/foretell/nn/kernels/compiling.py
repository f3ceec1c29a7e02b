"""A line for those who wait while kernels are compiled, which happens once on a machine: numba keeps them on disk."""

import logging
import threading
from collections.abc import Hashable, Iterator
from contextlib import contextmanager

_SILENCE = 2.0  # seconds after which a wait is explained
_log = logging.getLogger(__name__)
_ready: set[Hashable] = set()
_explained = threading.Event()


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
        _log.warning("compiling the recurrent kernels for this processor: once, some seconds for each kind of layer")
