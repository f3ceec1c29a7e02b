"""Lines of standard input: at once where one has come, many where they have piled up, none lost."""

import io
import os
import threading

import pytest

from foretell.cli.lines import MOST, batches
from foretell.errors import DataError


def test_no_line_is_lost_and_no_batch_too_large() -> None:
    lines = [f"line {number}" for number in range(5 * MOST + 3)]
    found = list(batches(io.BytesIO("\n".join(lines).encode())))
    assert [line for batch in found for line in batch] == lines
    assert max(map(len, found)) <= MOST


def test_a_line_is_given_before_the_next_one_is_written() -> None:
    read, write = os.pipe()
    with os.fdopen(read, "rb") as stream, os.fdopen(write, "wb", buffering=0) as sink:
        found = batches(stream)
        for text in ("first", "second"):
            sink.write(f"{text}\r\n".encode())
            assert next(found) == [text]
        closer = threading.Timer(0.1, sink.close)
        closer.start()
        assert list(found) == []
        closer.join()


def test_no_line_at_all_is_told() -> None:
    with pytest.raises(DataError, match="standard input is empty"):
        list(batches(io.BytesIO(b"")))


def test_a_line_that_cannot_be_decoded_is_named() -> None:
    content = b"fine\nsch\xf6n\n"
    with pytest.raises(DataError, match=r"line 2: byte 3 is not utf-8; say --encoding"):
        list(batches(io.BytesIO(content)))
    assert [line for batch in batches(io.BytesIO(content), "latin-1") for line in batch] == ["fine", "schön"]
