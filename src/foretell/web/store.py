"""Files that clients send and that stay: each under a digest of what it holds, beside a document that says its name."""

import asyncio
import gzip
import hashlib
import json
import re
import shutil
import time
import zipfile
import zlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from anyio import CapacityLimiter, to_thread
from starlette.requests import ClientDisconnect

from ..data.builtin import SUMMARIES, builtin_path
from ..data.columnar import DAMAGED, ParquetFile
from ..errors import RefusedError, StorageError
from ..files import json_text, remove
from ..folders import folder_beside, put_in_place

MOST_BYTES, MOST_IN_ALL = 500_000_000, 10_000_000_000  # of one file, and of all
MOST_UNPACKED = 1_000_000_000
MOST_FILES = 200
_SECONDS = 30.0  # in which another part of a file must come
_SLOWEST = 10_000  # bytes a second of a whole file, beyond that time
_AT_ONCE = 4  # files that come
_CHECKED_AT_ONCE = 2  # files that are unpacked to see how large they are
SUFFIXES = (".csv", ".csv.gz", ".tsv", ".parquet", ".zip", ".txt", ".json", ".jsonl")
_ID = re.compile(r"[0-9a-f]{16}")
_ABOUT = "about.json"


class Store:
    """Files of clients, and those that come with Foretell.

    Args:
        folder: Where each has a folder of its own.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._coming: dict[object, int] = {}  # bytes of files that are not there as a whole
        self._few = CapacityLimiter(_CHECKED_AT_ONCE)
        for left in folder.glob(".*"):  # of a server that was killed
            remove(left)

    async def keep(self, name: str, parts: AsyncIterator[bytes]) -> dict[str, Any]:
        """Keeps a file as it comes.

        Args:
            name: What the client calls it.
            parts: What it holds.

        Raises:
            RefusedError: It is too large, empty, of an unknown kind, or there are too many.
        """
        suffix = _suffix(name)
        if len(self._coming) >= _AT_ONCE:
            raise RefusedError(429, f"{_AT_ONCE} files are being sent already; ask again in a moment")
        digest, size = hashlib.sha256(), 0
        own, coming = f"{_stem(name, suffix)}{suffix}", object()
        own = own if own.lower() != _ABOUT else f"the-{_ABOUT}"
        self._coming[coming] = 0
        try:
            with folder_beside(self.folder / "file") as beside:
                kept = self._bytes_kept()
                with (beside / own).open("wb") as file:
                    async for part in _in_time(parts):
                        size += len(part)
                        self._coming[coming] = size
                        if size > MOST_BYTES:
                            raise RefusedError(413, f"a file has at most {MOST_BYTES:,} bytes", most=MOST_BYTES)
                        if kept + sum(self._coming.values()) > MOST_IN_ALL:
                            raise _full()
                        digest.update(part)
                        file.write(part)
                if not size:
                    raise RefusedError(422, f"{_short(name)} is empty; a table has a header and rows")
                unpacked = await to_thread.run_sync(_unpacked_size, beside / own, suffix, limiter=self._few)
                self._bytes_kept()  # others may have come meanwhile
                identifier = digest.hexdigest()[:16]
                about = {"id": identifier, "name": own, "bytes": size, "unpacked": unpacked}
                (beside / _ABOUT).write_bytes(json_text(about).encode())
                await to_thread.run_sync(put_in_place, beside, self.folder / identifier)
                return about
        except OSError as error:
            raise StorageError(f"the file could not be kept: {error.strerror}", errno=error.errno) from None
        except ClientDisconnect:
            raise RefusedError(400, f"the file broke off after {size} bytes") from None
        finally:
            del self._coming[coming]

    def _bytes_kept(self) -> int:
        """How much is kept.

        Raises:
            RefusedError: There is no room for more.
        """
        known = self.all()
        size = sum(own.get("bytes", 0) for own in known)
        if len(known) >= MOST_FILES or size >= MOST_IN_ALL:
            raise _full()
        return size

    def remove(self, identifier: str) -> bool:
        """Removes a file; says whether there was one."""
        home = self.folder / identifier
        if not _ID.fullmatch(identifier) or not home.is_dir():
            return False
        shutil.rmtree(home, ignore_errors=True)
        return True

    def all(self) -> list[dict[str, Any]]:
        """What there is, what comes with Foretell first."""
        found = [path for path in sorted(self.folder.glob(f"*/{_ABOUT}")) if _ID.fullmatch(path.parent.name)]
        own = [about for path in found if (about := _about(path))]
        return [
            {"id": name, "name": name, "summary": SUMMARIES[name]} for name in SUMMARIES if builtin_path(name)
        ] + own

    def source(self, identifier: str) -> Path | str:
        """A file, as tables are read.

        Raises:
            RefusedError: There is none.
        """
        if identifier in SUMMARIES and builtin_path(identifier):
            return identifier
        home = self.folder / identifier
        about = _about(home / _ABOUT) if _ID.fullmatch(identifier) else None
        if about is None or not (home / str(about["name"])).is_file():
            raise RefusedError(404, f'there are no data "{identifier[:60]}"', data=identifier[:60])
        return home / str(about["name"])

    def size(self, identifier: str) -> int:
        """How many bytes a file holds when it is unpacked; as many as it may where that is not known."""
        if identifier in SUMMARIES:
            return 0
        size = (_about(self.folder / identifier / _ABOUT) or {}).get("unpacked") if _ID.fullmatch(identifier) else 0
        return size if isinstance(size, int) else MOST_UNPACKED


async def _in_time(parts: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Parts as they come, as long as each of them comes soon, and all of them at more than a trickle.

    Raises:
        RefusedError: One does not.
    """
    began, size = time.monotonic(), 0
    while True:
        try:
            async with asyncio.timeout(_SECONDS):
                part = await anext(parts)
        except StopAsyncIteration:
            return
        except TimeoutError:
            raise RefusedError(400, f"nothing of the file came for {_SECONDS:g} seconds") from None
        size += len(part)
        if time.monotonic() - began > _SECONDS + size / _SLOWEST:
            raise RefusedError(400, f"the file comes too slowly; {size} bytes did; send at least {_SLOWEST:,} a second")
        yield part


def _full() -> RefusedError:
    told = f"at most {MOST_FILES} files and {MOST_IN_ALL:,} bytes are kept"
    return RefusedError(422, f"{told}; delete some from the folder of runs, .page/data")


def _unpacked_size(path: Path, suffix: str) -> int:
    """How many bytes a file holds, packed or not.

    Raises:
        RefusedError: It would fill the memory, or is not what its name says.
    """
    told = f"a table has at most {MOST_UNPACKED:,} bytes when it is unpacked; send fewer rows"
    try:
        with path.open("rb") as file:
            beginning = file.read(4)
        if beginning.startswith(b"PK"):
            with zipfile.ZipFile(path) as archive:
                size = sum(member.file_size for member in archive.infolist())
        elif beginning.startswith(b"\x1f\x8b"):
            with gzip.open(path) as stream:
                size = 0
                while size <= MOST_UNPACKED and (part := stream.read(1 << 22)):
                    size += len(part)
        elif beginning == b"PAR1":
            with ParquetFile(path) as table:
                size = 8 * table.rows * len(table.names)
        elif suffix in (".zip", ".csv.gz", ".parquet"):
            raise RefusedError(422, f"the file is no {suffix[1:]}, whatever its name says")
        else:
            size = path.stat().st_size
    except (zipfile.BadZipFile, gzip.BadGzipFile, EOFError, zlib.error, RuntimeError, *DAMAGED) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # the disk, not the file
        raise RefusedError(422, f"the file is damaged: {str(error).partition(chr(10))[0]}") from None
    if size > MOST_UNPACKED:
        raise RefusedError(413, told, most=MOST_UNPACKED)
    return size


def _suffix(name: str) -> str:
    """How the name of a file ends, as far as that says how it is read."""
    for suffix in sorted(SUFFIXES, key=len, reverse=True):
        if name.lower().endswith(suffix):
            return suffix
    raise RefusedError(422, f"a file ends in {', '.join(SUFFIXES)}; found {_short(name)}")


def _stem(name: str, suffix: str) -> str:
    """A name for a file, whatever a client says: letters, digits and dashes."""
    return re.sub(r"[^A-Za-z0-9_-]+", "-", name[: -len(suffix)].rpartition("/")[2])[:60].strip("-") or "data"


def _short(name: str) -> str:
    return f'"{name[:60]}"'


def _about(path: Path) -> dict[str, Any] | None:
    try:
        about = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return None
    known = isinstance(about, dict) and isinstance(about.get("name"), str) and "/" not in about["name"]
    return about if known else None
