"""Texts with labels, one by one, from whatever a user has: a folder or archive of folders, a table, a data frame.

In a folder each label is a folder of .txt files, inside ``train`` and ``test`` where there are such; a table has a
column of texts and one of labels, and may say in another column which span a text belongs to.
"""

import io
import math
import re
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from ..config import TextSection
from ..errors import DataError, counted, nearest
from .encodings import decoded, known_encoding
from .members import is_archive, members
from .rows import TABLES, Rows, rows_in, rows_of
from .storage import TextFile

TEXT = (".txt",)
TEXT_NAMES = ("text", "texts", "review", "sentence", "content", "comment", "comment_text", "body", "message", "tweet")
LABEL_NAMES = ("label", "labels", "class", "category", "sentiment", "target", "tag", "tags", "topic", "rating")
SPAN_WORDS = {
    "train": "train",
    "training": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "dev": "validation",
    "test": "test",
    "testing": "test",
}
_UNLABELLED = ("unsup", "unlabeled", "unlabelled")


class LabelledText(NamedTuple):
    """A text with its labels, the span that its data name (or nothing), and where it stands."""

    text: str
    labels: tuple[str, ...]
    span: str
    place: str


@dataclass
class Reading:
    """Texts as they come, and what was seen on the way.

    Attributes:
        name: What to call the data in messages.
        texts: The texts, to be gone through once.
        notes: What was noticed, a sentence each; complete once all texts are read.
        ordered: Whether the order of the texts says something, as that of a file's rows does.
        column: The column that texts are read from, where they stand in a table.
        labels: Those that there are in any case: several columns.
    """

    name: str
    texts: Generator[LabelledText, None, None]
    notes: list[str] = field(default_factory=list)
    ordered: bool = True
    column: str | None = None
    labels: tuple[str, ...] = ()


def read_labelled(source: object, section: TextSection) -> Reading:
    """Texts with labels from any source.

    Args:
        source: A folder, an archive, a table's path, ``-``, or a data frame.
        section: Where texts and labels stand.

    Raises:
        DataError: There is nothing there, or it holds no labelled texts.
    """
    known_encoding(section.encoding)
    if isinstance(source, str | Path) and source != "-":
        path = Path(source)
        if path.is_dir() or is_archive(path):
            return _from_files(path, section)
    rows = rows_of(source, section.encoding)
    try:
        return _from_table(rows, section)
    except BaseException:
        rows.__exit__()
        raise


def _none() -> Generator[LabelledText, None, None]:
    yield from ()


def _from_files(path: Path, section: TextSection) -> Reading:
    reading = Reading(path.name or str(path), _none(), ordered=False)
    reading.texts = _labelled_files(path, section, reading)
    return reading


def _labelled_files(path: Path, section: TextSection, reading: Reading) -> Generator[LabelledText, None, None]:
    """The texts of a folder in the order of their paths; the rows of the tables in it where there are no texts."""
    paths: list[PurePosixPath] = []
    tables: list[tuple[PurePosixPath, Callable[[], Rows]]] = []

    def texts() -> Iterator[str]:
        for member in members(path, (*TEXT, *TABLES)):
            name = f"{reading.name}/{member.path}"
            if member.path.name.lower().endswith(TEXT):
                yield decoded(name, member.read(), section.encoding).removeprefix("\ufeff")
                paths.append(member.path)
            elif path.is_dir():
                tables.append((member.path, partial(rows_of, path / member.path, section.encoding)))
            else:
                stream = io.BytesIO(member.read())
                tables.append((member.path, partial(rows_in, name, stream, section.encoding)))

    stored = TextFile.of(texts())
    placed = laid_out(paths)
    if placed:
        yield from _placed(paths, stored, placed, section, reading)
    elif tables:
        reading.ordered = True
        yield from _tables(path, tables, section, reading)
    elif paths:
        raise DataError(
            f"{reading.name} holds {counted(len(paths), 'text')} in no folder of a label; each label is a folder of "
            ".txt files, such as pos/ and neg/, inside train/ and test/ where there are such",
            file=str(path),
        )
    else:
        raise DataError(
            f"{reading.name} holds neither .txt files in folders of labels nor a table ({', '.join(TABLES[:4])} ...)",
            file=str(path),
        )


def _placed(
    paths: list[PurePosixPath],
    stored: TextFile,
    placed: dict[PurePosixPath, tuple[str, str]],
    section: TextSection,
    reading: Reading,
) -> Generator[LabelledText, None, None]:
    left = [inner for inner in paths if inner not in placed]
    if left:
        reading.notes.append(
            f"left out, since in no folder of a label: {counted(len(left), 'file')}, such as {left[0]}"
        )
    unlabelled = dropped = 0
    for number in sorted(range(len(paths)), key=paths.__getitem__):
        span, label = placed.get(paths[number], ("", ""))
        if label.lower() in ("", *_UNLABELLED):
            unlabelled += bool(label)
            continue
        text, place = stored[number], f"{reading.name}/{paths[number]}"
        if text.strip():
            yield LabelledText(text, (label,), span, place)
        elif section.incomplete == "drop":
            dropped += 1
        else:
            raise DataError(
                f"{place} is empty; a text has at least one word; delete the file, or say --incomplete drop", file=place
            )
    if unlabelled:
        reading.notes.append(f"left out, since without a label: {counted(unlabelled, 'text')}")
    if dropped:
        reading.notes.append(f"left out, since empty: {counted(dropped, 'text')}")


def _tables(
    path: Path, tables: list[tuple[PurePosixPath, Callable[[], Rows]]], section: TextSection, reading: Reading
) -> Generator[LabelledText, None, None]:
    for inner, rows in sorted(tables, key=lambda pair: pair[0]):
        span = _span_of_name(inner.name)
        if len(tables) > 1 and not span:
            raise DataError(
                f"{reading.name} holds {len(tables)} tables; their names say which span they are for (train, "
                f"validation, test), or there is one; found {inner}",
                file=str(path),
            )
        with rows() as own:
            table = _from_table(own, section, span)
            yield from table.texts
        reading.notes += table.notes


def laid_out(paths: Sequence[PurePosixPath]) -> dict[PurePosixPath, tuple[str, str]]:
    """The span (or nothing) and the label of each file, by the folders that it lies in; others are left out.

    Args:
        paths: Of all files.

    >>> paths = ("r/train/pos/1.txt", "r/test/neg/2.txt", "r/train/urls.txt")
    >>> found = laid_out([PurePosixPath(path) for path in paths])
    >>> [found[path] for path in found]
    [('train', 'pos'), ('test', 'neg')]
    >>> list(laid_out([PurePosixPath("r/pos/1.txt"), PurePosixPath("r/neg/2.txt")]).values())
    [('', 'pos'), ('', 'neg')]
    """
    folders = {path: path.parts[:-1] for path in paths}
    placed: dict[PurePosixPath, tuple[str, str]] = {}
    for path, parts in folders.items():
        spans = [place for place, part in enumerate(parts) if part.lower() in SPAN_WORDS]
        if spans and len(parts) > spans[0] + 1:
            placed[path] = (SPAN_WORDS[parts[spans[0]].lower()], parts[spans[0] + 1])
    if placed:
        return placed
    inside = {path: parts for path, parts in folders.items() if len(parts) > 1 and parts[-1].lower() in SPAN_WORDS}
    if len({parts[-2] for parts in inside.values()}) > 1:  # a span inside each label
        return {path: (SPAN_WORDS[parts[-1].lower()], parts[-2]) for path, parts in inside.items()}
    common = 0
    while all(len(parts) > common for parts in folders.values()) and len({p[common] for p in folders.values()}) == 1:
        common += 1
    if any(len(parts) > common for parts in folders.values()):
        placed = {path: ("", parts[common]) for path, parts in folders.items() if len(parts) > common}
    else:
        placed = {path: ("", parts[-1]) for path, parts in folders.items() if parts}
    return placed if not {label.lower() for _, label in placed.values()} <= SPAN_WORDS.keys() else {}


def _span_of_name(name: str) -> str:
    return SPAN_WORDS.get(re.split(r"[^a-z]", name.lower())[0], "")


def _from_table(rows: Rows, section: TextSection, span: str = "") -> Reading:
    labels = label_columns(rows, section)
    text = column_of(rows, section.text, TEXT_NAMES, "texts", "--text", without=labels)
    reading = Reading(rows.name, _none(), column=text, labels=tuple(labels) if len(labels) > 1 else ())
    reading.texts = _labelled_rows(rows, section, text, labels, span, reading)
    return reading


def label_columns(rows: Rows, section: TextSection) -> list[str]:
    """The columns with labels: the one that is named or found, or several of 0 and 1.

    Raises:
        DataError: There is none.
    """
    named = [part.strip() for entry in section.label for part in entry.split(",") if part.strip()]
    if len(named) > 1 and not section.multi_label:
        raise DataError(
            f"--label names {len(named)} columns ({', '.join(named)}); a text has one label, or say --multi-label",
            file=rows.name,
        )
    if not named:
        return [column_of(rows, None, LABEL_NAMES, "labels", "--label")]
    return [column_of(rows, name, LABEL_NAMES, "labels", "--label") for name in named]


def column_of(
    rows: Rows, named: str | None, usual: tuple[str, ...], what: str, option: str, without: Sequence[str] = ()
) -> str:
    """A column by its name, or by a usual name where none is said.

    Raises:
        DataError: There is none.
    """
    if named is not None:
        if named not in rows.columns:
            raise DataError(
                f'{rows.name} has no column "{named}"; {nearest(named, rows.columns)}; {option} names another',
                file=rows.name,
                column=named,
            )
        return named
    by_lower = {column.lower(): column for column in rows.columns if column not in without}
    found = next((by_lower[name] for name in usual if name in by_lower), None)
    if found is None and without and len(by_lower) == 1:
        found = next(iter(by_lower.values()))
    if found is None:
        raise DataError(
            f"{rows.name} has no column that is called like {what}; name it with {option}; there are "
            f"{', '.join(rows.columns[:12])}",
            file=rows.name,
        )
    return found


def _labelled_rows(
    rows: Rows, section: TextSection, text: str, labels: list[str], span: str, reading: Reading
) -> Generator[LabelledText, None, None]:
    dropped = 0
    with rows:
        places = [rows.columns.index(label) for label in labels]
        at = rows.columns.index(text)
        span_at = None
        if section.span_column is not None:
            span_at = rows.columns.index(column_of(rows, section.span_column, (), "spans", "--span-column"))
        read = _flags(labels, places, rows) if len(labels) > 1 else _cell(labels[0], places[0], section)
        for number, line, cells in rows.rows:
            place = rows.place(number, line)
            own, value = read(cells, place), cells[at]
            if isinstance(value, bytes | list | tuple | dict):
                raise DataError(
                    f'{place}, column "{text}": a text is made of letters; found {type(value).__name__}', column=text
                )
            if own is None or value is None or not (shown := str(value)).strip():
                if section.incomplete == "drop":
                    dropped += 1
                    continue
                if own is None:
                    raise _lacking(rows, place, number, labels[0], "a label", cells[places[0]])
                raise _lacking(rows, place, number, text, "a text", value)
            yield LabelledText(shown, own, span if span_at is None else _span(cells[span_at], place, section), place)
    if dropped:
        reading.notes.append(f"{counted(dropped, 'row')} of {rows.name} lacked text or label and were dropped")


def _cell(label: str, place: int, section: TextSection) -> Callable[[Sequence[Any], str], tuple[str, ...] | None]:
    """Reads the labels of a row from one cell: one label, or several; None where it is missing."""

    def read(cells: Sequence[Any], where: str) -> tuple[str, ...] | None:
        value = cells[place]
        if section.multi_label:
            several = value if isinstance(value, list | tuple) else label_text(value).split(section.separator)
            return tuple(dict.fromkeys(shown for entry in several if (shown := label_text(entry))))
        if isinstance(value, list | tuple | dict):
            raise DataError(
                f'{where}, column "{label}": a text has one label; found {value!r}; for several say --multi-label',
                column=label,
            )
        shown = label_text(value)
        return (shown,) if shown else None

    return read


def _flags(labels: list[str], places: list[int], rows: Rows) -> Callable[[Sequence[Any], str], tuple[str, ...] | None]:
    """Reads the labels of a row from columns of 0 and 1."""

    def read(cells: Sequence[Any], where: str) -> tuple[str, ...] | None:
        found = []
        for label, place in zip(labels, places, strict=True):
            shown = label_text(cells[place]).lower()
            if shown not in ("0", "1", "true", "false"):
                raise DataError(
                    f'{where}, column "{label}": where several columns are labels each holds 0 or 1; found '
                    f"{cells[place]!r}",
                    file=rows.name,
                    column=label,
                )
            if shown in ("1", "true"):
                found.append(label)
        return tuple(found)

    return read


def label_text(value: object) -> str:
    """A label as text: whole numbers without a point, words without blanks around them; nothing where there is none.

    >>> label_text(1.0), label_text(" pos "), label_text(True), label_text(None), label_text(float("inf"))
    ('1', 'pos', 'true', '', '')
    """
    if value is None or value != value or value in (math.inf, -math.inf):
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    text = str(int(value)) if isinstance(value, float) and value.is_integer() else str(value).strip()
    return text[:-2] if re.fullmatch(r"-?\d+\.0", text) else text


def _span(value: object, place: str, section: TextSection) -> str:
    word = str(value or "").strip().lower()
    if word not in SPAN_WORDS:
        raise DataError(
            f'{place}, column "{section.span_column}": a span is train, validation or test; found {value!r}',
            column=section.span_column,
        )
    return SPAN_WORDS[word]


def _lacking(rows: Rows, place: str, number: int, column: str, what: str, value: object) -> DataError:
    return DataError(
        f'{place}, column "{column}": each row has {what}; found {"nothing" if value is None else repr(value)}; '
        "complete or delete the row, or say --incomplete drop",
        file=rows.name,
        row=number,
        column=column,
    )
