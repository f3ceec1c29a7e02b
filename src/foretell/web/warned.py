"""What is warned of while a question is answered is told to the client who asked it, and to nobody else."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

_told: ContextVar[list[str] | None] = ContextVar("told", default=None)


@contextmanager
def warned() -> Iterator[list[str]]:
    """Inside a block what this thread warns of is put into a list, each sentence once."""
    told: list[str] = []
    token = _told.set(told)
    try:
        yield told
    finally:
        _told.reset(token)


@contextmanager
def listening() -> Iterator[None]:
    """Inside a block :func:`warned` hears what is warned of, on all threads.

    Python keeps one filter for all threads: it is set once, while a service runs, rather than for each question.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("always", UserWarning)
        before = warnings.showwarning

        def show(message: Any, *place: Any, **named: Any) -> None:
            told = _told.get()
            if told is None:
                before(message, *place, **named)
            elif str(message) not in told:
                told.append(str(message))

        warnings.showwarning = show
        yield
