"""Pairs from whatever a user has: files side by side, folders, tables, lists; what is wrong with them, line by line."""

import gzip
import io
import json
import sys
import zipfile
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from foretell.config import PairSection
from foretell.data.builtin.dates import FORMS, dates
from foretell.data.pairs import Pairs, read_pairs
from foretell.data.parallel import language_of
from foretell.data.unlabelled import read_unlabelled
from foretell.errors import ConfigurationError, DataError, UnsafeFileError

ENGLISH = ["A dog runs.", "Two cats sleep.", "", "A man reads."]
GERMAN = ["Ein Hund rennt.", "Zwei Katzen schlafen.", "nichts", "Ein Mann liest."]
KEPT = [(one, two) for one, two in zip(ENGLISH, GERMAN, strict=True) if one]


def written(path: Path, lines: list[str], *, packed: bool = False, end: str = "\n") -> Path:
    content = "".join(line + end for line in lines).encode()
    path.write_bytes(gzip.compress(content) if packed else content)
    return path


def as_list(pairs: Pairs) -> list[tuple[str, str]]:
    return [(pairs.sources[number], pairs.targets[number]) for number in range(len(pairs))]


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_two_files_are_read_side_by_side(tmp_path: Path, packed: bool, end: str) -> None:
    suffix = ".gz" if packed else ""
    one = written(tmp_path / f"train.en{suffix}", ENGLISH, packed=packed, end=end)
    two = written(tmp_path / f"train.de{suffix}", GERMAN, packed=packed, end=end)
    pairs = read_pairs((one, two), PairSection())
    assert as_list(pairs) == KEPT
    assert pairs.languages == ("en", "de")
    assert pairs.empty == 1
    assert pairs.named.tolist() == [-1] * 3
    assert as_list(read_pairs((two, one), PairSection())) == [(german, english) for english, german in KEPT]


def test_a_line_without_a_partner_is_named(tmp_path: Path) -> None:
    one = written(tmp_path / "a.en", ENGLISH)
    two = written(tmp_path / "a.de", GERMAN[:2])
    with pytest.raises(DataError) as raised:
        read_pairs((one, two), PairSection())
    assert raised.value.message == (
        "two parallel files have as many lines as each other; a.de ends after 2 lines, a.en has 4: line 3 of a.en has no "
        "partner"
    )
    assert raised.value.details["line"] == 3
    with pytest.raises(DataError, match=r"line 3 of a\.en has no partner"):
        read_pairs((two, one), PairSection())


def test_empty_lines_at_the_end_of_one_file_are_none(tmp_path: Path) -> None:
    one = written(tmp_path / "a.en", [*ENGLISH, "", " "])
    assert as_list(read_pairs((one, written(tmp_path / "a.de", GERMAN)), PairSection())) == KEPT


@pytest.mark.parametrize("packed", [False, True])
def test_a_folder_tells_spans_and_languages(tmp_path: Path, packed: bool) -> None:
    folder = tmp_path / "corpus"
    folder.mkdir()
    for name, number in (("train", 3), ("val", 2), ("test_2016_flickr", 1)):
        for language in ("en", "de", "fr"):
            suffix = ".gz" if packed else ""
            lines = [f"{name} {language} {line}" for line in range(number)]
            written(folder / f"{name}.{language}{suffix}", lines, packed=packed)
    (folder / "README.md").write_text("nothing to read")
    pairs = read_pairs(folder, PairSection(source="de", target="fr"))
    assert pairs.languages == ("de", "fr")
    assert pairs.named.tolist() == [2, 0, 0, 0, 1, 1]
    assert as_list(pairs)[1] == ("train de 0", "train fr 0")
    archive = tmp_path / "corpus.zip"
    with zipfile.ZipFile(archive, "w") as packed_files:
        for file in sorted(folder.iterdir()):
            packed_files.write(file, f"corpus/{file.name}")
    inside = read_pairs(archive, PairSection(source="de", target="fr"))
    assert sorted(as_list(inside)) == sorted(as_list(pairs))
    for section, said in (
        ({}, "holds files in de, en, fr: say from which to which, such as --source de --target en"),
        ({"source": "dee", "target": "en"}, 'holds no files that end in ".dee"; did you mean "de"'),
        ({"source": "en", "target": "en"}, "--source and --target are both en"),
    ):
        with pytest.raises(DataError, match=said):
            read_pairs(folder, PairSection(**section))


def test_a_folder_in_two_languages_needs_one_of_them_named(tmp_path: Path) -> None:
    for language in ("en", "de"):
        written(tmp_path / f"train.{language}", [language] * 3)
    assert read_pairs(tmp_path, PairSection(target="en")).languages == ("de", "en")
    with pytest.raises(DataError, match="say from which to which"):
        read_pairs(tmp_path, PairSection())
    written(tmp_path / "test.a.en", ["x"])
    written(tmp_path / "test.a.de", ["y"])
    assert read_pairs(tmp_path, PairSection(target="en")).named.tolist() == [2, 0, 0, 0]
    written(tmp_path / "test.b.en", ["x"])
    written(tmp_path / "test.b.de", ["y"])
    with pytest.raises(DataError, match="several files of test"):
        read_pairs(tmp_path, PairSection(target="en"))


def test_a_folder_without_pairs_says_how_they_are_called(tmp_path: Path) -> None:
    written(tmp_path / "notes.txt", ["x"])
    with pytest.raises(DataError, match="no parallel files: they are called after a span and end in a language"):
        read_pairs(tmp_path, PairSection())


def table(tmp_path: Path, kind: str) -> Path:
    path = tmp_path / f"pairs.{kind}"
    if kind.startswith("tsv") or kind == "txt":
        text = "".join(f"{one}\t{two}\n" for one, two in zip(ENGLISH, GERMAN, strict=True))
        path.write_bytes(gzip.compress(text.encode()) if kind.endswith("gz") else text.encode())
        return path
    frame = pl.DataFrame({"number": [1, 2, 3, 4], "en": ENGLISH, "de": GERMAN})
    if kind == "csv":
        frame.write_csv(path)
    elif kind == "parquet":
        frame.write_parquet(path)
    else:
        lines = "".join(json.dumps(row) + "\n" for row in frame.to_dicts())
        path.write_bytes(gzip.compress(lines.encode()) if kind.endswith("gz") else lines.encode())
    return path


@pytest.mark.parametrize("kind", ["tsv", "tsv.gz", "txt", "csv", "jsonl", "jsonl.gz", "parquet"])
def test_tables_have_a_column_of_each(tmp_path: Path, kind: str) -> None:
    path = table(tmp_path, kind)
    assert as_list(read_pairs(path, PairSection())) == KEPT
    if kind in ("csv", "jsonl", "parquet"):
        other = read_pairs(str(path), PairSection(source="de", target="en"))
        assert as_list(other) == [(german, english) for english, german in KEPT]
        assert other.languages == ("de", "en")
        with pytest.raises(DataError, match='no column "dee"; did you mean "de"'):
            read_pairs(path, PairSection(source="dee", target="en"))


@pytest.mark.parametrize("kind", ["jsonl", "parquet"])
def test_a_column_may_hold_the_texts_by_language(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"pairs.{kind}"
    sides: list[dict[str, str] | None] = [{"en": one, "de": two} for one, two in zip(ENGLISH, GERMAN, strict=True)]
    if kind == "parquet":
        pl.DataFrame({"id": [1, 2, 3, 4], "translation": sides}).write_parquet(path)
    else:
        sides[3] = None  # is dropped as an empty line is
        path.write_text("".join(json.dumps({"id": 1, "translation": own}) + "\n" for own in sides), encoding="utf-8")
    found = read_pairs(path, PairSection())
    wanted = KEPT if kind == "parquet" else KEPT[:2]
    assert as_list(found) == wanted
    assert found.languages == ("en", "de")
    back = read_pairs(path, PairSection(source="de", target="en"))
    assert as_list(back) == [(target, source) for source, target in wanted]
    texts, beside = read_unlabelled(path, "de", "utf-8")
    assert beside is not None
    assert texts[0] == GERMAN[0]
    assert beside.columns == ["id", "en", "de"]


def test_data_frames_and_lists_are_pairs_too() -> None:
    frame = pl.DataFrame({"source": ENGLISH, "target": GERMAN})
    assert as_list(read_pairs(frame, PairSection())) == KEPT
    assert as_list(read_pairs(frame.to_pandas(), PairSection())) == KEPT
    assert as_list(read_pairs(list(zip(ENGLISH, GERMAN, strict=True)), PairSection())) == KEPT
    for bad, said in (
        ([("a", "b"), "cd"], "entry 1 of the list is no pair"),
        ([("a", "b", "c")], "entry 0 of the list is no pair"),
        ([("a", 3)], "no pair of texts; found str and int"),
        ([], "no pair of a source and a target stands in the list"),
    ):
        with pytest.raises(DataError, match=said):
            read_pairs(bad, PairSection())


def test_a_header_of_tabs_is_told_from_pairs(tmp_path: Path) -> None:
    path = tmp_path / "a.tsv"
    path.write_text('de\tnote\ten\nHund\tx\tdog\nKatze "K"\ty\tcat\n')
    pairs = read_pairs(path, PairSection(source="de", target="en"))
    assert as_list(pairs) == [("Hund", "dog"), ('Katze "K"', "cat")]
    path.write_text("Go.\tVa !\tsome licence\nRun!\tCours !\tsome licence\n")
    pairs = read_pairs(path, PairSection())
    assert as_list(pairs) == [("Go.", "Va !"), ("Run!", "Cours !")]
    assert pairs.notes == ("a.tsv has no header: sources stand before the first tab, targets after it",)
    with pytest.raises(DataError, match='no column "fr"'):
        read_pairs(path, PairSection(source="fr"))
    path.write_text("Go.\tVa !\nRun!\n")
    with pytest.raises(DataError, match=r"a\.tsv, line 2: a line has a tab after its source; found 1 field"):
        read_pairs(path, PairSection())
    path.write_text("Go.\n")
    with pytest.raises(DataError, match="found no tab; of two parallel files name both"):
        read_pairs(path, PairSection())
    path.write_text("")
    with pytest.raises(DataError, match="is empty"):
        read_pairs(path, PairSection())


def test_spans_are_named_by_a_column_or_by_files(tmp_path: Path) -> None:
    frame = pl.DataFrame({"source": list("abc"), "target": list("xyz"), "part": ["train", "dev", "Test"]})
    assert read_pairs(frame, PairSection(span_column="part")).named.tolist() == [0, 1, 2]
    with pytest.raises(DataError, match='row 1: a span is train, validation or test; found "x"'):
        read_pairs(frame, PairSection(span_column="target", source="source", target="part"))
    one, two = written(tmp_path / "t.en", ["a", "b"]), written(tmp_path / "t.de", ["x", "y"])
    section = PairSection(validation_data=(str(one), str(two)), test_data=str(table(tmp_path, "tsv")))
    pairs = read_pairs((one, two), section)
    assert pairs.named.tolist() == [-1, -1, 1, 1, 2, 2, 2]


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ((Path("no.en"), Path("no.de")), r"there is no file no\.en"),
        ((Path("a"), Path("b"), Path("c")), "from two files, of sources and of targets, or from one table; found 3"),
        ("nowhere.csv", r"there is no file nowhere\.csv"),
        (3, "path or a data frame"),
    ],
)
def test_what_is_not_there_is_told(source: Any, said: str) -> None:
    with pytest.raises(DataError, match=said):
        read_pairs(source, PairSection())


def test_damaged_and_wrongly_encoded_files_are_told(tmp_path: Path) -> None:
    good = written(tmp_path / "a.en", ENGLISH)
    whole = gzip.compress("".join(f"{line}\n" for line in GERMAN).encode() * 50)
    (tmp_path / "a.de.gz").write_bytes(whole[:40])
    with pytest.raises(UnsafeFileError, match=r"a\.de\.gz is damaged"):
        read_pairs((good, tmp_path / "a.de.gz"), PairSection())
    (tmp_path / "a.de").write_bytes("schön\n".encode("latin-1") * 4)
    with pytest.raises(DataError, match=r"a\.de, line \d+: byte 3 \(0xf6\) is not utf-8; say --encoding"):
        read_pairs((good, tmp_path / "a.de"), PairSection())
    assert as_list(read_pairs((good, tmp_path / "a.de"), PairSection(encoding="latin-1")))[0][1] == "schön"


def test_fingerprints_tell_what_changed() -> None:
    same = [read_pairs([("a", "b"), ("c", "d")], PairSection()).fingerprint for _ in range(2)]
    other = read_pairs([("a", "b"), ("c", "e")], PairSection()).fingerprint
    swapped = read_pairs([("c", "d"), ("a", "b")], PairSection()).fingerprint
    assert same[0] == same[1]
    assert len({same[0], other, swapped}) == 3


def test_languages_are_told_by_names() -> None:
    names = ["train.en", "val.pt-br.gz", "a.txt", "b.tsv", "c.gz", "plain", "x.src"]
    assert [language_of(name) for name in names] == ["en", "pt-br", "", "", "", "", ""]


def test_the_built_in_dates_are_the_same_everywhere_and_share_no_day_between_spans() -> None:
    found = dates()
    assert found == dates()
    assert len(found) == 24_000
    assert found[0] == ("June the thirtieth, twenty sixty-six", "2066-06-30", "train")
    spans: dict[str, set[str]] = {}
    for _, day, span in found:
        spans.setdefault(span, set()).add(day)
    assert sorted(spans) == ["test", "train", "validation"]
    assert not spans["train"] & (spans["test"] | spans["validation"])
    assert not spans["test"] & spans["validation"]
    assert len(FORMS) == 20
    assert read_pairs("dates", PairSection()).named.tolist() == [
        ("train", "validation", "test").index(span) for _, _, span in found
    ]


def test_standard_input_is_read_as_a_file_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fed(content: bytes) -> Pairs:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
        return read_pairs("-", PairSection())

    assert as_list(fed(b"Go.\tVa !\nRun!\tCours !\n")) == [("Go.", "Va !"), ("Run!", "Cours !")]
    assert as_list(fed(gzip.compress(b"Go.\tVa !\n"))) == [("Go.", "Va !")]
    assert as_list(fed(b'{"source": "Go.", "target": "Va !"}\n')) == [("Go.", "Va !")]
    assert as_list(fed(b"source,target\nGo.,Va !\n")) == [("Go.", "Va !")]
    assert fed(b"left,right\nGo.,Va !\n").notes == (
        'the columns of standard input are called "left" and "right": a file has a header',
    )


def test_one_side_alone_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a\.en holds one side of pairs: of two parallel files name both"):
        read_pairs(written(tmp_path / "a.en", ENGLISH), PairSection())


def test_spans_are_named_once(tmp_path: Path) -> None:
    frame = pl.DataFrame({"source": list("abc"), "target": list("xyz"), "part": ["train", "dev", "train"]})
    files = (str(written(tmp_path / "t.en", ["a"])), str(written(tmp_path / "t.de", ["x"])))
    with pytest.raises(ConfigurationError, match="names pairs of validation itself; leave --validation-data away"):
        read_pairs(frame, PairSection(span_column="part", validation_data=files))
    found = read_pairs(frame, PairSection(span_column="part", test_data=",".join(files)))
    assert found.named.tolist() == [0, 1, 0, 2]


def test_what_is_no_text_is_none() -> None:
    rows = pl.DataFrame({"source": ["a", "b", "c"], "target": [1.5, float("nan"), None]})
    assert as_list(read_pairs(rows, PairSection())) == [("a", "1.5")]
    with pytest.raises(DataError, match="row 1: sources and targets are texts; found bool"):
        read_pairs(pl.DataFrame({"source": ["a"], "target": [True]}), PairSection())
    with pytest.raises(DataError, match='no column "nope"'):
        read_pairs(pl.DataFrame({"a": ["a"], "b": ["x"], "c": ["y"]}), PairSection(source="nope"))


def test_multi30k_is_as_its_page_says(shared_data: Path) -> None:
    pairs = read_pairs(shared_data / "translate", PairSection(source="en", target="de"))
    assert [(pairs.named == span).sum() for span in range(3)] == [29_000, 1_014, 1_000]
    assert pairs.empty == 0
