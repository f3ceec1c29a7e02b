"""How far long passes over data are, told on standard error as steps are."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import click

from ..passes import Passed, listened_to
from .bar import Bar

_UNTOLD = 1.0  # seconds of a pass that nobody needs to hear of


@contextmanager
def passes_told() -> Iterator[None]:
    """Inside a block the command that runs says how far its passes are, unless it was asked to be quiet."""
    with listened_to(_Told()):
        yield


class _Told:
    """Tells of one pass after the other."""

    def __init__(self) -> None:
        self._bar: Bar | None = None
        self._begun = 0.0

    def __call__(self, passed: Passed) -> None:
        """A pass has come to a place."""
        if passed.over:
            if self._bar is not None:
                self._bar.close()
            self._bar = None
            return
        if self._bar is None:
            self._bar, self._begun = Bar(quiet=_quiet()), time.monotonic()
        if time.monotonic() - self._begun > _UNTOLD:
            self._bar.part(passed.done, passed.total, passed.what, passed.unit)


def _quiet() -> bool:
    """Whether the command that runs was asked to tell nothing."""
    context = click.get_current_context(silent=True)
    given = {} if context is None else context.params
    return bool(given.get("quiet") or given.get("as_json"))
