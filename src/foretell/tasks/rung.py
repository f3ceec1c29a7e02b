"""A rung of a ladder, as far as one can know it without importing what it is made of."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["baseline", "model"]


@dataclass(frozen=True)
class Range:
    """Numbers from one to another, whole ones where both ends are whole; ``log`` looks at their ratios."""

    low: float
    high: float
    log: bool = False


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
        combines: Of how many other rungs it is made, those that err least on validation; 0 where it learns by itself.
    """

    kind: Kind
    summary: str
    options: Mapping[str, object] = field(default_factory=dict)
    search: Mapping[str, Span] = field(default_factory=dict)
    combines: int = 0
