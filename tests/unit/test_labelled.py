"""The same texts from every kind of folder, archive, table and frame, and what is said of those that hold none."""

import csv
import gzip
import io
import json
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foretell.config import TextSection, TextSpanSection, TokenSection
from foretell.data.corpora import SPANS, Texts, read_texts, share_out
from foretell.data.labelled import laid_out
from foretell.data.vocabulary import Vocabulary
from foretell.errors import DataError, ForetellError, UnsafeFileError

FLAT = {
    "neg/1.txt": "a bad film",
    "neg/10.txt": "worse than\nthe first,\twith \"quotes\"; and 'more'",
    "neg/2.txt": "dull",
    "pos/0.txt": "good",
    "pos/1.txt": "  schön, très bien 😀\r\n",
}
SPANNED = {
    "test/neg/0.txt": "bad again",
    "test/pos/0.txt": "good again",
    "train/neg/0.txt": "bad",
    "train/neg/1.txt": "dull",
    "train/pos/0.txt": "good",
    "train/pos/1.txt": "schön",
}
ROWS = [
    ("good", "pos"),
    ('he said: "see it", so I did', "pos"),
    ("two\nlines,\n\nor four; | \t .", "neg"),
    ('"', "neg"),
    ("NA", "pos"),
    ("-", "neg"),
    ("  schön 😀 ", "pos"),
    ("'tis dull", "neg"),
]


class Seen(NamedTuple):
    """A text, its labels and its span."""

    text: str
    labels: tuple[str, ...]
    span: str


def seen(texts: Texts) -> list[Seen]:
    found = []
    for number, named in enumerate(texts.named):
        own = texts.targets[number]
        labels = [int(own)] if texts.targets.ndim == 1 else np.flatnonzero(own)
        span = SPANS[named] if named >= 0 else ""
        found.append(Seen(texts.texts[number], tuple(texts.labels[label] for label in labels), span))
    return found


def contents(texts: Texts) -> list[str]:
    return [entry.text for entry in seen(texts)]


def read(source: object, labels: Sequence[str] | None = None, **options: Any) -> Texts:
    return read_texts(source, TextSection.model_validate(options), labels)


def written(folder: Path, content: bytes | str, name: str = "table.csv") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def folder_of(path: Path, files: Mapping[str, str | bytes]) -> Path:
    for name, content in files.items():
        written(path, content, name)
    return path


def tarred(files: Mapping[str, str | bytes], mode: Any = "w:gz") -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode=mode) as archive:
        for name, text in files.items():
            content = text.encode() if isinstance(text, str) else text
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return stream.getvalue()


def zipped(files: Mapping[str, str | bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return stream.getvalue()


def as_csv(rows: Sequence[Sequence[str]], separator: str = ",", header: Sequence[str] = ("text", "label")) -> str:
    stream = io.StringIO(newline="")
    csv.writer(stream, delimiter=separator, lineterminator="\n").writerows([header, *rows])
    return stream.getvalue()


def as_json_lines(rows: Sequence[Sequence[Any]], header: Sequence[str] = ("text", "label")) -> str:
    return "".join(json.dumps(dict(zip(header, row, strict=True))) + "\n" for row in rows)


def as_frame(rows: Sequence[Sequence[Any]] = ROWS, header: Sequence[str] = ("text", "label")) -> pl.DataFrame:
    return pl.DataFrame(list(rows), list(header), orient="row")


def as_parquet(frame: pl.DataFrame) -> bytes:
    stream = io.BytesIO()
    frame.write_parquet(stream)
    return stream.getvalue()


def outside(name: str, files: Mapping[str, str]) -> dict[str, str]:
    """The same files inside one more folder."""
    return {f"{name}{path}": content for path, content in files.items()}


# Folders and archives


def test_a_folder_of_labels_is_read_in_the_order_of_its_paths(tmp_path: Path) -> None:
    texts = read(folder_of(tmp_path / "films", FLAT))
    assert seen(texts) == [Seen(text, (path[:3],), "") for path, text in sorted(FLAT.items())]
    assert texts.labels == ("neg", "pos")
    assert texts.source == "films"
    assert [texts.places[number] for number in (0, 3)] == ["films/neg/1.txt", "films/pos/0.txt"]
    assert not texts.ordered
    assert texts.notes == []


def test_folders_of_spans_say_which_span_a_text_belongs_to(tmp_path: Path) -> None:
    texts = read(folder_of(tmp_path, SPANNED))
    assert seen(texts) == [
        Seen(text, (PurePosixPath(path).parts[1],), path.split("/")[0]) for path, text in sorted(SPANNED.items())
    ]


@pytest.mark.parametrize("files", [FLAT, SPANNED], ids=["flat", "spanned"])
@pytest.mark.parametrize("outermost", ["", "./", "films/", "a/b/"])
@pytest.mark.parametrize("kind", ["tar", "tar.gz", "tar.bz2", "tar.xz", "zip"])
def test_an_archive_gives_the_texts_the_order_and_the_fingerprint_of_its_folder(
    tmp_path: Path, files: dict[str, str], outermost: str, kind: str
) -> None:
    folder = read(folder_of(tmp_path / "folder", files))
    backwards = dict(reversed(outside(outermost, files).items()))
    content = zipped(backwards) if kind == "zip" else tarred(backwards, f"w:{kind[4:]}" if kind != "tar" else "w")
    for name in (f"films.{kind}", "films"):
        archive = read(written(tmp_path, content, name))
        assert seen(archive) == seen(folder)
        assert archive.fingerprint == folder.fingerprint
        assert not archive.ordered


@given(st.permutations(list(SPANNED)), st.booleans())
@settings(max_examples=25)
def test_the_order_inside_an_archive_says_nothing(order: list[str], packed: bool) -> None:
    files = {path: SPANNED[path] for path in order}
    with tempfile.TemporaryDirectory() as folder:
        texts = read(written(Path(folder), zipped(files) if packed else tarred(files), "films"))
    assert contents(texts) == [text for _, text in sorted(SPANNED.items())]


def test_a_path_may_be_a_text(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "films", FLAT)
    assert read(str(folder)).fingerprint == read(folder).fingerprint
    archive = written(tmp_path, tarred(FLAT), "films.tar.gz")
    assert read(str(archive)).fingerprint == read(folder).fingerprint


def test_a_fingerprint_tells_texts_labels_and_spans_apart(tmp_path: Path) -> None:
    changed = [
        FLAT,
        {**FLAT, "pos/0.txt": "goods"},
        {**FLAT, "pos/2.txt": "one more"},
        {path.replace("pos", "positive"): text for path, text in FLAT.items()},
        {path.replace("neg/2", "pos/2"): text for path, text in FLAT.items()},
        outside("train/", FLAT),
        outside("test/", FLAT),
    ]
    prints = [read(folder_of(tmp_path / str(place), files)).fingerprint for place, files in enumerate(changed)]
    assert len(set(prints)) == len(changed)


def test_texts_without_a_label_are_left_out_and_told(tmp_path: Path) -> None:
    more = {"train/unsup/0.txt": "who knows", "train/unsup/1.txt": "", "train/UnLabelled/0.txt": "?"}
    texts = read(folder_of(tmp_path / "films", {**SPANNED, **more}))
    assert texts.notes == ["left out, since without a label: 3 texts"]
    assert texts.fingerprint == read(folder_of(tmp_path / "others", SPANNED)).fingerprint


@pytest.mark.parametrize("outermost", ["", "films/"])
def test_texts_in_no_folder_of_a_label_are_left_out_and_told(tmp_path: Path, outermost: str) -> None:
    plain = read(written(tmp_path, tarred(SPANNED), "plain.tar.gz"))
    more = {"README.txt": "read me", "train/urls.txt": "http://", "more/pos/0.txt": "more"}
    texts = read(written(tmp_path, tarred(outside(outermost, {**SPANNED, **more})), "more.tar.gz"))
    (note,) = texts.notes
    assert note == f"left out, since in no folder of a label: 3 files, such as {outermost}README.txt"
    assert texts.fingerprint == plain.fingerprint


def test_files_that_are_no_texts_are_passed_over(tmp_path: Path) -> None:
    others: dict[str, str | bytes] = {"pos/picture.jpg": b"\xff\xd8\xff", "imdb.vocab": "a", "labelled.feat": "0 0:9"}
    texts = read(folder_of(tmp_path / "films", {**FLAT, **others}))
    assert contents(texts) == [text for _, text in sorted(FLAT.items())]
    assert texts.notes == []
    resources = {"__MACOSX/pos/._0.txt": b"\0\x05\x16\x07\xff"}
    assert read(written(tmp_path, zipped({**FLAT, **resources}), "films.zip")).fingerprint == texts.fingerprint


def test_what_a_mac_puts_beside_files_in_a_tar_is_no_text(tmp_path: Path) -> None:
    resources = {"films/._pos": b"\0\x05\x16\x07\xff", "films/pos/._0.txt": b"\0\x05\x16\x07\xff"}
    texts = read(written(tmp_path, tarred({**outside("films/", FLAT), **resources}), "films.tar.gz"))
    assert texts.fingerprint == read(folder_of(tmp_path / "films", FLAT)).fingerprint


def test_links_in_an_archive_are_passed_over(tmp_path: Path) -> None:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name, text in FLAT.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text.encode())
            archive.addfile(entry, io.BytesIO(text.encode()))
        for name, kind in (("pos/link.txt", tarfile.SYMTYPE), ("pos/device.txt", tarfile.CHRTYPE)):
            link = tarfile.TarInfo(name)
            link.type, link.linkname = kind, "/etc/passwd"
            archive.addfile(link)
    texts = read(written(tmp_path, stream.getvalue(), "films.tar"))
    assert texts.fingerprint == read(folder_of(tmp_path / "films", FLAT)).fingerprint


@pytest.mark.parametrize(
    ("word", "span"),
    [
        ("train", "train"),
        ("Training", "train"),
        ("dev", "validation"),
        ("VAL", "validation"),
        ("valid", "validation"),
        ("validation", "validation"),
        ("TEST", "test"),
        ("testing", "test"),
    ],
)
def test_spans_have_several_names(tmp_path: Path, word: str, span: str) -> None:
    files = {f"{word}/{path}": text for path, text in FLAT.items()}
    assert {entry.span for entry in seen(read(folder_of(tmp_path / "films", files)))} == {span}
    table = as_csv([("good", "a", word), ("bad", "b", f" {word} ")], header=("text", "label", "split"))
    texts = read(written(tmp_path, table), span_column="split")
    assert seen(texts) == [Seen("good", ("a",), span), Seen("bad", ("b",), span)]


def test_folders_inside_labels_belong_to_them() -> None:
    paths = [PurePosixPath(path) for path in ("r/train/pos/2001/1.txt", "r/train/neg/1.txt", "r/train/pos/test/2.txt")]
    assert list(laid_out(paths).values()) == [("train", "pos"), ("train", "neg"), ("train", "pos")]
    flat = [PurePosixPath(path) for path in ("r/pos/2001/1.txt", "r/neg/1.txt", "r/2.txt")]
    assert laid_out(flat) == {flat[0]: ("", "pos"), flat[1]: ("", "neg")}
    assert laid_out([PurePosixPath("1.txt")]) == {}


@given(st.dictionaries(st.text("ab/.", max_size=6), st.just(""), max_size=5))
def test_wherever_files_lie_each_is_placed_once_or_left_out(files: dict[str, str]) -> None:
    paths = [PurePosixPath(path) for path in files]
    placed = laid_out(paths)
    assert set(placed) <= set(paths)
    assert all(label and label in path.parts[:-1] for path, (_, label) in placed.items())


TABLES = {"test.csv": as_csv([("bad", "neg"), ("fine", "pos")]), "train.csv": as_csv(ROWS)}


@pytest.mark.parametrize("names", [("train", "test"), ("train-00000-of-00001", "test_data"), ("Training", "Test")])
@pytest.mark.parametrize("kind", ["folder", "tar.gz", "zip"])
def test_a_folder_of_tables_says_spans_by_their_names(tmp_path: Path, names: tuple[str, str], kind: str) -> None:
    files = {
        f"{names[1]}.jsonl.gz": gzip.compress(as_json_lines([("bad", "neg"), ("fine", "pos")]).encode()),
        f"{names[0]}.parquet": as_parquet(as_frame()),
    }
    if kind == "folder":
        source = folder_of(tmp_path / "films", files)
    else:
        source = written(tmp_path, zipped(files) if kind == "zip" else tarred(files), f"films.{kind}")
    texts = read(source)
    training = [Seen(text, (label,), "train") for text, label in ROWS]
    assert seen(texts) == [Seen("bad", ("neg",), "test"), Seen("fine", ("pos",), "test"), *training]
    assert texts.ordered
    assert texts.fingerprint == read(folder_of(tmp_path / "plain", TABLES)).fingerprint


def test_one_table_in_a_folder_or_archive_is_read_as_if_it_were_alone(tmp_path: Path) -> None:
    alone = read(written(tmp_path, as_csv(ROWS)))
    files = {"reviews.csv": as_csv(ROWS), "notes.md": "#"}
    for source in (
        folder_of(tmp_path / "films", files),
        written(tmp_path, zipped(files), "films.zip"),
        written(tmp_path, tarred(files), "films.tar.gz"),
    ):
        texts = read(source)
        assert texts.ordered
        assert texts.fingerprint == alone.fingerprint
        assert texts.places[3] == f"{'' if source.is_dir() else source.name + '/'}reviews.csv, row 4 (line 8)"


def test_tables_whose_names_say_no_span_are_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"films holds 2 tables; their names say which span.*found reviews\.csv"):
        read(folder_of(tmp_path / "films", {"reviews.csv": as_csv(ROWS), "test.csv": as_csv(ROWS)}))


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ({}, "neither .txt files in folders of labels nor a table"),
        ({"readme.md": "#"}, "neither .txt files in folders of labels nor a table"),
        ({"1.txt": "a", "2.txt": "b"}, "holds 2 texts in no folder of a label; each label is a folder"),
    ],
)
def test_a_folder_without_labelled_texts_is_told(tmp_path: Path, files: dict[str, str], told: str) -> None:
    (tmp_path / "films").mkdir()
    with pytest.raises(DataError, match=f"films.*{told}"):
        read(folder_of(tmp_path / "films", files))
    with pytest.raises(DataError, match=f"films.zip.*{told}"):
        read(written(tmp_path, zipped(files), "films.zip"))
    with pytest.raises(DataError, match=f"films.tar.gz.*{told}"):
        read(written(tmp_path, tarred(files), "films.tar.gz"))


@pytest.mark.parametrize("blank", ["", " \n\t"])
def test_an_empty_file_is_told_or_dropped(tmp_path: Path, blank: str) -> None:
    folder = folder_of(tmp_path / "films", {**FLAT, "pos/5.txt": blank})
    with pytest.raises(DataError, match=r"films/pos/5\.txt is empty.*--incomplete drop"):
        read(folder)
    texts = read(folder, incomplete="drop")
    assert texts.notes == ["left out, since empty: 1 text"]
    assert contents(texts) == [text for _, text in sorted(FLAT.items())]


def test_a_byte_order_mark_is_no_part_of_a_text(tmp_path: Path) -> None:
    files = {path: b"\xef\xbb\xbf" + text.encode() for path, text in FLAT.items()}
    assert contents(read(folder_of(tmp_path / "films", files))) == [text for _, text in sorted(FLAT.items())]


def test_files_are_read_as_they_are_encoded(tmp_path: Path) -> None:
    files = {path: text.replace("😀", "").encode("latin-1") for path, text in FLAT.items()}
    folder = folder_of(tmp_path / "films", files)
    texts = read(folder, encoding="latin-1")
    assert contents(texts)[-1] == "  schön, très bien \r\n"
    with pytest.raises(DataError, match=r"films/pos/1\.txt, line \d+: byte 5 \(0xf6\) is not utf-8; say --encoding"):
        read(folder)
    wide = folder_of(tmp_path / "wide", {path: text.encode("utf-16") for path, text in FLAT.items()})
    assert contents(read(wide, encoding="utf-16")) == [text for _, text in sorted(FLAT.items())]


# Tables


WAYS: dict[str, bytes] = {
    "reviews.csv": as_csv(ROWS).encode(),
    "reviews.tsv": as_csv(ROWS, "\t").encode(),
    "reviews.tab": as_csv(ROWS, "\t").encode(),
    "semicolons.csv": as_csv(ROWS, ";").encode(),
    "bars.csv": as_csv(ROWS, "|").encode(),
    "windows.csv": as_csv(ROWS).replace("\n", "\r\n").replace("two\r\nlines,\r\n\r\n", "two\nlines,\n\n").encode(),
    "mark.csv": b"\xef\xbb\xbf" + as_csv(ROWS).encode(),
    "no-end.csv": as_csv(ROWS).rstrip("\n").encode(),
    "blank-lines.csv": as_csv(ROWS).replace("\nNA,", "\n\n\nNA,").encode() + b"\n\n",
    "leading.csv": b"\n \n" + as_csv(ROWS).encode(),
    "quoted.csv": as_csv(ROWS).replace("good,pos", '"good","pos"').replace("text,label", '"text","label"').encode(),
    "spaces.csv": as_csv(ROWS, header=(" text ", " label")).encode(),
    "other-order.csv": as_csv([row[::-1] for row in ROWS], header=("label", "text")).encode(),
    "numbered.csv": as_csv(
        [(str(number), *row) for number, row in enumerate(ROWS)], header=("", "text", "label")
    ).encode(),
    "without-suffix": as_csv(ROWS).encode(),
    "reviews.jsonl": as_json_lines(ROWS).encode(),
    "reviews.ndjson": ("\n" + as_json_lines(ROWS).replace("\n", "\n\n")).encode(),
    "letters.jsonl": "".join(
        json.dumps({"label": label, "text": text}, ensure_ascii=False) + "\n" for text, label in ROWS
    ).encode(),
    "mark.jsonl": b"\xef\xbb\xbf" + as_json_lines(ROWS).encode(),
    "reviews.json": json.dumps([{"text": text, "label": label} for text, label in ROWS]).encode(),
    "indented.json": json.dumps([{"text": text, "label": label} for text, label in ROWS], indent=1).encode(),
    "reviews.parquet": as_parquet(as_frame()),
    "wrong-name.csv": as_parquet(as_frame()),
}


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gz"])
@pytest.mark.parametrize("name", WAYS)
def test_every_way_to_write_the_rows_gives_the_same_texts(tmp_path: Path, name: str, packed: bool) -> None:
    content = WAYS[name]
    path = written(tmp_path, gzip.compress(content) if packed else content, name + ".gz" * packed)
    texts = read(path)
    assert seen(texts) == [Seen(text, (label,), "") for text, label in ROWS]
    assert texts.labels == ("neg", "pos")
    assert texts.ordered
    assert texts.fingerprint == read(as_frame()).fingerprint


def test_frames_of_every_library_equal_the_file() -> None:
    frame = as_frame()
    expected = read(frame)
    pandas = frame.to_pandas()
    for kind in (
        pandas,
        frame.to_arrow(),
        pandas.astype({"label": "category"}),
        pandas.set_index(pandas.index + 7),
        frame.with_columns(pl.col("label").cast(pl.Categorical)),
        frame.with_columns(pl.lit(1).alias("other")),
    ):
        texts = read(kind)
        assert seen(texts) == [Seen(text, (label,), "") for text, label in ROWS], type(kind)
        assert texts.fingerprint == expected.fingerprint
        assert texts.ordered
    assert expected.places[2] == "the data frame, row 3"


def test_standard_input_is_read_where_the_name_is_a_dash(monkeypatch: pytest.MonkeyPatch) -> None:
    for content in (as_csv(ROWS).encode(), gzip.compress(as_json_lines(ROWS).encode()), as_parquet(as_frame())):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
        texts = read("-")
        assert texts.source == "standard input"
        assert texts.fingerprint == read(as_frame()).fingerprint


ANY_TEXT = st.text(max_size=12).filter(str.strip)


@given(
    st.lists(st.tuples(ANY_TEXT, st.sampled_from(["a", "b", "ä"])), min_size=1, max_size=6),
    st.sampled_from(["csv", "tsv", "utf-8-sig", "utf-16", "utf-32", "jsonl", "json", "parquet"]),
)
def test_no_text_is_changed_on_its_way(rows: list[tuple[str, str]], kind: str) -> None:
    encoding = kind if kind.startswith("utf") else "utf-8"
    if kind == "parquet":
        content = as_parquet(as_frame(rows))
    elif kind.startswith("json"):
        objects = [{"text": text, "label": label} for text, label in rows]
        lines = "".join(json.dumps(entry, ensure_ascii=False) + "\n" for entry in objects)
        content = (lines if kind == "jsonl" else json.dumps(objects, ensure_ascii=False)).encode()
    else:
        stream = io.StringIO(newline="")
        writer = csv.writer(stream, delimiter="\t" if kind == "tsv" else ",", quoting=csv.QUOTE_ALL)
        writer.writerows([("text", "label"), *rows])
        content = stream.getvalue().encode(encoding)
    with tempfile.TemporaryDirectory() as folder:
        texts = read(written(Path(folder), content, f"t.{kind if kind[:3] != 'utf' else 'csv'}"), encoding=encoding)
    assert seen(texts) == [Seen(text, (label,), "") for text, label in rows]


@pytest.mark.parametrize(
    ("header", "options"),
    [
        (("text", "label"), {}),
        (("Review", "Sentiment"), {}),
        (("comment_text", "class"), {}),
        (("phrase", "label"), {}),  # the only other column
        (("phrase", "mood"), {"text": "phrase", "label": "mood"}),
        (("phrase", "mood"), {"label": ("mood",)}),
        (("ein Satz", "target"), {"text": "ein Satz"}),
    ],
)
def test_columns_are_found_by_their_names(tmp_path: Path, header: tuple[str, str], options: dict[str, Any]) -> None:
    texts = read(written(tmp_path, as_csv(ROWS, header=header)), **options)
    assert seen(texts) == [Seen(text, (label,), "") for text, label in ROWS]


def test_the_more_usual_name_wins(tmp_path: Path) -> None:
    header = ("body", "rating", "text", "label")
    texts = read(written(tmp_path, as_csv([("no", "1", "good", "pos"), ("no", "2", "bad", "neg")], header=header)))
    assert seen(texts) == [Seen("good", ("pos",), ""), Seen("bad", ("neg",), "")]
    others = read(as_frame([("no", "1", "good", "pos")], header), text="body", label="rating")
    assert seen(others) == [Seen("no", ("1",), "")]


@pytest.mark.parametrize(
    ("header", "options", "told"),
    [
        (("text", "mood"), {}, "no column that is called like labels; name it with --label; there are text, mood"),
        (("a", "label", "b"), {}, "no column that is called like texts; name it with --text; there are a, label, b"),
        (("text", "label"), {"text": "txet"}, 'no column "txet"; did you mean "text"?'),
        (("text", "label"), {"label": "lable"}, 'no column "lable"; did you mean "label"?'),
        (("text", "label"), {"span_column": "split"}, 'no column "split"; known are text, label'),
        (("text", "a", "b"), {"label": ("a", "b")}, r"--label names 2 columns \(a, b\); a text has one label"),
        (("text", "a", "b"), {"label": ("a,c",), "multi_label": True}, 'no column "c"'),
        (("text", "label", "text"), {}, '"text" stands twice; rename one'),
        (("text", "label", " label"), {}, '"label" stands twice; rename one'),
    ],
)
def test_columns_that_are_not_there_are_told(
    tmp_path: Path, header: tuple[str, ...], options: dict[str, Any], told: str
) -> None:
    with pytest.raises(DataError, match=told.replace("?", r"\?")) as caught:
        read(written(tmp_path, as_csv([["0"] * len(header)] * 2, header=header)), **options)
    assert "\n" not in caught.value.message


def test_labels_are_shown_alike_from_every_source(tmp_path: Path) -> None:
    frame = pl.DataFrame({"text": ["x", "y", "z"], "label": [10.0, 2.0, -1.0]})
    expected = ("-1", "2", "10")
    assert read(frame).labels == read(frame.with_columns(pl.col("label").cast(pl.Int8))).labels == expected
    assert read(frame.to_pandas()).labels == expected
    assert read(written(tmp_path, frame.write_csv())).labels == expected
    assert read(written(tmp_path, as_json_lines(frame.rows()), "t.jsonl")).labels == expected
    blank = [("x", " a"), ("y", "a "), ("z", "b")]
    assert read(written(tmp_path, as_csv(blank))).labels == ("a", "b")


@given(st.permutations(["3", "1", "20", "nan", "b", "a", "-inf", "0.5"]))
def test_the_order_of_labels_does_not_depend_on_that_of_the_rows(labels: list[str]) -> None:
    texts = read(pl.DataFrame({"text": ["x"] * len(labels), "label": labels}))
    numbers = [label for label in texts.labels if label not in ("nan", "b", "a")]
    assert numbers == ["-inf", "0.5", "1", "3", "20"]
    assert texts.labels[-2:] == ("a", "b") or texts.labels[-3:] == ("a", "b", "nan")
    assert texts.labels == read(pl.DataFrame({"text": ["x"] * len(labels), "label": labels[::-1]})).labels


def test_bytes_are_not_written_out_as_python_would(tmp_path: Path) -> None:
    frame = pl.DataFrame({"text": [b"good", b"bad"], "label": ["a", "b"]})  # Parquet without its mark of UTF-8
    for source in (frame, written(tmp_path, as_parquet(frame), "t.parquet")):
        try:
            found = contents(read(source))
        except DataError:
            continue
        assert found == ["good", "bad"]


def test_a_cell_that_is_no_text_is_told(tmp_path: Path) -> None:
    path = written(tmp_path, '{"text": "a", "label": "b"}\n{"text": ["c", "d"], "label": "e"}\n', "t.jsonl")
    with pytest.raises(DataError, match=r"t\.jsonl, row 2 \(line 2\)"):
        read(path)


# Several labels


def test_several_labels_stand_in_one_column_with_a_separator(tmp_path: Path) -> None:
    rows = [("x", "b|a"), ("y", ""), ("z", " a | c ||a")]
    for source in (written(tmp_path, as_csv(rows)), as_frame(rows), as_frame(rows).to_pandas()):
        texts = read(source, multi_label=True)
        assert texts.labels == ("a", "b", "c")
        assert texts.targets.dtype == np.uint8
        assert texts.targets.tolist() == [[1, 1, 0], [0, 0, 0], [1, 0, 1]]
    commas = [(text, labels.replace("|", "; ")) for text, labels in rows]
    assert read(written(tmp_path, as_csv(commas)), multi_label=True, separator=";").fingerprint == texts.fingerprint


def test_several_labels_stand_in_a_column_of_lists(tmp_path: Path) -> None:
    rows: list[tuple[str, list[str]]] = [("x", ["b", "a"]), ("y", []), ("z", ["a", "c", "a"])]
    frame = pl.DataFrame({"text": ["x", "y", "z"], "label": [labels for _, labels in rows]})
    for source in (
        frame,
        frame.to_pandas(),
        frame.to_arrow(),
        written(tmp_path, as_json_lines(rows), "t.jsonl"),
        written(tmp_path, as_parquet(frame), "t.parquet"),
    ):
        texts = read(source, multi_label=True)
        assert seen(texts) == [Seen("x", ("a", "b"), ""), Seen("y", (), ""), Seen("z", ("a", "c"), "")]


def test_several_labels_stand_in_columns_of_zeros_and_ones(tmp_path: Path) -> None:
    frame = pl.DataFrame({"toxic": [0, 1, 0], "text": ["x", "y", "z"], "rude": [1, 1, 0], "other": [5, 5, 5]})
    boolean = frame.with_columns(pl.col("toxic", "rude").cast(pl.Boolean))
    for source in (
        frame,
        boolean,
        frame.with_columns(pl.col("toxic", "rude").cast(pl.Float64)).to_pandas(),
        written(tmp_path, frame.write_csv(), "t.csv"),
        written(tmp_path, boolean.write_csv(), "u.csv"),
        written(tmp_path, frame.write_ndjson(), "t.jsonl"),
    ):
        for label in (("toxic", "rude"), ("toxic, rude",), ("rude", "toxic")):
            texts = read(source, multi_label=True, label=label)
            assert seen(texts) == [Seen("x", ("rude",), ""), Seen("y", ("rude", "toxic"), ""), Seen("z", (), "")]


def test_columns_of_true_and_false_are_read_as_pandas_writes_them(tmp_path: Path) -> None:
    frame = pd.DataFrame({"text": ["x", "y"], "toxic": [True, False], "rude": [True, True]})
    path = tmp_path / "t.csv"
    frame.to_csv(path, index=False)
    options: dict[str, Any] = {"multi_label": True, "label": ("toxic", "rude")}
    assert read(path, **options).fingerprint == read(frame, **options).fingerprint


def test_one_column_of_zeros_and_ones_gives_the_same_labels_from_a_frame_and_from_a_file(tmp_path: Path) -> None:
    frame = pl.DataFrame({"text": ["x", "y"], "label": [0, 1]})
    from_file = read(written(tmp_path, frame.write_csv()), multi_label=True)
    assert from_file.labels == ("0", "1")
    for kind in (frame, frame.to_pandas(), frame.with_columns(pl.col("label").cast(pl.Float64))):
        assert read(kind, multi_label=True).fingerprint == from_file.fingerprint


def test_a_missing_number_is_no_label_where_there_may_be_several() -> None:
    texts = read(pl.DataFrame({"text": ["x", "y", "z"], "label": [1.0, float("nan"), 2.0]}), multi_label=True)
    assert seen(texts) == [Seen("x", ("1",), ""), Seen("y", (), ""), Seen("z", ("2",), "")]


def test_what_is_neither_zero_nor_one_is_told(tmp_path: Path) -> None:
    path = written(tmp_path, "text,a,b\nx,1,0\ny,0,2\n")
    with pytest.raises(DataError, match=r"row 2 \(line 3\), column \"b\": .* each holds 0 or 1; found '2'"):
        read(path, multi_label=True, label=("a", "b"))


def test_a_list_where_a_text_has_one_label_is_told(tmp_path: Path) -> None:
    path = written(tmp_path, as_json_lines([("x", ["a", "b"])]), "t.jsonl")
    with pytest.raises(DataError, match=r"one label; found \['a', 'b'\]; for several say --multi-label"):
        read(path)


def test_texts_that_all_lack_labels_are_told_also_where_there_may_be_several(tmp_path: Path) -> None:
    path = written(tmp_path, as_csv([(f"text {number}", "") for number in range(30)]))
    with pytest.raises(DataError):
        share_out(read(path, multi_label=True), TextSpanSection(), 0)


# Spans


def test_a_column_says_which_span_a_text_belongs_to(tmp_path: Path) -> None:
    rows = [("x", "a", "test"), ("y", "b", "Train"), ("z", "a", "dev")]
    header = ("text", "label", "split")
    for source in (written(tmp_path, as_csv(rows, header=header)), as_frame(rows, header)):
        texts = read(source, span_column="split")
        assert seen(texts) == [Seen("x", ("a",), "test"), Seen("y", ("b",), "train"), Seen("z", ("a",), "validation")]
        assert read(source).named.tolist() == [-1, -1, -1]


@pytest.mark.parametrize("word", ["holdout", "", "0"])
def test_a_word_that_is_no_span_is_told(tmp_path: Path, word: str) -> None:
    path = written(tmp_path, as_csv([("x", "a", "train"), ("y", "b", word)], header=("text", "label", "split")))
    told = rf"row 2 \(line 3\), column \"split\": a span is train, validation or test; found '{word}'"
    with pytest.raises(DataError, match=told):
        read(path, span_column="split")


# What is missing


@pytest.mark.parametrize(
    ("row", "told"),
    [
        (("good", ""), "column \"label\": each row has a label; found ''"),
        (("good", "  "), 'column "label": each row has a label'),
        (("", "pos"), "column \"text\": each row has a text; found ''"),
        ((" \n ", "pos"), 'column "text": each row has a text'),
    ],
)
def test_a_row_that_lacks_its_text_or_its_label_is_told_or_dropped(
    tmp_path: Path, row: tuple[str, str], told: str
) -> None:
    rows = [*ROWS, row, *ROWS[:1]]
    path = written(tmp_path, as_csv(rows))
    with pytest.raises(DataError, match=rf"table\.csv, row 9 \(line 13\), {told}") as caught:
        read(path)
    assert "--incomplete drop" in caught.value.message
    assert caught.value.details["row"] == 9
    texts = read(path, incomplete="drop")
    assert texts.notes == ["1 row of table.csv lacked text or label and were dropped"]
    assert contents(texts) == [text for text, _ in [*ROWS, ROWS[0]]]


@pytest.mark.parametrize("column", ["text", "label"])
def test_nothing_in_a_frame_is_missing(tmp_path: Path, column: str) -> None:
    frame = pl.DataFrame({"text": ["x", "y", "z"], "label": ["a", "b", "a"]})
    frame = frame.with_columns(pl.when(pl.col("text") == "y").then(None).otherwise(pl.col(column)).alias(column))
    lines = "".join(json.dumps({k: v for k, v in row.items() if v}) + "\n" for row in frame.rows(named=True))
    for source in (
        frame,
        frame.to_pandas(),
        frame.to_pandas().fillna(np.nan),
        frame.to_arrow(),
        written(tmp_path, frame.write_ndjson(), "null.jsonl"),
        written(tmp_path, lines, "absent.jsonl"),
        written(tmp_path, as_parquet(frame), "t.parquet"),
    ):
        with pytest.raises(DataError, match=f'row 2.*column "{column}": each row has a {column}; found nothing'):
            read(source)
        assert contents(read(source, incomplete="drop")) == ["x", "z"]
    numbers = pl.DataFrame({"text": ["x", "y"], "label": [1.0, float("nan")]})
    with pytest.raises(DataError, match='column "label": each row has a label'):
        read(numbers)


def test_where_all_rows_are_dropped_there_are_no_texts(tmp_path: Path) -> None:
    path = written(tmp_path, "text,label\n,a\nx,\n")
    with pytest.raises(DataError, match=r"table\.csv holds no texts with labels"):
        read(path, incomplete="drop")
    with pytest.raises(DataError, match=r"table\.csv holds no texts with labels"):
        read(written(tmp_path, "text,label\n"))


@pytest.mark.parametrize("name", ["pandas", "polars", "arrow"])
def test_a_frame_without_rows_is_told(name: str) -> None:
    empty = as_frame().clear()
    frame = {"pandas": empty.to_pandas(), "polars": empty, "arrow": empty.to_arrow()}[name]
    with pytest.raises(DataError, match="holds no rows"):
        read(frame)


@pytest.mark.parametrize("thing", [None, 5, {"text": ["x"], "label": ["y"]}, as_frame().lazy()])
def test_what_is_no_source_of_texts_is_told(thing: object) -> None:
    with pytest.raises(DataError, match=f"texts come from a path or a data frame.*found {type(thing).__name__}"):
        read(thing)


def test_a_frame_that_cannot_be_read_is_not_called_no_frame() -> None:
    mixed = pd.DataFrame({"text": ["x", "y"], "label": pd.Series([1, "a"], dtype=object)})
    twice = pd.DataFrame([["x", "a", "b"], ["y", "b", "a"]], columns=["text", "label", "label"])
    for frame in (mixed, twice):
        try:
            read(frame)
        except DataError as error:
            assert "found DataFrame" not in error.message


def test_an_absent_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"there is no file .*absent\.csv"):
        read(tmp_path / "absent.csv")


# What is no label to learn


def test_one_label_only_is_told(tmp_path: Path) -> None:
    texts = read(folder_of(tmp_path / "films", {f"pos/{number}.txt": f"text {number}" for number in range(30)}))
    with pytest.raises(DataError, match='films has one label only, "pos"; there is nothing to tell apart'):
        share_out(texts, TextSpanSection(), 0)


def test_a_column_that_is_no_label_is_told() -> None:
    numbers = [str(number) for number in range(1001)]
    with pytest.raises(DataError, match=r"1001 different labels over 1001 texts.* name the right column with --label"):
        share_out(read(pl.DataFrame({"text": numbers, "label": numbers})), TextSpanSection(), 0)


def test_a_label_that_training_never_saw_is_told(tmp_path: Path) -> None:
    path = written(tmp_path, as_csv([("x", "pos"), ("y", "Neg")]))
    assert read(path, ["Neg", "other", "pos"]).labels == ("Neg", "other", "pos")
    assert read(path, ["Neg", "other", "pos"]).targets.tolist() == [2, 0]
    told = r'table\.csv, row 2 \(line 3\) has the label "Neg", which training never saw; did you mean "neg"\?'
    with pytest.raises(DataError, match=told):
        read(path, ["neg", "pos"])
    spans = as_csv([("x", "a", "train"), ("y", "b", "train"), ("z", "c", "test")], header=("text", "label", "split"))
    texts = read(written(tmp_path, spans + "w,a,validation\n"), span_column="split")
    with pytest.raises(DataError, match=r'row 3 \(line 4\) has the label "c", which no text of the train span has'):
        share_out(texts, TextSpanSection(), 0)


# Encodings


def test_a_table_is_read_as_it_is_encoded(tmp_path: Path) -> None:
    latin = as_csv([("schön", "gut"), ("öde", "schlecht")])
    expected = read(written(tmp_path, latin)).fingerprint
    for encoding in ("latin-1", "cp1252", "utf-16", "utf-16-le", "utf-32", "utf-8-sig"):
        for suffix in (".csv", ".csv.gz"):
            content = latin.encode(encoding)
            path = written(tmp_path, gzip.compress(content) if suffix == ".csv.gz" else content, encoding + suffix)
            assert read(path, encoding=encoding).fingerprint == expected, encoding
    lines = as_json_lines([("schön", "gut"), ("öde", "schlecht")])
    assert read(written(tmp_path, lines.encode("utf-16"), "t.jsonl"), encoding="utf-16").fingerprint == expected


def test_an_encoding_that_there_is_not_is_told(tmp_path: Path) -> None:
    for source in (written(tmp_path, as_csv(ROWS)), folder_of(tmp_path / "films", FLAT)):
        for encoding in ("utf-99", "hex", ""):
            with pytest.raises(DataError, match=f'there is no encoding "{encoding}"'):
                read(source, encoding=encoding)


LATIN = "text,label\ngood,a\nsch\xf6n,b\n".encode("latin-1")
AT = LATIN.index(b"\xf6")


@pytest.mark.parametrize(
    ("name", "content", "place", "offset"),
    [
        ("t.csv", LATIN, "t.csv", AT),
        ("t.csv.gz", gzip.compress(LATIN, mtime=0), "t.csv.gz", AT),
        ("t.csv", b"\xef\xbb\xbf" + LATIN, "t.csv", AT + 3),
        ("t.jsonl", b'{"text": "a", "label": "b"}\n{"text": "\xff"}\n', "t.jsonl", 38),
        ("t.tsv", LATIN.replace(b",", b"\t"), "t.tsv", AT),
        ("t.zip", zipped({"t.csv": LATIN}), "t.zip/t.csv", AT),
        ("t.tar.gz", tarred({"t.csv": LATIN}), "t.tar.gz/t.csv", AT),
        ("t.tar.gz", tarred({"a/1.txt": "good", "b/1.txt": b"sch\xf6n"}), "t.tar.gz/b/1.txt", 3),
        ("t.zip", zipped({"a/1.txt": "good", "b/1.txt": b"sch\xf6n"}), "t.zip/b/1.txt", 3),
    ],
    ids=["csv", "gz", "mark", "json", "tsv", "zip of a csv", "tar of a csv", "tar", "zip"],
)
def test_what_is_not_utf8_is_told_with_its_file_and_byte(
    tmp_path: Path, name: str, content: bytes, place: str, offset: int
) -> None:
    with pytest.raises(
        DataError, match=rf"^{place}, line \d+: byte {offset} \(0xf[6f]\) is not utf-8; say --encoding"
    ) as caught:
        read(written(tmp_path, content, name))
    assert caught.value.details["offset"] == offset


def test_utf16_without_its_name_is_told(tmp_path: Path) -> None:
    for encoding in ("utf-16", "utf-16-le", "utf-16-be", "utf-32"):
        with pytest.raises(DataError, match=r"not utf-8|zero byte"):
            read(written(tmp_path, as_csv(ROWS).encode(encoding)))


def test_a_zero_byte_in_a_text_is_kept_or_told(tmp_path: Path) -> None:
    try:
        texts = read(written(tmp_path, "text,label\nx\0y,a\nz,b\n"))
    except DataError as error:  # as Python 3.10 reads CSV
        assert "line 2" in error.message
    else:
        assert contents(texts) == ["x\0y", "z"]
    assert contents(read(written(tmp_path, as_json_lines([("x\0y", "a"), ("z", "b")]), "t.jsonl"))) == ["x\0y", "z"]
    assert contents(read(folder_of(tmp_path / "films", {"a/1.txt": "x\0y", "b/1.txt": "z"}))) == ["x\0y", "z"]
    with pytest.raises(DataError, match="neither text nor Parquet: it holds a zero byte"):
        read(written(tmp_path, bytes(range(9)) * 8))


# Files that are no tables


NO_TABLE: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", r"is empty \(0 bytes\)"),
    "a gzip of nothing": (gzip.compress(b""), "is empty"),
    "blanks": (b" \n\n", "is empty"),
    "a byte order mark": (b"\xef\xbb\xbf", "is empty"),
    "a gzip of blanks": (gzip.compress(b"\n"), "is empty"),
    "a header": (b"text,label\n", "holds no texts with labels"),
    "a header without an end": (b"text,label", "holds no texts with labels"),
    "an empty list": (b"[]", "holds no rows"),
    "a list of texts": (b'["good", "bad"]', "entry 1: an entry is an object with the text and its label"),
    "lists in lines": (b'["good", "pos"]\n["bad", "neg"]\n', "is not JSON"),
    "half a list": (b'[{"text": "good"', "is not JSON"),
    "half an object": (b'{"text": "good", "label": "a"}\n\n{"text": "bad"\n', "line 3 is not JSON"),
    "a number among lines": (b'{"text": "good", "label": "a"}\n5\n', "line 2: a line is an object .* found int"),
    "deep brackets": (b'{"text": ' + b"[" * 100_000 + b"\n", "line 1 is not JSON"),
    "deep lists": (b"[" * 100_000, "is not JSON"),
    "a parquet of no rows": (as_parquet(as_frame().clear()), "holds no rows"),
    "a program": (b"\x7fELF\x02\x01\x01\0\0\0\0", "zero byte"),
}


@pytest.mark.parametrize(("content", "told"), NO_TABLE.values(), ids=NO_TABLE.keys())
def test_what_is_no_table_of_texts_is_told_in_one_sentence(tmp_path: Path, content: bytes, told: str) -> None:
    with pytest.raises(DataError, match=told) as caught:
        read(written(tmp_path, content))
    assert "table.csv" in caught.value.message
    assert "\n" not in caught.value.message


@pytest.mark.parametrize("row", ["bad", "bad,neg,more", "bad, not good,neg"])
def test_a_ragged_row_is_named_with_its_line(tmp_path: Path, row: str) -> None:
    width = row.count(",") + 1
    path = written(tmp_path, as_csv(ROWS) + "\n" + row + "\n")
    told = rf"^table\.csv, row 9 \(line 14\): a row has as many fields as the header, 2; found {width}; put texts"
    with pytest.raises(DataError, match=told) as caught:
        read(path)
    assert caught.value.details == {"file": "table.csv", "row": 9, "line": 14}


def test_lines_are_counted_from_the_top_of_the_file(tmp_path: Path) -> None:
    path = written(tmp_path, "\n\ntext,label\ngood,pos\n\nbad\n")
    with pytest.raises(DataError, match=r"row 2 \(line 6\)"):
        read(path)
    lines = as_json_lines(ROWS[:2]) + "\n\n" + as_json_lines([("", "pos")])
    with pytest.raises(DataError, match=r"row 3 \(line 5\)"):
        read(written(tmp_path, lines, "t.jsonl"))


@pytest.mark.parametrize(
    "content",
    ['text,label\ngood,pos\n"bad,neg\ndull,neg\n', 'label,text\npos,good\nneg,"bad\nneg,dull\npos,fine\n'],
    ids=["first column", "last column"],
)
def test_a_quote_that_is_never_closed_does_not_swallow_the_rows_behind_it(tmp_path: Path, content: str) -> None:
    with pytest.raises(DataError, match=r"line 3"):
        read(written(tmp_path, content))


def test_lines_that_end_as_on_an_old_mac_are_read_or_told(tmp_path: Path) -> None:
    try:
        texts = read(written(tmp_path, as_csv([("good", "a"), ("bad", "b")]).replace("\n", "\r")))
    except DataError as error:
        assert "\n" not in error.message
    else:
        assert contents(texts) == ["good", "bad"]


def test_blanks_around_the_keys_of_json_do_not_matter(tmp_path: Path) -> None:
    texts = read(written(tmp_path, as_json_lines(ROWS, header=(" text", "label ")), "t.jsonl"))
    assert contents(texts) == [text for text, _ in ROWS]


def test_half_a_letter_that_json_can_write_is_read_and_cut(tmp_path: Path) -> None:
    path = written(tmp_path, '{"text": "so \\ud83d so", "label": "a"}\n{"text": "so", "label": "b"}\n', "t.jsonl")
    try:
        found = contents(read(path))
    except DataError:
        return  # told
    assert len(list(Vocabulary.learn(found, TokenSection()).encode(found))) == 2


# Damage


MANY = {f"{label}/{number}.txt": f"{label} {number * 7919 % 1009}" for label in ("neg", "pos") for number in range(40)}
TAR, TARGZ, ZIP = tarred(MANY, "w"), tarred(MANY), zipped(MANY)
TABLE = as_csv([(text, path[:3]) for path, text in MANY.items()]).encode()
GZIPPED = gzip.compress(TABLE, mtime=0)
PARQUET = as_parquet(as_frame())

DAMAGED = {
    "a shortened gzip": ("t.csv.gz", GZIPPED[:-12]),
    "a gzip shortened to its beginning": ("t.csv.gz", GZIPPED[:30]),
    "a gzip of a few rows, shortened": ("t.csv.gz", gzip.compress(as_csv(ROWS).encode())[:-12]),
    "only the beginning of a gzip": ("t.csv.gz", b"\x1f\x8b"),
    "a gzip with junk behind": ("t.csv.gz", GZIPPED + b"junk"),
    "a gzip with junk inside": ("t.csv.gz", GZIPPED[:40] + bytes(40) + GZIPPED[80:]),
    "a shortened gzip of JSON": ("t.jsonl.gz", gzip.compress(as_json_lines(ROWS * 9).encode())[:-12]),
    "a shortened tar": ("t.tar", TAR[:30_000]),
    "a tar shortened inside a text": ("t.tar", TAR[: 512 * 41 + 3]),
    "a tar shortened inside a header": ("t.tar", TAR[: 512 * 40 + 3]),
    "a tar with a broken header": ("t.tar", TAR[: 512 * 40] + b"xxxxx" + TAR[512 * 40 + 5 :]),
    "a shortened tar.gz": ("t.tar.gz", TARGZ[: len(TARGZ) // 2]),
    "a tar.gz that lacks its end": ("t.tar.gz", TARGZ[:-30]),
    "only the beginning of a tar.gz": ("t.tar.gz", TARGZ[:60]),
    "a tar.gz with junk inside": ("t.tar.gz", TARGZ[: len(TARGZ) // 2] + bytes(40) + TARGZ[len(TARGZ) // 2 + 40 :]),
    "a tar.gz with junk early": ("t.tar.gz", TARGZ[:400] + bytes(40) + TARGZ[440:]),
    "a shortened tar.xz": ("t.tar.xz", tarred(MANY, "w:xz")[:-40]),
    "a shortened zip": ("t.zip", ZIP[:-12]),
    "half a zip": ("t.zip", ZIP[: len(ZIP) // 2]),
    "a zip with junk inside": ("t.zip", ZIP[:42] + bytes(6) + ZIP[48:]),
    "a table in a zip with junk inside": ("t.zip", (lambda z: z[:45] + bytes(10) + z[55:])(zipped({"t.csv": TABLE}))),
    "a shortened parquet": ("t.parquet", PARQUET[:-12]),
    "only the beginning of a parquet": ("t.parquet", b"PAR1"),
    "a parquet with junk inside": ("t.parquet", PARQUET[:20] + bytes(30) + PARQUET[50:]),
    "a parquet with junk at its end": ("t.parquet", PARQUET[:-60] + bytes(range(52)) + b"\x34\0\0\0PAR1"),
    "a shortened parquet in a gzip": ("t.parquet.gz", gzip.compress(PARQUET[:-12])),
    "a shortened parquet in a zip": ("t.zip", zipped({"t.parquet": PARQUET[:-12]})),
    "a shortened gzip in a tar": ("t.tar.gz", tarred({"t.csv.gz": GZIPPED[:-12]})),
}


@pytest.mark.parametrize(("name", "content"), DAMAGED.values(), ids=DAMAGED.keys())
def test_a_damaged_file_is_unsafe(tmp_path: Path, name: str, content: bytes) -> None:
    with pytest.raises(UnsafeFileError, match="damaged") as caught:
        read(written(tmp_path, content, name))
    assert caught.value.exit_code == 5
    assert name in caught.value.message
    assert "\n" not in caught.value.message


def test_a_protected_zip_is_told(tmp_path: Path) -> None:
    protected = bytearray(ZIP)
    protected[protected.index(b"PK\x01\x02") + 8] |= 1
    with pytest.raises(UnsafeFileError, match=r"t\.zip is damaged or protected: .*encrypted"):
        read(written(tmp_path, bytes(protected), "t.zip"))
    unknown = bytearray(ZIP)
    unknown[unknown.index(b"PK\x01\x02") + 10] = 99
    with pytest.raises(UnsafeFileError, match=r"t\.zip is damaged or protected: .*compression method"):
        read(written(tmp_path, bytes(unknown), "t.zip"))


@given(st.integers(0, 10**6), st.integers(0, 255))
def test_one_damaged_byte_of_a_packed_file_is_never_read_as_something_else(place: int, value: int) -> None:
    for content, name, expected in ((GZIPPED, "t.csv.gz", _PRINTS["table"]), (TARGZ, "t.tar.gz", _PRINTS["folder"])):
        damaged = bytearray(content)
        damaged[place % len(content)] = value
        with tempfile.TemporaryDirectory() as folder:
            path = written(Path(folder), bytes(damaged), name)
            try:
                texts = read(path)
            except ForetellError:
                continue
            assert texts.fingerprint == expected


_PRINTS = {
    "table": read(as_frame([(text, path[:3]) for path, text in MANY.items()])).fingerprint,
    "folder": read(as_frame([(text, path[:3]) for path, text in sorted(MANY.items())])).fingerprint,
}

DAMAGE = st.lists(
    st.tuples(
        st.integers(0, 10**6),
        st.sampled_from([0, 1, 1, 5, 20]),
        st.sampled_from([b",", b'"', b"\n", b"\r", b"\t", b"\xff", b"\xc3", b"{", b"[", b"\\", b"\0", b"1e999", b""]),
    ),
    min_size=1,
    max_size=4,
)


@given(
    DAMAGE,
    st.sampled_from(
        [
            ("t.csv", as_csv(ROWS).encode()),
            ("t.tsv", as_csv(ROWS, "\t").encode()),
            ("t.jsonl", as_json_lines(ROWS).encode()),
            ("t.json", json.dumps([{"text": text, "label": label} for text, label in ROWS]).encode()),
            ("t.parquet", PARQUET),
            ("t.zip", zipped(SPANNED)),
            ("t.zip", zipped(SPANNED, zipfile.ZIP_STORED)),
            ("t.tar", tarred(SPANNED, "w")),
            ("t.tar.gz", tarred(SPANNED)),
        ]
    ),
)
@settings(max_examples=150)
def test_no_damage_makes_a_traceback(damage: list[tuple[int, int, bytes]], file: tuple[str, bytes]) -> None:
    name, content = file[0], bytearray(file[1])
    for place, length, instead in damage:
        place %= len(content) + 1
        content[place : place + length] = instead
    with tempfile.TemporaryDirectory() as folder:
        path = written(Path(folder), bytes(content), name)
        try:
            texts = read(path)
        except ForetellError as error:
            assert "\n" not in error.message
            return
    assert len(texts.texts) == len(texts.targets) > 0
