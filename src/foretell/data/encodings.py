"""Bytes as text: in the encoding that was named, line by line where there are many; what is not so is told by line."""

import codecs
import io
import zlib
from collections.abc import Iterator
from itertools import count

from ..errors import DataError, UnsafeFileError

LONGEST_LINE = 256 * 1024 * 1024  # bytes


def known_encoding(encoding: str) -> None:
    """Checks that there is such an encoding.

    Raises:
        DataError: There is not.
    """
    try:
        codecs.lookup(encoding)
        "".encode(encoding)
    except (LookupError, TypeError, ValueError):
        raise DataError(f'there is no encoding "{encoding}"; known are utf-8, latin-1, cp1252, utf-16 ...') from None


def decoded(name: str, content: bytes, encoding: str, offset: int = 0, lines: int = 0) -> str:
    """Bytes as text.

    Args:
        name: What to call them.
        content: The bytes.
        encoding: How they are encoded.
        offset: Where they begin in their file.
        lines: How many lines of it come before.

    Raises:
        DataError: They are not encoded so.
    """
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        raise not_encoded(name, error, encoding, offset, lines) from None


def not_encoded(name: str, error: UnicodeDecodeError, encoding: str, offset: int, lines: int = 0) -> DataError:
    """The error where bytes are not encoded as they should be.

    Args:
        name: What to call them.
        error: What could not be decoded.
        encoding: How they should be encoded.
        offset: Where these bytes begin in their file.
        lines: How many lines of it come before.
    """
    at, line = offset + error.start, lines + error.object.count(b"\n", 0, error.start) + 1
    found = f"byte {at} (0x{error.object[error.start]:02x})"
    return DataError(
        f"{name}, line {line}: {found} is not {encoding}; say --encoding, such as latin-1, or save the file as UTF-8",
        file=name,
        line=line,
        offset=at,
    )


def decoded_lines(name: str, stream: io.BufferedIOBase, encoding: str) -> Iterator[str]:
    """The lines of a stream with their ends.

    Raises:
        DataError: A line is not encoded so.
        UnsafeFileError: The stream is damaged.
    """
    if codecs.lookup(encoding).name.startswith(("utf-16", "utf-32")):
        yield from io.StringIO(decoded(name, stream.read(), encoding), newline="")
        return
    offset = 0
    try:
        for number in count():
            if not (line := stream.readline(LONGEST_LINE + 1)):
                return
            if len(line) > LONGEST_LINE:
                raise DataError(
                    f"{name}, line {number + 1}: a line has at most {LONGEST_LINE:,} bytes; is it a text at all?",
                    file=name,
                )
            if offset == 0 and line.startswith(codecs.BOM_UTF8):
                offset, line = len(codecs.BOM_UTF8), line.removeprefix(codecs.BOM_UTF8)
            yield decoded(name, line, encoding, offset, number)
            offset += len(line)
    except (OSError, EOFError, zlib.error) as error:
        raise UnsafeFileError(f"{name} is damaged: {error}", file=name) from None
