"""Lines of standard input as they come: one at once where there is one, many where they pile up."""

import codecs
import io
import os
import queue
import threading
from collections.abc import Iterator

from ..data.encodings import known_encoding
from ..errors import DataError
from . import interrupts

MOST = 256  # lines that are answered at once
CHUNK = 65_536  # bytes
PATIENCE = 0.2  # seconds


def batches(stream: io.BufferedIOBase, encoding: str = "utf-8") -> Iterator[list[str]]:
    """The lines that have come since the last ones were taken, without their ends.

    Args:
        stream: Where they come from.
        encoding: How they are written.

    Raises:
        DataError: There is no such encoding, it is none of lines, there is no line, or one cannot be decoded.

    >>> list(batches(io.BytesIO("good\\nschön\\n".encode())))[0][0]
    'good'
    """
    known_encoding(encoding)
    if codecs.lookup(encoding).name.startswith(("utf-16", "utf-32")):
        raise DataError(f"lines of standard input cannot be {encoding}, in which no byte ends a line; give a file")
    waiting: queue.Queue[bytes | None] = queue.Queue(4 * MOST)

    def read() -> None:
        try:
            for line in _lines(stream):
                waiting.put(line)
        finally:
            waiting.put(None)

    threading.Thread(target=read, daemon=True).start()
    number, line = 0, _next(waiting)
    if line is None:
        raise DataError("standard input is empty; give it a line for each text")
    while line is not None:
        taken = [line]
        while len(taken) < MOST and not waiting.empty() and (line := waiting.get()) is not None:
            taken.append(line)
        interrupts.check()
        answered: list[str] = []
        for place, own in enumerate(taken):
            try:
                answered.append(_decoded(own, encoding, number + place + 1))
            except DataError:
                if answered:
                    yield answered  # what came before is answered
                raise
        yield answered
        number += len(taken)
        line = None if line is None else _next(waiting)


def _next(waiting: "queue.Queue[bytes | None]") -> bytes | None:
    """The next line; None after the last one. An interrupt may reach another thread, and is looked for meanwhile."""
    while True:
        try:
            return waiting.get(timeout=PATIENCE)
        except queue.Empty:
            interrupts.check()


def _lines(stream: io.BufferedIOBase) -> Iterator[bytes]:
    """The lines of a stream; where it is a file of the system, without Python's lock on it.

    Whoever waits at that lock when the program ends brings it down.
    """
    try:
        raw: io.RawIOBase | io.BufferedIOBase = io.FileIO(os.dup(stream.fileno()))
    except io.UnsupportedOperation:
        raw = stream
    begun = b""
    with raw:
        while chunk := raw.read(CHUNK):
            *lines, begun = (begun + chunk).split(b"\n")
            yield from lines
    if begun:
        yield begun


def _decoded(line: bytes, encoding: str, number: int) -> str:
    try:
        return line.removesuffix(b"\r").decode(encoding).removeprefix("\ufeff" if number == 1 else "")
    except UnicodeDecodeError as error:
        raise DataError(
            f"standard input, line {number}: byte {error.start} is not {encoding}; say --encoding, such as latin-1",
            line=number,
            offset=error.start,
        ) from None
