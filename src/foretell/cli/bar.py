"""Steps as they are done: a bar where a person watches, a line now and then where none does."""

import sys
import time
from typing import TYPE_CHECKING, Any

import click

from . import interrupts
from .output import colours_welcome

if TYPE_CHECKING:
    from rich.progress import Progress

_SECONDS_BETWEEN_LINES = 10.0


class Bar:
    """Tells on standard error how far something is; an interrupt that got lost is heeded at each step.

    Args:
        quiet: Whether nothing is told.
    """

    def __init__(self, *, quiet: bool) -> None:
        self.quiet = quiet
        self._watched = sys.stderr.isatty() and not quiet
        self._last_line = time.monotonic()
        self._bar: "Progress | None" = None
        self._task: Any = None

    def step(self, done: int, total: int, what: str, detail: str) -> None:
        """A step is done.

        Args:
            done: How many are.
            total: How many there will be.
            what: What they belong to.
            detail: What came of this one.
        """
        told = f"{what}, {detail}"
        self._show(done, total, told, f"{done}/{total}", f"{what}, step {done}/{total}, {detail}")

    def part(self, done: int, total: int | None, what: str, unit: str) -> None:
        """A part of something is done that is not made of steps.

        Args:
            done: How many units have been.
            total: How many there will be; None where that is not known.
            what: What they belong to.
            unit: What is counted, in the plural.
        """
        place = f"{done:,}{'' if total is None else f' of {total:,}'} {unit}"
        self._show(done, total, what, place, f"{what}: {place}")

    @property
    def due(self) -> bool:
        """Whether it is time for a line."""
        waited = time.monotonic() - self._last_line > _SECONDS_BETWEEN_LINES
        return not self.quiet and (self._watched or waited)

    def line(self, text: str) -> None:
        """Says something, above the bar where there is one."""
        self._last_line = time.monotonic()
        if self._bar is not None:
            self._bar.console.print(text, highlight=False)
        else:
            click.echo(text, err=True)

    def _show(self, done: int, total: int | None, told: str, place: str, line: str) -> None:
        """Moves the bar where a person watches, and says a line now and then where none does."""
        interrupts.check()
        if self._watched:
            if self._bar is None:
                self._bar = _bar()
                self._bar.start()
                self._task = self._bar.add_task(told, place=place)
            self._bar.update(self._task, total=total, completed=done, description=told, place=place)
        elif self.due:
            self.line(line)

    def close(self) -> None:
        """Takes the bar away."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


def _bar() -> "Progress":
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True, no_color=not colours_welcome())
    form = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[place]}"))
    return Progress(*form, TimeRemainingColumn(), console=console, transient=True)
