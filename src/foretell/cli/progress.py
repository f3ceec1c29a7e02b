"""How a climb is told: a bar where a person watches, a line now and then where none does, rows as they come."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import click

from ..errors import LostError
from ..evaluation.words import Measure, skill_text
from .bar import Bar
from .output import styled, tell
from .taking_part import remember

_WIDTHS = (17, 16, 16, 32, 10, 9, 11)
_WIDE = (17, 24, 24, 32, 10, 9, 11)  # with room for the spread of errors


Telling = TypeVar("Telling", bound="Teller")


class Teller:
    """Tells of data, rungs, steps and rows.

    Args:
        measure: What the task's models are judged by.
        quiet: No progress.
        rows: Whether rows are printed on standard output as they come.
        option: What a study varies; its values then stand before the rows.
        repeated: Whether models are trained several times, so that errors have a spread.
    """

    def __init__(self, measure: Measure, *, quiet: bool, rows: bool, option: str = "", repeated: bool = False) -> None:
        self.measure = measure
        self.quiet = quiet
        self.rows = rows
        self.option = option
        self.repeated = repeated
        self.current = ""
        self._beside = 0
        self._value = ""
        self._found: list[str] = []
        self._header = False
        self._bar = Bar(quiet=quiet)

    @classmethod
    def of(
        cls: type[Telling], measure: Measure, given: dict[str, Any], option: str = "", *, repeated: bool = False
    ) -> Telling:
        """Who tells as a command was asked to: ``quiet`` and ``as_json`` are among what it was given."""
        quiet = given["quiet"] or given["as_json"]
        return cls(measure, quiet=quiet, rows=not given["as_json"], option=option, repeated=repeated)

    def found(self, messages: list[str]) -> None:
        """Something was found in the data; what was said before is not said again."""
        for message in messages:
            if message not in self._found:
                tell(message, quiet=self.quiet)
        self._found = messages

    def variant(self, value: str, messages: list[str]) -> None:
        """A value of a study begins."""
        self._value = value
        self.found(messages)

    def rung(self, name: str) -> None:
        """A rung begins, or one of its trials, which has a name of its own."""
        self.repeated |= " " in name
        self.current = f"{self.option} {self._value}, {name}" if self.option else name

    def step(self, epoch: int, step: int, steps: int, loss: float) -> None:
        """A step is done."""
        beside = f" ({self._beside} more under way)" if self._beside else ""
        self._bar.step(step, steps, f"{self.current} epoch {epoch}{beside}", f"loss {loss:.4f}")

    def epoch(self, record: dict[str, Any], epochs: int) -> None:
        """An epoch is done."""
        if self._bar.due:
            self._bar.line(
                f"{self.current} epoch {record['epoch']}/{epochs}: loss {record['train']['loss']:.4f}, "
                f"validation {record['validation']['loss']:.4f}, {record['seconds']:.0f} s, "
                f"{record['per_second']:,.0f} a second"
            )

    def under_way(self, names: list[str]) -> None:
        """These trainings are under way at once."""
        self._beside = max(0, len(names) - 1)

    def again(self, name: str) -> None:
        """A training begins again, since its worker was lost."""
        if not self.quiet:
            self._bar.line(f"{name}: its worker was lost; again")

    def row(self, row: dict[str, Any], reference: str | None) -> None:
        """A rung is done."""
        self.close()
        if not self.rows:
            return
        if not self._header:
            self._header = True
            self._print([*([self.option] if self.option else []), *board(self.measure, row)])
        self._print([*([self._value] if self.option else []), *row_cells(row, self.measure)])

    def close(self) -> None:
        """Takes the bar away."""
        self._bar.close()

    def _print(self, cells: list[str]) -> None:
        widths = [*([max(8, len(self.option))] if self.option else []), *(_WIDE if self.repeated else _WIDTHS)]
        numbers = (len(widths) - 2, len(widths) - 1)
        widths += [max(16, len(cell)) for cell in cells[len(widths) :]]
        text = "  ".join(
            cell.rjust(width) if position in numbers else cell.ljust(width)
            for position, (cell, width) in enumerate(zip(cells, widths, strict=True))
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


@contextmanager
def told(teller: Telling, messages: list[str], remedy: str = "") -> Iterator[Telling]:
    """Says what was found in the data, then how a climb over them goes.

    Args:
        teller: Who tells.
        messages: What was found.
        remedy: The command that goes on with it; an interrupt takes it along.
    """
    teller.found(messages)
    remember(remedy)
    try:
        yield teller
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"go on with: {remedy}" if remedy else "") from None
    except LostError as error:
        raise LostError("; go on with: ".join(filter(None, (error.message, remedy))), **error.details) from None
    finally:
        teller.close()


def board(measure: Measure, row: dict[str, Any]) -> list[str]:
    """The headings of a leaderboard with such rows."""
    errors = [f"{span} {measure.label}" for span in ("validation", "test")]
    further = measure.columns(row["split"]["test"])
    return ["rung", *errors, "skill (95 % interval)", "verdict", "seconds", "parameters", *further]


def row_cells(row: dict[str, Any], measure: Measure) -> list[str]:
    """A leaderboard row as text."""
    skill = skill_text(row["skill"]) if row["kind"] == "model" and row["skill"] else ""
    return [
        row["rung"],
        measure.text(row["split"]["validation"]),
        measure.text(row["split"]["test"]),
        skill,
        row["verdict"] if row["kind"] == "model" else "baseline",
        f"{row['seconds']:.1f}",
        f"{row['parameters']:,}",
        *measure.columns(row["split"]["test"]).values(),
    ]
