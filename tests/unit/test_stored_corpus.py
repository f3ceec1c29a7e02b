"""A corpus in a store says what the same corpus in memory says, and its tokens are those of the text read at once."""

import gzip
import json
import os
import resource
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from foretell.config import CorpusSection, TokenizerSection
from foretell.data import cache, stored_corpus, text_sources, token_spans
from foretell.data.corpora import SPANS
from foretell.data.corpus_overview import health_of_corpus
from foretell.data.documents import AnyCorpus, Corpus, read_corpus
from foretell.data.stored_corpus import StoredCorpus, cut_safely, open_corpus
from foretell.data.token_spans import TokenSpans, cut_into_tokens
from foretell.data.tokenizer import KINDS, Tokenizer
from foretell.errors import ConfigurationError, DataError, StorageError, UnsafeFileError

# What may be torn where pieces end: line ends, runs of blanks, letters of several bytes, a final sigma, apostrophes.
_LETTERS = st.sampled_from(
    [
        *"abAB .,'’\t",
        "\n",
        "\r\n",
        "\r",
        "  ",
        "    ",
        "\n\n",
        "é",
        "Σ",
        "ΟΔΟΣ",
        "\u0301",
        "😀",
        "\x1c",
        "\u2028",
        "\u00a0",
        "İ",
        "ß",
    ]
)
TEXTS = st.lists(_LETTERS, max_size=60).map("".join)
LONG = st.lists(st.one_of(_LETTERS, st.sampled_from(["don't ", "the ", "of", " 12"])), min_size=260, max_size=400)


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pieces and blocks of a few letters, so that small texts have many."""
    monkeypatch.setattr(text_sources, "PIECE", 7)
    monkeypatch.setattr(stored_corpus, "PIECE", 11)
    monkeypatch.setattr(stored_corpus, "BLOCK", 5)


def stored(source: object, home: Path, **options: object) -> StoredCorpus:
    """A corpus through a store in ``home``."""
    found = open_corpus(source, section(home, **options))
    assert isinstance(found, StoredCorpus)
    return found


def section(home: Path, **options: object) -> CorpusSection:
    """How it is read."""
    return CorpusSection.model_validate({"store": "yes", "cache_dir": home / "cache", **options})


def all_of(corpus: AnyCorpus) -> str:
    return "".join(corpus.parts(0, corpus.characters))


def written(path: Path, text: str = "", encoding: str = "utf-8") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes((text or "one two three\nfour five\n" * 40).encode(encoding))
    return path


QUICK = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@QUICK
@given(
    texts=st.lists(TEXTS, min_size=1, max_size=4).filter(any),
    separator=st.sampled_from(["\n", "", "\n\n", "Σ", "\r"]),
    lowercase=st.booleans(),
    encoding=st.sampled_from(["utf-8", "utf-16", "utf-8-sig", "utf-32"]),
    kind=st.sampled_from(["files", "folder", "packed", "rows"]),
    data=st.data(),
)
def test_a_stored_corpus_is_the_corpus_in_memory(
    tmp_path_factory: pytest.TempPathFactory,
    texts: list[str],
    separator: str,
    lowercase: bool,
    encoding: str,
    kind: str,
    data: st.DataObject,
) -> None:
    home = tmp_path_factory.mktemp("store")
    files = [home / "files" / f"{number}.txt" for number in range(len(texts))]
    for path, text in zip(files, texts, strict=True):
        content = (text or "\ufeff").encode(encoding)
        written(path).write_bytes(gzip.compress(content) if kind == "packed" else content)
    source: object = home / "files" if kind == "folder" else tuple(files)
    if kind == "rows":
        source, encoding = home / "t.jsonl", "utf-8"
        pl.DataFrame({"text": texts}).write_ndjson(home / "t.jsonl")
    options = {"separator": separator, "lowercase": lowercase, "encoding": encoding}
    try:
        held = read_corpus(source, CorpusSection.model_validate(options))
    except DataError as error:
        with pytest.raises(DataError) as raised:
            stored(source, home, **options)
        assert raised.value.message == error.message
        return
    one = stored(source, home, **options)
    assert all_of(one) == held.text == at_once(texts, separator, rows=kind == "rows", lowercase=lowercase)
    assert (one.characters, one.fingerprint) == (len(held.text), held.fingerprint)
    assert (one.source, one.documents, one.notes[:-1]) == (held.source, held.documents, held.notes)
    start, stop = sorted(data.draw(st.tuples(*[st.integers(0, one.characters)] * 2)))
    assert "".join(one.parts(start, stop)) == one.beginning(start, stop) == held.text[start:stop]
    again = stored(source, home, **options)  # which finds it
    assert (again.fingerprint, again.notes) == (one.fingerprint, one.notes)


def at_once(texts: list[str], separator: str, *, rows: bool, lowercase: bool) -> str:
    """What texts come to as one, from all of them at once."""
    plain = [text.removeprefix("" if rows else "\ufeff").replace("\r\n", "\n").replace("\r", "\n") for text in texts]
    several = rows or len(texts) > 1
    whole = "".join(text if text.endswith(separator) or not several else text + separator for text in plain)
    return whole.lower() if lowercase else whole


@QUICK
@given(letters=LONG, kind=st.sampled_from(KINDS), lowercase=st.booleans(), spans=st.sampled_from(["", "0.6,0.2,0.2"]))
def test_tokens_of_a_store_are_those_of_the_text_at_once(
    tmp_path_factory: pytest.TempPathFactory, letters: list[str], kind: str, lowercase: bool, spans: str
) -> None:
    home = tmp_path_factory.mktemp("store")
    path, cut = written(home / "a.txt", "".join(letters)), (spans,) if spans else ()
    held = read_corpus(path, CorpusSection(lowercase=lowercase))
    asked = TokenizerSection.model_validate({"tokens": kind, "vocabulary": 270 if kind == "bpe" else None})
    if len(held.text) < 300:
        return
    theirs = cut_into_tokens(held, cut, asked)
    ours = cut_into_tokens(stored(path, home, lowercase=lowercase), cut, asked)
    must_be_alike(ours, theirs)
    # A model's tokens, learned elsewhere, are not those of this text.
    given_ = Tokenizer.learn("abc abc abc", asked)
    others = cut_into_tokens(stored(path, home, lowercase=lowercase), cut, asked, given_)
    must_be_alike(others, cut_into_tokens(held, cut, asked, given_))


def must_be_alike(ours: TokenSpans, theirs: TokenSpans) -> None:
    """Tokens, their numbers, and what is said of them."""
    assert (ours.borders, ours.tokenizer, ours.notes) == (theirs.borders, theirs.tokenizer, theirs.notes)
    for span in SPANS:
        assert ours.tokens[span].tolist() == theirs.tokens[span].tolist()
        assert ours.counts[span].tolist() == theirs.counts[span].tolist()


@given(text=st.text(), letters=st.lists(_LETTERS).map("".join), places=st.lists(st.integers(0, 90)))
def test_what_is_cut_safely_can_be_read_piece_by_piece(text: str, letters: str, places: list[int]) -> None:
    for whole in (text, letters):
        ends = sorted({0, len(whole), *(place for place in places if place < len(whole))})
        pieces = list(cut_safely(whole[start:stop] for start, stop in pairwise(ends)))
        assert "".join(pieces) == whole
        assert "".join(piece.lower() for piece in pieces) == whole.lower()
        for tokenizer in LEARNED:
            found = [token for piece in pieces for token in tokenizer.encode(piece).tolist()]
            assert found == tokenizer.encode(whole).tolist()


@pytest.mark.parametrize("blanks", range(1, 6))
def test_a_run_of_blanks_is_cut_nowhere(blanks: int) -> None:
    text = f"ab{' ' * blanks}ab, a.{' ' * blanks}'a"
    for place in range(1, len(text)):
        pieces = list(cut_safely([text[:place], text[place:]]))
        for tokenizer in LEARNED:
            found = [token for piece in pieces for token in tokenizer.encode(piece).tolist()]
            assert found == tokenizer.encode(text).tolist()


LEARNED = [
    Tokenizer.learn(
        "ab Ab  a.    'a b's   don't\nab\t\t Ab  a.   é Σ ΟΔΟΣ\n\n ab" * 9,
        TokenizerSection.model_validate({"tokens": kind, "vocabulary": 300}),
    )
    for kind in ("words", "bpe")
]


def test_what_is_learned_in_parts_is_what_is_learned_at_once() -> None:
    text = "the cat and the dog, don't\nthey're the same; a cat is a dog\n" * 30
    for kind in KINDS:
        asked = TokenizerSection.model_validate({"tokens": kind, "vocabulary": 300})
        parts = list(cut_safely(text[start : start + 9] for start in range(0, len(text), 9)))
        assert len(parts) > 60
        assert Tokenizer.learn_in_parts(parts, parts, asked) == Tokenizer.learn(text, asked)


def test_words_and_pieces_of_a_huge_text_are_learned_at_its_beginning_and_that_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path / "a.txt", "the first words\n" * 40 + "then others come\n" * 40)
    monkeypatch.setattr(token_spans, "LEARNED", 16 * 40)
    corpus = stored(path, tmp_path)
    found = cut_into_tokens(corpus, (), TokenizerSection(tokens="words"))
    assert {"the", " first", " words"} < set(found.tokenizer.tokens)
    assert not {"then", " others", " come"} & set(found.tokenizer.tokens)
    assert {"o", "m"} < set(found.tokenizer.tokens)  # letters are those of all of training
    assert found.notes[0] == "words were learned on the first 640 characters of training"
    assert "learned on" not in cut_into_tokens(corpus, (), TokenizerSection()).notes


def test_many_tokens_take_32_bits(tmp_path: Path) -> None:
    letters = "".join(map(chr, [*range(0x4E00, 0x9FA6), *range(0xAC00, 0xD7A4), *range(0x20000, 0x2A000)]))
    assert len(letters) > 1 << 16
    path = written(tmp_path / "a.txt", letters * 2)
    held, one = (
        cut_into_tokens(own, ("0.5,0.25,0.25",), TokenizerSection())
        for own in (read_corpus(path, CorpusSection()), stored(path, tmp_path))
    )
    assert one.tokens["train"].dtype == np.int32
    must_be_alike(one, held)
    assert (
        cut_into_tokens(stored(written(tmp_path / "b.txt"), tmp_path), (), TokenizerSection()).tokens["train"].dtype
        == np.uint16
    )


def test_only_large_files_go_through_a_store_unless_it_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path / "a.txt")
    monkeypatch.setattr(stored_corpus, "LARGE", path.stat().st_size)
    assert isinstance(open_corpus(path, section(tmp_path, store="auto")), Corpus)
    monkeypatch.setattr(stored_corpus, "LARGE", path.stat().st_size - 1)
    assert isinstance(open_corpus(path, section(tmp_path, store="auto")), StoredCorpus)
    assert isinstance(open_corpus(str(path), section(tmp_path, store="auto")), StoredCorpus)
    assert isinstance(open_corpus(path, section(tmp_path, store="no")), Corpus)
    assert isinstance(open_corpus(["a list", "of texts"], section(tmp_path, store="auto")), Corpus)
    frame = pl.DataFrame({"text": ["a", "b"]})
    assert isinstance(open_corpus(frame, section(tmp_path, store="auto")), Corpus)


def sources(home: Path) -> Iterator[tuple[object, str]]:
    yield "-", "found standard input"
    yield ["a", "b"], "found no path"
    yield pl.DataFrame({"text": ["a"]}), "found no path"
    subprocess.run(["tar", "-cf", home / "a.tar", "-C", home, written(home / "a.txt").name], check=True)
    yield home / "a.tar", r"found .*a\.tar: write it into a file, unpack an archive, or say --store no"


def test_what_cannot_go_through_a_store_says_so(tmp_path: Path) -> None:
    for source, told in sources(tmp_path):
        with pytest.raises(ConfigurationError, match=told):
            open_corpus(source, section(tmp_path))


@pytest.mark.parametrize(
    ("content", "kind", "told"),
    [
        (None, DataError, "there is no file"),
        (b"", DataError, r"a.txt is empty \(0 bytes\)"),
        (b"so\xc3\xb6 schoen\n and so \xff on", DataError, r"a.txt, line \d+: byte 20 \(0xff\) is not utf-8"),
        (b"the end \xc3", DataError, r"a.txt, line \d+: byte 8 \(0xc3\) is not utf-8"),
        (b"zero after\n\0", DataError, "byte 11 is zero"),
        (gzip.compress(b"so good " * 99, mtime=0)[:-9], UnsafeFileError, "a.txt is damaged"),
        (b"\n" * 9, None, ""),
        (b"\xef\xbb\xbf", DataError, "a.txt holds no text"),
    ],
)
def test_what_is_wrong_is_told_as_in_memory(
    tmp_path: Path, content: bytes | None, kind: type[Exception] | None, told: str
) -> None:
    path = tmp_path / "a.txt"
    if content is not None:
        path.write_bytes(content)
    if kind is None:
        assert all_of(stored(path, tmp_path)) == read_corpus(path, CorpusSection()).text
        return
    for read in (lambda: stored(path, tmp_path), lambda: read_corpus(path, CorpusSection())):
        with pytest.raises(kind, match=told):
            read()
    assert not cache.listed(tmp_path / "cache")


def test_what_is_no_text_in_a_folder_is_passed_over_and_told(tmp_path: Path) -> None:
    for name, text in (("b.txt", "second\n"), ("a.txt", "first\n"), (".hidden", "never"), ("sub/c.txt", "third")):
        written(tmp_path / "all" / name, text)
    (tmp_path / "all" / "a.png").write_bytes(b"\x89PNG\0\0")
    (tmp_path / "all" / "odd.txt").write_bytes(b"much of it is text, and then \xff\n")
    one, held = stored(tmp_path / "all", tmp_path), read_corpus(tmp_path / "all", CorpusSection())
    assert all_of(one) == held.text == "first\nsecond\nthird\n"
    assert one.notes[:-1] == held.notes
    assert "2 files of all passed over" in one.notes[0]


def kinds_in(home: Path) -> dict[str, cache.Kept]:
    return {str(own.document.get("kind")): own for own in cache.listed(home / "cache")}


def read_all(path: Path, home: Path) -> tuple[str, list[list[int]]]:
    corpus = stored(path, home)
    cut = cut_into_tokens(corpus, (), TokenizerSection())
    return all_of(corpus), [cut.tokens[span].tolist() for span in SPANS]


def test_stores_are_made_once_and_again_when_the_text_changes(tmp_path: Path) -> None:
    path = written(tmp_path / "a.txt")
    read_all(path, tmp_path)
    first = kinds_in(tmp_path)
    assert first.keys() == {"text", "tokens"}
    assert {own.document["source"] for own in first.values()} == {str(path)}
    made = {own.folder: own.document["made"] for own in first.values()}
    read_all(path, tmp_path)
    assert {own.folder: own.document["made"] for own in kinds_in(tmp_path).values()} == made
    before = path.stat().st_mtime_ns
    path.write_bytes(path.read_bytes().replace(b"four", b"five"))
    os.utime(path, ns=(before, before))
    assert "four" not in read_all(path, tmp_path)[0]
    stale = {own.folder for own in first.values()}
    assert len(cache.listed(tmp_path / "cache")) == 2  # what was made of the text before went
    assert not stale & {own.folder for own in cache.listed(tmp_path / "cache")}
    # Read or cut in another way, it is another store beside these.
    stored(path, tmp_path, lowercase=True)
    cut_into_tokens(stored(path, tmp_path), ("0.6,0.2,0.2",), TokenizerSection())
    cut_into_tokens(stored(path, tmp_path), (), TokenizerSection(tokens="bytes"))
    assert len(cache.listed(tmp_path / "cache")) == 5


def test_a_models_tokens_are_found_where_they_were_learned(tmp_path: Path) -> None:
    corpus = stored(written(tmp_path / "a.txt"), tmp_path)
    learned = cut_into_tokens(corpus, (), TokenizerSection())
    cut_into_tokens(corpus, (), TokenizerSection(), learned.tokenizer)
    assert len(cache.listed(tmp_path / "cache")) == 2


@pytest.mark.parametrize("kind", ["text", "tokens"])
@pytest.mark.parametrize("damage", ["cut", "gone", "document", "format", "beside"])
def test_stores_that_are_damaged_or_half_written_are_made_again(tmp_path: Path, kind: str, damage: str) -> None:
    path = written(tmp_path / "a.txt")
    whole = read_all(path, tmp_path)
    kept = kinds_in(tmp_path)[kind]
    content, document = kept.folder / {"text": "text.utf8", "tokens": "train.u16"}[kind], kept.folder / cache.DOCUMENT
    if damage == "cut":
        content.write_bytes(content.read_bytes()[:-2])
    elif damage == "gone":
        content.unlink()
    elif damage == "document":
        document.write_text("{")
    elif damage == "format":
        document.write_text(json.dumps({**kept.document, "format": 99}))
    else:  # as a process leaves it that was killed while it wrote
        document.unlink()
        kept.folder.rename(kept.folder.with_name(f".{kept.folder.name}.{cache._host()}.999999999.x"))
    assert read_all(path, tmp_path) == whole
    found = cache.listed(tmp_path / "cache")
    assert [own.whole for own in found] == [True, True]


@pytest.mark.parametrize(
    ("kind", "name", "value"),
    [
        ("text", "characters", 7),
        ("text", "fingerprint", None),
        ("tokens", "lengths", [1, 2, 3]),
        ("tokens", "notes", 5),
    ],
)
def test_a_store_that_contradicts_itself_is_made_again(tmp_path: Path, kind: str, name: str, value: object) -> None:
    path = written(tmp_path / "a.txt")
    whole = read_all(path, tmp_path)
    kept = kinds_in(tmp_path)[kind]
    document = {key: own for key, own in kept.document.items() if key != name}
    (kept.folder / cache.DOCUMENT).write_text(json.dumps(document if value is None else {**document, name: value}))
    assert read_all(path, tmp_path) == whole
    assert kinds_in(tmp_path)[kind].document.get(name) == kept.document.get(name)


CODE = """
from itertools import pairwise
from pathlib import Path
from foretell.config import CorpusSection, TokenizerSection
from foretell.data import stored_corpus
from foretell.data.stored_corpus import open_corpus
from foretell.data.token_spans import cut_into_tokens
stored_corpus.PIECE = stored_corpus.BLOCK = {piece}
corpus = open_corpus(Path({path!r}), CorpusSection(store="yes", cache_dir=Path({cache!r})))
cut_into_tokens(corpus, (), TokenizerSection())
"""


@pytest.mark.parametrize(("kind", "name"), [("text", "text.utf8"), ("tokens", "train.u16")])
def test_a_process_that_is_killed_while_it_writes_leaves_nothing_that_is_taken_for_whole(
    tmp_path: Path, kind: str, name: str
) -> None:
    path = written(tmp_path / "a.txt", "one two three\nfour five\n" * 60_000)
    code = CODE.format(piece=20, path=str(path), cache=str(tmp_path / "cache"))
    process = subprocess.Popen([sys.executable, "-c", textwrap.dedent(code)])
    try:
        stores, deadline = cache.stores_in(tmp_path / "cache"), time.monotonic() + 60
        while not (stores.is_dir() and any(path.stat().st_size for path in stores.glob(f".*/{name}"))):
            assert time.monotonic() < deadline
            assert process.poll() is None
            time.sleep(0.002)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert [own.whole for own in cache.listed(tmp_path / "cache")].count(False) == 1
    text, tokens = read_all(path, tmp_path)
    assert text == path.read_text()
    assert sum(map(len, tokens)) == len(text)
    assert all(own.whole for own in cache.listed(tmp_path / "cache"))


@pytest.mark.parametrize("room", [30_000, 400_000])  # too little for the text, or for its tokens
def test_a_disk_without_room_is_said(tmp_path: Path, room: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    path = written(tmp_path / "a.txt", "one two three\nfour five\n" * 12_000)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    corpus = stored(path, tmp_path) if room > 100_000 else None
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, hard))
    try:
        with pytest.raises(StorageError, match=r"the cache .* cannot be written: File too large; --cache-dir names"):
            cut_into_tokens(corpus or stored(path, tmp_path), (), TokenizerSection())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    left = cache.listed(tmp_path / "cache")
    assert len(left) == (corpus is not None)
    assert all(own.whole for own in left)


def test_the_health_of_a_stored_corpus_is_that_of_the_corpus_in_memory(tmp_path: Path) -> None:
    for text in (
        "one two three\nfour five\n" * 40 + "Ω once\n" + "six\n" * 30 + "\ufffd",
        "a\n" * 200,
        "short",
        "a" * 400,
    ):
        path = written(tmp_path / "a.txt", text)
        ours, theirs = (health_of_corpus(path, own) for own in (section(tmp_path), CorpusSection()))
        assert ours["findings"].pop(0)["message"].startswith("read from a store on disk, ")
        assert ours == theirs
