"""Files of some bytes that stand for much, or keep a reader busy: refused before memory or time are spent."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import csv

from foretell.cli.main import main
from foretell.config import CorpusSection, TextSection, TextSpanSection
from foretell.data.columnar import ParquetFile
from foretell.data.reading import read_table
from foretell.data.rows import rows_of
from foretell.data.text_overview import health_of_texts
from foretell.data.text_sources import TextSource
from foretell.data.unlabelled import read_unlabelled
from foretell.errors import DataError, UnsafeFileError

from .hostile_archives import entry, tar
from .watched import forget_peak, status

SECONDS, BYTES = 2.0, 256 * 2**20  # of a file of some kilobytes
COUNT = 40_000_000
DELTA: dict[str, Any] = {"use_dictionary": False, "column_encoding": {"text": "DELTA_BYTE_ARRAY"}}


def _shared(text: str, count: int) -> Any:
    return pa.DictionaryArray.from_arrays(pa.array(np.zeros(count, np.int32)), pa.array([text]))


def _listed(values: Any) -> Any:
    return pa.ListArray.from_arrays(pa.array([0, len(values)], pa.int32()), values)


def _inside(values: Any) -> Any:
    return pa.StructArray.from_arrays([values], ["en"])


def _rows(path: Path) -> None:
    with rows_of(path) as rows:
        for _ in rows.rows:
            pass


BOMBS: dict[str, Callable[[], Any]] = {
    "zeros": lambda: np.zeros(COUNT, np.int8),
    "nothing": lambda: pa.nulls(COUNT, pa.float64()),
    "a list": lambda: _listed(pa.array(np.zeros(COUNT, np.int8))),
    "a text for all": lambda: _shared("x" * 20_000, 100_000),
    "texts inside": lambda: _inside(_shared("x" * 20_000, 100_000)),
    "texts in a list": lambda: _listed(_shared("x" * 20_000, 100_000)),
    "each text as the one before": lambda: pa.array(["x" * 100_000] * 4_000),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_small_parquet_file_that_is_huge_is_refused(name: str, tmp_path: Path) -> None:
    path, further = tmp_path / "a.parquet", dict[str, Any](DELTA if "before" in name else {})
    table = pa.table({"text": BOMBS[name]()})
    pq.write_table(table, path, compression="zstd", store_schema=False, write_statistics=False, **further)
    del table
    assert path.stat().st_size < 300_000
    pa.default_memory_pool().release_unused()
    before, began = forget_peak(), time.monotonic()
    for read in (read_table, _rows):
        with pytest.raises(UnsafeFileError, match=r"a\.parquet is damaged: it unpacks to more than 200 times"):
            read(path)
    assert status("VmHWM") - before < 2 * BYTES
    assert time.monotonic() - began < 6 * SECONDS
    with pytest.raises((UnsafeFileError, DataError)):
        "".join(TextSource(path, CorpusSection()).pieces())


def test_a_parquet_file_is_read_as_it_is(tmp_path: Path) -> None:
    """Texts come out as they were, however they were written."""
    table = pa.table(
        {
            "own": pa.array(["b", None, "a", "b"]).dictionary_encode(),
            "text": ["one", "two", None, "one"],
            "large": pa.array(["x", "y", "z", None], pa.large_string()),
            "pair": [{"en": "a", "de": "b"}, None, {"en": None, "de": "b"}, {"en": "a", "de": "a"}],
            "words": [["a", "b"], None, [], ["a"]],
            "number": [1.0, None, 3.0, 4.0],
        }
    )
    ways: list[dict[str, Any]] = [{}, {"use_dictionary": False}, DELTA]
    for number, further in enumerate(ways):
        path = tmp_path / f"{number}.parquet"
        pq.write_table(table, path, **further)
        with ParquetFile(path) as file:
            assert pa.concat_tables(file.tables(3)).to_pylist() == table.to_pylist()
            assert file.whole().rows() == list(zip(*(column.to_pylist() for column in table.columns), strict=True))
            assert file.rows == table.num_rows


@pytest.mark.parametrize(
    "content",
    [
        "1" * 60_000 + "x,b\n1,2\n",
        "a;b\n" + "\t" * 60_000 + "x\n1;2\n",
        "time;b\n" + "1," * 30_000 + "x;1\n2020-01-02;3\n",
        ",".join(f"b{number}_duplicated_0" for number in range(5_000)) + "\n1\n",
        "," * 1_000_000,
        "a" + ",a" * 60_000 + "\n",
    ],
)
def test_a_table_of_text_keeps_no_reader_busy(content: str, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(content)
    began = time.monotonic()
    with pytest.raises(DataError):
        read_table(path)
    assert time.monotonic() - began < 2 * SECONDS


def test_what_data_hold_gives_a_terminal_no_orders(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a.csv"
    path.write_text("time,a\x1b[31m\x07b\n2020-01-01,1\n2020-01-02,2\n2020-01-03,x\x1b[2Jy\n")
    with pytest.raises(SystemExit, match="3"):
        main(["data", "check", str(path)])
    told = "".join(capsys.readouterr())
    assert "\\x1b[31m" in told
    assert all(letter.isprintable() or letter == "\n" for letter in told)


def test_names_that_are_no_letters_are_told(tmp_path: Path) -> None:
    (tmp_path / "a.tar").write_bytes(tar(entry("r/pos/\udcff.txt")))
    texts, frame = read_unlabelled(tmp_path / "a.tar", None, "utf-8")
    assert (len(texts), frame is not None and frame["file"].to_list()) == (1, ["r/pos/\\xff.txt"])


def test_a_label_for_each_text_keeps_nobody_waiting(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join(json.dumps({"text": f"t{row}", "label": f"l{row}"}) for row in range(40_000)))
    began = time.monotonic()
    health_of_texts(path, TextSection(), TextSpanSection())
    assert time.monotonic() - began < 5 * SECONDS


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_a_stray_time_makes_no_huge_grid(ending: str, tmp_path: Path) -> None:
    """Also where many columns make much of few rows."""
    times = [f"2020-01-01 {hour:02}:00" for hour in range(8)] + ["2060-01-01 00:00"]
    table = pa.table({"time": times, **{f"c{place}": [1.0] * len(times) for place in range(300)}})
    path = tmp_path / f"a.{ending}"
    (csv.write_csv if ending == "csv" else pq.write_table)(table, path)
    with pytest.raises(DataError, match="a grid of 1h from the first time to the last would hold 350641 rows"):
        read_table(path)


def test_names_of_many_columns_are_compared_once(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(",".join(f"c{number}" for number in range(60_000)) + "\n")
    began = time.monotonic()
    with rows_of(path) as rows:
        assert len(rows.columns) == 60_000
    assert time.monotonic() - began < SECONDS
