"""A corpus cut into tokens, span by span: in memory as the corpus is, or in a store as that is.

What is stored is made once, by a key of the text, of its spans and of what it is cut into, and mapped from then on.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int64, Integer

from ..config import TokenizerSection
from ..errors import UnsafeFileError
from .cache import Kept, damaged, kept_as, key_of, open_or_make
from .corpora import SPANS
from .documents import AnyCorpus, cut_text, repeated_lines
from .stored_corpus import StoredCorpus
from .tokenizer import Tokenizer

LEARNED = 200_000_000  # characters of a stored training text in which words and pieces of byte pairs are counted
_AT_ONCE = 1 << 22  # tokens that are counted together
_TOKENIZER, _COUNTS = "tokenizer.json", "counts.i64"
Borders = tuple[int, int, int]
AnyTokens = Integer[np.ndarray, " _token"]  # in memory of 32 bits, in a store of as many as they need


@dataclass(frozen=True)
class TokenSpans:
    """The tokens of a corpus.

    Attributes:
        borders: The first character of validation, the first of test, and the first after that.
        tokenizer: What it is cut into, learned on training.
        tokens: Those of each span.
        counts: How often each token occurs in each span.
        notes: What the user should know of them, a sentence each.
    """

    borders: Borders
    tokenizer: Tokenizer
    tokens: Mapping[str, AnyTokens]
    counts: Mapping[str, Int64[np.ndarray, " token"]]
    notes: tuple[str, ...]


def cut_into_tokens(
    corpus: AnyCorpus, spans: Sequence[str], section: TokenizerSection, tokenizer: Tokenizer | None = None
) -> TokenSpans:
    """Cuts a corpus into spans, learns tokens on the first of them, and cuts every span into these.

    Args:
        corpus: The text.
        spans: As :func:`~foretell.data.documents.cut` takes them.
        section: What it is cut into.
        tokenizer: What was learned before, where it is not to be learned here.

    Raises:
        DataError: A span is too short, or training has nothing to learn from.
        StorageError: The cache has no room.
        UnsafeFileError: A store contradicts itself.
    """
    borders = cut_text(corpus, spans)
    if isinstance(corpus, StoredCorpus):
        return _stored(corpus, spans, borders, section, tokenizer)
    texts = {span: corpus.beginning(*ends) for span, ends in _ends(borders)}
    learned = tokenizer or Tokenizer.learn(texts["train"], section)
    tokens = {span: learned.encode(text) for span, text in texts.items()}
    counts = {span: counts_of([own], len(learned)) for span, own in tokens.items()}
    return TokenSpans(borders, learned, tokens, counts, tuple(repeated_lines([texts["train"]], texts["test"])))


def counts_of(parts: Iterable[AnyTokens], known: int) -> Int64[np.ndarray, " token"]:
    """How often each token occurs.

    Args:
        parts: Of a text in tokens.
        known: How many tokens there are.
    """
    counts = np.zeros(known, np.int64)
    for part in parts:
        for start in range(0, len(part), _AT_ONCE):
            counts += np.bincount(part[start : start + _AT_ONCE], minlength=known)
    return counts


def _ends(borders: Borders) -> Iterator[tuple[str, tuple[int, int]]]:
    """Each span, its first character and the one after its last."""
    yield from zip(SPANS, pairwise((0, *borders)), strict=True)


def _stored(
    corpus: StoredCorpus, spans: Sequence[str], borders: Borders, section: TokenizerSection, tokenizer: Tokenizer | None
) -> TokenSpans:
    """The store of a corpus's tokens, made where the cache has none."""
    cut = {**corpus.about["read"], "spans": list(spans)}
    learned = {**cut, "tokens": section.tokens, "vocabulary": section.vocabulary}
    given = {**cut, "tokens": None if tokenizer is None else key_of(tokenizer.document())}
    # A model's tokens are most often those that were learned from this very text.
    for read in (learned, given):
        kept = kept_as(key_of(read, borders, corpus.fingerprint), corpus.cache)
        found = None if kept is None else _sound(kept, borders)
        if found is not None and tokenizer in (None, found.tokenizer):
            return found
    read = learned if tokenizer is None else given
    about = {**corpus.about, "kind": "tokens", "read": read, "content": corpus.fingerprint}
    write = partial(_write, corpus=corpus, borders=borders, section=section, tokenizer=tokenizer)
    key = key_of(read, borders, corpus.fingerprint)
    return open_or_make(key, corpus.cache, about, write, partial(_open, borders=borders))


def _sound(kept: Kept, borders: Borders) -> TokenSpans | None:
    """The tokens that a store holds; None where it contradicts itself."""
    try:
        return _open(kept, borders)
    except UnsafeFileError:
        return None


def _write(
    folder: Path, corpus: StoredCorpus, borders: Borders, section: TokenizerSection, tokenizer: Tokenizer | None
) -> dict[str, Any]:
    """Writes the tokens of each span, and what they are; what the store's document says of them."""
    notes: list[str] = []
    if tokenizer is None:
        first = min(borders[0], LEARNED)
        tokenizer = Tokenizer.learn_in_parts(corpus.parts(0, borders[0]), corpus.parts(0, first), section)
        if first < borders[0] and section.tokens in ("words", "bpe"):
            kind = "words" if section.tokens == "words" else "pieces of byte pairs"
            notes.append(f"{kind} were learned on the first {first:,} characters of training")
    known, spans = len(tokenizer), dict(_ends(borders))
    kind = _kind(known)
    counts = np.zeros((len(spans), known), np.int64)
    for own, (span, ends) in zip(counts, spans.items(), strict=True):
        with (folder / _name(span, kind)).open("wb") as stream:
            for part in corpus.parts(*ends):
                tokens = tokenizer.encode(part)
                stream.write(tokens.astype(kind).data)
                own += counts_of([tokens], known)
    (folder / _COUNTS).write_bytes(counts.tobytes())
    (folder / _TOKENIZER).write_text(json.dumps(tokenizer.document()), "utf-8")
    notes += repeated_lines(corpus.parts(*spans["train"]), corpus.beginning(*spans["test"]))
    return {"lengths": counts.sum(axis=1).tolist(), "notes": notes}


def _open(kept: Kept, borders: Borders) -> TokenSpans:
    """The tokens that a store holds.

    Raises:
        UnsafeFileError: It contradicts itself.
    """
    document, folder = kept.document, kept.folder
    try:
        tokenizer = Tokenizer.restore(json.loads((folder / _TOKENIZER).read_text("utf-8")))
        kind = _kind(len(tokenizer))
        counts = np.fromfile(folder / _COUNTS, np.int64).reshape(len(SPANS), len(tokenizer))
        if counts.sum(axis=1).tolist() != document["lengths"]:
            raise ValueError("its tokens are not as many as it says")
        tokens = {
            span: np.asarray(np.memmap(folder / _name(span, kind), kind, "c", shape=(length,)))
            for span, length in zip(SPANS, document["lengths"], strict=True)
        }
        notes = tuple(map(str, document["notes"]))
        return TokenSpans(borders, tokenizer, tokens, dict(zip(SPANS, counts, strict=True)), notes)
    except (KeyError, TypeError, ValueError, OSError, RecursionError) as error:
        raise damaged(folder, error) from None


def _kind(known: int) -> Any:
    """The kind of number that has room for so many tokens."""
    return np.uint16 if known <= 1 << 16 else np.int32


def _name(span: str, kind: Any) -> str:
    return f"{span}.{'u16' if kind is np.uint16 else 'i32'}"
