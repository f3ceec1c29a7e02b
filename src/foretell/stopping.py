"""Work that may be given up midway: whoever does it asks now and then whether anybody still waits for it.

A server's worker runs what a client asked for inside :func:`while_wanted`; loops that may be long call :func:`heed`.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from .errors import StoppedError

_wanted: ContextVar[Callable[[], bool] | None] = ContextVar("wanted", default=None)


@contextmanager
def while_wanted(wanted: Callable[[], bool]) -> Iterator[None]:
    """Inside a block, and this thread of work alone, :func:`heed` ends what nobody waits for.

    Args:
        wanted: Says whether somebody still does.

    >>> with while_wanted(lambda: True):
    ...     heed()
    """
    token = _wanted.set(wanted)
    try:
        yield
    finally:
        _wanted.reset(token)


def heed() -> None:
    """Goes on only while somebody waits for what comes of it.

    Raises:
        StoppedError: Nobody does.
    """
    wanted = _wanted.get()
    if wanted is not None and not wanted():
        raise StoppedError("nobody waits for the answer any more")
