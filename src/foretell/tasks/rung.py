"""A rung of a ladder, as far as one can know it without importing what it is made of."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Literal

from ..config import RunSection, entries

Kind = Literal["baseline", "model"]


@dataclass(frozen=True)
class Range:
    """Numbers from one to another, whole ones where both ends are whole; ``log`` looks at their ratios."""

    low: int | float
    high: int | float
    log: bool = False

    @property
    def examples(self) -> tuple[int | float, ...]:
        """Both ends, and a value between them."""
        whole = isinstance(self.low, int) and isinstance(self.high, int)
        between = self.low + 0.382 * (self.high - self.low)
        return self.low, int(between) if whole else between, self.high


@dataclass(frozen=True)
class Choices:
    """One of several values."""

    values: tuple[str, ...]


Span = Range | Choices
"""What an option may be when it is searched."""


@dataclass(frozen=True)
class Rung:
    """One model of a ladder.

    Attributes:
        kind: Whether others are judged against it.
        summary: A line on what it is.
        options: Its own values of options that nobody named.
        search: What options are worth searching, by name.
        needs: A package that it needs, and the extra that brings it.
        combines: Of how many other rungs it is made, those that err least on validation; 0 where it learns by itself.
        among: Rungs that are always among these.
        constant: Whether it says the same of everything.
        large: Whether it is so large that it is climbed only where it is named.
    """

    kind: Kind
    summary: str
    options: Mapping[str, object] = field(default_factory=dict)
    search: Mapping[str, Span] = field(default_factory=dict)
    needs: tuple[str, str] | None = None
    combines: int = 0
    among: tuple[str, ...] = ()
    constant: bool = False
    large: bool = False

    @property
    def at_hand(self) -> bool:
        """Whether what it needs is installed."""
        return self.needs is None or find_spec(self.needs[0]) is not None


def climbed(run: RunSection, rungs: Mapping[str, Rung]) -> list[str]:
    """The rungs of a ladder that a run is about; all but large ones where it names none.

    Args:
        run: Which rungs.
        rungs: All of them.
    """
    named = [name for name in entries(run.rungs) if name in rungs]
    return [run.rung] if run.rung else named or [name for name, own in rungs.items() if not own.large]
