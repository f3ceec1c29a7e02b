"""A kernel's share of the work for each thread: Python's own threads, which kernels let run by holding no lock.

numba's parallel loops bring a second pool of threads: one of its layers ends the process when two threads call it at once, the
other kills children made by ``fork``. Here a call hands all shares but one to a pool and does that one itself, on as
many threads as ``torch.get_num_threads()`` says; a child made by ``fork`` makes a pool of its own.
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait

_pool: ThreadPoolExecutor | None = None


def _forget_pool() -> None:
    global _pool
    _pool = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_pool)


def share(work: Callable[[int, int, int], object], pieces: int, threads: int) -> None:
    """Does some work in as many shares as there are threads, each a stretch of the pieces.

    Args:
        work: Called with the share's number, its first piece and the one after its last.
        pieces: How many there are.
        threads: Shares; the last ones may be empty.

    >>> share(lambda share, first, last: print(share, first, last), 5, 1)
    0 0 5
    """
    global _pool
    bounds = [pieces * share // threads for share in range(threads + 1)]
    others = []
    if threads > 1:
        if _pool is None:
            _pool = ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="foretell-kernel")
        others = [_pool.submit(work, number, bounds[number], bounds[number + 1]) for number in range(1, threads)]
    try:
        work(0, bounds[0], bounds[1])
    finally:
        wait(others)  # they write to memory of this call
    for other in others:
        other.result()
