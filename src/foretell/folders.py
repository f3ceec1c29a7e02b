"""Folders that are either old or new, as files are: made beside, flushed, put in place in one step."""

import ctypes
import errno
import os
import secrets
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from .files import HALF, make_folder, remove, sync_file, sync_folder

_HERE, _EXCHANGE = -100, 2  # AT_FDCWD and RENAME_EXCHANGE of Linux
_UNKNOWN = (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP)  # the system, or the file system, exchanges no names


@contextmanager
def folder_beside(folder: Path) -> Iterator[Path]:
    """An empty folder beside the place that it is for; what is there when the block ends is removed.

    Args:
        folder: The place; the folder that it is in is made where it is missing.

    Raises:
        StorageError: The folder above cannot be made.
        OSError: Nothing can be written there.
    """
    make_folder(folder.parent)
    beside = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}{HALF}")
    try:
        beside.mkdir()
        yield beside
    finally:
        remove(beside)


def put_in_place(new: Path, folder: Path) -> None:
    """Gives a folder that is whole its name, in one step; one that stands there goes where the new one was.

    At no moment is there none, or half of one, not even after a power cut. Where names cannot be exchanged there is
    none for a moment, and :func:`heal` puts the old one back.

    Args:
        new: The folder, in the same file system.
        folder: Its name.

    Raises:
        OSError: It cannot be done; what stood there before stands there still.
    """
    sync_tree(new)
    heal(folder)
    undo = _placed(new, folder)
    try:
        sync_folder(folder.parent)
    except OSError:
        undo()
        raise


def heal(folder: Path) -> None:
    """Puts back what a crash left beside, while another was to take its place where names cannot be exchanged.

    Args:
        folder: The name that it had.
    """
    if not os.path.lexists(folder) and _aside(folder).is_dir():
        _aside(folder).rename(folder)


def sync_tree(folder: Path) -> None:
    """Makes all that a folder holds survive a power cut.

    Raises:
        OSError: The disk does not confirm it.
    """
    for path in sorted(folder.iterdir()):
        if path.is_dir() and not path.is_symlink():
            sync_tree(path)
        elif path.is_file():
            sync_file(path)
    sync_folder(folder)


def exchange(one: Path, other: Path) -> bool:
    """Exchanges two names in one step.

    Returns:
        Whether the system can.

    Raises:
        OSError: It can, and did not.
    """
    if sys.platform != "linux":
        return False
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if rename is None:
        return False
    if rename(_HERE, os.fsencode(one), _HERE, os.fsencode(other), _EXCHANGE) == 0:
        return True
    number = ctypes.get_errno()
    if number in _UNKNOWN:
        return False
    raise OSError(number, os.strerror(number), str(one))


def _placed(new: Path, folder: Path) -> Callable[[], object]:
    """Gives a folder its name; what undoes that."""
    if not os.path.lexists(folder):
        new.rename(folder)
        return lambda: folder.rename(new)
    if exchange(new, folder):
        return lambda: exchange(new, folder)
    aside = _aside(folder)
    remove(aside)
    folder.rename(aside)
    try:
        new.rename(folder)
    except OSError:
        aside.rename(folder)
        raise
    aside.rename(new)  # whoever made the new one removes what lies there

    def undo() -> None:
        new.rename(aside)
        folder.rename(new)
        aside.rename(folder)

    return undo


def _aside(folder: Path) -> Path:
    """Where a folder stands while another takes its place."""
    return folder.with_name(f".{folder.name}.aside")
