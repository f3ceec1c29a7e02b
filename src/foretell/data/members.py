"""The files inside a folder or an archive (.tar, .tar.gz, .zip), one after the other; nothing is written to disk."""

import lzma
import re
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple, cast

from ..errors import DataError, UnsafeFileError
from .unpacking import Unpacked, allowed, content_in_zip, holds_bytes, too_much

LARGEST = 256 * 1024 * 1024  # bytes of one text or table inside an archive
MOST = 500_000  # files, folders and all else inside
_TAR = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
_DRIVE = re.compile("[A-Za-z]:[/\\\\]")
_DAMAGE = (
    tarfile.TarError,
    zipfile.BadZipFile,
    EOFError,
    zlib.error,
    lzma.LZMAError,
    OSError,
    RuntimeError,  # a zip that needs a password
    NotImplementedError,  # a zip that is packed in a way which Python does not know
    ValueError,
    OverflowError,
    IndexError,  # a zip whose file has no name
    MemoryError,  # what a header asks for
)


class Member(NamedTuple):
    """A file inside: its path from the outermost folder on, and what reads it while it is at hand."""

    path: PurePosixPath
    read: Callable[[], bytes]


def is_archive(path: Path) -> bool:
    """Whether a file is an archive that holds files, or was one before it was damaged."""
    if not path.is_file():
        return False
    if _is_zip(path):
        return True
    try:
        with closing(Unpacked(path)) as stream, _tar(stream):
            return True
    except _DAMAGE:
        return path.name.lower().endswith(_TAR)


def members(path: Path, suffixes: tuple[str, ...]) -> Iterator[Member]:
    """Every file with one of some suffixes; links, devices and what systems keep beside files are passed over.

    Args:
        path: A folder or an archive.
        suffixes: Of their names, in small letters; nothing else is read.

    Raises:
        DataError: A file cannot be read.
        UnsafeFileError: The archive is damaged, or it holds a huge file, or too many, or too much.
    """
    if path.is_dir():
        yield from _in_folder(path, suffixes)
    elif _is_zip(path):
        yield from _in_zip(path, suffixes)
    else:
        yield from _in_tar(path, suffixes)


def _is_zip(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(4) in (b"PK\3\4", b"PK\5\6", b"PK\7\x08") or zipfile.is_zipfile(path)
    except OSError:
        return False


def _wanted(name: str, suffixes: tuple[str, ...]) -> bool:
    if name.startswith(("/", "\\")) or ".." in PurePosixPath(name.replace("\\", "/")).parts or _DRIVE.match(name):
        raise ValueError(f"it holds a file outside of itself, {name}")
    beside = name.startswith("__MACOSX") or PurePosixPath(name).name.startswith("._")
    return not beside and name.lower().endswith(suffixes)


def _in_folder(path: Path, suffixes: tuple[str, ...]) -> Iterator[Member]:
    for file in sorted(path.rglob("*")):
        if _wanted(file.name, suffixes) and file.is_file():
            yield Member(PurePosixPath(file.relative_to(path).as_posix()), partial(content_of, file))


def content_of(file: Path) -> bytes:
    """All bytes of a file.

    Raises:
        DataError: There is none, or it cannot be read.
    """
    try:
        return file.read_bytes()
    except FileNotFoundError:
        raise DataError(f"there is no file {file}", file=str(file)) from None
    except OSError as error:
        raise DataError(f"{file} cannot be read: {error.strerror}", file=str(file)) from None


def _in_tar(path: Path, suffixes: tuple[str, ...]) -> Iterator[Member]:
    try:
        with closing(Unpacked(path)) as stream, _tar(stream) as archive:
            count, budget, last = 0, _Budget(path), None
            while (entry := archive.next()) is not None:
                cast(Any, archive).members.clear()  # it would keep them all
                count, last = count + 1, entry
                _must_be_few(path, count)
                if entry.isfile() and _wanted(entry.name, suffixes):
                    _must_be_small(path, entry.name, entry.size)
                    budget.take(entry.size)
                    yield Member(PurePosixPath(entry.name), partial(_safely, path, partial(_in_full, archive, entry)))
            _must_end(archive, last)
    except _DAMAGE as error:
        raise UnsafeFileError(f"{path} is damaged: {error}", file=str(path)) from None


def _tar(stream: Unpacked) -> tarfile.TarFile:
    return tarfile.TarFile.taropen("", fileobj=cast(Any, stream))


def _in_full(archive: tarfile.TarFile, entry: tarfile.TarInfo) -> bytes:
    """A file in a tar; its own bytes may be more at once than a header."""
    stream = archive.extractfile(entry)
    if stream is None:
        raise tarfile.ReadError(f"{entry.name} is no file")
    watched = cast(Any, archive.fileobj)
    usual, watched.most = watched.most, LARGEST
    try:
        return stream.read()
    finally:
        watched.most = usual


class _Budget:
    """How much the files of an archive may come to, by what it has itself."""

    def __init__(self, path: Path) -> None:
        self.left = allowed(path.stat().st_size)

    def take(self, size: int) -> None:
        """So much more.

        Raises:
            ValueError: It is too much.
        """
        self.left -= size
        if self.left < 0:
            raise ValueError(too_much())


def _must_end(archive: tarfile.TarFile, last: tarfile.TarInfo | None) -> None:
    """Checks that zeros follow the last file, and that all that was packed can be unpacked.

    Python's tarfile takes a damaged header for the end, and then never comes to the checksum of the whole.

    Raises:
        ReadError: Something else follows.
    """
    stream: Any = archive.fileobj
    stream.seek(archive.offset - (archive.offset % tarfile.BLOCKSIZE))
    if last is not None:
        blocks = -(-last.size // tarfile.BLOCKSIZE)
        stream.seek(last.offset_data + (blocks * tarfile.BLOCKSIZE if last.isfile() else 0))
    rest = stream.read(tarfile.BLOCKSIZE)
    if rest.strip(b"\0") or len(rest) not in (0, tarfile.BLOCKSIZE):
        raise tarfile.ReadError("what follows a file is no other")
    while stream.read(1 << 20):
        pass


def _in_zip(path: Path, suffixes: tuple[str, ...]) -> Iterator[Member]:
    try:
        with zipfile.ZipFile(path) as archive:
            budget = _Budget(path)
            _must_be_few(path, len(archive.infolist()))
            for entry in archive.infolist():
                name = entry.filename.replace("\\", "/")  # as some programs write them on Windows
                if holds_bytes(entry) and _wanted(name, suffixes):
                    _must_be_small(path, name, entry.file_size)
                    budget.take(entry.file_size)
                    yield Member(PurePosixPath(name), partial(_safely, path, partial(content_in_zip, archive, entry)))
    except _DAMAGE as error:
        raise UnsafeFileError(f"{path} is damaged or protected: {error}", file=str(path)) from None


def _safely(path: Path, read: Callable[[], bytes]) -> bytes:
    try:
        return read()
    except _DAMAGE as error:
        raise UnsafeFileError(f"{path} is damaged or protected: {error}", file=str(path)) from None


def _must_be_few(path: Path, count: int) -> None:
    if count > MOST:
        raise UnsafeFileError(f"{path} holds more than {MOST:,} files; unpack it, and name the folder", file=str(path))


def _must_be_small(path: Path, name: str, size: int) -> None:
    if size > LARGEST:
        raise UnsafeFileError(
            f"{path} holds {name} of {size} bytes; the most that is read is {LARGEST}", file=str(path)
        )
