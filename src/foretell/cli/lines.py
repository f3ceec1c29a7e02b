"""Lines of standard input as they come: one at once where there is one, many where they pile up."""

import io
import queue
import threading
from collections.abc import Iterator

from ..errors import DataError
from . import interrupts

MOST = 256  # lines that are answered at once


def batches(stream: io.BufferedIOBase, encoding: str = "utf-8") -> Iterator[list[str]]:
    """The lines that have come since the last ones were taken, without their ends.

    Args:
        stream: Where they come from.
        encoding: How they are written.

    Raises:
        DataError: A line cannot be decoded.

    >>> list(batches(io.BytesIO("good\\nschön\\n".encode())))[0][0]
    'good'
    """
    waiting: queue.Queue[bytes | None] = queue.Queue(4 * MOST)

    def read() -> None:
        for line in iter(stream.readline, b""):
            waiting.put(line)
        waiting.put(None)

    threading.Thread(target=read, daemon=True).start()
    number, line = 0, waiting.get()
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
        line = None if line is None else waiting.get()


def _decoded(line: bytes, encoding: str, number: int) -> str:
    try:
        return line.rstrip(b"\r\n").decode(encoding)
    except UnicodeDecodeError as error:
        raise DataError(
            f"standard input, line {number}: byte {error.start} is not {encoding}; say --encoding, such as latin-1",
            line=number,
            offset=error.start,
        ) from None
