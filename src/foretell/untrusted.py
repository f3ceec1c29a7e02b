"""Files of folders that may come from anywhere: plain ones, never followed elsewhere, bounded before they are read."""

import json
import os
import stat
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from .errors import UnsafeFileError

LARGEST_DOCUMENT = 64 * 1024 * 1024
_MOST_VALUES = 16_000_000  # of a document, an object or a list counted as four: less than a gigabyte of memory
_LARGEST_OPTIONS = 1024 * 1024  # bytes of a TOML file, which Python reads slowly
_LARGEST_HEADER = 4 * 1024 * 1024  # of a file of tensors
_MOST_AXES = 16  # of a tensor; torch takes time by their square
_PLAIN = os.O_RDONLY | sum(getattr(os, name, 0) for name in ("O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC", "O_BINARY"))


def require_no_links(folder: Path) -> None:
    """Checks that all that a folder holds, which is not trusted and will be written to, lies in it.

    Raises:
        UnsafeFileError: It holds a link.
    """
    for path in folder.rglob("*"):
        if path.is_symlink():
            raise UnsafeFileError(f"{path} is a link; such a folder holds its own files", file=str(path))


def read_plain(path: Path, largest: int = LARGEST_DOCUMENT) -> bytes:
    """A file of a folder that is not trusted.

    Args:
        path: The file.
        largest: Most bytes that it may have.

    Raises:
        UnsafeFileError: It is a link, a pipe, a device, too large, or cannot be read.
    """
    with open_plain(path, largest) as (stream, size):
        return stream.read(size)


def read_json(path: Path) -> Any:
    """A JSON document of a folder that is not trusted.

    Raises:
        UnsafeFileError: As of :func:`read_plain`; or it is none, or holds more than any of ours.
    """
    content = read_plain(path)
    if content.count(b",") + 4 * (content.count(b"{") + content.count(b"[")) > _MOST_VALUES:
        raise UnsafeFileError(f"{path} is damaged: it holds more values than any document of Foretell", file=str(path))
    try:
        document = json.loads(content)
        if b"\\ud" in content or b"\\uD" in content:
            json.dumps(document, ensure_ascii=False).encode()  # halves of letters, which nothing can write
        return document
    except (ValueError, RecursionError) as error:
        raise UnsafeFileError(f"{path} is damaged: {error}", file=str(path)) from None


def read_toml(path: Path) -> dict[str, Any]:
    """A TOML document of a folder that is not trusted.

    Raises:
        UnsafeFileError: As of :func:`read_plain`; or it is none.
    """
    try:
        return tomllib.loads(read_plain(path, _LARGEST_OPTIONS).decode())
    except (ValueError, RecursionError) as error:  # no TOML, no UTF-8, or numbers of thousands of digits
        raise UnsafeFileError(f"{path} is damaged: {error}", file=str(path)) from None


def read_tensors(path: Path, largest: int) -> bytes:
    """A safetensors file of a folder that is not trusted, read only where its header says that it is as long as it is.

    Args:
        path: The file.
        largest: Most bytes that it may have.

    Raises:
        UnsafeFileError: As of :func:`read_plain`; or its header contradicts it.
    """
    with open_plain(path, largest) as (stream, size):
        beginning = stream.read(8)
        length = int.from_bytes(beginning, "little")
        if length > min(size - 8, _LARGEST_HEADER):
            raise UnsafeFileError(
                f"{path} is damaged, or no safetensors file: its header cannot have {length} bytes", file=str(path)
            )
        header = stream.read(length)
        try:
            entries = [entry for name, entry in json.loads(header).items() if name != "__metadata__"]
            whole = max((entry["data_offsets"][1] for entry in entries), default=0) == size - 8 - length
            axes = max((len(entry["shape"]) for entry in entries), default=0)
        except (ValueError, RecursionError, KeyError, TypeError, IndexError, AttributeError) as error:
            raise UnsafeFileError(
                f"{path} is damaged, or no safetensors file: its header is none ({error})", file=str(path)
            ) from None
        if not whole:
            raise UnsafeFileError(f"{path} is damaged: it is not as long as its header says", file=str(path))
        if axes > _MOST_AXES:
            raise UnsafeFileError(f"{path} is damaged: none of our tensors has {axes} axes", file=str(path))
        return beginning + header + stream.read(size - 8 - length)


@contextmanager
def open_plain(path: Path, largest: int) -> Iterator[tuple[BinaryIO, int]]:
    """A plain file of a folder that is not trusted, and how long it is; a pipe that nobody writes to is not waited for.

    Args:
        path: The file.
        largest: Most bytes that it may have.

    Raises:
        UnsafeFileError: As of :func:`read_plain`.
    """
    try:
        if path.is_symlink():
            raise UnsafeFileError(f"{path} is a link; such a folder holds its own files", file=str(path))
        with os.fdopen(os.open(path, _PLAIN), "rb") as stream:
            about = os.fstat(stream.fileno())
            if not stat.S_ISREG(about.st_mode):
                raise UnsafeFileError(f"{path} is no plain file", file=str(path))
            if about.st_size > largest:
                raise UnsafeFileError(f"{path} is larger than {largest} bytes", file=str(path))
            yield stream, about.st_size
    except OSError as error:
        raise UnsafeFileError(f"{path} cannot be read: {error.strerror}", file=str(path)) from None
