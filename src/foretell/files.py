"""Files that are either old or new, never half of each: written beside, flushed, renamed."""

import glob
import io
import json
import math
import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

from .errors import StorageError

HALF = ".half"  # how the name of what is not whole yet ends; it begins with a dot and the name that it shall have


def write_atomically(path: Path, content: bytes) -> None:
    """Writes a file so that a crash at any moment leaves the old one or the new one.

    Args:
        path: The file; its folder exists.
        content: What it shall hold.

    Raises:
        StorageError: The disk is full, or writing is not allowed; the old file is intact.
    """
    beside: Path | None = None
    placed = False
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=HALF, dir=path.parent)
        beside = Path(name)
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            stream.flush()
            beside.chmod(0o644)
            os.fsync(stream.fileno())
        beside.replace(path)
        placed = True
        sync_folder(path.parent)
    except OSError as error:
        intact = "; what stood there before is intact" if path.exists() else ""
        told = "; it is there, but a power cut may take it away again" if placed else intact
        raise StorageError(
            f"{path} could not be written: {error.strerror}{told}", file=str(path), errno=error.errno
        ) from None
    finally:
        if beside is not None and not placed:
            with suppress(OSError):
                beside.unlink(missing_ok=True)


def require_place(path: Path) -> None:
    """Checks, before long work, that a file can be written when it is done.

    Args:
        path: The file.

    Raises:
        StorageError: Its folder is not there or may not be written to, or it is a folder itself.
    """
    if not path.parent.is_dir():
        raise StorageError(f"{path} could not be written: there is no folder {path.parent}", file=str(path))
    if path.is_dir():
        raise StorageError(f"{path} could not be written: it is a folder", file=str(path))
    if not os.access(path.parent, os.W_OK):
        raise StorageError(f"{path} could not be written: the folder {path.parent} is not yours to write to")


def write_parquet(path: Path, frame: Any) -> None:
    """Writes a Polars frame as Parquet, as :func:`write_atomically` does; its folder is made where it is missing.

    Args:
        path: The file.
        frame: What it shall hold.

    Raises:
        StorageError: It cannot be written.
    """
    make_folder(path.parent)
    stream = io.BytesIO()
    frame.write_parquet(stream)
    write_atomically(path, stream.getvalue())


def make_folder(folder: Path) -> None:
    """Makes a folder and those above it, so that they survive a power cut; one that is there stays as it is.

    Args:
        folder: The folder.

    Raises:
        StorageError: It cannot be made.
    """
    try:
        make_lasting(folder)
    except OSError as error:
        raise StorageError(
            f"the folder {folder} cannot be made: {error.strerror}", folder=str(folder), errno=error.errno
        ) from None


def make_lasting(folder: Path) -> None:
    """The same as :func:`make_folder`, for those who say in words of their own why it could not be made.

    Raises:
        OSError: It cannot be made.
    """
    missing = [own for own in (folder, *folder.parents) if not own.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for own in reversed(missing):
        sync_folder(own.parent)


def cache_folder(named: Path | None = None) -> Path:
    """The folder for what is made once and can be made again.

    Args:
        named: The one that was asked for; the platform's own where None.
    """
    if named is not None:
        return named
    from platformdirs import user_cache_path

    return user_cache_path("foretell", appauthor=False)


def remove_leftovers(path: Path) -> None:
    """Removes what a kill in the middle of a write left beside a file or folder; nothing else that is called alike."""
    for left in path.parent.glob(f".{glob.escape(path.name)}.*{HALF}*"):
        remove(left)


def remove_all_leftovers(folder: Path) -> None:
    """Removes what kills in the middle of writes left anywhere in a folder that nobody else writes to."""
    for left in folder.rglob(f".*{HALF}*"):
        remove(left)


def remove(path: Path) -> None:
    """Removes a file or a folder as far as that is possible."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
        return
    with suppress(OSError):
        path.unlink(missing_ok=True)


def json_text(document: Any) -> str:
    """A document as JSON, with null in place of numbers that JSON does not have.

    >>> json_text({"a": [1.5, float("nan")]}).split()
    ['{', '"a":', '[', '1.5,', 'null', ']', '}']
    """
    return json.dumps(finite(document), indent=1, default=str, ensure_ascii=False, allow_nan=False)


def finite(document: Any) -> Any:
    """A document with null in place of numbers that JSON does not have."""
    if isinstance(document, dict):
        return {name: finite(value) for name, value in document.items()}
    if isinstance(document, list | tuple):
        return [finite(value) for value in document]
    return None if isinstance(document, float) and not math.isfinite(document) else document


def printable(text: str) -> str:
    """A text from anywhere, to be shown: what a terminal would obey, or could not show, is spelled out.

    >>> print(printable("a\\x1b[31m"), printable("caf\\udce9"), printable("\\u202egnp.exe"))
    a\\x1b[31m caf\\xe9 \\u202egnp.exe
    """
    return "".join(own if own.isprintable() else _spelled(ord(own)) for own in text)


def _spelled(code: int) -> str:
    if 0xDC80 <= code <= 0xDCFF:  # a byte of a file's name that is no UTF-8, as Python holds it
        code -= 0xDC00
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def sync_file(path: Path) -> None:
    """Makes what was written into a file survive a power cut."""
    with path.open("rb" if os.name == "posix" else "rb+") as stream:
        os.fsync(stream.fileno())


def sync_folder(folder: Path) -> None:
    """Makes renames inside a folder survive a power cut, where the system knows how."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
