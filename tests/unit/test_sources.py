"""The same rows from every kind of file and frame, and what is said of files that are no table."""

import gzip
import io
import sys
import tempfile
import zipfile
from contextlib import suppress
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretell.config import DataSection
from foretell.data.reading import read_table
from foretell.data.sources import _from_bytes, read_source
from foretell.data.tables import Table, unit_of
from foretell.errors import DataError, ForetellError, UnsafeFileError

HEADER = "time,T (degC),p (mbar)"
TEXT = HEADER + "\n" + "".join(f"2021-01-{day:02} 00:00:00,{day / 4},{1000 + day}\n" for day in range(1, 29))
GZIPPED = gzip.compress(TEXT.encode(), mtime=0)


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Table:
    path = tmp_path_factory.mktemp("plain") / "table.csv"
    path.write_text(TEXT, "utf-8")
    return read_table(path)


def zipped(*contents: bytes, names: tuple[str, ...] = ("one.csv", "two.csv")) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in zip(names, contents, strict=False):
            archive.writestr(name, content)
    return stream.getvalue()


def parquet(frame: pl.DataFrame) -> bytes:
    stream = io.BytesIO()
    frame.write_parquet(stream)
    return stream.getvalue()


def written(folder: Path, content: bytes, name: str = "table.csv") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def same(one: Table, other: Table) -> bool:
    alike = one.columns == other.columns and one.frequency == other.frequency
    return alike and one.fingerprint(one.columns) == other.fingerprint(one.columns)


def test_a_plain_csv_holds_what_stands_in_it(table: Table) -> None:
    assert table.columns == ("T (degC)", "p (mbar)")
    assert table.values[:, 0].tolist() == [day / 4 for day in range(1, 29)]
    assert table.values[:, 1].tolist() == [1000 + day for day in range(1, 29)]
    assert str(table.times[27].astype("datetime64[us]")).startswith("2021-01-28T00:00")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("table.csv.gz", GZIPPED),
        ("table.zip", zipped(TEXT.encode())),
        ("table.zip", zipped(TEXT.encode(), b"", b"junk", names=("folder/table.csv", "empty", "__MACOSX/table.csv"))),
        ("table.tsv", TEXT.replace(",", "\t").encode()),
        ("table.txt", TEXT.replace(",", "|").encode()),
        ("table.csv", TEXT.replace(",", ";").replace(".", ",").encode()),
        ("windows.csv", TEXT.replace("\n", "\r\n").encode()),
        ("no-end.csv", TEXT.rstrip("\n").encode()),
        ("spaces.csv", TEXT.replace(",", " , ").encode()),
        ("leading.csv", ("\n\n" + TEXT).encode()),
        ("bom.csv", b"\xef\xbb\xbf" + TEXT.encode()),
        ("utf16.csv", TEXT.encode("utf-16")),
        ("utf16be.csv", b"\xfe\xff" + TEXT.encode("utf-16-be")),
        ("wrong-name.csv", GZIPPED),
    ],
)
def test_every_way_to_write_the_rows_gives_the_same_table(
    table: Table, tmp_path: Path, name: str, content: bytes
) -> None:
    assert same(read_table(written(tmp_path, content, name)), table)


@pytest.mark.parametrize("name", ["table.parquet", "table.csv"])
def test_parquet_is_known_by_its_first_bytes_also_inside_a_zip(table: Table, tmp_path: Path, name: str) -> None:
    frame = pl.read_csv(TEXT.encode(), try_parse_dates=True)
    assert same(read_table(written(tmp_path, parquet(frame), name)), table)
    assert same(read_table(written(tmp_path, zipped(parquet(frame)), "table.zip")), table)


def test_frames_of_every_library_equal_the_csv(table: Table) -> None:
    frame = pl.read_csv(TEXT.encode(), try_parse_dates=True)
    pandas = frame.to_pandas()
    indexed = pandas.set_index("time")
    for kind in (frame, pandas, frame.to_arrow(), indexed, indexed.rename_axis(None)):
        assert same(read_table(kind), table), type(kind)
    assert isinstance(indexed.index, pd.DatetimeIndex)
    texts = pl.read_csv(TEXT.encode())
    for kind in (texts, texts.to_pandas(), texts.to_arrow()):
        assert same(read_table(kind), table), type(kind)


def test_reading_a_frame_leaves_it_as_it_was() -> None:
    frame = pd.DataFrame({"time": pd.date_range("2021-01-01", periods=4), "a": [1.0, -9999.0, 3.0, 4.0]})
    before = frame.copy()
    table = read_table(frame, missing=("-9999",))
    pd.testing.assert_frame_equal(frame, before)
    assert np.isnan(table.values[1, 0])
    polars = pl.DataFrame({"time": frame["time"].to_list(), "a": [1.0, -9999.0, 3.0, 4.0]})
    read_table(polars, missing=("-9999",))
    assert polars["a"].to_list() == [1.0, -9999.0, 3.0, 4.0]


def test_series_of_numbers_have_the_same_names_from_a_file_and_from_a_frame(tmp_path: Path) -> None:
    text = "time,station,a\n2021-01-01,7,1\n2021-01-02,7,2\n2021-01-01,12,3\n2021-01-02,12,4\n"
    from_file = read_table(written(tmp_path, text.encode()), series="station")
    assert from_file.series == ("12", "7")
    frame = pl.read_csv(text.encode())
    assert read_table(written(tmp_path, parquet(frame), "t.parquet"), series="station").series == ("12", "7")
    for kind in (frame, frame.to_pandas(), frame.to_arrow()):
        assert read_table(kind, series="station").series == ("12", "7"), type(kind)


def test_the_built_in_set_is_found_by_its_name() -> None:
    assert read_source("nyc-weather").frame.height == 26_115
    table = read_table("nyc-weather", series="station", target="temperature (degC)")
    assert table.series == ("EWR", "JFK", "LGA")
    assert str(table.frequency) == "1h"


def test_the_weather_of_new_york_has_all_its_rows(shared_data: Path) -> None:
    path = shared_data / "forecast" / "nyc_weather_2013.csv"
    assert read_source(path).frame.height == 26_115
    with pytest.raises(DataError, match="say --series origin"):
        read_table(path, target="temp")
    table = read_table(path, series="origin", target="temp", time="time_hour")
    assert table.series == ("EWR", "JFK", "LGA")
    assert np.isfinite(table.take(["temp"])).sum() == 26_114


def test_a_semicolon_means_that_commas_are_decimal(tmp_path: Path) -> None:
    text = "time;a;b\n01.01.2021;1,5;-2,25\n02.01.2021;3;1,0\n03.01.2021;;0,125\n"
    table = read_table(written(tmp_path, text.encode()))
    np.testing.assert_array_equal(table.values, [[1.5, -2.25], [3.0, 1.0], [np.nan, 0.125]])
    points = read_table(written(tmp_path, text.replace(",", ".").encode()))
    assert same(points, table)


def test_decimal_commas_are_read_although_one_cell_holds_a_word(tmp_path: Path) -> None:
    rows = "".join(f"{day:02}.01.2021;{day},5;{day},25\n" for day in range(1, 29))
    path = written(tmp_path, ("time;a;b\n" + rows.replace("\n05.01.2021;5,5", "\n05.01.2021;broken")).encode())
    with pytest.raises(DataError, match=r'row 5 \(line 6\), column "a".*found "broken"'):
        read_table(path)
    table = read_table(path, missing=("broken",))
    assert table.columns == ("a", "b")
    np.testing.assert_array_equal(table.values[3:6], [[4.5, 4.25], [np.nan, 5.25], [6.5, 6.25]])


@pytest.mark.parametrize("word", ["", "NA", "N/A", "NaN", "nan", "null", "None", "-", "?", "#N/A"])
def test_the_usual_words_for_nothing_are_missing_values(tmp_path: Path, word: str) -> None:
    text = f"time,a,b\n2021-01-01,1,{word}\n2021-01-02,{word},2\n2021-01-03,3,3\n"
    table = read_table(written(tmp_path, text.encode()))
    np.testing.assert_array_equal(table.values, [[1, np.nan], [np.nan, 2], [3, 3]])


def test_latin_1_is_read_and_pointed_out(tmp_path: Path) -> None:
    path = written(tmp_path, "time,T (°C)\n2021-01-01,1\n2021-01-02,2\n".encode("latin-1"))
    source = read_source(path)
    assert source.frame.columns == ["time", "T (°C)"]
    assert source.notes == ["the file is not UTF-8 (byte 8, line 1) and was read as latin-1"]
    assert unit_of(read_table(path).columns[0]) == "°C"


def test_a_byte_order_mark_is_no_part_of_the_first_name(tmp_path: Path) -> None:
    assert read_source(written(tmp_path, b"\xef\xbb\xbf" + TEXT.encode())).frame.columns[0] == "time"
    assert read_source(written(tmp_path, TEXT.encode("utf-16"))).notes == ["the file is UTF-16"]


def test_a_longer_row_is_named_with_its_line(tmp_path: Path) -> None:
    lines = TEXT.splitlines()
    lines[20] += ",7"
    with pytest.raises(DataError, match=r"row 20 \(line 21\): .*as the header, 3; found 4") as caught:
        read_source(written(tmp_path, "\n".join(lines).encode()))
    assert caught.value.details["row"] == 20
    assert caught.value.details["line"] == 21


def test_a_blank_line_is_no_row(table: Table, tmp_path: Path) -> None:
    assert same(read_table(written(tmp_path, (TEXT + "\n\n").encode())), table)


NO_TABLE = {
    "nothing": (b"", "is empty"),
    "blanks": (b" \n\n", "is empty"),
    "a byte order mark": (b"\xef\xbb\xbf", "is empty"),
    "a byte order mark and a line": (b"\xef\xbb\xbf\r\n", "is empty"),
    "a line of UTF-16": ("\n".encode("utf-16"), "is empty"),
    "a gzip of nothing": (gzip.compress(b""), "is empty"),
    "a gzip of blanks": (gzip.compress(b"\n"), "is empty"),
    "a zip of blanks": (zipped(b"\n"), "is empty"),
    "a header": ((HEADER + "\n").encode(), "a header and no rows"),
    "a header without an end": (HEADER.encode(), "a header and no rows"),
    "binary": (bytes(range(256)) * 8, "neither text nor Parquet"),
    "a zip of two": (zipped(TEXT.encode(), TEXT.encode()), "exactly one table; found 2: one.csv, two.csv"),
    "a zip of none": (zipped(b""), "exactly one table; found 0"),
    "a parquet of no rows": (parquet(pl.read_csv(TEXT.encode()).clear()), "no rows"),
}


@pytest.mark.parametrize(("content", "told"), NO_TABLE.values(), ids=NO_TABLE.keys())
def test_what_is_no_table_is_told_in_one_sentence(tmp_path: Path, content: bytes, told: str) -> None:
    with pytest.raises(DataError, match=told) as caught:
        read_source(written(tmp_path, content))
    assert "table.csv" in caught.value.message
    assert "\n" not in caught.value.message


DAMAGED = {
    "a shortened gzip": GZIPPED[:-12],
    "a gzip with junk behind": GZIPPED + b"junk",
    "a gzip with junk inside": GZIPPED[:40] + bytes(40) + GZIPPED[80:],
    "a shortened zip": zipped(TEXT.encode())[:-12],
    "a zip with junk inside": zipped(TEXT.encode())[:60] + bytes(40) + zipped(TEXT.encode())[100:],
    "a shortened parquet": parquet(pl.read_csv(TEXT.encode()))[:-12],
    "only the beginning of a parquet": b"PAR1",
    "a parquet with junk at its end": parquet(pl.read_csv(TEXT.encode()))[:-60] + bytes(range(52)) + b"\x34\0\0\0PAR1",
    "a shortened parquet in a zip": zipped(parquet(pl.read_csv(TEXT.encode()))[:-12]),
}


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED.keys())
def test_a_damaged_file_is_unsafe(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(UnsafeFileError, match="is damaged") as caught:
        read_source(written(tmp_path, content))
    assert caught.value.exit_code == 5
    assert "\n" not in caught.value.message


@given(st.integers(0, 10**6), st.integers(0, 255))
def test_one_damaged_byte_of_a_gzip_is_never_read_as_something_else(place: int, value: int) -> None:
    content = bytearray(GZIPPED)
    place = 10 + place % (len(content) - 10)
    if content[place] == value:
        return
    content[place] = value
    # The last bits before the checksum fill a byte up, and say nothing whatever they are.
    with suppress(Exception):
        if gzip.decompress(content) == TEXT.encode():
            return
    with pytest.raises(UnsafeFileError, match="is damaged"):
        _from_bytes("table.csv.gz", bytes(content), ())


@given(
    st.lists(
        st.tuples(
            st.integers(0, 10**6),
            st.sampled_from([0, 1, 1, 5, 20]),
            st.sampled_from(
                [
                    b",",
                    b";",
                    b'"',
                    b"\n",
                    b"\r",
                    b"\t",
                    b"\xff",
                    b"\xc3",
                    b"1e400",
                    b"inf",
                    b"-",
                    b"x",
                    b"2021-13-45",
                    b"",
                ]
            ),
        ),
        min_size=1,
        max_size=4,
    ),
    st.sampled_from(
        [{}, {"target": "p (mbar)"}, {"time": "time"}, {"time": "p (mbar)"}, {"frequency": "1d", "duplicates": "mean"}]
    ),
)
def test_no_damage_to_a_text_makes_a_traceback(
    damage: list[tuple[int, int, bytes]], options: dict[str, object]
) -> None:
    content = bytearray(TEXT.encode())
    for place, length, instead in damage:
        place %= len(content) + 1
        content[place : place + length] = instead
    with tempfile.TemporaryDirectory() as folder:
        path = written(Path(folder), bytes(content))
        try:
            table = read_table(path, DataSection.model_validate(options))
        except ForetellError:
            return
        assert table.rows > 0


def test_an_absent_file_and_a_folder_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no file"):
        read_source(tmp_path / "absent.csv")
    with pytest.raises(DataError, match="is a folder; name the file in it"):
        read_source(tmp_path)


def test_standard_input_is_read_where_the_name_is_a_dash(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.TextIOWrapper(io.BytesIO(GZIPPED))
    monkeypatch.setattr(sys, "stdin", stream)
    read = read_table("-")
    assert read.source == "standard input"
    assert same(read, table)


def test_a_first_column_of_row_numbers_is_left_out(table: Table, tmp_path: Path) -> None:
    header, *rows = TEXT.splitlines()
    numbered = "\n".join([f",{header}", *(f"{number},{row}" for number, row in enumerate(rows))])
    source = read_source(written(tmp_path, numbered.encode()))
    assert source.notes == ["a first column without a name holds row numbers and is left out"]
    assert same(read_table(written(tmp_path, numbered.encode())), table)
    assert same(read_table(written(tmp_path, f"Unnamed: 0{numbered}".encode())), table)


def test_row_numbers_are_left_out_although_a_late_cell_holds_a_word(tmp_path: Path) -> None:
    times = np.datetime64("2021-01-01T00:00") + np.arange(1500) * np.timedelta64(60, "m")
    rows = [f"{number},{time},{number % 24}" for number, time in enumerate(times)]
    rows[1400] = f"1400,{times[1400]},broken"
    path = written(tmp_path, "\n".join([",time,a", *rows]).encode())
    assert read_table(path, missing=("broken",)).columns == ("a",)


def test_numbers_that_turn_into_fractions_late_are_read(tmp_path: Path) -> None:
    times = np.datetime64("2021-01-01T00:00") + np.arange(1500) * np.timedelta64(60, "m")
    rows = [f"{time},{number}" for number, time in enumerate(times)]
    rows[1400] = f"{times[1400]},0.5"
    table = read_table(written(tmp_path, "\n".join(["time,a", *rows]).encode()))
    assert table.values[1399:1402, 0].tolist() == [1399.0, 0.5, 1401.0]


def test_what_is_no_frame_is_told(tmp_path: Path) -> None:
    for thing in ([1, 2], {"a": [1]}, None, pl.LazyFrame({"a": [1]})):
        with pytest.raises(DataError, match="a table is a path or a data frame"):
            read_source(thing)
    for empty in (pl.DataFrame({"a": []}), pd.DataFrame({"a": []}), pa.table({"a": pa.array([], pa.float64())})):
        with pytest.raises(DataError, match="holds no rows"):
            read_source(empty)


def test_a_frame_with_mixed_cells_is_told_and_not_a_traceback() -> None:
    times = pd.date_range("2021-01-01", periods=3)
    for cells in ([1.0, "x", 3.0], ["x", 1.0, 3.0]):
        frame = pd.DataFrame({"time": times, "a": pd.Series(cells, dtype=object)})
        with pytest.raises(DataError) as caught:
            read_table(frame, target="a")
        assert "found DataFrame" not in caught.value.message


def test_places_are_rows_of_a_frame_and_lines_of_a_file(tmp_path: Path) -> None:
    assert read_source(written(tmp_path, TEXT.encode())).place(2) == "row 3 (line 4)"
    assert read_source(written(tmp_path, ("\n" + TEXT).encode())).place(2) == "row 3 (line 5)"
    assert read_source(pl.DataFrame({"a": [1, 2, 3]})).place(2) == "row 3"
