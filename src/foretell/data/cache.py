"""The cache: folders of what was made once from a user's data, by a key of their content, and can be made again.

A folder is written beside, under a name that says so, and renamed when it is whole, so that nobody finds half of one.
"""

import errno
import hashlib
import json
import os
import platform
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, TypeVar

from ..errors import DataError, InputError, StorageError, UnsafeFileError
from ..files import cache_folder, json_text, make_lasting, sync_folder
from ..folders import sync_tree
from ..passes import followed

FORMAT = 1
DOCUMENT, STORES = "store.json", "stores"
VARIABLE = "FORETELL_CACHE_DIR"
_PIECE, _BLOCK = 1 << 26, 1 << 18  # bytes that one thread hashes, and reads together
_SMALL = 1 << 26  # bytes of a file in a store whose hash is kept
_ABANDONED = 6 * 3600.0  # seconds after which what nobody goes on writing is taken for left behind
Opened = TypeVar("Opened")


@dataclass(frozen=True)
class Kept:
    """One folder of the cache.

    Attributes:
        folder: Where it is.
        document: What it says of itself; empty where it is none of ours, or half of one.
        bytes: How much room it takes.
        used: When it was last looked at, in seconds since 1970.
    """

    folder: Path
    document: dict[str, Any]
    bytes: int
    used: float

    @property
    def whole(self) -> bool:
        """Whether all that it should hold is there."""
        sizes = self.document.get("files")
        if self.document.get("format") != FORMAT or not isinstance(sizes, dict):
            return False
        files = ((self.folder / name, size) for name, size in sizes.items())
        return all(path.is_file() and path.stat().st_size == size for path, size in files)


def stores_in(cache: Path | None) -> Path:
    """The folder of all stores.

    Args:
        cache: The cache that was asked for; that of the environment, else the platform's, where None.
    """
    named = os.environ.get(VARIABLE)
    return cache_folder(cache or (Path(named) if named else None)) / STORES


def key_of(*parts: object) -> str:
    """A name for what is made from some things: the same for the same, another for others."""
    return hashlib.blake2b(json.dumps(parts, default=str).encode(), digest_size=16).hexdigest()


def digest_of(source: str, files: Iterable[tuple[str, Path]]) -> str:
    """A hash of every byte of some files, and of what they are called.

    Args:
        source: What to call them all.
        files: Each with its name.

    Raises:
        DataError: One cannot be read.
    """
    pieces = [(name, path, start, size) for name, path in files for start, size in _pieces_of(path)]
    total = sum(size for *_, size in pieces)
    with ThreadPoolExecutor() as threads:
        digests = threads.map(_digest_of, pieces)
        hashed = followed(zip(pieces, digests, strict=True), lambda own: own[0][3], f"hashing {source}", total, "bytes")
        return key_of([(name, size, digest) for (name, _, _, size), digest in hashed])


def _pieces_of(path: Path) -> list[tuple[int, int]]:
    """Where the pieces of a file begin, and how many bytes they have."""
    try:
        size = path.stat().st_size
    except OSError as error:
        raise _unreadable(path, error) from None
    return [(start, min(_PIECE, size - start)) for start in range(0, size, _PIECE)] or [(0, 0)]


def _digest_of(piece: tuple[str, Path, int, int]) -> str:
    _, path, start, size = piece
    digest = hashlib.blake2b(digest_size=16)
    try:
        with path.open("rb") as stream:
            stream.seek(start)
            for done in range(0, size, _BLOCK):
                digest.update(stream.read(min(_BLOCK, size - done)))
    except OSError as error:
        raise _unreadable(path, error) from None
    return digest.hexdigest()


def _unreadable(path: Path, error: OSError) -> DataError:
    return DataError(f"{path} cannot be read: {error.strerror}", file=str(path))


def kept_as(key: str, cache: Path | None) -> Kept | None:
    """The folder of a key, where it is whole, and its small files are as they were written."""
    found = _look_at(stores_in(cache) / key)
    try:
        if not found.whole or _hashes(found.folder, found.document["files"]) != found.document.get("hashes"):
            return None
    except DataError:  # somebody else takes it away just now
        return None
    with suppress(OSError):
        os.utime(found.folder / DOCUMENT)
    return found


def keep(key: str, cache: Path | None, about: dict[str, Any], write: Callable[[Path], dict[str, Any]]) -> Kept:
    """Makes the folder of a key, whole or not at all; what was made before of the same source is stale and goes.

    Args:
        key: Of its content and of how it is read.
        cache: The cache that was asked for.
        about: What it is: its kind, its source, and how that was read.
        write: Writes the files into the folder that it is given, and says what else the document tells.

    Raises:
        StorageError: There is no room, or the cache cannot be written to.
    """
    stores = stores_in(cache)
    try:
        make_lasting(stores)
        with _turn(stores / f".{key}.lock"):
            found = kept_as(key, cache)  # somebody else may have made it while this one waited
            if found is None:
                _make(stores, key, about, write)
    except OSError as error:
        room = ", foretell cache clear makes room" if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG) else ""
        raise StorageError(
            f"the cache {stores} cannot be written: {error.strerror}; --cache-dir names another folder{room}",
            folder=str(stores),
            errno=error.errno,
        ) from None
    _remove_stale(stores, key, about)
    made = found or _look_at(stores / key)
    if not made.whole:
        raise StorageError(
            f"the store {made.folder} was taken away as soon as it was made; make it again", folder=str(made.folder)
        )
    return made


def open_or_make(
    key: str,
    cache: Path | None,
    about: dict[str, Any],
    write: Callable[[Path], dict[str, Any]],
    open_: Callable[[Kept], Opened],
    found: Kept | None = None,
) -> Opened:
    """What a folder of the cache holds: made where there is none, and made again where it contradicts itself.

    Args:
        key: As for :func:`keep`, like the next three.
        cache: The cache that was asked for.
        about: What it is.
        write: Writes its files.
        open_: Reads it.
        found: A folder that serves as well; that of the key, where it is there, when None.

    Raises:
        StorageError: There is no room, or the cache cannot be written to.
    """
    kept = found or kept_as(key, cache) or keep(key, cache, about, write)
    try:
        return open_(kept)
    except UnsafeFileError:
        shutil.rmtree(kept.folder, ignore_errors=True)
    return open_(keep(key, cache, about, write))


def damaged(folder: Path, why: Exception) -> UnsafeFileError:
    """What is said of a store that contradicts itself."""
    told = f"the store {folder} is damaged ({why}); foretell cache clear {folder.name} removes it"
    return UnsafeFileError(told, folder=str(folder))


def _make(stores: Path, key: str, about: dict[str, Any], write: Callable[[Path], dict[str, Any]]) -> None:
    """Writes a folder beside, and renames it when it is whole."""
    _remove_abandoned(stores)
    beside = None
    try:
        beside = Path(tempfile.mkdtemp(prefix=f".{key}.{_host()}.{os.getpid()}.", dir=stores))
        told = write(beside)
        files = {path.name: path.stat().st_size for path in sorted(beside.iterdir())}
        hashes = _hashes(beside, files)
        document = {"format": FORMAT, **about, **told, "files": files, "hashes": hashes, "made": time.time()}
        (beside / DOCUMENT).write_bytes((json_text(document) + "\n").encode())
        sync_tree(beside)  # else a power cut might leave a document that tells of files that hold something else
        _put(beside, stores / key)
    finally:
        if beside is not None:
            shutil.rmtree(beside, ignore_errors=True)


def _hashes(folder: Path, files: dict[str, int]) -> dict[str, str]:
    """Hashes of the files that are small enough to be looked at whenever they are read."""
    small = (name for name, size in files.items() if size <= _SMALL)
    return {name: _digest_of((name, folder / name, 0, files[name])) for name in small}


@contextmanager
def _turn(lock: Path) -> Iterator[None]:
    """Waits for whoever makes the same, where the system knows how; else both do, and the quicker one counts."""
    if os.name != "posix":
        yield
        return
    with lock.open("w") as stream:
        for _ in followed(_waits(stream), int, "waiting for another process, which makes the same", None, "seconds"):
            pass
        try:
            yield
        finally:
            lock.unlink(missing_ok=True)  # who waits for it has it open


def _waits(stream: IO[str]) -> Iterator[int]:
    """Seconds that have gone by, now and then, until a file is this process's own."""
    import fcntl

    started, told = time.monotonic(), 0
    while True:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(0.05)
            waited = int(time.monotonic() - started)
            yield waited - told
            told = waited
        else:
            return


def listed(cache: Path | None) -> list[Kept]:
    """All folders of the cache, those used last first; half-written ones have no document."""
    stores = stores_in(cache)
    folders = [path for path in stores.iterdir() if path.is_dir()] if stores.is_dir() else []
    return sorted(map(_look_at, folders), key=lambda kept: -kept.used)


def clear(cache: Path | None, names: Iterable[str] = ()) -> list[Kept]:
    """Removes folders from the cache.

    Args:
        cache: The cache that was asked for.
        names: The beginnings of their names; all where there are none.

    Returns:
        What was removed; what somebody writes just now stays.

    Raises:
        InputError: None begins so.
        StorageError: One cannot be removed.
    """
    found, wanted = listed(cache), list(names)
    for name in wanted:
        if not name or not any(kept.folder.name.startswith(name) for kept in found):
            raise InputError(f'the cache {stores_in(cache)} holds nothing called "{name}"; see: foretell cache list')
    named = [kept for kept in found if not wanted or any(kept.folder.name.startswith(name) for name in wanted)]
    gone = [kept for kept in named if not is_being_made(kept.folder)]
    for kept in gone:
        try:
            shutil.rmtree(kept.folder)
        except OSError as error:
            told = f"{kept.folder} cannot be removed: {error.strerror}"
            raise StorageError(told, folder=str(kept.folder), errno=error.errno) from None
    return gone


def _put(beside: Path, folder: Path) -> None:
    """Renames what is whole into place; what stands there, damaged or from a rival, makes way."""
    for _ in range(3):
        try:
            beside.rename(folder)
        except OSError:
            if not folder.exists():
                raise
            if _look_at(folder).whole:  # somebody else was as quick
                return
            shutil.rmtree(folder, ignore_errors=True)
        else:
            sync_folder(folder.parent)
            return
    raise OSError(0, f"{folder.name} stands in the way")


def _remove_abandoned(stores: Path) -> None:
    """Takes away what a process that was killed left half-written."""
    for path in stores.glob(".*.*.*.*"):
        if not is_being_made(path):
            shutil.rmtree(path, ignore_errors=True)


def is_being_made(path: Path) -> bool:
    """Whether a folder is half-written, and whoever writes it may still be there."""
    parts = path.name.split(".", 4)
    if len(parts) < 5 or parts[0]:
        return False
    _, _, host, process, _ = parts
    try:
        newest = max((own.stat().st_mtime for own in (path, *path.iterdir())), default=0.0)
    except OSError:  # it is whole by now, and has its name, or is gone
        return True
    return (host != _host() or _runs(process)) and time.time() - newest <= _ABANDONED


def _host() -> str:
    return platform.node().replace(".", "-") or "here"


def _runs(process: str) -> bool:
    """Whether a process of this machine, by its number, is still there."""
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return False
    except (OSError, ValueError, OverflowError):
        return True
    return True


def _remove_stale(stores: Path, key: str, about: dict[str, Any]) -> None:
    """Takes away what was made of the same source, read in the same way, when it held something else."""
    about = json.loads(json.dumps(about, default=str))
    for path in stores.iterdir():
        if path.name != key and not path.name.startswith("."):
            document = _look_at(path).document
            alike = all(document.get(name) == about[name] for name in ("kind", "source", "read"))
            if alike and document.get("content") != about["content"]:
                shutil.rmtree(path, ignore_errors=True)


def _look_at(folder: Path) -> Kept:
    document: dict[str, Any] = {}
    used, size = 0.0, 0
    with suppress(OSError):  # somebody else may take it away meanwhile
        used = folder.stat().st_mtime
        size = sum(path.stat().st_size for path in folder.iterdir() if path.is_file())
        with suppress(ValueError, RecursionError):
            read = json.loads((folder / DOCUMENT).read_text("utf-8"))
            document = read if isinstance(read, dict) else {}
            used = (folder / DOCUMENT).stat().st_mtime
    return Kept(folder, document, size, used)
