"""One text from whatever holds texts: the same from files, archives, tables, frames and lists; what is none is told."""

import gzip
import hashlib
import io
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretell.config import CorpusSection
from foretell.data.documents import Corpus, lines_of, read_corpus
from foretell.errors import DataError, UnsafeFileError

TEXT = "Grüße an die Wörld 😀\n\tzwei  Blanks\n\ncafe\u0301, \u200bnaïve\nohne Ende"
CODED = TEXT.encode()
BINARY = bytes(range(256)) * 8
WINDOWS = "line ends of Windows are read as line ends"
# What files, tables and lists alike can hold; line ends of Windows have tests of their own.
PARTS = st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\r\0\ufeff"), min_size=1, max_size=20))


def corpus(source: object, **options: Any) -> Corpus:
    return read_corpus(source, CorpusSection.model_validate(options))


def written(folder: Path, content: bytes, name: str = "text.txt") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def filled(folder: Path, files: Mapping[str, bytes]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        written(folder, content, name)
    return folder


def zipped(files: Mapping[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return stream.getvalue()


def tarred(files: Mapping[str, bytes], packed: str = "gz") -> bytes:
    stream = io.BytesIO()
    mode: Any = f"w:{packed}"
    with tarfile.open(fileobj=stream, mode=mode) as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return stream.getvalue()


def parquet(frame: pl.DataFrame) -> bytes:
    stream = io.BytesIO()
    frame.write_parquet(stream)
    return stream.getvalue()


# One text


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("text.txt", CODED),
        ("text", CODED),
        ("text.md", CODED),
        ("program.py", CODED),
        ("text.json", CODED),
        ("text.txt.gz", gzip.compress(CODED)),
        ("wrong-name.txt", gzip.compress(CODED)),
        ("two.gz", gzip.compress(CODED[:50]) + gzip.compress(CODED[50:])),
        ("bom.txt", b"\xef\xbb\xbf" + CODED),
        ("bom.gz", gzip.compress(b"\xef\xbb\xbf" + CODED)),
        ("text.zip", zipped({"text.txt": CODED})),
        ("bom.zip", zipped({"text.txt": b"\xef\xbb\xbf" + CODED})),
        ("packed-twice.zip", zipped({"text.txt.gz": gzip.compress(CODED)})),
        ("wrong-name.txt", zipped({"text.txt": CODED})),
        ("text.tar", tarred({"text.txt": CODED}, "")),
        ("text.tar.gz", tarred({"./text.txt": CODED})),
        ("text.tgz", tarred({"text.txt": CODED})),
        ("text.tar.bz2", tarred({"text.txt": CODED}, "bz2")),
        ("text.tar.xz", tarred({"text.txt": CODED}, "xz")),
    ],
)
def test_one_text_is_read_letter_by_letter(tmp_path: Path, name: str, content: bytes) -> None:
    path = written(tmp_path, content, name)
    for source in (path, str(path), (path,)):
        assert corpus(source) == Corpus(TEXT, name, 1)


@pytest.mark.parametrize("end", ["\r\n", "\r"])
def test_line_ends_of_other_systems_are_line_ends_and_told(tmp_path: Path, end: str) -> None:
    found = corpus(written(tmp_path, TEXT.replace("\n", end).encode()))
    assert (found.text, found.notes) == (TEXT, (WINDOWS,))
    assert corpus(written(tmp_path, b"a\r\nb\nc\rd\r\n\r\n")).text == "a\nb\nc\nd\n\n"


@pytest.mark.parametrize(
    ("encoding", "text", "before"),
    [
        ("utf-8", TEXT, b""),
        ("utf-8-sig", TEXT, b"\xef\xbb\xbf"),
        ("latin-1", "schön\nÀ la carte", b""),
        ("cp1252", "“schön” – €\n", b""),
        ("koi8-r", "жар\n", b""),
        ("shift_jis", "日本\n", b""),
        ("gb18030", TEXT, b""),
        ("utf-16", TEXT, b""),
        ("utf-16-le", TEXT, b""),
        ("utf-16-le", TEXT, b"\xff\xfe"),
        ("utf-16-be", TEXT, b"\xfe\xff"),
        ("utf-32", TEXT, b""),
    ],
)
def test_a_text_is_read_as_it_is_encoded(tmp_path: Path, encoding: str, text: str, before: bytes) -> None:
    content = before + text.encode(encoding).removeprefix(before)
    for name, packed in (("a.txt", content), ("a.gz", gzip.compress(content)), ("a.zip", zipped({"a.txt": content}))):
        assert corpus(written(tmp_path, packed, name), encoding=encoding).text == text


@pytest.mark.parametrize("spelling", ["utf-16", "UTF-16", "utf_16", "UTF16", "utf16", "u16", "utf32", "u32"])
def test_an_encoding_of_wide_letters_is_known_however_it_is_spelled(tmp_path: Path, spelling: str) -> None:
    content = TEXT.encode(spelling)
    assert corpus(written(tmp_path, content), encoding=spelling).text == TEXT
    assert corpus(filled(tmp_path / "folder", {"a.txt": content}), encoding=spelling).text == TEXT


def test_capital_letters_become_small_where_that_is_asked_for(tmp_path: Path) -> None:
    path = written(tmp_path, "So GOOD\r\nÄÖÜ Σ\r\n".encode())
    assert corpus(path, lowercase=True).text == "so good\näöü σ\n"
    assert corpus(path).text == "So GOOD\nÄÖÜ Σ\n"
    assert corpus(["So", "Good"], lowercase=True, separator=" END ").text == "so end good end "


@pytest.mark.parametrize(
    "content", [CODED, gzip.compress(CODED), b"\xef\xbb\xbf" + CODED], ids=["plain", "packed", "mark"]
)
def test_standard_input_is_a_text_where_the_name_is_a_dash(monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    for source in ("-", Path("-")):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
        assert corpus(source) == Corpus(TEXT, "standard input", 1)


def test_standard_input_is_decoded_as_was_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO("schön\r\n".encode("cp1252"))))
    assert corpus("-", encoding="cp1252").text == "schön\n"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", r"standard input is empty \(0 bytes\)"),
        (BINARY, "standard input is no text: byte 0 is zero"),
        (b"sch\xf6n", r"standard input, line \d+: byte 3 \(0xf6\) is not utf-8"),
    ],
)
def test_what_is_wrong_with_standard_input_is_told(monkeypatch: pytest.MonkeyPatch, content: bytes, told: str) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
    with pytest.raises(DataError, match=told):
        corpus("-")


def test_a_fingerprint_is_of_the_text_alone(tmp_path: Path) -> None:
    found = corpus(written(tmp_path, CODED))
    assert found.fingerprint == hashlib.sha256(CODED).hexdigest()
    assert corpus(written(tmp_path, TEXT.replace("\n", "\r\n").encode(), "other.txt")).fingerprint == found.fingerprint
    assert corpus(written(tmp_path, CODED + b" ", "more.txt")).fingerprint != found.fingerprint
    assert len(corpus(["half \ud83d"]).fingerprint) == 64


# Several texts


def test_several_paths_are_read_in_their_order(tmp_path: Path) -> None:
    paths = [written(tmp_path, f"text {name}".encode(), f"{name}.txt") for name in "dbcae"]
    text = "text d\ntext b\ntext c\ntext a\ntext e\n"
    for source in (tuple(paths), paths):
        assert corpus(source) == Corpus(text, "d.txt, b.txt, c.txt and 2 more", 5)
    assert corpus(paths[:3]).source == "d.txt, b.txt, c.txt"
    assert corpus((paths[0], paths[0])).text == "text d\ntext d\n"


def test_several_paths_may_be_of_any_kind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"six")))
    source = (
        written(tmp_path, b"one"),
        filled(tmp_path / "folder", {"b.txt": b"three", "a.txt": b"two", "x.bin": BINARY}),
        written(tmp_path, b"text,n\nfour,1\n,2\nfive,3\n", "table.csv"),
        Path("-"),
        written(tmp_path, zipped({"z/seven.txt": b"seven"}), "archive.zip"),
    )
    found = corpus(source)
    assert found.text == "one\ntwo\nthree\nfour\n\nfive\nsix\nseven\n"
    assert (found.source, found.documents) == ("text.txt, folder, table.csv and 2 more", 8)
    assert found.notes == ("1 file of folder passed over, being no text in utf-8 (--encoding): x.bin",)


@pytest.mark.parametrize(
    ("separator", "text"),
    [
        ("\n", "a\nb\n\nc\n"),
        ("", "ab\n\nc"),
        ("\n\n", "a\n\nb\n\nc\n\n"),
        ("</s>", "a</s>b\n\n</s>c</s>"),
        (" ", "a b\n\n c "),
    ],
)
def test_each_of_several_texts_ends_with_what_separates_them(tmp_path: Path, separator: str, text: str) -> None:
    files = {"1.txt": b"a", "2.txt": b"b\n\n", "3.txt": b"c"}
    paths = [written(tmp_path, content, name) for name, content in files.items()]
    folder = filled(tmp_path / "folder", files)
    rows = pl.DataFrame({"text": [content.decode() for content in files.values()]})
    for source in (paths, folder, rows, rows["text"].to_list()):
        assert corpus(source, separator=separator).text == text


def test_a_text_alone_ends_as_it_did_but_a_row_ends_as_all_rows_do(tmp_path: Path) -> None:
    assert corpus(written(tmp_path, b"alone")).text == "alone"
    assert corpus((written(tmp_path, b"alone"),)).text == "alone"
    assert corpus(filled(tmp_path / "folder", {"a.txt": b"alone"})).text == "alone"
    assert corpus(["alone"]).text == "alone\n"
    assert corpus(pl.DataFrame({"text": ["alone"]})).text == "alone\n"


@pytest.mark.parametrize("separator", ["\n", "\n\n", "\n---\n"])
def test_texts_from_windows_are_separated_as_all_others(tmp_path: Path, separator: str) -> None:
    texts = {"1.txt": "a\n\n", "2.txt": "b\n---\n", "3.txt": "c"}
    plain = filled(tmp_path / "plain", {name: text.encode() for name, text in texts.items()})
    windows = {name: text.replace("\n", "\r\n").encode() for name, text in texts.items()}
    found = corpus(filled(tmp_path / "windows", windows), separator=separator)
    assert found.text == corpus(plain, separator=separator).text


# Folders and archives


FILES = {
    "b/2.txt": b"four",
    "b.txt": b"three",
    "a/z/1.md": b"two",
    "a/y": b"one",
    "c.py.gz": gzip.compress(b"five"),
    ".hidden": b"hidden",
    ".git/config": b"hidden",
    "a/.x/y.txt": b"hidden",
}
WHOLE = "one\ntwo\nthree\nfour\nfive\n"


def test_a_folder_is_read_in_the_order_of_names_without_hidden_files(tmp_path: Path) -> None:
    assert corpus(filled(tmp_path / "folder", FILES)) == Corpus(WHOLE, "folder", 5)
    assert corpus(str(tmp_path / "folder")).text == WHOLE


def test_a_folder_whose_own_name_is_hidden_is_read(tmp_path: Path) -> None:
    assert corpus(filled(tmp_path / ".notes" / "texts", {"a.txt": b"one"})).text == "one"


@pytest.mark.parametrize(
    ("name", "pack"), [("files.zip", zipped), ("files.tar.gz", tarred), ("files.tar", lambda own: tarred(own, ""))]
)
def test_an_archive_is_read_as_its_folder_in_whatever_order_it_was_packed(tmp_path: Path, name: str, pack: Any) -> None:
    for files in (FILES, dict(reversed(FILES.items())), {f"./{own}": content for own, content in FILES.items()}):
        assert corpus(written(tmp_path, pack(files), name)) == Corpus(WHOLE, name, 5)
    beside = {**FILES, "__MACOSX/b.txt": BINARY, "._b.txt": BINARY}
    assert corpus(written(tmp_path, pack(beside), name)) == Corpus(WHOLE, name, 5)


@pytest.mark.parametrize("kind", ["folder", "zip", "tar"])
def test_what_is_no_text_is_passed_over_and_told(tmp_path: Path, kind: str) -> None:
    files = {
        "a.txt": b"one",
        "b.bin": BINARY,
        "c/d.txt": b"two",
        "e.zip": zipped({"x": b"y"}),
        "f": b"text\0",
        "g": BINARY,
    }
    sources = {
        "folder": lambda: filled(tmp_path / "all", files),
        "zip": lambda: written(tmp_path, zipped(files), "all"),
        "tar": lambda: written(tmp_path, tarred(files), "all"),
    }
    found = corpus(sources[kind]())
    assert (found.text, found.documents) == ("one\ntwo\n", 2)
    told = "4 files of all passed over, being no text in utf-8 (--encoding): b.bin, e.zip, f ..."
    assert found.notes == (told,)


@pytest.mark.parametrize(
    ("name", "content"),
    [("old.tar.gz", tarred({"a.txt": b"abc"})), ("image.bin.gz", gzip.compress(BINARY))],
    ids=["old.tar.gz", "image.bin.gz"],
)
def test_what_is_no_text_is_passed_over_although_it_is_packed(tmp_path: Path, name: str, content: bytes) -> None:
    found = corpus(filled(tmp_path / "all", {"a.txt": b"one", name: content, "z.txt": b"two"}))
    assert found.text == "one\ntwo\n"
    assert found.notes == (f"1 file of all passed over, being no text in utf-8 (--encoding): {name}",)


@pytest.mark.parametrize("empty", [b"", gzip.compress(b"")], ids=["plain", "packed"])
def test_an_empty_file_among_others_does_not_stop_all(tmp_path: Path, empty: bytes) -> None:
    found = corpus(filled(tmp_path / "all", {"package/__init__.py": empty, "package/one.py": b"one\n"}))
    assert found.text == "one\n"


def test_texts_of_a_folder_in_another_encoding_are_passed_over_and_told_by_name(tmp_path: Path) -> None:
    folder = filled(tmp_path / "all", {"a.txt": b"one", "b/c.txt": b"sch\xf6n"})
    found = corpus(folder)
    assert found.text == "one"
    assert found.notes == ("1 file of all passed over, being no text in utf-8 (--encoding): b/c.txt",)
    with pytest.raises(DataError, match="other holds no file of text in utf-8"):
        corpus(filled(tmp_path / "other", {"c.txt": b"sch\xf6n"}))
    assert corpus(folder, encoding="latin-1").text == "one\nschön\n"


@pytest.mark.parametrize("files", [{}, {"a.bin": BINARY}, {".a.txt": b"one"}])
def test_a_folder_without_a_text_is_told(tmp_path: Path, files: dict[str, bytes]) -> None:
    with pytest.raises(DataError, match="all holds no file of text"):
        corpus(filled(tmp_path / "all", files))
    with pytest.raises(DataError, match=r"all\.zip holds no file of text"):
        corpus(written(tmp_path, zipped(files), "all.zip"))


# Tables


ROWS = ["So good, so\ngood", 'a "quote", a comma', "schön 😀"]
JOINED = 'So good, so\ngood\na "quote", a comma\nschön 😀\n'
CSV = 'n,Text\n1,"So good, so\ngood"\n2,"a ""quote"", a comma"\n3,schön 😀\n'.encode()
JSON = b'{"n": 1, "Text": "So good, so\\ngood"}\n\n{"Text": "a \\"quote\\", a comma"}\n{"Text": "sch\\u00f6n \\ud83d\\ude00"}\n'
TABLE = pl.DataFrame({"n": [1, 2, 3], "Text": ROWS})


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("t.csv", CSV),
        ("T.CSV", CSV),
        ("t.csv.gz", gzip.compress(CSV)),
        ("t.csv", b"\xef\xbb\xbf" + CSV),
        ("t.csv", CSV.replace(b"n,T", b"n;T").replace(b"1,", b"1;").replace(b"2,", b"2;").replace(b"3,", b"3;")),
        ("t.tsv", CSV.replace(b"n,T", b"n\tT").replace(b"1,", b"1\t").replace(b"2,", b"2\t").replace(b"3,", b"3\t")),
        ("t.jsonl", JSON),
        ("t.ndjson", JSON),
        ("t.jsonl.gz", gzip.compress(JSON)),
        ("t.parquet", parquet(TABLE)),
        ("t.parquet.gz", gzip.compress(parquet(TABLE))),
    ],
)
def test_every_table_is_read_row_by_row(tmp_path: Path, name: str, content: bytes) -> None:
    path = written(tmp_path, content, name)
    for source in (path, str(path), (path,)):
        assert corpus(source) == Corpus(JOINED, name, 3)
    assert corpus(path, text="Text", separator="|").text == JOINED.replace("\n", "|").replace("so|good", "so\ngood")


def test_every_frame_is_read_row_by_row() -> None:
    for frame in (TABLE, TABLE.to_pandas(), TABLE.to_arrow(), TABLE.to_pandas().set_index("n")):
        assert corpus(frame) == Corpus(JOINED, "the data frame", 3)
    assert isinstance(TABLE.to_arrow(), pa.Table)


def test_a_list_is_read_text_by_text() -> None:
    for source in (ROWS, tuple(ROWS)):
        assert corpus(source) == Corpus(JOINED, "the list", 3)
    assert corpus(["a\r\n", "b"]) == Corpus("a\nb\n", "the list", 2, (WINDOWS,))
    assert corpus((str(Path(__file__)),)).text == f"{Path(__file__)}\n"  # texts, whatever they look like


def test_rows_without_a_text_are_passed_over_and_told(tmp_path: Path) -> None:
    told = ("2 rows of the data frame without a text passed over",)
    for frame in (
        pl.DataFrame({"text": ["a", None, None, "b"]}),
        pd.DataFrame({"text": ["a", None, float("nan"), "b"]}),
    ):
        assert corpus(frame) == Corpus("a\nb\n", "the data frame", 2, told)
    lines = written(tmp_path, b'{"text": "a"}\n{"text": null}\n', "t.jsonl")
    assert corpus(lines) == Corpus("a\n", "t.jsonl", 1, ("1 row of t.jsonl without a text passed over",))
    nothing = pl.DataFrame({"text": [None, None]}, schema={"text": pl.String})
    with pytest.raises(DataError, match='the data frame holds no text in its column "text"'):
        corpus(nothing)


@pytest.mark.parametrize("name", ["text", "TEXT", " Text ", "content", "body", "review", "smiles", "abc"])
def test_a_column_is_found_by_its_usual_name(name: str) -> None:
    assert corpus(pl.DataFrame({"id": ["x"], name: ["a"]})).text == "a\n"


def test_a_column_is_named_where_it_has_no_usual_name(tmp_path: Path) -> None:
    path = written(tmp_path, b"id,verse\nx,a\ny,b\n", "t.csv")
    assert corpus(path, text="verse").text == "a\nb\n"
    told = "t.csv has no column that is called like texts; name it with --text; there are id, verse"
    with pytest.raises(DataError, match=told):
        corpus(path)
    with pytest.raises(DataError, match=r't\.csv has no column "vers"; did you mean "verse"'):
        corpus(path, text="vers")
    with pytest.raises(DataError, match='the data frame has no column "text"'):
        corpus(pl.DataFrame({"verse": ["a"]}), text="text")


@pytest.mark.parametrize("cell", [["a", "b"], {"a": "b"}], ids=repr)
def test_a_cell_that_is_no_text_is_not_read_as_if_it_were(tmp_path: Path, cell: object) -> None:
    path = written(tmp_path, f'{{"text": "one"}}\n{{"text": {cell}}}\n'.replace("'", '"').encode(), "t.jsonl")
    with pytest.raises(DataError, match="text"):
        corpus(path)


def test_bytes_in_a_column_are_not_read_as_python_writes_them(tmp_path: Path) -> None:
    frame = pl.DataFrame({"text": [b"one", "schön".encode()]})
    for source in (frame, written(tmp_path, parquet(frame), "t.parquet")):
        with pytest.raises(DataError, match="text"):
            corpus(source)


def test_half_a_letter_is_no_part_of_a_text_that_can_be_written(tmp_path: Path) -> None:
    table = written(tmp_path, b'{"text": "so \\ud83d so"}\n{"text": "\\ud83d\\ude00"}\n', "t.jsonl")
    for source in (table, ["so \ud83d so", "😀"]):
        text = corpus(source).text
        assert text == "so \ufffd so\n😀\n"
        assert text.encode()


# What is no corpus


def test_an_absent_file_is_told(tmp_path: Path) -> None:
    for name in ("absent.txt", "absent.csv", "absent.zip", "absent"):
        with pytest.raises(DataError, match=rf"there is no file .*{name}"):
            corpus(tmp_path / name)
        with pytest.raises(DataError, match=rf"there is no file .*{name}"):
            corpus((written(tmp_path, b"there"), tmp_path / name))


def test_a_text_in_place_of_a_path_is_told() -> None:
    for text in ("To be, or not to be.", "To be, or not to be. " * 300):  # longer than any name of a file
        with pytest.raises(DataError):
            corpus(text)


EMPTY = {
    "text.txt": (b"", r"text.txt is empty \(0 bytes\)"),
    "packed.txt.gz": (gzip.compress(b""), r"packed.txt.gz is empty \(0 bytes\)"),
    "bom.txt": (b"\xef\xbb\xbf", "bom.txt holds no text"),
    "t.csv": (b"", "t.csv is empty"),
    "header.csv": (b"text,n\n", 'header.csv holds no text in its column "text"'),
    "t.jsonl": (b"\n", "t.jsonl is empty"),
    "t.parquet": (parquet(TABLE.clear()), "t.parquet holds no rows"),
}


@pytest.mark.parametrize(("name", "content", "told"), [(name, *own) for name, own in EMPTY.items()], ids=EMPTY.keys())
def test_a_file_without_a_text_is_told(tmp_path: Path, name: str, content: bytes, told: str) -> None:
    with pytest.raises(DataError, match=told):
        corpus(written(tmp_path, content, name))


def test_nothing_is_no_corpus() -> None:
    nothing: list[object] = [[], ()]
    for source in nothing:
        with pytest.raises(DataError, match="the list holds no text"):
            corpus(source)
    with pytest.raises(DataError, match="the data frame holds no rows"):
        corpus(TABLE.clear())


@pytest.mark.parametrize("separator", ["\n", "", "</s>"])
def test_empty_texts_are_no_corpus_whatever_separates_them(tmp_path: Path, separator: str) -> None:
    table = written(tmp_path, b'text\n""\n""\n', "t.csv")
    for source in ([""], ["", ""], pl.DataFrame({"text": [""]}), table):
        with pytest.raises(DataError, match="holds no text"):
            corpus(source, separator=separator)


def test_an_entry_that_is_no_text_is_told_by_its_place(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="entry 1 of the list is no text: a text is a str; found int"):
        corpus(["a", 5])
    with pytest.raises(DataError, match="entry 0 of the list is no text: a text is a str; found NoneType"):
        corpus([None])
    with pytest.raises(DataError, match=r"entry 0 of the list is no text: .* found .*Path"):
        corpus([written(tmp_path, b"a"), "b"])


def kind_of(value: object) -> str:
    """A name that is the same in every process."""
    return type(value).__name__


@pytest.mark.parametrize("source", [5, None, 1.5, object(), np.zeros(3), {"text": ["a"]}, iter(["a"])], ids=kind_of)
def test_what_is_no_source_is_told(source: object) -> None:
    with pytest.raises(DataError):
        corpus(source)


def test_bytes_that_are_zero_are_told(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"text.txt is no text: byte 4 is zero, in line 1; say --encoding if it is utf-16"
    ) as caught:
        corpus(written(tmp_path, b"text\0text"))
    assert caught.value.details["file"] == "text.txt"
    with pytest.raises(DataError, match="is no text: byte 3 is zero"):
        corpus(written(tmp_path, "so".encode("utf-16")))
    with pytest.raises(DataError, match="is no text: byte 4 is zero"):
        corpus(written(tmp_path, gzip.compress(b"text\0")))


def test_a_text_that_cannot_be_decoded_is_told(tmp_path: Path) -> None:
    path = written(tmp_path, b"so sch\xf6n")
    with pytest.raises(DataError, match=r"text.txt, line \d+: byte 6 \(0xf6\) is not utf-8; say --encoding") as caught:
        corpus(path)
    assert caught.value.details == {"file": "text.txt", "line": 1, "offset": 6}
    with pytest.raises(DataError, match=r"text.txt, line \d+: byte 6 \(0xf6\) is not ascii"):
        corpus(path, encoding="ascii")
    table = written(tmp_path, b"text\nso\nsch\xf6n\n", "t.csv")
    with pytest.raises(DataError, match=r"t.csv, line \d+: byte 11 \(0xf6\) is not utf-8"):
        corpus(table)
    assert corpus(table, encoding="latin-1").text == "so\nschön\n"


@pytest.mark.parametrize("encoding", ["latin-42", "", "hex", "rot13", "undefined", "a\0"])
def test_an_encoding_that_there_is_not_is_told(tmp_path: Path, encoding: str) -> None:
    for source in (written(tmp_path, b"a"), ["a"], TABLE):
        with pytest.raises(DataError, match="there is no encoding"):
            corpus(source, encoding=encoding)


DAMAGED = {
    "a.txt.gz": gzip.compress(CODED * 9)[:-9],
    "junk.txt.gz": gzip.compress(CODED * 9)[:40] + bytes(20) + gzip.compress(CODED * 9)[60:],
    "behind.txt.gz": gzip.compress(CODED) + b"junk",
    "a.zip": zipped({"a.txt": CODED})[:-12],
    "junk.zip": zipped({"a.txt": CODED})[:45] + bytes(20) + zipped({"a.txt": CODED})[65:],
    "a.tar.gz": tarred({"a.txt": CODED, "b.txt": CODED})[:-20],
    "a.tar": tarred({"a.txt": CODED, "b.txt": CODED}, "")[:1000],
    "outside.zip": zipped({"../a.txt": CODED}),
    "outside.tar.gz": tarred({"/a.txt": CODED}),
    "t.csv.gz": gzip.compress(CSV * 9)[:-9],
    "t.parquet": parquet(TABLE)[:-12],
}


@pytest.mark.parametrize(("name", "content"), DAMAGED.items(), ids=DAMAGED.keys())
def test_a_damaged_file_is_unsafe(tmp_path: Path, name: str, content: bytes) -> None:
    with pytest.raises(UnsafeFileError, match="damaged") as caught:
        corpus(written(tmp_path, content, name))
    assert "\n" not in caught.value.message


# Of all sources


@given(PARTS.filter(bool), st.sampled_from(["\n", "", " ", "\n\n", "</s>"]))
def test_texts_are_the_same_from_wherever_they_come(parts: list[str], separator: str) -> None:
    text = "".join(part if part.endswith(separator) else part + separator for part in parts)
    frame = pl.DataFrame({"text": parts})
    files = {f"{number:03}.txt": part.encode() for number, part in enumerate(parts)}
    if len(parts) == 1:
        files["1.txt"], text = files["000.txt"], 2 * text
        frame = pl.concat([frame, frame])
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sources: list[object] = [
            frame["text"].to_list(),
            frame,
            written(folder, frame.write_ndjson().encode(), "t.jsonl"),
            written(folder, frame.write_csv().encode(), "t.csv"),
            written(folder, parquet(frame), "t.parquet"),
            filled(folder / "files", files),
            sorted((folder / "files").iterdir()),
            written(folder, zipped(files), "files.zip"),
            written(folder, tarred(files, ""), "files.tar"),
        ]
        for source in sources:
            found = corpus(source, separator=separator)
            assert (found.text, found.documents, found.notes) == (text, max(2, len(parts)), ())


@given(st.text())
def test_lines_are_the_text_and_end_where_it_has_line_ends(text: str) -> None:
    lines = list(lines_of(text))
    assert "".join(lines) == text
    assert all(line.endswith("\n") for line in lines[:-1])
    assert all("\n" not in line[:-1] and line for line in lines)
