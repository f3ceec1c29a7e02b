"""Which columns hold numbers, which tells series apart, and which values stand for missing ones."""

from collections.abc import Iterator

import numpy as np
import polars as pl
from jaxtyping import Int64

from ..axes import TableArray
from ..config import DataSection, entries
from ..errors import DataError, counted, nearest
from .health import Health
from .sources import Source

LARGEST = 1e30  # beyond it, squares overflow in single precision


def series_of_rows(rows: Source, column: str | None, time_column: str) -> tuple[Int64[np.ndarray, " row"], list[str]]:
    """The number of each row's series, and the names; one series without a name where no column tells them apart.

    Raises:
        DataError: The column is absent, holds the times, or misses a name.
    """
    if column is None:
        return np.zeros(rows.frame.height, np.int64), [""]
    if column not in rows.frame.columns:
        raise DataError(
            f'{rows.name} has no column "{column}" to tell series apart; {nearest(column, rows.frame.columns)}',
            file=rows.name,
            column=column,
        )
    if column == time_column:
        raise DataError(
            f'{rows.name}: "{column}" holds the times; series are told apart by another column', column=column
        )
    texts = rows.frame[column].cast(pl.String)
    if texts.null_count():
        row = int(texts.is_null().arg_true()[0])
        raise rows.fault(row, column, "every row names its series; found none")
    names = texts.unique().sort().to_list()
    codes = texts.replace_strict(names, list(range(len(names))), return_dtype=pl.Int64).to_numpy()
    return codes, names


def must_exist(rows: Source, names: tuple[str, ...]) -> None:
    """Checks that columns are there.

    Raises:
        DataError: One is not; the message names the nearest.
    """
    for name in names:
        if name not in rows.frame.columns and name != "all":
            raise DataError(
                f'{rows.name} has no column "{name}"; {nearest(name, rows.frame.columns)}', file=rows.name, column=name
            )


def columns_of_numbers(
    rows: Source, names: list[str], wanted: tuple[str, ...], section: DataSection, health: Health
) -> pl.DataFrame:
    """The columns of numbers; a few words among numbers are an error, a column of words is left out.

    Args:
        rows: As they came.
        names: Columns to look at.
        wanted: Those that the user named.
        section: Which values stand for missing ones, and which features are wanted.
        health: Where it is reported.

    Raises:
        DataError: A word stands among numbers, or there is no column of numbers.
    """
    kept: list[pl.Series] = []
    left_out: list[str] = []
    words = entries(section.missing)
    for name in names:
        values = rows.frame[name]
        if values.dtype == pl.String:
            texts = values.str.strip_chars()
            texts = texts.set(texts.is_in(words), None) if words else texts
            values = texts.cast(pl.Float64, strict=False)
            wrong = values.is_null() & texts.is_not_null()
            share = int(wrong.sum()) / max(1, len(texts) - texts.null_count())
            if wrong.any():
                used = name in wanted or not section.features
                if name not in wanted and share > 0.5:
                    left_out.append(name)
                    continue
                row = int(wrong.arg_true()[0])
                if used:
                    health.fail(
                        "text",
                        rows.fault(
                            row,
                            name,
                            f"a column of numbers holds numbers only; "
                            f'found "{texts[row]}"; correct it, or name it as missing with --missing "{texts[row]}"',
                            value=texts[row],
                        ),
                    )
        elif values.dtype != pl.Float64:
            left_out.append(name)
            continue
        kept.append(values.alias(name))
    if left_out:
        health.note("text", f"left out, since they hold no numbers: {', '.join(left_out)}")
    if not kept:
        raise DataError(f"{rows.name} has no column of numbers beside its times", file=rows.name)
    return pl.DataFrame(kept)


class MissingTally:
    """Takes out numbers that stand for missing ones, and infinities; tells how often each was found.

    Args:
        missing: Numbers that stand for missing ones, commas allowed.
    """

    def __init__(self, missing: tuple[str, ...]) -> None:
        self.sentinels = list(_numbers(missing))
        self.found: dict[tuple[str, str], int] = {}
        self.infinite: dict[str, tuple[int, str]] = {}

    def mark(self, rows: Source, columns: list[str], values: TableArray) -> TableArray:
        """The values with NaN in place of sentinels and infinities.

        Args:
            rows: As they came.
            columns: Names of the columns.
            values: Their numbers.
        """
        values = values if values.flags.writeable else values.copy(order="F")
        for text, sentinel in self.sentinels:
            for position, name in enumerate(columns):
                found = values[:, position] == sentinel
                if count := int(found.sum()):
                    values[found, position] = np.nan
                    self.found[text, name] = self.found.get((text, name), 0) + count
        for position, name in enumerate(columns):
            infinite = np.abs(values[:, position]) > LARGEST  # false where NaN
            if count := int(infinite.sum()):
                first = rows.place(int(np.flatnonzero(infinite)[0]))
                values[infinite, position] = np.nan
                before, place = self.infinite.get(name, (0, first))
                self.infinite[name] = (before + count, place)
        return values

    def report(self, health: Health) -> None:
        """Tells what was taken out."""
        for (text, name), count in self.found.items():
            told = f'"{name}": {text} stands for a missing value in {counted(count, "row")}'
            health.note("missing", told, column=name, rows=count)
        for name, (count, first) in self.infinite.items():
            health.warn(
                "missing",
                f'"{name}": infinite or beyond {LARGEST:g} in {counted(count, "row")}, first {first}; read as missing',
                column=name,
                rows=count,
            )


def _numbers(missing: tuple[str, ...]) -> Iterator[tuple[str, float]]:
    """The numbers among what stands for missing values; words are taken out where columns become numbers."""
    for text in entries(missing):
        try:
            yield text, float(text)
        except ValueError:
            continue
