"""Memory that is used again: a fresh buffer costs a page fault every 4 KiB, more than the arithmetic that fills it."""

import os
import threading
import weakref
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

_ALIGNMENT = 64  # bytes: a vector never lies across two cache lines
_MOST = 2**29  # bytes that lie unused at most; those of a size that was not asked for longest go first


Borrow = Callable[[int, Any], np.ndarray]
"""Gives a flat array of so many numbers of a type, with anything in it."""


class Shelf:
    """Unused buffers, by their size in bytes."""

    def __init__(self) -> None:
        self.begin_anew()

    @contextmanager
    def lending(self) -> Iterator[Borrow]:
        """Lends buffers that come back when the block ends."""
        lent: list[np.ndarray] = []

        def borrow(count: int, dtype: Any) -> np.ndarray:
            buffer = self._take(count * np.dtype(dtype).itemsize)
            lent.append(buffer)
            return buffer.view(dtype)[:count]

        try:
            yield borrow
        finally:
            for buffer in lent:
                self._give(buffer)

    def until_unused(self, count: int, dtype: Any) -> np.ndarray:
        """A flat array that comes back by itself when nobody, no tensor and no graph of autograd, refers to it."""
        buffer = self._take(count * np.dtype(dtype).itemsize)
        # An array over a memoryview is what all its slices refer to; they would refer to the buffer itself otherwise.
        lent = np.frombuffer(buffer.data, dtype, count)
        weakref.finalize(lent, self._returned.append, buffer).atexit = False
        return lent

    def begin_anew(self) -> None:
        """Forgets everything: a child made by ``fork`` while another thread held the lock would wait for ever."""
        self._unused: OrderedDict[int, list[np.ndarray]] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()
        # Garbage may be collected at any moment, the lock held or not: what comes back then waits here.
        self._returned: deque[np.ndarray] = deque()

    def clear(self) -> None:
        """Gives the unused buffers back to the system."""
        with self._lock:
            self._returned.clear()
            self._unused.clear()
            self._bytes = 0

    def unused(self) -> int:
        """Bytes that lie on the shelf."""
        with self._lock:
            self._tidy()
        return self._bytes

    def _take(self, size: int) -> np.ndarray:
        # Powers of two, so that batches of sequences of many lengths share buffers; pages never touched cost nothing.
        size = max(1 << (size - 1).bit_length(), 4096)
        with self._lock:
            self._tidy()
            buffers = self._unused.get(size)
            if buffers:
                self._bytes -= size
                return buffers.pop()
        whole = np.empty(size + _ALIGNMENT, np.uint8)
        start = -whole.ctypes.data % _ALIGNMENT
        return whole[start : start + size]

    def _give(self, buffer: np.ndarray) -> None:
        with self._lock:
            self._put(buffer)
            self._tidy()

    def _tidy(self) -> None:
        while self._returned:
            self._put(self._returned.popleft())
        while self._bytes > _MOST:
            size, buffers = next(iter(self._unused.items()))
            if buffers:
                buffers.pop()
                self._bytes -= size
            else:
                del self._unused[size]

    def _put(self, buffer: np.ndarray) -> None:
        self._unused.setdefault(len(buffer), []).append(buffer)
        self._unused.move_to_end(len(buffer))
        self._bytes += len(buffer)


SHELF = Shelf()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=SHELF.begin_anew)
