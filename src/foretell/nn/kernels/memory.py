"""Memory that is used again: a fresh large buffer costs a page fault every 4 KiB, more than the arithmetic that fills it."""

import threading
import weakref
from typing import Any

import numpy as np

_ALIGNMENT = 64  # bytes: a vector never lies across two cache lines
_KEPT = 4  # unused buffers of one size that are kept; what a step borrows, the next borrows again


class Shelf:
    """Unused buffers, by their size in bytes."""

    def __init__(self) -> None:
        self._unused: dict[int, list[np.ndarray]] = {}
        self._lock = threading.Lock()

    def borrow(self, count: int, dtype: Any) -> np.ndarray:
        """A flat array with anything in it; it comes back by itself when nobody refers to it any more.

        Args:
            count: Numbers it holds.
            dtype: Their type.
        """
        size = count * np.dtype(dtype).itemsize
        with self._lock:
            unused = self._unused.get(size)
            whole = unused.pop() if unused else None
        if whole is None:
            whole = np.empty(size + _ALIGNMENT, np.uint8)
        start = -whole.ctypes.data % _ALIGNMENT
        lent = whole[start : start + size].view(dtype)
        # The view's base would otherwise be the whole: a guard in between lives exactly as long as the views do.
        weakref.finalize(lent, self._take_back, size, whole)
        return lent

    def _take_back(self, size: int, whole: np.ndarray) -> None:
        with self._lock:
            unused = self._unused.setdefault(size, [])
            if len(unused) < _KEPT:
                unused.append(whole)

    def clear(self) -> None:
        """Gives the unused buffers back to the system."""
        with self._lock:
            self._unused.clear()


SHELF = Shelf()
