"""A kernel's work in shares, on Python's own threads, which kernels let run by holding no lock.

numba's parallel loops bring a second pool of threads: one of its layers ends the process when two threads call it at
once, the other kills children made by ``fork``. Here a call hands shares to a pool and does some itself; a child made
by ``fork`` makes a pool of its own. How the work is cut into shares never depends on how many threads there are, so
that sums are the same to the last bit on one thread and on many.
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


def share(work: Callable[[int, int, int], object], pieces: int, shares: int, alone: bool) -> None:
    """Does some work in shares, each a stretch of the pieces.

    Args:
        work: Called with the share's number, its first piece and the one after its last.
        pieces: How many there are.
        shares: How many shares they are cut into.
        alone: Whether the work is too small for a second thread.

    >>> share(lambda share, first, last: print(share, first, last), 5, 2, alone=True)
    0 0 2
    1 2 5
    """
    global _pool

    def several(first_share: int, last_share: int) -> None:
        for number in range(first_share, last_share):
            work(number, pieces * number // shares, pieces * (number + 1) // shares)

    threads = 1 if alone else min(_threads.get() or torch.get_num_threads(), shares)
    if threads == 1:
        several(0, shares)
        return
    if _pool is None:
        _pool = ThreadPoolExecutor(usable_processors(), thread_name_prefix="foretell-kernel")
    bounds = [shares * thread // threads for thread in range(threads + 1)]
    others = [_pool.submit(several, bounds[thread], bounds[thread + 1]) for thread in range(1, threads)]
    try:
        several(0, bounds[1])
    finally:
        wait(others)  # they write to memory of this call
    for other in others:
        other.result()
