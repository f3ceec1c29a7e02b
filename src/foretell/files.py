"""Files that are either old or new, never half of each: written beside, flushed, renamed."""

import os
import tempfile
from pathlib import Path

from .errors import StorageError


def write_atomically(path: Path, content: bytes) -> None:
    """Writes a file so that a crash at any moment leaves the old one or the new one.

    Args:
        path: The file; its folder exists.
        content: What it shall hold.

    Raises:
        StorageError: The disk is full, or writing is not allowed; the old file is intact.
    """
    handle, beside = None, None
    try:
        handle, beside = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        Path(beside).chmod(0o644)
        Path(beside).replace(path)
        sync_folder(path.parent)
    except OSError as error:
        if beside is not None:
            Path(beside).unlink(missing_ok=True)
        intact = "; what stood there before is intact" if path.exists() else ""
        raise StorageError(
            f"{path} could not be written: {error.strerror}{intact}", file=str(path), errno=error.errno
        ) from None


def sync_folder(folder: Path) -> None:
    """Makes renames inside a folder survive a power cut, where the system knows how."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
