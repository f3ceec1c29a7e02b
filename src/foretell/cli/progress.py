"""How a climb is told: a bar where a person watches, a line now and then where none does, rows as they come."""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from ..evaluation.words import error_text, skill_text
from .output import colours_welcome, styled, tell

if TYPE_CHECKING:
    from rich.progress import Progress

_SECONDS_BETWEEN_LINES = 10.0
BOARD = ("rung", "validation MAE", "test MAE", "skill (95 % interval)", "verdict", "seconds", "parameters")
_WIDTHS = (16, 16, 16, 32, 10, 9, 11)


class Teller:
    """Tells of rungs, steps and rows.

    Args:
        quiet: No progress.
        rows: Whether rows are printed on standard output as they come.
    """

    def __init__(self, *, quiet: bool, rows: bool) -> None:
        self.quiet = quiet
        self.rows = rows
        self.current = ""
        self._last_line = time.monotonic()
        self._header = False
        self._bar: "Progress | None" = None
        self._task: Any = None
        self._watched = sys.stderr.isatty() and not quiet

    def rung(self, name: str) -> None:
        """A rung begins."""
        self.current = name

    def step(self, epoch: int, step: int, steps: int, loss: float) -> None:
        """A step is done."""
        if self._watched:
            if self._bar is None:
                self._bar = _bar()
                self._bar.start()
                self._task = self._bar.add_task(self.current)
            self._bar.update(
                self._task, total=steps, completed=step, description=f"{self.current} epoch {epoch}, loss {loss:.4f}"
            )
        elif not self.quiet and time.monotonic() - self._last_line > _SECONDS_BETWEEN_LINES:
            self._line(f"{self.current} epoch {epoch}, step {step}/{steps}, loss {loss:.4f}")

    def epoch(self, record: dict[str, Any], epochs: int) -> None:
        """An epoch is done."""
        if not self.quiet and (self._watched or time.monotonic() - self._last_line > _SECONDS_BETWEEN_LINES):
            self._line(
                f"{self.current} epoch {record['epoch']}/{epochs}: loss {record['train']['loss']:.4f}, "
                f"validation {record['validation']['loss']:.4f}, {record['seconds']:.0f} s"
            )

    def row(self, row: dict[str, Any], reference: str | None) -> None:
        """A rung is done."""
        self.close()
        if not self.rows:
            return
        if not self._header:
            self._header = True
            self._print(list(BOARD))
        self._print(row_cells(row))

    def close(self) -> None:
        """Takes the bar away."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def _print(self, cells: list[str]) -> None:
        text = "  ".join(
            cell.rjust(width) if position >= 5 else cell.ljust(width)
            for position, (cell, width) in enumerate(zip(cells, _WIDTHS, strict=True))
        )
        shown = (
            text.rstrip().replace(" better ", styled(" better ", "green")).replace(" worse ", styled(" worse ", "red"))
        )
        try:
            click.echo(shown)
            sys.stdout.flush()
        except BrokenPipeError:
            # Whoever read the rows has seen enough; the comparison itself goes on.
            self.rows = False
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

    def _line(self, text: str) -> None:
        self._last_line = time.monotonic()
        if self._bar is not None:
            self._bar.console.print(text, highlight=False)
        else:
            click.echo(text, err=True)


@contextmanager
def told(prepared: Any, given: dict[str, Any]) -> Iterator[Teller]:
    """Says what was found in the data, then how a climb over them goes.

    Args:
        prepared: The data.
        given: What a command was given: ``quiet`` and ``as_json``.
    """
    quiet = given["quiet"] or given["as_json"]
    for message in prepared.messages:
        tell(message, quiet=quiet)
    teller = Teller(quiet=quiet, rows=not given["as_json"])
    try:
        yield teller
    finally:
        teller.close()


def _bar() -> "Progress":
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True, no_color=not colours_welcome())
    form = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed}/{task.total}"))
    return Progress(*form, TimeRemainingColumn(), console=console, transient=True)


def row_cells(row: dict[str, Any]) -> list[str]:
    """A leaderboard row as text."""
    skill = skill_text(row["skill"]) if row["kind"] == "model" and row["skill"] else ""
    return [
        row["rung"],
        error_text(row["split"]["validation"]),
        error_text(row["split"]["test"]),
        skill,
        row["verdict"] if row["kind"] == "model" else "baseline",
        f"{row['seconds']:.1f}",
        f"{row['parameters']:,}",
    ]
