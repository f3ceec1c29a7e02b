"""Packed files, unpacked no further than honest data go: a few bytes can stand for more than any machine holds."""

import bz2
import gzip
import io
import lzma
import os
import stat
import zipfile
from pathlib import Path
from typing import Any

FREE = 256 * 1024 * 1024  # bytes that any file may unpack to
TIMES = 200  # as large as it is, beyond these; texts come to 20, tables of one number again and again to 100
_PIECE = 1 << 20
_SMALL_PIECE = 4096  # of what zipfile unpacks without a bound: 4 KB of bzip2 come to 80 MB at most


def unpacked(stream: io.BufferedIOBase) -> Any:
    """A stream that can be looked into, without its gzip where it has one."""
    raw: Any = stream
    buffered: Any = stream if isinstance(stream, io.BufferedReader) else io.BufferedReader(raw)
    return io.BufferedReader(Gzip(buffered)) if buffered.peek(2)[:2] == b"\x1f\x8b" else buffered


def allowed(packed: int) -> int:
    """How many bytes a file may unpack to.

    Args:
        packed: How many it has.
    """
    return FREE + TIMES * packed


class Gzip(gzip.GzipFile):
    """A gzip file that is damaged where it unpacks to far more than it should.

    Args:
        stream: The packed bytes.
    """

    def __init__(self, stream: Any) -> None:
        self._packed, self._given = _Counted(stream), 0
        super().__init__(fileobj=self._packed)

    def read(self, size: int | None = -1) -> bytes:
        """Some bytes, or all.

        Raises:
            BadGzipFile: They are too many.
        """
        if size is None or size < 0:
            return b"".join(iter(lambda: self.read(_PIECE), b""))
        content = super().read(min(size, _PIECE))
        self._given += len(content)
        if self._given > allowed(self._packed.taken):
            raise gzip.BadGzipFile(too_much())
        return content


class _Counted:
    """Tells how much was read of a stream."""

    def __init__(self, stream: Any) -> None:
        self._stream, self.taken = stream, 0

    def read(self, size: int = -1) -> bytes:
        content: bytes = self._stream.read(size)
        self.taken += len(content)
        return content

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class Unpacked:
    """A file as tarfile reads it, packed or not: no more at once than is allowed, nor in all.

    Args:
        path: The file.

    Attributes:
        most: Bytes that may be read at once.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb")
        self._allowed, beginning = allowed(os.fstat(self._file.fileno()).st_size), self._file.read(6)
        self._file.seek(0)
        self._stream: Any = self._file
        if beginning.startswith(b"\x1f\x8b"):
            self._stream = gzip.GzipFile(fileobj=self._file)
        elif beginning.startswith(b"BZh"):
            self._stream = bz2.BZ2File(self._file)
        elif beginning == b"\xfd7zXZ\0":
            self._stream = lzma.LZMAFile(self._file)  # noqa: SIM115 - closed with this
        self.most = _PIECE

    def read(self, size: int) -> bytes:
        """So many bytes.

        Raises:
            OSError: They are too many.
        """
        if size > self.most:
            raise OSError(f"it asks for {size} bytes at once")
        content: bytes = self._stream.read(size)
        self._require_few(self.tell())
        return content

    def seek(self, place: int) -> None:
        """Goes to a place; what is passed over is unpacked a piece at a time.

        Raises:
            OSError: It is too far.
        """
        if self._stream is self._file or place < self.tell():
            self._stream.seek(place)
            return
        self._require_few(place)
        while place > self.tell() and self._stream.read(min(_PIECE, place - self.tell())):
            pass

    def tell(self) -> int:
        """The place at which it is."""
        return int(self._stream.tell())

    def close(self) -> None:
        """Ends it."""
        self._stream.close()
        self._file.close()

    def _require_few(self, place: int) -> None:
        if self._stream is not self._file and place > self._allowed:
            raise OSError(too_much())


def holds_bytes(entry: zipfile.ZipInfo) -> bool:
    """Whether what a zip names is a file, neither a folder nor a link, pipe or device.

    Args:
        entry: What it names.
    """
    kind = stat.S_IFMT(entry.external_attr >> 16)  # nothing where it was made elsewhere than on Unix
    return not entry.is_dir() and kind in (0, stat.S_IFREG)


def content_in_zip(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    """A file in a zip, as far as it is as long as the zip says.

    Args:
        archive: The zip.
        entry: The file.

    Raises:
        BadZipFile: It is damaged.
    """
    bounded = entry.compress_type in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
    size = _PIECE if bounded else _SMALL_PIECE
    with archive.open(entry) as stream:
        return b"".join(iter(lambda: stream.read(size), b""))


def too_much() -> str:
    """Why a packed file is not unpacked to its end."""
    return f"it unpacks to more than {TIMES} times its size, as no honest file does; unpack it yourself to see"
