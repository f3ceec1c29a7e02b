"""The health of a corpus as one document: what there is, and whether training could start."""

import sys
from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np

from ..config import CorpusSection, TokenizerSection
from ..errors import InputError, counted
from .documents import AnyCorpus, cut_text, repeated_lines
from .faults.letters import tell_misread
from .stored_corpus import open_corpus
from .tokenizer import Tokenizer

_SHOWN = 12  # characters
_USUAL = "\t\n\r\f"
_AT_ONCE = 1 << 20  # characters that are counted together


def health_of_corpus(source: object, section: CorpusSection) -> dict[str, Any]:
    """Everything worth knowing about a corpus before training on it.

    Args:
        source: As :func:`~foretell.data.documents.read_corpus` takes it.
        section: How it is read.

    Returns:
        Characters, lines, spans, findings, and ``healthy``: whether training can start.
    """
    try:
        corpus = open_corpus(source, section)
    except InputError as error:
        name = ", ".join(map(str, source)) if isinstance(source, tuple) else str(source)
        return {"source": name, "characters": None, "findings": [_problem(error)], "healthy": False}
    findings = [_note(note) for note in corpus.notes]
    counts = _counted(corpus, 0, corpus.characters)
    once = sorted(letter for letter, count in counts.items() if count == 1)
    if once:
        shown = " ".join(map(repr, once[:_SHOWN])) + (" ..." if len(once) > _SHOWN else "")
        findings.append(_note(f"{counted(len(once), 'character')} occur once: {shown}"))
    findings += [{"severity": "warning", "message": told} for told in tell_misread(_lines(corpus), "lines")]
    if odd := sorted(letter for letter in counts if ord(letter) < 32 and letter not in _USUAL):
        place = next(place for line, place in _lines(corpus) if not set(odd).isdisjoint(line))
        told = f"control characters stand among the letters ({', '.join(map(repr, odd))}), first in {place}"
        findings.append({"severity": "warning", "message": f"{told}: is all of it text?"})
    spans: dict[str, int] = {}
    try:
        first, second, end = cut_text(corpus, section.spans)
        # Which says where there is nothing to learn.
        Tokenizer.learn_in_parts(corpus.parts(0, first), (), TokenizerSection())
        spans = {"train": first, "validation": second - first, "test": end - second}
        unknown = _counted(corpus, first, end).keys() - _counted(corpus, 0, first).keys()
        if unknown:
            shown = " ".join(map(repr, sorted(unknown)[:_SHOWN]))
            findings.append(_note(f"validation and test hold characters that training does not: {shown}"))
        repeated = repeated_lines(corpus.parts(0, first), corpus.beginning(second, end))
        findings += [{"severity": "warning", "message": sentence} for sentence in repeated]
    except InputError as error:
        findings.append(_problem(error))
    last = corpus.beginning(corpus.characters - 1, corpus.characters)
    return {
        "source": corpus.source,
        "characters": corpus.characters,
        "different": len(counts),
        "lines": counts["\n"] + (last != "\n"),
        "documents": corpus.documents,
        "spans": spans,
        "findings": findings,
        "healthy": bool(spans),
    }


def _lines(corpus: AnyCorpus) -> Iterator[tuple[str, str]]:
    """Each line of a corpus, and where it stands; a line that ends in the next part is two."""
    number = 1
    for part in corpus.parts(0, corpus.characters):
        for line in part.split("\n"):
            yield line, f"line {number:,}"
            number += 1
        number -= 1


def _counted(corpus: AnyCorpus, start: int, stop: int) -> Counter[str]:
    """How often each character occurs between two places."""
    counts = np.zeros(sys.maxunicode + 1, np.int64)
    for part in corpus.parts(start, stop):
        for place in range(0, len(part), _AT_ONCE):
            points = np.frombuffer(part[place : place + _AT_ONCE].encode("utf-32-le"), np.uint32)
            found = np.bincount(points)
            counts[: len(found)] += found
    return Counter({chr(point): int(counts[point]) for point in np.flatnonzero(counts).tolist()})


def _note(message: str) -> dict[str, Any]:
    return {"severity": "note", "message": message}


def _problem(error: InputError) -> dict[str, Any]:
    return {"severity": "error", "message": error.message, **error.details}
