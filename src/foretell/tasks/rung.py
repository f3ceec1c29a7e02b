"""A rung of a ladder, as far as one can know it without importing what it is made of."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["baseline", "model"]


@dataclass(frozen=True)
class Rung:
    """One model of a ladder.

    Attributes:
        kind: Whether others are judged against it.
        summary: A line on what it is.
        options: Its own values of options that nobody named.
        combines: Of how many other rungs it is made, those that err least on validation; 0 where it learns by itself.
    """

    kind: Kind
    summary: str
    options: Mapping[str, object] = field(default_factory=dict)
    combines: int = 0
