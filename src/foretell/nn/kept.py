"""Keys and values of places that were read, with room for those to come, so that a step copies nothing that is old."""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int64
from torch import Tensor

KeysValues = tuple[Float[Tensor, "_row _head _key _own"], Float[Tensor, "_row _head _key _own"]]
ROOM = 8  # places that are made room for at the least


class Kept:
    """Keys and values of each block of a decoder.

    A state is given and given back, and may be gone on from in several ways: what is new is written behind what is old
    in the same memory only where nobody has written there, else all is copied first.

    Args:
        parts: Keys and values of each block, one after the other, (row, head, place, own); nothing at the beginning.
        places: How many of their places were read.
        written: How many of them hold something, whoever wrote it; one list for all that share the memory.

    >>> keys = torch.arange(3.0).view(1, 1, 3, 1)
    >>> three = Kept().grown(3)
    >>> _ = three.put(0, keys, keys)
    >>> more = [three.grown(1) for _ in range(2)]  # two ways to go on
    >>> both = [own.put(0, torch.full((1, 1, 1, 1), 7.0 + way), keys[:, :, :1]) for way, own in enumerate(more)]
    >>> [found[0].flatten().tolist() for found in both]
    [[0.0, 1.0, 2.0, 7.0], [0.0, 1.0, 2.0, 8.0]]
    """

    def __init__(self, parts: Sequence[Tensor] = (), places: int = 0, written: list[int] | None = None) -> None:
        self.parts, self.places = list(parts), places
        self.written = [places] if written is None else written

    def grown(self, count: int) -> "Kept":
        """The same with so many more places, which each block is to put its keys and values into.

        Args:
            count: How many.
        """
        whole = self.places + count
        if not self.parts:
            return Kept((), whole)
        room = self.parts[0].shape[2]
        if whole > room or self.written[0] != self.places:
            return Kept(self._copied(max(2 * self.places, whole + ROOM)), whole)
        self.written[0] = whole
        return Kept(self.parts, whole, self.written)

    def put(self, block: int, keys: Tensor, values: Tensor) -> KeysValues:
        """Puts the newest keys and values of a block to those before, and gives all of them.

        Args:
            block: Its number; blocks come in order.
            keys: Of the new places.
            values: Likewise.
        """
        if keys.shape[2] == self.places:  # there is nothing before
            self.parts += [keys, values]
            return keys, values
        old = self.places - keys.shape[2]
        if keys.requires_grad:  # what gradients go through is never written over
            pair = slice(2 * block, 2 * block + 2)
            both = zip(self.parts[pair], (keys, values), strict=True)
            self.parts[pair] = [torch.cat([before[:, :, :old], new], 2) for before, new in both]
        else:
            for part, new in zip(self.parts[2 * block :], (keys, values), strict=False):
                part[:, :, old : self.places] = new
        found, said = (part[:, :, : self.places] for part in self.parts[2 * block : 2 * block + 2])
        return found, said

    def of_rows(self, rows: Int64[Tensor, " row"]) -> "Kept":
        """Those of some rows, in some order, perhaps several times the same."""
        return Kept(self._copied(self.places + ROOM, rows), self.places)

    def _copied(self, room: int, rows: Tensor | None = None) -> list[Tensor]:
        """The places that were read, in memory of their own with more room."""
        copies = []
        for part in self.parts:
            read = part[:, :, : self.places]
            count = len(read) if rows is None else len(rows)
            copy = read.new_empty(count, read.shape[1], room, read.shape[3])
            if rows is None:
                copy[:, :, : self.places] = read
            else:
                torch.index_select(read, 0, rows, out=copy[:, :, : self.places])
            copies.append(copy)
        return copies
