"""Fetching public data: a file is at its place whole and right, or not at all.

It is written into a folder of its own beside, looked at there, and renamed when it has the right hash, or the right
content where nobody publishes one. Nothing that is fetched is unpacked: archives are read as they are.
"""

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ..errors import InputError, MissingError, StorageError, UnsafeFileError
from ..files import sync_file, sync_folder
from ..passes import passing
from ..stopping import heed
from .catalogue import Remote, RemoteSet

_CONNECT, _SILENCE = 10.0, 30.0  # seconds to wait for a server: to answer, and for each piece of what it sends
_PIECE = 1 << 16  # bytes
_SLOWEST, _PATIENCE = 2_000.0, 60.0  # bytes a second, once so many seconds have passed
_ABANDONED = 6 * 3600.0  # seconds after which a folder beside is taken for left behind


def fetch(name: str, found: RemoteSet, folder: Path, source: str | None = None) -> list[Path]:
    """Fetches the files of a set that are not there yet.

    Args:
        name: Of the set.
        found: The set.
        folder: Into which its own folder goes.
        source: A path or an address to fetch from instead: of the file, or, of several files, of their folder.

    Returns:
        The files.

    Raises:
        MissingError: A server cannot be reached, has no such file, or sends something else.
        UnsafeFileError: What it sent is not the file.
        StorageError: There is no room.
    """
    own = folder / name
    try:
        own.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(own)
        for remote in found.files:
            if not _is_there(own / remote.name, remote):
                _bring(remote, _origin(remote, source, several=len(found.files) > 1), own)
    except OSError as error:
        raise StorageError(
            f"{own} cannot be written: {error.strerror}; --to names another folder", folder=str(own), errno=error.errno
        ) from None
    return [own / remote.name for remote in found.files]


def _origin(remote: Remote, source: str | None, *, several: bool) -> str:
    if source is None:
        return remote.address
    return f"{source.rstrip('/')}/{remote.name}" if several else source


def _is_there(path: Path, remote: Remote) -> bool:
    """Whether a file is at its place; what is there but not right is fetched again."""
    try:
        _must_be_right(path, remote)
    except (UnsafeFileError, InputError, OSError):
        return False
    return True


def _bring(remote: Remote, origin: str, folder: Path) -> None:
    beside = Path(tempfile.mkdtemp(prefix=f".{remote.name}.", dir=folder))
    try:
        new = beside / remote.name
        if urlsplit(origin).scheme in ("http", "https"):
            _download(remote, origin, new)
        else:
            _copy(remote, Path(origin), new)
        _must_be_right(new, remote)
        sync_file(new)
        new.replace(folder / remote.name)
        sync_folder(folder)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _copy(remote: Remote, path: Path, new: Path) -> None:
    if not path.is_file():
        raise MissingError(f"there is no file {path}; --from names {remote.name}, or its address", file=str(path))
    try:
        source = path.open("rb")
    except OSError as error:
        raise MissingError(f"{path} cannot be read: {error.strerror}", file=str(path)) from None
    with source as stream, new.open("wb") as out, passing(f"copying {path.name}", None, "bytes") as add:
        sink = _Sink(out, remote, str(path), add)
        while piece := stream.read(_PIECE):
            sink.write(piece)


def _download(remote: Remote, address: str, new: Path) -> None:
    """Fetches over HTTP, from this server and no other that it may name."""
    import requests
    from pooch import HTTPDownloader
    from urllib3.exceptions import HTTPError, ReadTimeoutError

    answers: list[Any] = []

    def look_at(response: Any, **_: Any) -> None:
        answers.append(response)
        if response.is_redirect or 300 <= response.status_code < 400:
            elsewhere = response.headers.get("location", "nowhere")
            raise _not_fetched(address, f"it sends us elsewhere, to {elsewhere[:200]}; if you trust that, say --from")
        kind = response.headers.get("content-type", "")
        if response.ok and kind.startswith("text/html"):
            raise _not_fetched(address, "it answers with a page, not with the file")
        response.iter_content = partial(_as_it_comes, response)

    download = HTTPDownloader(
        chunk_size=_PIECE,
        timeout=(_CONNECT, _SILENCE),
        allow_redirects=False,
        hooks={"response": look_at},
        headers={"Accept-Encoding": "identity", "User-Agent": "foretell"},
    )
    try:
        with new.open("wb") as out, passing(f"fetching {remote.name}", None, "bytes") as add:
            download(address, _Sink(out, remote, address, add), None)
    except requests.HTTPError:
        raise _not_fetched(address, f"it answers {answers[0].status_code}") from None
    except (requests.Timeout, TimeoutError, ReadTimeoutError):
        raise _not_fetched(address, f"nothing came for {_SILENCE:g} seconds") from None
    except (requests.RequestException, HTTPError) as error:
        raise _not_fetched(address, _reason(error)) from None
    finally:
        for answer in answers:
            answer.close()


def _as_it_comes(response: Any, chunk_size: int) -> Iterator[bytes]:
    """What a server sends, handed on at once: a piece that is waited for until it is full hides how slow it comes."""
    while piece := response.raw.read1(chunk_size, decode_content=False):
        yield piece


class _Sink:
    """A file that takes what comes as long as it may be the one that is fetched: not too much, not too slowly."""

    def __init__(self, out: Any, remote: Remote, origin: str, add: Callable[[int], None]) -> None:
        self.out, self.remote, self.origin, self.add = out, remote, origin, add
        self.bytes, self.begun = 0, time.monotonic()

    def write(self, piece: bytes) -> None:
        """Takes the next piece.

        Raises:
            UnsafeFileError: That is more than the file has.
            MissingError: It comes too slowly to be waited for.
        """
        heed()
        self.bytes += len(piece)
        self.add(len(piece))
        if self.bytes > self.remote.largest:
            told = f"{self.remote.name} has at most {self.remote.largest:,} bytes, and more came; it is not that file"
            raise UnsafeFileError(told, file=self.remote.name)
        passed = time.monotonic() - self.begun
        if passed > _PATIENCE and self.bytes < _SLOWEST * passed:
            raise _not_fetched(self.origin, f"only {self.bytes:,} bytes came in {passed:.0f} seconds")
        self.out.write(piece)

    def flush(self) -> None:
        """Hands on what was written."""
        self.out.flush()


def _must_be_right(path: Path, remote: Remote) -> None:
    """Checks a file by its hash, or by its content.

    Raises:
        UnsafeFileError: It is another one.
    """
    from pooch import file_hash

    if remote.digest is not None:
        way, _, expected = remote.digest.partition(":")
        if (found := file_hash(str(path), alg=way)) != expected:
            told = f"{remote.name} has the {way} {expected}; found {found}: it was cut short, or is another file"
            raise UnsafeFileError(told, file=remote.name)
    if remote.check is not None:
        remote.check(path)


def _not_fetched(address: str, why: str) -> MissingError:
    return MissingError(
        f"{address} could not be fetched: {why}; fetch the file yourself, and name it with --from", address=address
    )


def _reason(error: Exception) -> str:
    """What went wrong, without the classes that hold it."""
    name = type(error).__name__
    known = {"ConnectionError": "the server cannot be reached", "ProtocolError": "it broke off"}
    return known.get(name, f"{name}: {str(error)[:100]}")


def _remove_abandoned(folder: Path) -> None:
    """Removes what a killed fetch left behind; others may be at work beside."""
    for left in folder.glob(".*"):
        with suppress(OSError):
            if left.is_dir() and time.time() - left.stat().st_mtime > _ABANDONED:
                shutil.rmtree(left, ignore_errors=True)
