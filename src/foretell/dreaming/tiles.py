"""A picture in tiles that overlap, so that memory does not grow with it; their borders fade into each other.

A picture is taken as a ring in both directions, and tiles begin at another place in every step (the roll). So no seam
stays anywhere, and a tile that is larger than the picture is no special case.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

_MULTIPLE = 32  # of pixels: the stride of the deepest layers of most networks


@dataclass(frozen=True)
class Here:
    """Where in the picture the activations come from that a term is shown.

    Attributes:
        top: First row of the tile, as a share of the picture's height.
        left: First column, as a share of its width.
        height: Of the tile, as a share of the picture's; may be above one.
        width: The same across.

    >>> Here(0.5, 0.5, 0.75, 1.0).within(0.25, 0.25)
    (1.0, 0.75)
    """

    top: float = 0.0
    left: float = 0.0
    height: float = 1.0
    width: float = 1.0

    def within(self, row: float, column: float) -> tuple[float, float]:
        """Where a place of the picture lies in the tile, as shares of it: one or more is outside.

        Args:
            row: Its row, as a share of the picture's height.
            column: Its column.
        """
        return ((row - self.top) % 1.0) / self.height, ((column - self.left) % 1.0) / self.width


@dataclass(frozen=True)
class Axis:
    """How one direction of a picture is cut.

    Attributes:
        length: Pixels of the picture.
        tile: Pixels of each tile.
        starts: Where tiles begin, less the roll.
        windows: How much each pixel of each tile counts.
    """

    length: int
    tile: int
    starts: tuple[int, ...]
    windows: tuple[Float[Tensor, " pixel"], ...]

    def pieces(self, number: int, roll: int) -> Iterator[tuple[slice, slice]]:
        """Where a tile's pixels lie in the picture: its own stretch, and the picture's, for each turn around the ring.

        Args:
            number: Of the tile.
            roll: By how much all tiles are moved.
        """
        place, done = (self.starts[number] + roll) % self.length, 0
        while done < self.tile:
            count = min(self.tile - done, self.length - place)
            yield slice(done, done + count), slice(place, place + count)
            place, done = 0, done + count


def cut(length: int, tile: int, overlap: int, *, exact: bool = False, moving: bool = True) -> Axis:
    """Cuts a direction into as few tiles as possible, all of one length.

    Near the border of a tile a network sees where its picture ends, and likes what it sees: a faint line that the next
    steps would make a strong one. So what a tile says there does not count. Where it has neighbours, they speak in its
    place, and what counts sums to one; a tile alone says nothing there, and in the next step its border is elsewhere.

    Args:
        length: Pixels of the picture.
        tile: Most pixels of a tile.
        overlap: Pixels that neighbours share.
        exact: Whether every tile must have just so many pixels, though the picture has fewer.
        moving: Whether tiles lie elsewhere in every step.

    >>> cut(1000, 400, 80).starts, cut(1000, 400, 80).tile
    ((0, 250, 500, 750), 352)
    >>> cut(300, 400, 80).tile, cut(300, 400, 80, exact=True).tile
    (300, 400)
    """
    count = 1 if length <= tile else -(-length // (tile - overlap))
    starts = tuple(round(number * length / count) for number in range(count))
    if exact:
        size = tile
    elif count == 1:
        size = length
    else:
        size = min(tile, -(-(-(-length // count) + overlap) // _MULTIPLE) * _MULTIPLE)
    if count == 1 and size <= length:
        window = _ramp(size, min(overlap, size // 4)) if moving else torch.ones(size)
        return Axis(length, size, starts, (window,))
    window = _ramp(size, size - length // count if count > 1 else size // 2)
    axis = Axis(length, size, starts, (window,) * count)
    total = torch.zeros(length)
    for number in range(count):
        for own, whole in axis.pieces(number, 0):
            total[whole] += window[own]
    windows = []
    for number in range(count):
        weight = torch.empty(size)
        for own, whole in axis.pieces(number, 0):
            weight[own] = window[own] / total[whole]
        windows.append(weight)
    return Axis(length, size, starts, tuple(windows))


def _ramp(size: int, overlap: int) -> Float[Tensor, " pixel"]:
    """Nothing in the first quarter of an overlap, all after the third; two that overlap sum to one."""
    place = (torch.arange(size) + 0.5) / max(1, overlap)
    rise = torch.minimum(place, place.flip(0)).sub(0.25).mul(2).clamp(0, 1)
    return (rise * rise * (3 - 2 * rise)).clamp_min(1e-6)


@dataclass(frozen=True)
class Tile:
    """One of the tiles of a picture, at the places of this step."""

    rows: Axis
    columns: Axis
    at: tuple[int, int]
    roll: tuple[int, int]

    @property
    def here(self) -> Here:
        """Where it lies."""
        top, left = (
            (axis.starts[number] + roll) % axis.length / axis.length
            for axis, number, roll in zip((self.rows, self.columns), self.at, self.roll, strict=True)
        )
        return Here(top, left, self.rows.tile / self.rows.length, self.columns.tile / self.columns.length)

    def read(self, picture: Float[Tensor, "1 colour height width"]) -> Float[Tensor, "1 colour row column"]:
        """Its pixels.

        Args:
            picture: The whole.
        """
        pixels = torch.empty(
            (1, picture.shape[1], self.rows.tile, self.columns.tile),
            device=picture.device,
            memory_format=torch.channels_last,
        )
        for (own, whole), (beside, across) in self._pieces():
            pixels[:, :, own, beside] = picture[:, :, whole, across]
        return pixels

    def add(
        self, picture: Float[Tensor, "1 colour height width"], values: Float[Tensor, "1 colour row column"]
    ) -> None:
        """Adds values to a picture, its own share of each pixel.

        Args:
            picture: Changed in place.
            values: One for each pixel of the tile.
        """
        window = torch.outer(self.rows.windows[self.at[0]], self.columns.windows[self.at[1]]).to(values)
        for (own, whole), (beside, across) in self._pieces():
            picture[:, :, whole, across].addcmul_(values[:, :, own, beside], window[own, beside])

    def _pieces(self) -> Iterator[tuple[tuple[slice, slice], tuple[slice, slice]]]:
        for down in self.rows.pieces(self.at[0], self.roll[0]):
            for beside in self.columns.pieces(self.at[1], self.roll[1]):
                yield down, beside


def tiles(rows: Axis, columns: Axis, roll: tuple[int, int]) -> Iterator[Tile]:
    """All tiles of a picture.

    Args:
        rows: How it is cut from top to bottom.
        columns: From left to right.
        roll: By how much they are moved.
    """
    for down in range(len(rows.starts)):
        for beside in range(len(columns.starts)):
            yield Tile(rows, columns, (down, beside), roll)
