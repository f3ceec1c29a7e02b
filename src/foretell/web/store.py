"""Files that clients send and that stay: each under a digest of what it holds, beside a document that says its name."""

import hashlib
import json
import re
import secrets
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from ..data.builtin import SUMMARIES, builtin_path
from ..errors import RefusedError
from ..files import json_text, write_atomically

MOST_BYTES, MOST_IN_ALL = 500_000_000, 10_000_000_000  # of one file, and of all
MOST_FILES = 200
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

    async def keep(self, name: str, parts: AsyncIterator[bytes]) -> dict[str, Any]:
        """Keeps a file as it comes.

        Args:
            name: What the client calls it.
            parts: What it holds.

        Raises:
            RefusedError: It is too large, empty, of an unknown kind, or there are too many.
        """
        suffix = _suffix(name)
        self.folder.mkdir(parents=True, exist_ok=True)
        known = self.all()
        if len(known) >= MOST_FILES or sum(own.get("bytes", 0) for own in known) >= MOST_IN_ALL:
            told = f"at most {MOST_FILES} files and {MOST_IN_ALL:,} bytes are kept"
            raise RefusedError(422, f"{told}; delete some from the folder of runs, .page/data")
        beside = self.folder / f".{secrets.token_hex(8)}"
        digest, size = hashlib.sha256(), 0
        try:
            with beside.open("wb") as file:
                async for part in parts:
                    size += len(part)
                    if size > MOST_BYTES:
                        raise RefusedError(413, f"a file has at most {MOST_BYTES:,} bytes", most=MOST_BYTES)
                    digest.update(part)
                    file.write(part)
            if not size:
                raise RefusedError(422, f"{_short(name)} is empty; a table has a header and rows")
            identifier = digest.hexdigest()[:16]
            home = self.folder / identifier
            home.mkdir(exist_ok=True)
            beside.replace(home / f"{_stem(name, suffix)}{suffix}")
            about = {"id": identifier, "name": f"{_stem(name, suffix)}{suffix}", "bytes": size}
            write_atomically(home / _ABOUT, json_text(about).encode())
            return about
        finally:
            beside.unlink(missing_ok=True)

    def all(self) -> list[dict[str, Any]]:
        """What there is, what comes with Foretell first."""
        own = [about for path in sorted(self.folder.glob(f"*/{_ABOUT}")) if (about := _about(path))]
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
