"""A rung of a ladder, as far as one can know it without importing what it is made of."""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["baseline", "model"]


@dataclass(frozen=True)
class Rung:
    """One model of a ladder: its kind, and a line on what it is."""

    kind: Kind
    summary: str
