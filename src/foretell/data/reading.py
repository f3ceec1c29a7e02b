"""The one way in to a table: a file, a folder or a frame, read, checked, and put on an even grid of times.

source → columns told apart → checked → table; what is too large for that goes through a store (``stored.py``).
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ..config import DataSection
from ..errors import ConfigurationError, DataError, UsageError, nearest
from . import checks
from .columns import MissingTally, columns_of_numbers, must_exist, series_of_rows
from .faults.tables import Place, point_out_faults, point_out_letters
from .frequency import Frequency, named_frequency
from .health import Health
from .parquet import ParquetTable, is_parquet
from .sentinels import point_out_sentinels
from .sources import Source, read_source
from .statics import read_statics
from .stored import read_stored
from .tables import AnyTable, Table, roles, split_names
from .times import Written, find_time_column, parse_times, round_down

LARGE = (
    200_000_000  # bytes in memory (of eight a cell) above which a table goes through a store, if nobody says otherwise
)


def open_table(
    source: object,
    section: DataSection | None = None,
    *,
    regular: bool = True,
    strict: bool = True,
    grid: Frequency | None = None,
    before: Written | None = None,
    **options: object,
) -> AnyTable:
    """Reads a table, checks it, and puts it on an even grid of times; a large one goes through a store on disk.

    Args:
        source: A path (CSV plain, gzip or zip; Parquet, or a folder of Parquet files), ``-`` for standard input, or a
            data frame.
        section: How to read it; its fields may be given as keywords instead.
        regular: Whether rows are sorted, freed of duplicates and put on the grid; the lectures take them as they come.
        strict: Whether the first error is raised, or all are collected in ``health``, with faults that values
            show.
        grid: The step that the rows must have; inferred where None.
        before: How times were written in rows that were read before; then values are not looked through for sentinels.
        **options: Fields of :class:`~foretell.config.DataSection`, such as ``time="Date Time"``.

    A table that was read before is taken as it is; only its targets and features are chosen anew.

    Raises:
        DataError: The rows cannot be used; the message names file, row and column.
        UsageError: There is no such option.
        UnsafeFileError: The file is damaged.

    >>> import polars as pl
    >>> hours = pl.datetime_range(pl.datetime(2024, 1, 1), pl.datetime(2024, 1, 3), "1h", eager=True)
    >>> table = open_table(pl.DataFrame({"time": hours, "load (MW)": range(len(hours))}))
    >>> str(table.frequency), table.rows, table.columns
    ('1h', 49, ('load (MW)',))
    """
    for name in options:
        if name not in DataSection.model_fields:
            raise UsageError(f'there is no option "{name}"; {nearest(name, DataSection.model_fields)}', option=name)
    section = section or DataSection.model_validate(options)
    if isinstance(source, AnyTable):
        return _choose_again(source, section)
    files = ParquetTable.at(Path(str(source))) if names_parquet(source) else None
    if files is not None and regular and _goes_through_a_store(files, section):
        stored = read_stored(files, section, strict=strict, grid=grid)
        if not strict:
            point_out_faults(stored)
        return stored
    if section.store == "yes" and files is None and not _is_out_of_reach(source):
        raise ConfigurationError(
            "--store yes goes with Parquet, a file or a folder of files; write the rows to Parquet, or leave it out",
            option="store",
        )
    texts = (section.series,) if section.series else ()
    folder = files is not None and files.path.is_dir()
    rows = files.whole(texts) if files and folder else read_source(source, text_columns=texts)
    return _checked(rows, section, regular, Health(strict=strict), grid, before)


def read_table(source: object, section: DataSection | None = None, **options: Any) -> Table:
    """The same, held in memory however large it is.

    Args:
        source: As for :func:`open_table`.
        section: How to read it.
        **options: As for :func:`open_table`.
    """
    if section is not None:
        return open_table(source, section.model_copy(update={"store": "no"}), **options).whole()
    return open_table(source, **{"store": "no", **options}).whole()


def names_parquet(source: object) -> bool:
    """Whether a source is the path of a Parquet file, or of a folder, which can go through a store."""
    return isinstance(source, str | Path) and str(source) != "-" and is_parquet(Path(source))


def _is_out_of_reach(source: object) -> bool:
    """Whether a source names a file that is not there, or cannot be read: what is wrong is said where it is read."""
    try:
        if isinstance(source, str | Path) and str(source) != "-":
            Path(source).open("rb").close()
    except OSError:
        return True
    return False


def _goes_through_a_store(files: ParquetTable, section: DataSection) -> bool:
    return section.store == "yes" or (section.store == "auto" and files.bytes_in_memory > LARGE)


def _checked(
    rows: Source, section: DataSection, regular: bool, health: Health, grid: Frequency | None, before: Written | None
) -> Table:
    """Rows that are held in memory, checked and on their grid."""
    for sentence in rows.notes:
        health.note("reading", sentence)
    time_column = find_time_column(rows, section.time, section.time_format, before)
    codes, series = series_of_rows(rows, section.series, time_column)
    zone = section.timezone
    parsed = parse_times(rows, time_column, section.time_format, zone, section.series, health, before)
    named = named_frequency(section.frequency) if section.frequency else None
    placed_times = round_down(parsed, named) if named else parsed
    static = split_names(section.static, rows.frame.columns)
    named_columns = (section.target, section.features, section.known)
    wanted = tuple(name for names in named_columns for name in split_names(names, rows.frame.columns))
    must_exist(rows, wanted + static)
    statics = read_statics(rows, static, section.series, codes, series)
    apart = (time_column, section.series, *(name for name in static if name not in wanted))
    candidates = [name for name in rows.frame.columns if name not in apart]
    numbers = columns_of_numbers(rows, candidates, wanted, section, health)
    columns = tuple(numbers.columns)
    features, targets = roles(rows.name, section, columns, time_column)
    numbers = numbers.select(list(dict.fromkeys((*features, *targets))))
    values = numbers.to_numpy().astype(np.float64, copy=False)
    tally = MissingTally(section.missing)
    values = tally.mark(rows, numbers.columns, values)
    tally.report(health)
    if before is None:
        point_out_sentinels(numbers.columns, values, health)
    written, times = parsed.values.to_numpy(), placed_times.values.to_numpy()
    came = checks.Rows(rows, time_column, section.series, numbers.columns, codes, series, written, times, values)
    if regular:
        placed = checks.regularise(came, grid or named, section.duplicates, health, known=grid is not None)
    else:
        placed = checks.as_they_come(came, health)
    table = Table(
        source=rows.name,
        columns=tuple(numbers.columns),
        values=placed.values,
        times=placed.times,
        starts=placed.starts,
        series=tuple(series),
        frequency=placed.frequency,
        targets=targets,
        features=features,
        time_column=time_column,
        series_column=section.series,
        timezone=placed_times.timezone,
        health=health,
        statics=statics,
        written=Written(time_column, parsed.pattern),
    )
    if not health.strict:
        point_out_letters(rows, health)
        if not any(finding.severity == "error" for finding in health.findings):
            point_out_faults(table, _places(came, placed))
    return table


def _places(came: checks.Rows, placed: checks.Grid) -> Place:
    """Where a row of the grid stands in the file; nothing where it fills a gap."""
    known = checks.file_rows(came, placed)

    def place(row: int) -> tuple[str, int] | None:
        own = int(known[row])
        return None if own < 0 else (came.source.place(own), came.source.number(own) + 1)

    return place


def _choose_again(table: AnyTable, section: DataSection) -> AnyTable:
    """A table with the targets and features that a section names."""
    for name in split_names(section.target + section.features + section.known, table.columns):
        if name not in table.columns and name != "all":
            raise DataError(
                f'{table.source} has no column "{name}"; {nearest(name, table.columns)}', file=table.source, column=name
            )
    if section.series is not None and section.series != table.series_column:
        raise DataError(
            f'{table.source} was read without telling series apart by "{section.series}"; name it to read_table',
            file=table.source,
            column=section.series,
        )
    for name in split_names(section.static, table.statics):
        if name not in table.statics:
            raise DataError(f'{table.source} was read without its static column "{name}"; name it to read_table')
    features, targets = roles(table.source, section, table.columns, table.time_column)
    if not section.features:
        features = table.features
    return replace(table, features=features, targets=targets or table.targets)
