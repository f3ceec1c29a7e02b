"""What a report shows, as plain data: a task says what to look at, the report draws it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

Number = float | int | None


@dataclass(frozen=True)
class Line:
    """One line of a figure; times are ISO strings, ``low`` and ``high`` the ends of an interval around each value.

    A ``paired`` line belongs to the one before: it is dotted, in the same colour, and without a name of its own.
    ``colour`` counts the page's colours, so that a line keeps its own from figure to figure; the next one where None.
    """

    name: str
    x: Sequence[Number | str]
    y: Sequence[Number]
    low: Sequence[Number] | None = None
    high: Sequence[Number] | None = None
    paired: bool = False
    colour: int | None = None


@dataclass(frozen=True)
class Figure:
    """Lines, bars or a histogram over common axes, with a sentence on how to read it.

    ``log`` and ``log_x`` make an axis logarithmic. ``points`` are lines through marked places on the x axis, which is
    logarithmic where they lie far apart.
    """

    kind: Literal["lines", "points", "bars", "histogram"]
    title: str
    x_label: str
    y_label: str
    lines: list[Line]
    caption: str = ""
    log: bool = False
    log_x: bool = False


@dataclass(frozen=True)
class Matrix:
    """Counts by row and column, each cell shaded by its share of the row, with a sentence on how to read it."""

    title: str
    row_label: str
    column_label: str
    names: list[str]
    counts: list[list[int]]
    caption: str = ""


@dataclass(frozen=True)
class Passage:
    """A text in pieces, each with how much it moved an answer: above zero towards it, below zero away from it.

    ``strengths`` lie between -1 and 1; ``underlined`` between 0 and 1 draws a line below a piece.
    """

    heading: str
    pieces: list[str]
    strengths: list[float]
    underlined: list[float] | None = None


@dataclass(frozen=True)
class Passages:
    """Texts to read, with what moved the answers."""

    title: str
    entries: list[Passage]
    caption: str = ""


@dataclass(frozen=True)
class Grid:
    """A table of text and numbers."""

    title: str
    header: list[str]
    rows: list[list[str | Number]]
    caption: str = ""


@dataclass(frozen=True)
class Maps:
    """How much each row takes from each column, between 0 and 1: several maps over the same names, side by side.

    ``maps`` are pairs of a heading and the weights, row by row.
    """

    title: str
    rows: Sequence[str]
    columns: Sequence[str]
    maps: Sequence[tuple[str, Sequence[Sequence[float]]]]
    caption: str = ""


Item = Figure | Grid | Maps | Matrix | Passages


@dataclass(frozen=True)
class Panel:
    """One section of a report; its items stand one below the other, or two side by side where there is room."""

    heading: str
    prose: str = ""
    items: list[Item] = field(default_factory=list)
    side_by_side: bool = False
