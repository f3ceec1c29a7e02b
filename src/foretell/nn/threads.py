"""A kernel's work in shares, on Python's own threads, which kernels let run by holding no lock.

numba's parallel loops bring a second pool of threads: one of its layers ends the process when two threads call it at
once, the other kills children made by ``fork``. Here a call asks helpers in and goes to work itself: whoever comes
takes the next stretch, so that a call never waits for a helper that has not begun. (An executor of the standard library
takes a tenth of a millisecond for that, which is much beside kernels that take two.) A child made by ``fork`` finds
helpers of its own.
"""

import os
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import pairwise
from queue import SimpleQueue

import torch

from ..errors import ConfigurationError

_threads: ContextVar[int] = ContextVar("kernel_threads", default=0)


class _Work:
    """Stretches of work that several threads take up.

    Args:
        do: Does a stretch: called with its first piece and the one after its last.
        bounds: Where stretches begin and end.
    """

    def __init__(self, do: Callable[[int, int], object], bounds: list[int]) -> None:
        self._do = do
        self._left = deque(pairwise(bounds))
        self._begun = 0
        self._outcomes: list[BaseException | None] = []
        self._lock = threading.Lock()
        self._news: SimpleQueue[None] = SimpleQueue()

    def help(self) -> None:
        """Does what nobody has begun yet."""
        begun = True
        while begun:
            begun, error = False, None
            try:
                with self._lock:
                    if self._left:
                        first, last = self._left.popleft()
                        begun = True
                        self._begun += 1
                if begun:
                    self._do(first, last)
            except BaseException as caught:  # told to the caller, whoever's stretch it was; Ctrl-C too
                error = caught
                if not begun:
                    raise
            finally:
                if begun:
                    self._outcomes.append(error)
                    self._news.put(None)

    def finish(self) -> None:
        """Waits for what has begun, Ctrl-C or not, as it writes to memory of the caller; raises what went wrong."""
        interrupt: KeyboardInterrupt | None = None
        while True:
            try:
                with self._lock:
                    self._left.clear()
                    begun = self._begun
                if len(self._outcomes) >= begun:
                    break
                self._news.get()
            except KeyboardInterrupt as caught:
                interrupt = caught
        self._do = _nothing  # a helper that comes late must not keep the caller's memory from being used again
        for error in (*self._outcomes, interrupt):
            if error is not None:
                raise error


def _nothing(first: int, last: int) -> None:
    pass


class _Helpers:
    """Threads that wait for work."""

    def __init__(self) -> None:
        self._asked: SimpleQueue[_Work] = SimpleQueue()
        self._lock = threading.Lock()
        self._count = 0

    def ask(self, work: _Work, count: int) -> None:
        """Asks so many of them to help."""
        if count > self._count:
            with self._lock:
                while self._count < count:
                    helper = threading.Thread(target=self._wait, name=f"foretell-kernel-{self._count}", daemon=True)
                    try:
                        helper.start()
                    except RuntimeError:  # the system allows no more threads: the caller does their share
                        break
                    self._count += 1
        for _ in range(count):
            self._asked.put(work)

    def _wait(self) -> None:
        while True:
            self._asked.get().help()


_helpers = _Helpers()


def _find_others() -> None:
    global _helpers
    _helpers = _Helpers()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_find_others)


def usable_processors() -> int:
    """Processors that this process may run on: its share where several train one network on this machine."""
    there = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, there // max(1, int(os.environ.get("LOCAL_WORLD_SIZE") or 1)))  # as torchrun says it


@contextmanager
def kernel_threads(count: int) -> Iterator[None]:
    """Runs kernels inside a block on so many threads; elsewhere on as many as ``torch.get_num_threads()`` says.

    Args:
        count: Threads; 0 for torch's number.

    Raises:
        ConfigurationError: That is no number of threads.
    """
    if not isinstance(count, int) or count < 0:
        raise ConfigurationError(f"the number of kernel threads must be 0 (torch's) or more; it is {count!r}")
    token = _threads.set(count)
    try:
        yield
    finally:
        _threads.reset(token)


def thread_count(pieces: int, alone: bool) -> int:
    """Threads that some work is done on.

    Args:
        pieces: How many it can be cut into.
        alone: Whether it is too small for a second thread.
    """
    return 1 if alone else max(1, min(_threads.get() or torch.get_num_threads(), pieces))


def share(work: Callable[[int, int], object], pieces: int, alone: bool) -> None:
    """Does some work, a stretch of its pieces on each thread.

    Args:
        work: Called with the first piece and the one after the last.
        pieces: How many there are.
        alone: Whether the work is too small for a second thread.

    >>> share(lambda first, last: print(first, last), 5, alone=True)
    0 5
    """
    threads = thread_count(pieces, alone)
    if threads == 1:
        work(0, pieces)
        return
    stretches = _Work(work, [pieces * thread // threads for thread in range(threads + 1)])
    try:
        _helpers.ask(stretches, threads - 1)
        stretches.help()
    finally:
        stretches.finish()
