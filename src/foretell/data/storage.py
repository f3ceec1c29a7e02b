"""Long runs of bytes or numbers that are looked at piece by piece: in a file that the system keeps, not in memory.

The file has no name any more once it is open, so that it goes when it is no longer used, however the process ends.
What travels to another process is its content: there it goes into such a file again, unless it arrives in memory that
several processes share.
"""

import mmap
import tempfile
from array import array
from collections.abc import Iterable, Sequence
from typing import Any, overload

import numpy as np
from jaxtyping import Int32, Int64

from ..errors import StorageError
from ..stopping import heed

TokenArray = Int32[np.ndarray, " _token"]  # of one text: others in a list are of other lengths


class TextFile:
    """Texts one after the other, as UTF-8.

    >>> stored = TextFile.of(["good", "schön", ""])
    >>> len(stored), stored[1], stored[2]
    (3, 'schön', '')
    """

    def __init__(self, content: Any, starts: Int64[np.ndarray, " bound"]) -> None:
        self.content, self.starts = content, starts

    @classmethod
    def of(cls, texts: Iterable[str]) -> "TextFile":
        """Texts from anywhere, written as they come.

        Raises:
            StorageError: There is no room for them.
        """
        return cls(*spooled(text.encode("utf-8", "surrogatepass") for text in texts))

    def __len__(self) -> int:
        return len(self.starts) - 1

    def __getitem__(self, number: int) -> str:
        heed()
        return bytes(self.content[self.starts[number] : self.starts[number + 1]]).decode("utf-8", "surrogatepass")

    def __getstate__(self) -> dict[str, Any]:
        return {"content": np.frombuffer(self.content, np.uint8), "starts": self.starts}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.content, self.starts = _seen_again(state["content"]).data, state["starts"]


class TokenFile:
    """The tokens of texts, one text after the other, as 32-bit numbers."""

    def __init__(self, tokens: TokenArray, starts: Int64[np.ndarray, " bound"]) -> None:
        self.tokens, self.starts = tokens, starts

    @classmethod
    def of(cls, texts: Iterable[TokenArray]) -> "TokenFile":
        """The tokens of texts, written as they come.

        Raises:
            StorageError: There is no room for them.
        """
        content, starts = spooled(np.ascontiguousarray(tokens, np.int32).tobytes() for tokens in texts)
        return cls(np.frombuffer(content, np.int32), starts // 4)

    def __len__(self) -> int:
        return len(self.starts) - 1

    def __getitem__(self, number: int) -> TokenArray:
        return self.tokens[self.starts[number] : self.starts[number + 1]]

    @property
    def lengths(self) -> Int64[np.ndarray, " text"]:
        """How many tokens each text has."""
        return np.diff(self.starts)

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.tokens, self.starts = _seen_again(state["tokens"]), state["starts"]


class Chosen(Sequence[TokenArray]):
    """Some texts of a file, read when they are looked at.

    Args:
        file: The texts.
        numbers: Which of them.
    """

    def __init__(self, file: TokenFile, numbers: Int64[np.ndarray, " chosen"]) -> None:
        self.file, self.numbers = file, numbers

    def __len__(self) -> int:
        return len(self.numbers)

    @overload
    def __getitem__(self, place: int) -> TokenArray: ...

    @overload
    def __getitem__(self, place: slice) -> "Chosen": ...

    def __getitem__(self, place: int | slice) -> "TokenArray | Chosen":
        if isinstance(place, slice):
            return Chosen(self.file, self.numbers[place])
        return self.file[int(self.numbers[place])]


class Spool:
    """A nameless file that is written once, inside ``with``, then seen for as long as anyone looks at it."""

    def __init__(self) -> None:
        self.size = 0
        try:
            self.file = tempfile.TemporaryFile(prefix="foretell-")  # noqa: SIM115 - it lives as long as what sees it
        except OSError as error:
            raise _no_room(error) from None

    def __enter__(self) -> "Spool":
        return self

    def __exit__(self, *problem: object) -> None:
        self.file.close()

    def write(self, content: bytes | memoryview) -> None:
        """Adds to its end.

        Raises:
            StorageError: There is no room.
        """
        heed()
        try:
            self.size += self.file.write(content)
        except OSError as error:
            raise _no_room(error) from None

    def seen(self) -> Any:
        """All of it, read from the file when it is looked at."""
        try:
            self.file.flush()
            return mmap.mmap(self.file.fileno(), 0, access=mmap.ACCESS_READ) if self.size else b""
        except OSError as error:
            raise _no_room(error) from None


class Numbers:
    """Whole numbers that come a part at a time: in memory while they are few, beyond that in a file.

    >>> numbers = Numbers(most=2)
    >>> for part in ([1, 2], [3], [4, 5]): numbers.add(np.array(part))
    >>> numbers.all().tolist()
    [1, 2, 3, 4, 5]
    """

    def __init__(self, most: int = 4_000_000) -> None:
        self.most, self.parts, self.count = most, list[Int64[np.ndarray, " _part"]](), 0
        self.spool: Spool | None = None

    def add(self, part: Int64[np.ndarray, " part"]) -> None:
        """Adds some at the end.

        Raises:
            StorageError: There is no room for them.
        """
        self.parts.append(part)
        self.count += len(part)
        if self.count > self.most:
            self.spool = self.spool or Spool()
            for own in self.parts:
                self.spool.write(np.ascontiguousarray(own).data)
            self.parts.clear()

    def all(self) -> Int64[np.ndarray, " number"]:
        """All of them."""
        if self.spool is None:
            return np.concatenate(self.parts) if self.parts else np.zeros(0, np.int64)
        for own in self.parts:
            self.spool.write(np.ascontiguousarray(own).data)
        self.parts.clear()
        with self.spool:
            return np.frombuffer(self.spool.seen(), np.int64)


def spooled(contents: Iterable[bytes]) -> tuple[Any, Int64[np.ndarray, " bound"]]:
    """Contents one after the other in a file, and where each begins, with the end.

    Raises:
        StorageError: There is no room for them.
    """
    starts = array("q", [0])
    with Spool() as spool:
        for content in contents:
            spool.write(content)
            starts.append(spool.size)
        return spool.seen(), np.array(starts, np.int64)


def _seen_again(content: np.ndarray) -> np.ndarray:
    """An array that has arrived from another process: as it is in shared memory, from a file where it is held here."""
    holder: Any = content
    while isinstance(holder, np.ndarray) and holder.base is not None:
        holder = holder.base
    if not isinstance(holder, np.ndarray | bytes | bytearray):
        return content
    with Spool() as spool:
        spool.write(content.tobytes())
        return np.frombuffer(spool.seen(), content.dtype)


def _no_room(error: OSError) -> StorageError:
    return StorageError(
        f"what was read could not be kept in {tempfile.gettempdir()}: {error.strerror}; TMPDIR names another folder",
        errno=error.errno,
    )
