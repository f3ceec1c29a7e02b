"""A corpus in a store on disk: larger than memory, decoded part by part.

A store is made once of files of text (``text_sources.py``), kept in the cache by a key of their content and of how they
are read, and mapped from then on: what is not looked at takes no memory.
"""

import hashlib
import mmap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int64

from ..config import CorpusSection
from ..errors import ConfigurationError
from ..passes import followed
from .cache import Kept, damaged, digest_of, key_of, open_or_make
from .documents import AnyCorpus, read_corpus
from .text_sources import TextSource, files_of
from .vocabulary import whole

LARGE = 100_000_000  # bytes of files above which a corpus goes through a store, if nobody says otherwise
HELD = 5_000_000  # characters that are looked at together
PIECE, BLOCK = 1 << 20, 1 << 16  # characters of a part, and between places whose bytes are known
_TEXT, _PLACES = "text.utf8", "places.i64"
_READING = ("text", "encoding", "separator", "lowercase")  # options that a store depends on


@dataclass(frozen=True)
class StoredCorpus(AnyCorpus):
    """One text that lies in a store.

    Attributes:
        source: Where it came from, in words.
        documents: Of how many files or rows it is made.
        notes: What the user should know of them.
        digest: A hash of the text.
        content: Its bytes, as UTF-8, read from the file when they are looked at.
        places: Characters before some places, and bytes before them, with the end.
        about: What a store of what is made of it says of its source.
        cache: The cache that was asked for.
    """

    source: str
    documents: int
    notes: tuple[str, ...]
    digest: str
    content: Any
    places: Int64[np.ndarray, "2 place"]
    about: dict[str, Any]
    cache: Path | None

    @property
    def characters(self) -> int:
        """How many there are."""
        return int(self.places[0, -1])

    def parts(self, start: int, stop: int) -> Iterator[str]:
        """The text between two places in parts, to be held one by one."""
        parts = cut_safely(self._between(start, stop))
        return followed(parts, len, f"going through {self.source}", stop - start, "characters")

    def beginning(self, start: int, stop: int) -> str:
        """The beginning of the text between two places."""
        return "".join(self._between(start, min(stop, start + HELD)))

    @property
    def fingerprint(self) -> str:
        """A hash that tells whether the text is still the same: that of the same text in memory."""
        return self.digest

    def _between(self, start: int, stop: int) -> Iterator[str]:
        """The text between two places in parts that may end anywhere."""
        characters, places = self.places
        while start < stop:
            first = int(np.searchsorted(characters, start, "right")) - 1
            end = min(stop, start + PIECE)
            last = int(np.searchsorted(characters, end))
            text = self.content[places[first] : places[last]].decode()
            yield text[start - int(characters[first]) : end - int(characters[first])]
            start = end


def open_corpus(source: object, section: CorpusSection) -> AnyCorpus:
    """Reads all texts of a source into one; what is large goes through a store on disk.

    Args:
        source: As for :func:`~foretell.data.documents.read_corpus`.
        section: How it is read.

    Raises:
        DataError: There is nothing there, or it is no text.
        ConfigurationError: It cannot go through a store, and shall.
        StorageError: The cache has no room.
        UnsafeFileError: A file is damaged.
    """
    files = files_of(source) if section.store != "no" else None
    if files is None and section.store == "yes":
        shown = "standard input" if str(source) == "-" else source if isinstance(source, str | Path) else "no path"
        raise ConfigurationError(
            f"--store yes goes with files and folders, of text or of tables; found {shown}: write it into a file, "
            "unpack an archive, or say --store no",
            option="store",
        )
    if files and all(file.is_file() for file in files):
        large = sum(file.stat().st_size for file in files) > LARGE
        if large or section.store == "yes":
            return _stored(source, files, section)
    return read_corpus(source, section)


def cut_safely(pieces: Iterable[str]) -> Iterator[str]:
    """A text in pieces anew, so that each ends where neither its words nor its small letters depend on what follows.

    That is behind the last end of a line in a piece, else before a space that follows no space; what has neither is
    held until one comes.

    >>> list(cut_safely(["one two", "three", " four\\nfi", "ve"]))
    ['one', ' twothree four\\n', 'five']
    """
    held: list[str] = []
    for piece in pieces:
        place = piece.rfind("\n") + 1 or _last_space(piece)
        if place:
            yield "".join([*held, piece[:place]])
            held = [piece[place:]]
        else:
            held.append(piece)
    if rest := "".join(held):
        yield rest


def _last_space(text: str) -> int:
    """The place of the last space that follows no space; 0 where there is none."""
    place = text.rfind(" ")
    while place > 0 and text[place - 1].isspace():
        place = text.rfind(" ", 0, place)
    return max(place, 0)


def _stored(source: object, files: list[Path], section: CorpusSection) -> StoredCorpus:
    """The store of a corpus, made where the cache has none."""
    named = source if isinstance(source, tuple | list) else [source]
    texts = TextSource(source, section)
    about = {
        "kind": "text",
        "source": ", ".join(str(Path(str(path)).resolve()) for path in named),
        "read": {name: getattr(section, name) for name in _READING},
        "content": digest_of(texts.name, ((file.name, file) for file in files)),
    }

    def write(folder: Path) -> dict[str, Any]:
        pieces = followed(texts.pieces(), len, f"reading {texts.name}", None, "characters")
        told = _write(folder, pieces, lowercase=section.lowercase)
        return {**told, "documents": texts.documents, "notes": texts.notes}

    key, cache = key_of(about["read"], about["content"]), section.cache_dir
    return open_or_make(key, cache, about, write, lambda kept: _open(kept, texts.name, about, cache))


def _write(folder: Path, pieces: Iterable[str], *, lowercase: bool) -> dict[str, Any]:
    """Writes a text and the places whose bytes are known; what the store's document says of it."""
    digest, characters, places = hashlib.sha256(), [0], [0]
    with (folder / _TEXT).open("wb") as stream:
        for piece in cut_safely(map(whole, pieces)):
            text = piece.lower() if lowercase else piece
            for start in range(0, len(text), BLOCK):
                block = text[start : start + BLOCK]
                content = block.encode()
                stream.write(content)
                digest.update(content)
                characters.append(characters[-1] + len(block))
                places.append(places[-1] + len(content))
    (folder / _PLACES).write_bytes(np.array([characters, places], np.int64).tobytes())
    return {"characters": characters[-1], "fingerprint": digest.hexdigest()}


def _open(kept: Kept, name: str, about: dict[str, Any], cache: Path | None) -> StoredCorpus:
    """The corpus that a store holds.

    Raises:
        UnsafeFileError: It contradicts itself.
    """
    document, folder = kept.document, kept.folder
    try:
        with (folder / _TEXT).open("rb") as stream:
            content = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
        places = np.fromfile(folder / _PLACES, np.int64).reshape(2, -1)
        if places[:, -1].tolist() != [int(document["characters"]), len(content)]:
            raise ValueError("its text ends elsewhere than it says")
        notes = (
            *map(str, document["notes"]),
            f"read from a store on disk, {folder.name[:12]} (see foretell cache list)",
        )
        documents, digest = int(document["documents"]), str(document["fingerprint"])
        return StoredCorpus(name, documents, notes, digest, content, places, about, cache)
    except (KeyError, TypeError, ValueError, IndexError, OSError) as error:
        raise damaged(folder, error) from None
