"""Texts to be labelled: from a table, whose other columns are kept beside them, a folder, a file of lines, a list."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import cast

import numpy as np
import polars as pl

from ..errors import DataError
from ..files import printable
from .encodings import decoded, known_encoding
from .labelled import TEXT, TEXT_NAMES, column_of
from .members import content_of, is_archive, members
from .rows import rows_of, unfolded


def read_unlabelled(
    source: object, column: str | None, encoding: str, usual: str | None = None
) -> tuple[list[str], pl.DataFrame | None]:
    """Texts, and what stands beside them: the columns of a table, the names of files, or nothing.

    Args:
        source: A table's path, ``-``, a data frame, a folder or archive of .txt files, a .txt file of which each line
            is a text, or a list.
        column: The column with the texts; found where None.
        encoding: How they are encoded.
        usual: The column that held the texts of the training.

    Raises:
        DataError: There is nothing there, or no such column.
    """
    known_encoding(encoding)
    if isinstance(source, np.ndarray | pl.Series) or type(source).__name__ == "Series":
        source = list(cast("Iterable[object]", source))
    if isinstance(source, Sequence) and not isinstance(source, str):
        return [_text(own, place) for place, own in enumerate(source)], None
    path = Path(source) if isinstance(source, str | Path) and source != "-" else None
    if path is not None and (path.is_dir() or is_archive(path)):
        return _from_files(path, encoding)
    if path is not None and path.suffix.lower() in TEXT:
        return _lines(path, encoding), None
    if path is not None and not path.exists():
        raise DataError(f"there is no file {path}; texts themselves go into a list", file=str(path))
    with rows_of(source, encoding) as read:
        rows = unfolded(read)
        own = column_of(rows, column, (*([usual.lower()] if usual else []), *TEXT_NAMES), "texts", "--text")
        cells = [row.cells for row in rows.rows]
    if not cells:
        raise DataError(f"{rows.name} holds a header and no rows", file=rows.name)
    columns = zip(rows.columns, zip(*cells, strict=True), strict=True)
    frame = pl.DataFrame({name: pl.Series(values, strict=False) for name, values in columns})
    at = rows.columns.index(own)
    return ["" if row[at] is None else str(row[at]) for row in cells], frame


def _text(value: object, place: int) -> str:
    """A text of a list; an empty one where it is missing: None, NaN, or what pandas has in their place."""
    if isinstance(value, str):
        return value
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return ""
    if isinstance(value, float | np.floating) and np.isnan(value):
        return ""
    raise DataError(f"entry {place} of the list is no text: a text is a str; found {type(value).__name__}")


def _from_files(path: Path, encoding: str) -> tuple[list[str], pl.DataFrame]:
    found = sorted(
        (str(member.path), decoded(f"{path.name}/{member.path}", member.read(), encoding).removeprefix("\ufeff"))
        for member in members(path, TEXT)
    )
    if not found:
        raise DataError(f"{path} holds no .txt files", file=str(path))
    return [own for _, own in found], pl.DataFrame({"file": [printable(name) for name, _ in found]})


def _lines(path: Path, encoding: str) -> list[str]:
    content = content_of(path)
    if not content:
        raise DataError(f"{path.name} is empty (0 bytes); each line of it is a text", file=str(path))
    lines = decoded(path.name, content, encoding).removeprefix("\ufeff").split("\n")
    return [line.removesuffix("\r") for line in (lines if lines[-1] else lines[:-1])]
