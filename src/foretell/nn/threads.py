"""A kernel's work in shares, on Python's own threads, which kernels let run by holding no lock.

numba's parallel loops bring a second pool of threads: one of its layers ends the process when two threads call it at
once, the other kills children made by ``fork``. Here a call hands shares to a pool and does one itself; a child made by
``fork`` makes a pool of its own.
"""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from contextvars import ContextVar

import torch

_pool: ThreadPoolExecutor | None = None
_threads: ContextVar[int] = ContextVar("kernel_threads", default=0)


def _forget_pool() -> None:
    global _pool
    _pool = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_pool)


def usable_processors() -> int:
    """Processors that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def kernel_threads(count: int) -> Iterator[None]:
    """Runs kernels inside a block on so many threads; elsewhere on as many as ``torch.get_num_threads()`` says.

    Args:
        count: Threads; 0 for torch's number.
    """
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
    global _pool
    threads = thread_count(pieces, alone)
    if threads == 1:
        work(0, pieces)
        return
    if _pool is None:
        _pool = ThreadPoolExecutor(usable_processors(), thread_name_prefix="foretell-kernel")
    bounds = [pieces * thread // threads for thread in range(threads + 1)]
    others = [_pool.submit(work, bounds[thread], bounds[thread + 1]) for thread in range(1, threads)]
    try:
        work(0, bounds[1])
    finally:
        wait(others)  # they write to memory of this call
    for other in others:
        other.result()
