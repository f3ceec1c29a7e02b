"""Pairs of files whose lines belong together, and folders of them: ``train.en`` beside ``train.de``."""

import io
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple, cast

from ..config import PairSection
from ..errors import DataError, nearest
from .encodings import decoded_lines
from .labelled import SPAN_WORDS
from .members import members
from .rows import opened
from .unpacking import unpacked

TABBED = (".tsv", ".tab", ".txt")
_LANGUAGE = re.compile(r"[a-z]{2,3}(?:[-_][a-z]{2,4})?", re.IGNORECASE)


class Pair(NamedTuple):
    """A source, its target, and the span that their data name (or nothing)."""

    source: str
    target: str
    span: str = ""


@dataclass
class Reading:
    """Pairs as they come, and what was seen on the way.

    Attributes:
        name: What to call the data in messages.
        pairs: The pairs, to be gone through once.
        languages: Of sources and of targets, where names tell them.
        notes: What was noticed, a sentence each; complete once all pairs are read.
    """

    name: str
    pairs: Iterator[Pair]
    languages: tuple[str, str] = ("", "")
    notes: list[str] = field(default_factory=list)


def language_of(name: str) -> str:
    """The language that ends a file's name; nothing where none does.

    >>> language_of("train.en.gz"), language_of("words.txt"), language_of("corpus")
    ('en', '', '')
    """
    stem, dot, ending = PurePosixPath(name).name.removesuffix(".gz").rpartition(".")
    known = dot and stem and _LANGUAGE.fullmatch(ending) and f".{ending}" not in (*TABBED, ".csv", ".src", ".tgt")
    return ending if known else ""


def lines_in(name: str, stream: Any, encoding: str) -> Iterator[str]:
    """The lines of a file, plain or gzipped, without their ends."""
    for line in decoded_lines(name, unpacked(stream), encoding):
        yield line.removesuffix("\n").removesuffix("\r")


def lines_of(path: Path, encoding: str) -> Iterator[str]:
    """The lines of a file that a user names, without their ends.

    Raises:
        DataError: There is no such file, or it cannot be read.
    """
    with opened(path) as stream:
        yield from lines_in(path.name, stream, encoding)


def of_files(first: Path, second: Path, section: PairSection) -> Reading:
    """The lines of two files side by side; the first holds the sources."""
    sources, targets = (lines_of(path, section.encoding) for path in (first, second))
    pairs = parallel((first.name, second.name), sources, targets)
    return Reading(f"{first.name} and {second.name}", pairs, (language_of(first.name), language_of(second.name)))


def parallel(names: tuple[str, str], sources: Iterable[str], targets: Iterable[str], span: str = "") -> Iterator[Pair]:
    """The lines of two files side by side.

    Args:
        names: Of the files.
        sources: The lines of one.
        targets: The lines of the other.
        span: The span that all are of.

    Raises:
        DataError: One has more lines than the other.
    """
    ends = object()
    both = zip_longest(sources, targets, fillvalue=cast(str, ends))
    for number, (source, target) in enumerate(both, start=1):
        if source is ends or target is ends:
            more = 0 if target is ends else 1
            rest = [source, target][more], *(pair[more] for pair in both)
            longer, shorter = names[more], names[1 - more]
            if not any(text.strip() for text in rest):
                return  # empty lines at the end of one
            raise DataError(
                f"two parallel files have as many lines as each other; {shorter} ends after {number - 1:,} lines, "
                f"{longer} has {number - 1 + len(rest):,}: line {number:,} of {longer} has no partner",
                file=longer,
                line=number,
            )
        yield Pair(source, target, span)


def of_folder(path: Path, section: PairSection) -> Reading:
    """The files of a folder or an archive, by span and language."""
    spans: dict[str, dict[str, str]] = {}
    contents: dict[str, bytes] = {}
    for member in members(path, ("",)):
        name = str(member.path)
        language = language_of(name)
        word = re.split(r"[^a-z]", member.path.name.lower())[0]
        if language and word in SPAN_WORDS:
            stem = member.path.name.removesuffix(".gz").rpartition(".")[0]
            spans.setdefault(f"{SPAN_WORDS[word]} {stem}", {})[language] = name
            contents[name] = member.read()
    languages = sorted({language for own in spans.values() for language in own})
    source, target = _direction(path, languages, section)
    found: dict[str, tuple[str, str]] = {}
    for key, own in sorted(spans.items()):
        span, stem = key.split(" ", 1)
        if {source, target} <= own.keys():
            if span in found:
                told = f"{stem}.{source} and {found[span][0]}"
                raise DataError(f"{path} holds several files of {span}, such as {told}; name files one by one")
            found[span] = (own[source], own[target])
    if "train" not in found:
        raise DataError(
            f"{path} holds no files of training in {source} and {target}, such as train.{source} and train.{target}",
            file=str(path),
        )

    def pairs() -> Iterator[Pair]:
        for span, names in found.items():
            one, other = (lines_in(name, io.BytesIO(contents[name]), section.encoding) for name in names)
            yield from parallel(names, one, other, span)

    told = ", ".join(f"{span} from {names[0]} and {names[1]}" for span, names in found.items())
    return Reading(path.name, pairs(), (source, target), [f"{path.name}: {told}"])


def _direction(path: Path, languages: list[str], section: PairSection) -> tuple[str, str]:
    if len(languages) < 2:
        raise DataError(
            f"{path} holds no parallel files: they are called after a span and end in a language, such as train.en and "
            "train.de, val.en.gz and val.de.gz",
            file=str(path),
        )
    named = [section.source, section.target]
    for language, flag in zip(named, ("--source", "--target"), strict=True):
        if language is not None and language not in languages:
            told = nearest(language, languages)
            raise DataError(f'{path} holds no files that end in ".{language}"; {told}; {flag} names another')
    if None in named and len(languages) == 2:
        named = [own or next(one for one in languages if one not in named) for own in named] if any(named) else named
    if None in named:
        raise DataError(
            f"{path} holds files in {', '.join(languages)}: say from which to which, such as --source {languages[0]} "
            f"--target {languages[1]}",
            file=str(path),
        )
    if named[0] == named[1]:
        raise DataError(f"--source and --target are both {named[0]}; sources and targets differ")
    return cast("tuple[str, str]", tuple(named))
