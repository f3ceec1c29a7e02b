"""Word vectors from files that others wrote, and what is said of files that hold none."""

import gzip
import tempfile
import unicodedata
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretell.config import TokenSection
from foretell.data.vectors import WIDEST, read_vectors
from foretell.data.vocabulary import Vocabulary
from foretell.errors import DataError, ForetellError, UnsafeFileError

VOCABULARY = Vocabulary.learn(["the good, café film ... 😀"] * 2, TokenSection())
GLOVE = "the 0.5 -1 2e-1\n, 1 2 3\nfilms 7 7 7\ngood 0 0.25 0\ncafé 4 5 6\n😀 1 1 1\n"
EXPECTED: dict[str, list[float]] = {
    "the": [0.5, -1, 0.2],
    ",": [1, 2, 3],
    "good": [0, 0.25, 0],
    "café": [4, 5, 6],
    "😀": [1, 1, 1],
}


def written(folder: Path, content: bytes | str, name: str = "vectors.txt") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def nfc(word: str) -> str:
    return unicodedata.normalize("NFC", word)


def found(path: Path, vocabulary: Vocabulary = VOCABULARY) -> dict[str, list[float]]:
    vectors = read_vectors(path, vocabulary)
    assert vectors.values.shape == (len(vocabulary), vectors.width)
    assert not vectors.values[~vectors.known].any()
    return {vocabulary.tokens[number]: vectors.values[number].tolist() for number in np.flatnonzero(vectors.known)}


def near(some: Mapping[str, list[float]]) -> dict[str, object]:
    return {word: pytest.approx(values) for word, values in some.items()}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("glove.txt", GLOVE.encode()),
        ("wiki.vec", b"6 3\n" + GLOVE.encode()),
        ("blanks.vec", b"6 3\n" + GLOVE.replace("\n", " \n").encode()),  # as fastText ends its lines
        ("no-end.txt", GLOVE.rstrip("\n").encode()),
        ("windows.txt", GLOVE.replace("\n", "\r\n").encode()),
        ("mark.txt", b"\xef\xbb\xbf" + GLOVE.encode()),
        ("glove.txt.gz", gzip.compress(GLOVE.encode(), mtime=0)),
        ("wiki.vec.gz", gzip.compress(b"6 3\n" + GLOVE.encode(), mtime=0)),
        ("wrong-name.txt", gzip.compress(GLOVE.encode(), mtime=0)),
    ],
)
def test_every_way_to_write_vectors_gives_the_same(tmp_path: Path, name: str, content: bytes) -> None:
    path = written(tmp_path, content, name)
    assert found(path) == near(EXPECTED)
    vectors = read_vectors(path, VOCABULARY)
    assert vectors.width == 3
    assert vectors.values.dtype == np.float32
    assert not vectors.known[:2].any()
    assert not vectors.known[VOCABULARY.numbers["film"]]


def test_a_word_with_blanks_is_one_word(tmp_path: Path) -> None:
    content = "the 1 2\n. . . 3 4\nat name@domain.com 5 6\nthe good 7 8\ngood 9 10\n"
    assert found(written(tmp_path, content)) == {"the": [1, 2], "good": [9, 10]}


def test_a_first_line_of_two_numbers_is_passed_over_and_no_other(tmp_path: Path) -> None:
    years = Vocabulary.learn(["2001 400000 film"] * 2, TokenSection())
    content = "400000 1\n2001 5\n400000 6\nfilm 7\n"
    assert found(written(tmp_path, content), years) == {"2001": [5], "400000": [6], "film": [7]}


def test_the_first_spelling_counts_where_letters_are_made_small(tmp_path: Path) -> None:
    path = written(tmp_path, "The 1 2\nTHE 3 4\nthe 5 6\nCAFÉ 7 8\ngood 9 10\n")
    assert found(path) == {"the": [1, 2], "café": [7, 8], "good": [9, 10]}
    capitals = Vocabulary.learn(["the The café good"] * 2, TokenSection(lowercase=False))
    assert found(path, capitals) == {"The": [1, 2], "the": [5, 6], "good": [9, 10]}


def test_words_with_accents_are_found_however_they_are_written(tmp_path: Path) -> None:
    assert found(written(tmp_path, "the 1 2\ncafe\u0301 3 4\n")) == {"the": [1, 2], "café": [3, 4]}


def test_no_word_is_what_fills_texts_up(tmp_path: Path) -> None:
    vectors = read_vectors(written(tmp_path, "[padding] 1 2\n[unknown] 3 4\nthe 5 6\n"), VOCABULARY)
    assert not vectors.known[0]
    assert not vectors.values[0].any()


@given(
    st.dictionaries(
        st.text(st.characters(categories=["L", "N", "S", "P"]), min_size=1, max_size=6).map(nfc),
        st.lists(st.floats(-(2.0**99), 2.0**99, width=32), min_size=3, max_size=3),
        min_size=1,
        max_size=8,
    ),
    st.booleans(),
    st.booleans(),
)
def test_words_get_their_own_numbers(vectors: dict[str, list[float]], header: bool, packed: bool) -> None:
    lines = [f"{len(vectors)} 3"] * header + [f"{word} {' '.join(map(repr, row))}" for word, row in vectors.items()]
    content = "\n".join(lines).encode()
    vocabulary = Vocabulary("words", False, True, ("[padding]", "[unknown]", *sorted(vectors), "never seen"))
    with tempfile.TemporaryDirectory() as folder:
        path = written(Path(folder), gzip.compress(content) if packed else content)
        assert found(path, vocabulary) == vectors


@pytest.mark.parametrize(
    ("content", "line", "told"),
    [
        ("the 1 2 3\ngood 4 5\n", 2, "others have 3 numbers, it has 2"),
        ("2 3\nthe 1 2 3\nfilms 4\n", 3, "others have 3 numbers, it has 1"),
        ("the 1 2 3\n\ngood 1 2 3\n", 2, "others have 3 numbers, it has 0"),
        ("the\n", 1, "it has 0 numbers"),
        ("word,x,y\nthe,1,2\n", 1, "it has 0 numbers"),
        ("the\t1\t2\n", 1, "it has 0 numbers"),
        ("the" + " 1" * (WIDEST + 1), 1, f"it has {WIDEST + 1} numbers"),
        ("the one two\n", 1, "what follows the word must be numbers"),
        ("the 1 2\ngood 1 x\n", 2, "what follows the word must be numbers"),
        ("the 1 2\ngood  2\n", 2, "what follows the word must be numbers"),
    ],
)
def test_a_line_that_is_no_vector_is_named(tmp_path: Path, content: str, line: int, told: str) -> None:
    for path in (
        written(tmp_path, content, "vectors.txt"),
        written(tmp_path, gzip.compress(content.encode()), "vectors.txt.gz"),
    ):
        with pytest.raises(DataError, match=f"^{path.name}, line {line}: a line is a word and its.*{told}$") as caught:
            read_vectors(path, VOCABULARY)
        assert caught.value.details == {"file": str(path), "line": line}


@pytest.mark.parametrize("number", ["nan", "inf", "-inf", "1e39", "1e400"])
def test_numbers_that_are_not_finite_are_told(tmp_path: Path, number: str) -> None:
    with pytest.raises(DataError, match=r"vectors\.txt holds numbers that are not finite"):
        read_vectors(written(tmp_path, f"the 1 {number}\n"), VOCABULARY)


@pytest.mark.parametrize("content", ["", "5 2\n", "der 1 2\ndie 3 4\n"])
def test_a_file_that_knows_none_of_the_words_is_told(tmp_path: Path, content: str) -> None:
    for path in (written(tmp_path, content, "v.txt"), written(tmp_path, gzip.compress(content.encode()), "v.gz")):
        told = f"has a vector for none of the {len(VOCABULARY)} words" if "der" in content else "is empty"
        with pytest.raises(DataError, match=f"^{path.name} {told}"):
            read_vectors(path, VOCABULARY)


def test_an_absent_file_and_a_folder_are_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"the word vectors .*absent\.vec cannot be read: there is no file"):
        read_vectors(tmp_path / "absent.vec", VOCABULARY)
    with pytest.raises(DataError, match=r"the word vectors .* cannot be read: Is a directory"):
        read_vectors(tmp_path, VOCABULARY)


LONG = gzip.compress(
    "".join(f"word{number * 7919 % 10007} {number} 2\n" for number in range(2000)).encode() + b"the 1 2\n"
)


@pytest.mark.parametrize(
    "content",
    [LONG[:-9], LONG[: len(LONG) // 2], LONG[:9], b"\x1f\x8b", LONG + b"junk", LONG[:900] + bytes(40) + LONG[940:]],
    ids=["shortened", "half", "its beginning", "its first bytes", "junk behind", "junk inside"],
)
def test_a_damaged_gzip_is_unsafe(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(UnsafeFileError, match=r"vectors\.vec\.gz is damaged"):
        read_vectors(written(tmp_path, content, "vectors.vec.gz"), VOCABULARY)


def test_what_is_no_text_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"^vectors\.txt, line \d+: byte 11 \(0xe9\) is not utf-8"):
        read_vectors(written(tmp_path, "the 1 2\ncaf\xe9 1 2\n".encode("latin-1")), VOCABULARY)
    with pytest.raises(ForetellError, match=r"vectors\.txt"):
        read_vectors(written(tmp_path, bytes(range(256))), VOCABULARY)


@given(
    st.lists(
        st.tuples(
            st.integers(0, 10**6), st.sampled_from([0, 1, 5]), st.sampled_from([b" ", b"\n", b"x", b"\xff", b"1e99"])
        ),
        min_size=1,
        max_size=4,
    ),
    st.booleans(),
)
def test_no_damage_makes_a_traceback(damage: list[tuple[int, int, bytes]], packed: bool) -> None:
    content = bytearray(gzip.compress(GLOVE.encode(), mtime=0) if packed else GLOVE.encode())
    for place, length, instead in damage:
        place %= len(content) + 1
        content[place : place + length] = instead
    with tempfile.TemporaryDirectory() as folder:
        path = written(Path(folder), bytes(content))
        try:
            vectors = read_vectors(path, VOCABULARY)
        except ForetellError as error:
            assert "\n" not in error.message
            return
    assert vectors.known.any()
    assert np.isfinite(vectors.values).all()
