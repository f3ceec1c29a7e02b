"""How far a pass over large data is: whoever reads says so, and whoever listens is told.

A command line does its work inside :func:`listened_to`; passes that may be long hand their pieces through
:func:`followed`. Nothing that reads needs to know who listens, or whether anybody does.
"""

from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TypeVar

from .stopping import heed

Piece = TypeVar("Piece")


@dataclass(frozen=True)
class Passed:
    """A place in a pass.

    Attributes:
        what: What is done, in words (``reading panel``).
        done: How many units have been.
        total: How many there will be; None where that is not known.
        unit: What is counted, in the plural (``rows``).
        over: Whether it has ended, be it at its end or before.
    """

    what: str
    done: int
    total: int | None
    unit: str
    over: bool = False


Listener = Callable[[Passed], None]
_listener: ContextVar[Listener | None] = ContextVar("listener", default=None)


@contextmanager
def listened_to(listener: Listener) -> Iterator[None]:
    """Inside a block a listener is told of every pass.

    Args:
        listener: Called with each place.
    """
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


def followed(
    pieces: Iterable[Piece], size: Callable[[Piece], int], what: str, total: int | None, unit: str
) -> Generator[Piece, None, None]:
    """The pieces of a pass; when the next is asked for, the one before has been.

    Args:
        pieces: To be gone through once.
        size: The units of one.
        what: What is done, in words.
        total: How many units there are in all; None where that is not known.
        unit: What is counted, in the plural.

    Raises:
        StoppedError: Nobody waits for what comes of it.

    >>> with listened_to(lambda passed: print(passed.done, "of", passed.total, passed.unit)):
    ...     read = list(followed(["one", "three"], len, "reading", 8, "letters"))
    0 of 8 letters
    3 of 8 letters
    8 of 8 letters
    8 of 8 letters
    >>> read
    ['one', 'three']
    """
    with passing(what, total, unit) as add:
        for piece in pieces:
            heed()
            yield piece
            add(size(piece))


@contextmanager
def passing(what: str, total: int | None, unit: str) -> Iterator[Callable[[int], None]]:
    """Inside a block, a pass whose pieces come from elsewhere: what is given is called with the units of each.

    Args:
        what: What is done, in words.
        total: How many units there are in all; None where that is not known.
        unit: What is counted, in the plural.
    """
    done, tell = 0, _listener.get() or _to_nobody

    def add(count: int) -> None:
        nonlocal done
        done += count
        tell(Passed(what, done, total, unit))

    try:
        tell(Passed(what, done, total, unit))
        yield add
    finally:
        tell(Passed(what, done, total, unit, over=True))


def _to_nobody(passed: Passed) -> None:
    """Nobody listens."""
