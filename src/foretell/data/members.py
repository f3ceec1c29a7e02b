"""The files inside a folder or an archive (.tar, .tar.gz, .zip), one after the other; nothing is written to disk."""

import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from ..errors import DataError, UnsafeFileError

LARGEST = 256 * 1024 * 1024  # bytes of one text or table inside an archive


class Member(NamedTuple):
    """A file inside: its path from the outermost folder on, and what reads it while it is at hand."""

    path: PurePosixPath
    read: Callable[[], bytes]


def is_archive(path: Path) -> bool:
    """Whether a file is an archive that holds files."""
    return path.is_file() and (zipfile.is_zipfile(path) or tarfile.is_tarfile(path))


def members(path: Path, suffixes: tuple[str, ...]) -> Iterator[Member]:
    """Every file with one of some suffixes; links and devices are passed over.

    Args:
        path: A folder or an archive.
        suffixes: Of their names, in small letters; nothing else is read.

    Raises:
        DataError: A file cannot be read.
        UnsafeFileError: The archive is damaged, or a file in it is huge.
    """
    if path.is_dir():
        yield from _in_folder(path, suffixes)
    elif zipfile.is_zipfile(path):
        yield from _in_zip(path, suffixes)
    else:
        yield from _in_tar(path, suffixes)


def _in_folder(path: Path, suffixes: tuple[str, ...]) -> Iterator[Member]:
    for file in sorted(path.rglob("*")):
        if file.name.lower().endswith(suffixes) and file.is_file():
            yield Member(PurePosixPath(file.relative_to(path).as_posix()), partial(_content, file))


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise DataError(f"{file} cannot be read: {error.strerror}", file=str(file)) from None


def _in_tar(path: Path, suffixes: tuple[str, ...]) -> Iterator[Member]:
    try:
        with tarfile.open(path) as archive:
            for entry in archive:
                if entry.isfile() and entry.name.lower().endswith(suffixes):
                    _must_be_small(path, entry.name, entry.size)
                    stream = archive.extractfile(entry)
                    if stream is not None:
                        yield Member(PurePosixPath(entry.name), stream.read)
    except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
        raise UnsafeFileError(f"{path} is damaged: {error}", file=str(path)) from None


def _in_zip(path: Path, suffixes: tuple[str, ...]) -> Iterator[Member]:
    try:
        with zipfile.ZipFile(path) as archive:
            for entry in archive.infolist():
                plain = not entry.is_dir() and not entry.filename.startswith("__MACOSX")
                if plain and entry.filename.lower().endswith(suffixes):
                    _must_be_small(path, entry.filename, entry.file_size)
                    yield Member(PurePosixPath(entry.filename), partial(archive.read, entry))
    except (zipfile.BadZipFile, EOFError, zlib.error, OSError, RuntimeError, NotImplementedError) as error:
        raise UnsafeFileError(f"{path} is damaged or protected: {error}", file=str(path)) from None


def _must_be_small(path: Path, name: str, size: int) -> None:
    if size > LARGEST:
        raise UnsafeFileError(
            f"{path} holds {name} of {size} bytes; the most that is read is {LARGEST}", file=str(path)
        )
