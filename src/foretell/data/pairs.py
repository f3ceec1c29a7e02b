"""Pairs of sequences, from whatever a user has: two parallel files, a folder of them, a table, a list.

Of two files the first holds sources and the second targets, line by line. In a folder (or archive) files are called
after a span and end in a language: ``train.en``, ``val.de.gz``. A file of lines with a tab has the source before it and
the target after; JSON lines, CSV and Parquet have a column of each.
"""

import hashlib
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
from jaxtyping import Int64

from ..config import PairSection, entries
from ..errors import ConfigurationError, DataError, ForetellError, counted, nearest
from .builtin import dates
from .encodings import known_encoding
from .labelled import SPAN_WORDS
from .members import is_archive
from .parallel import TABBED, Pair, Reading, language_of, lines_in, lines_of, of_files, of_folder
from .rows import Rows, rows_in, rows_of, unfolded
from .storage import TextFile
from .unpacking import unpacked
from .vocabulary import whole

SOURCE_NAMES = ("source", "src", "input", "sources", "from", "en", "english", "text")
TARGET_NAMES = ("target", "tgt", "trg", "output", "targets", "to", "de", "german", "translation")
SPANS = ("train", "validation", "test")
_SHOWN = 6  # names, places
_PEEKED = 1 << 16  # bytes of standard input


@dataclass(frozen=True)
class Pairs:
    """All pairs of some data.

    Attributes:
        sources: The sources.
        targets: The targets, in the same order.
        named: The number of the span that the data name for each; -1 for none.
        source: Where they came from, in words.
        languages: Of sources and of targets, where names tell them.
        empty: Pairs that were dropped, as a side of them was empty.
        notes: What the user should know of them.
        numbers: Of each among those of its span, empty ones counted.
        first_empty: Where the first of the dropped ones stood.

    >>> pairs = read_pairs([("good morning", "guten Morgen"), ("", "nichts")], PairSection())
    >>> len(pairs), pairs.targets[0], pairs.empty
    (1, 'guten Morgen', 1)
    """

    sources: TextFile
    targets: TextFile
    named: Int64[np.ndarray, " pair"]
    source: str
    languages: tuple[str, str]
    empty: int
    fingerprint: str
    notes: tuple[str, ...] = ()
    numbers: Int64[np.ndarray, " pair"] | None = None
    first_empty: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.sources)

    def place(self, number: int) -> str:
        """Where a pair stands, in words: its number among those of its span as they came, empty ones counted."""
        own = number if self.numbers is None else int(self.numbers[number])
        return _numbered(own + 1, int(self.named[number]))


def _numbered(number: int, span: int) -> str:
    return f"pair {number:,}{f' of {SPANS[span]}' if span >= 0 else ''}"


def read_pairs(source: object, section: PairSection) -> Pairs:
    """Reads all pairs of a source.

    Args:
        source: Two paths, a folder, a path of a table, ``-``, a data frame, or a list of pairs.
        section: How they are read, and where those of validation and test are.

    Raises:
        DataError: There is nothing there, files have not as many lines, or no column is found.
        UnsafeFileError: A file is damaged.
    """
    known_encoding(section.encoding)
    readings = [(reading_of(source, section), "")]
    for span, files in (("validation", section.validation_data), ("test", section.test_data)):
        if files:
            paths = tuple(map(Path, entries(files)))
            readings.append((reading_of(paths if len(paths) > 1 else paths[0], section), span))
    spans: list[int] = []
    numbers: list[int] = []
    read = Counter[int]()
    own_spans: set[int] = set()  # that DATA themselves name
    empty = 0
    first_empty: list[str] = []
    digest = hashlib.sha256()

    def kept() -> Iterator[Pair]:
        nonlocal empty
        for reading, span in readings:
            for pair in reading.pairs:
                own = Pair(_tidy(pair.source), _tidy(pair.target), span or pair.span)
                named = SPANS.index(own.span) if own.span else -1
                read[named] += 1
                if not own.source or not own.target:
                    empty += 1
                    if len(first_empty) < _SHOWN:
                        first_empty.append(_numbered(read[named], named))
                    continue
                digest.update("\0".join(own).encode("utf-8", "surrogatepass") + b"\1")
                spans.append(named)
                numbers.append(read[named] - 1)
                if pair.span:
                    own_spans.add(SPANS.index(pair.span))
                yield own

    targets: list[str] = []

    def sources() -> Iterator[str]:
        for pair in kept():
            targets.append(pair.target)
            yield pair.source

    stored = TextFile.of(sources())
    first = readings[0][0]
    if not len(stored):
        told = f"; {empty:,} have an empty side" if empty else ""
        raise DataError(f"no pair of a source and a target stands in {first.name}{told}", file=first.name)
    for span, files in (("validation", section.validation_data), ("test", section.test_data)):
        if files and SPANS.index(span) in own_spans:
            raise ConfigurationError(
                f"{first.name} names pairs of {span} itself; leave --{span}-data away", option=f"{span}_data"
            )
    notes = tuple(note for reading, _ in readings for note in reading.notes)
    return Pairs(
        stored,
        TextFile.of(targets),
        np.array(spans, np.int64),
        first.name,
        first.languages,
        empty,
        digest.hexdigest(),
        notes,
        np.array(numbers, np.int64),
        tuple(first_empty),
    )


def reading_of(source: object, section: PairSection) -> Reading:
    """Pairs from a source, as they come.

    Args:
        source: As :func:`read_pairs` takes it.
        section: How they are read.

    Raises:
        DataError: There is no such thing.
    """
    if isinstance(source, Sequence) and not isinstance(source, str):
        own: Sequence[Any] = source
        if own and all(isinstance(entry, Path) for entry in own):
            if len(own) != 2:
                raise DataError(
                    f"pairs come from two files, of sources and of targets, or from one table; found {len(own)} files"
                )
            return of_files(own[0], own[1], section)
        return Reading("the list", _of_list(own))
    if isinstance(source, str | Path) and str(source) != "-":
        path = Path(source)
        if str(source) == dates.NAME and not path.exists():
            return Reading(dates.NAME, (Pair(*own) for own in dates.dates()))
        if path.is_dir() or is_archive(path):
            return of_folder(path, section)
        if path.name.lower().removesuffix(".gz").endswith(TABBED):
            return _of_tabbed(path.name, lines_of(path, section.encoding), section)
        if language_of(path.name) and path.is_file():
            raise DataError(
                f"{path.name} holds one side of pairs: of two parallel files name both, sources first", file=path.name
            )
    if str(source) == "-":
        stream = unpacked(cast(Any, sys.stdin.buffer))
        first = stream.peek(_PEEKED).partition(b"\n")[0]
        if b"\t" in first and not first.lstrip().startswith((b"{", b"[", b"PAR1")):
            return _of_tabbed("standard input", lines_in("standard input", stream, section.encoding), section)
        return _of_rows(rows_in("standard input", stream, section.encoding), section)
    return _of_rows(rows_of(source, section.encoding), section)


def _tidy(text: str) -> str:
    """A text without blanks around it, each stretch of blanks inside as one."""
    return " ".join(whole(text).split())


def _of_list(entries: Sequence[Any]) -> Iterator[Pair]:
    for place, entry in enumerate(entries):
        if isinstance(entry, str) or not isinstance(entry, Sequence) or len(entry) != 2:
            raise DataError(f"entry {place} of the list is no pair: a pair is a source and a target, both texts")
        if not all(isinstance(side, str) for side in entry):
            kinds = " and ".join(type(side).__name__ for side in entry)
            raise DataError(f"entry {place} of the list is no pair of texts; found {kinds}")
        yield Pair(*entry)


def _of_tabbed(name: str, lines: Iterator[str], section: PairSection) -> Reading:
    """Lines with a tab between source and target; quotes are as they stand."""
    first = next((line for line in lines if line.strip()), None)
    if first is None:
        raise DataError(f"{name} is empty; a line is a source, a tab and a target", file=name)
    cells = [cell.strip() for cell in first.split("\t")]
    if len(cells) < 2:
        raise DataError(
            f"{name}, line 1: a line is a source, a tab and a target; found no tab; of two parallel files name both",
            file=name,
            line=1,
        )
    usual = {*SOURCE_NAMES, *TARGET_NAMES}
    heads = {section.source, section.target} & {*cells}
    is_header = bool(heads) or sum(cell.lower() in usual for cell in cells) >= 2
    if not is_header and (section.source or section.target or section.span_column):
        named = next(name for name in (section.source, section.target, section.span_column) if name)
        raise DataError(
            f'{name} has no column "{named}"; {nearest(named, cells)}; its first line is {", ".join(cells[:4])}',
            file=name,
            column=named,
        )
    reading = Reading(name, iter(()))
    header = cells if is_header else ["source", "target", *(f"column {n}" for n in range(3, len(cells) + 1))]
    if not is_header:
        reading.notes.append(f"{name} has no header: sources stand before the first tab, targets after it")

    def rows() -> Iterator[tuple[int, Sequence[str]]]:
        if not is_header:
            yield 1, first.split("\t")
        for number, line in enumerate(lines, start=2):
            if not line.strip():
                yield number, ["", ""]
                continue
            own = line.split("\t")
            if len(own) < 2 or (is_header and len(own) != len(header)):
                wanted = f"as many fields as the header, {len(header)}" if is_header else "a tab after its source"
                raise DataError(
                    f"{name}, line {number}: a line has {wanted}; found {counted(len(own), 'field')}",
                    file=name,
                    line=number,
                )
            yield number, own

    places = _columns(Rows(name, header, iter(())), section)
    reading.pairs = _cells(name, rows(), places)
    reading.languages = _named_languages([header[place] for place in places[:2]])
    return reading


def _of_rows(rows: Rows, section: PairSection) -> Reading:
    try:
        rows = unfolded(rows)
        places = _columns(rows, section)
    except ForetellError:
        if rows.stream is not None:
            rows.stream.close()
        raise

    def cells() -> Iterator[tuple[int, Sequence[Any]]]:
        with rows:
            for row in rows.rows:
                yield row.number, row.cells

    names = [rows.columns[place] for place in places[:2]]
    notes = []
    if not {name.lower() for name in names} & {*SOURCE_NAMES, *TARGET_NAMES} and section.source is None:
        notes.append(f'the columns of {rows.name} are called "{names[0]}" and "{names[1]}": a file has a header')
    return Reading(rows.name, _cells(rows.name, cells(), places), _named_languages(names), notes)


def _named_languages(columns: Sequence[str]) -> tuple[str, str]:
    """The languages that columns are called after."""
    own = [name.lower() if len(name) == 2 and name.isalpha() else "" for name in columns]
    return own[0], own[1]


def _columns(rows: Rows, section: PairSection) -> tuple[int, ...]:
    """Where sources, targets and perhaps spans stand."""
    columns = rows.columns
    span = [] if section.span_column is None else [_place(rows, section.span_column, "--span-column")]
    free = [name for place, name in enumerate(columns) if place not in span]
    lower = {name.lower(): name for name in free}
    source, target = section.source, section.target
    if source is None and target is None:
        source = next((lower[name] for name in SOURCE_NAMES if name in lower), None)
        target = next((lower[name] for name in TARGET_NAMES if name in lower), None)
    if len(free) == 2 and (source is None or target is None):
        known = source or target
        others = [name for name in free if name != known]
        source, target = (source or others[0], target or others[-1])
    for name, flag in ((section.source, "--source"), (section.target, "--target")):
        if name is not None:
            _place(rows, name, flag)
    if source is None or target is None:
        missing, flag = ("sources", "--source") if source is None else ("targets", "--target")
        raise DataError(
            f"{rows.name} has no column that is called like {missing}; name it with {flag}; there are "
            f"{', '.join(columns[:_SHOWN])}",
            file=rows.name,
        )
    if source == target:
        raise DataError(f'--source and --target are both "{source}"; sources and targets stand in two columns')
    return _place(rows, source, "--source"), _place(rows, target, "--target"), *span


def _place(rows: Rows, name: str, option: str) -> int:
    if name not in rows.columns:
        raise DataError(
            f'{rows.name} has no column "{name}"; {nearest(name, rows.columns)}; {option} names another',
            file=rows.name,
            column=name,
        )
    return rows.columns.index(name)


def _cells(name: str, rows: Iterable[tuple[int, Sequence[Any]]], places: tuple[int, ...]) -> Iterator[Pair]:
    for number, cells in rows:
        own = [cells[place] if place < len(cells) else None for place in places]
        for side in own[:2]:
            if isinstance(side, bool) or not isinstance(side, str | int | float | None):
                raise DataError(
                    f"{name}, row {number}: sources and targets are texts; found {type(side).__name__}",
                    file=name,
                    row=number,
                )
        span = ""
        if len(own) > 2:
            word = str(own[2] or "").strip().lower()
            if word not in SPAN_WORDS:
                raise DataError(
                    f'{name}, row {number}: a span is train, validation or test; found "{word}"', file=name, row=number
                )
            span = SPAN_WORDS[word]
        # What is no number is missing, as in tables of numbers.
        first, second = ("" if side is None or side != side else str(side) for side in own[:2])
        yield Pair(first, second, span)
