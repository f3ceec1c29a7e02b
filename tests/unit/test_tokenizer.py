"""Tokens of which a text can be put together again, whatever their kind, and what a model folder says of them."""

import json
import math
import subprocess
import sys
from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretell.config import TokenizerSection
from foretell.data.tokenizer import CODE_POINTS, KINDS, UNKNOWN, Tokenizer
from foretell.errors import DataError, InputError

VERSE = "O Romeo, Romeo! Wherefore art thou Romeo?\r\nDeny thy father and refuse thy name;\n\tcafe\u0301 naïve 👩\u200d👧 don't\n"
PARTS = [
    "so",
    "So",
    " good",
    "good",
    "  ",
    " ",
    "\t",
    "\n",
    "\r\n",
    "\r",
    "é",
    "e\u0301",
    "\u0301",
    "😀",
    "👩\u200d👧",
    "🇩🇪",
    "don't",
    "don’t",
    "'",
    "!",
    " ?",
    "日本",
    "\u00a0",
    "\u2028",
    "\x85",
    "\ufeff",
    "\ufffd",
    "\0",
    "\x1c",
    "_a1",
    "ß",
    "İ",
    "नि",
    "Ġ",
    "▁",
    "<br>",
    "[unknown]",
]
TEXTS = st.text(max_size=60) | st.lists(st.sampled_from(PARTS), max_size=30).map("".join)
SECTIONS = st.builds(TokenizerSection, tokens=st.sampled_from(KINDS), vocabulary=st.none() | st.integers(257, 400))


def learned(text: str, **options: Any) -> Tokenizer:
    return Tokenizer.learn(text, TokenizerSection.model_validate(options))


def rejoined(tokenizer: Tokenizer, text: str) -> str:
    """A text in tokens, put together again."""
    return tokenizer.decode(tokenizer.encode(text).tolist())


def shown(tokenizer: Tokenizer, text: str) -> list[str]:
    """What each token of a text stands for."""
    return [tokenizer.decode([number]) for number in tokenizer.encode(text).tolist()]


def taught(text: str, section: TokenizerSection) -> Tokenizer:
    """A tokenizer that knows at least two characters, and all those of a text."""
    return Tokenizer.learn(text + "ab", section)


# Put together again


@given(TEXTS, SECTIONS)
def test_a_text_is_put_together_again(text: str, section: TokenizerSection) -> None:
    tokenizer = taught(text, section)
    tokens = tokenizer.encode(text)
    assert tokens.dtype == np.int32
    assert ((tokens >= (1 if tokenizer.has_unknown else 0)) & (tokens < len(tokenizer))).all()
    assert tokenizer.decode(tokens.tolist()) == text
    assert "".join(tokenizer.pieces(tokens.tolist())) == text
    assert b"".join(tokenizer.content[token] for token in tokens) == text.encode()


@given(TEXTS, st.data(), SECTIONS)
def test_another_text_of_the_same_characters_is_put_together_again(
    text: str, data: st.DataObject, section: TokenizerSection
) -> None:
    tokenizer = taught(text, section)
    other = "".join(data.draw(st.lists(st.sampled_from([*text, "a", "b"]), max_size=60)))
    assert rejoined(tokenizer, other) == other
    assert tokenizer.unknown(other) == []


@given(TEXTS, TEXTS, st.sampled_from(["bytes", "bpe"]))
def test_bytes_and_their_pairs_know_every_text(text: str, other: str, kind: str) -> None:
    tokenizer = taught(text, TokenizerSection(tokens=kind, vocabulary=300))
    assert not tokenizer.has_unknown
    assert tokenizer.unknown(other) == []
    assert rejoined(tokenizer, other) == other
    assert tokenizer.surprise == 0


@given(TEXTS, SECTIONS)
def test_each_character_begins_in_one_token(text: str, section: TokenizerSection) -> None:
    tokenizer = taught(text, section)
    tokens = tokenizer.encode(text)
    letters = tokenizer.letters[tokens]
    assert letters.sum() == len(text)
    begun = letters.cumsum()
    for place in range(len(tokens)):  # all characters that begin up to a token are there once it has come
        assert len(tokenizer.decode(tokens[: place + 1].tolist())) == begun[place]


@given(TEXTS, TEXTS, st.sampled_from(["characters", "words"]))
def test_a_character_that_is_not_known_counts_as_one(text: str, other: str, kind: str) -> None:
    tokenizer = taught(text, TokenizerSection(tokens=kind))
    tokens = tokenizer.encode(other)
    known = {*text, "a", "b"}
    assert tokenizer.letters[tokens].sum() == len(other)
    assert (tokens == UNKNOWN).sum() == sum(letter not in known for letter in other)
    assert tokenizer.decode(tokens.tolist()) == "".join(letter if letter in known else "\ufffd" for letter in other)
    first = {letter: other.index(letter) for letter in other if letter not in known}
    assert tokenizer.unknown(other) == sorted((place, letter) for letter, place in first.items())


@pytest.mark.parametrize("kind", KINDS)
def test_half_a_letter_is_read_as_what_stands_for_no_letter(kind: str) -> None:
    broken = "so \ud83d so \ude00"  # as JSON can write it
    tokenizer = learned(broken, tokens=kind)
    assert rejoined(tokenizer, broken) == "so \ufffd so \ufffd"
    assert tokenizer.letters[tokenizer.encode(broken)].sum() == len(broken)
    assert tokenizer.unknown(broken) == []


@pytest.mark.parametrize("kind", KINDS)
def test_no_text_has_no_tokens(kind: str) -> None:
    tokenizer = learned(VERSE, tokens=kind)
    assert tokenizer.encode("").tolist() == []
    assert tokenizer.encode("").dtype == np.int32
    assert tokenizer.decode([]) == ""
    assert tokenizer.pieces([]) == []
    assert tokenizer.unknown("") == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_long_text_of_many_lines_is_put_together_again(kind: str) -> None:
    text = "".join(f"{number * 7919 % 1000} so {number}\n" for number in range(4500))
    tokenizer = learned(text[:5000], tokens=kind)
    assert rejoined(tokenizer, text) == text


# Letters as they come


@given(st.lists(st.integers(0, 299), max_size=30))
def test_letters_come_when_their_last_byte_has_come(numbers: list[int]) -> None:
    text = "😀é日 " * 3 + "so good " * 3
    for tokenizer in (learned(text, tokens="bytes"), learned(text, tokens="bpe", vocabulary=270)):
        own = [number % len(tokenizer) for number in numbers]
        pieces = tokenizer.pieces(own)
        assert len(pieces) == len(own)
        assert tokenizer.decode(own).removeprefix("".join(pieces)) in ("", "\ufffd")  # half a letter at the end waits


def test_half_a_letter_waits_for_the_other_half() -> None:
    tokenizer = learned(VERSE, tokens="bytes")
    assert tokenizer.pieces(tokenizer.encode("a😀b").tolist()) == ["a", "", "", "", "😀", "b"]
    assert tokenizer.pieces([0xF0, 0x9F, ord("b")]) == ["", "", "\ufffdb"]
    assert tokenizer.decode([0xF0, 0x9F]) == "\ufffd"
    assert tokenizer.letters[tokenizer.encode("a😀b")].tolist() == [1, 1, 0, 0, 0, 1]


def test_what_is_not_known_is_shown_as_no_letter() -> None:
    tokenizer = learned("abc")
    assert tokenizer.encode("axb😀").tolist() == [1, UNKNOWN, 2, UNKNOWN]
    assert tokenizer.pieces([1, UNKNOWN, 2]) == ["a", "\ufffd", "b"]
    assert tokenizer.decode([UNKNOWN]) == "\ufffd"
    assert tokenizer.unknown("xaxy😀y") == [(0, "x"), (3, "y"), (4, "😀")]


# Characters


@given(TEXTS)
def test_characters_are_all_that_training_holds_in_order(text: str) -> None:
    tokenizer = learned(text + "ab", tokens="characters")
    assert tokenizer.tokens == ("", *sorted({*text, "a", "b"}))
    assert len(tokenizer.encode(text)) == len(text)
    assert len(tokenizer) == len(tokenizer.tokens)


@given(TEXTS, st.sampled_from(["characters", "words"]))
def test_the_surprise_of_an_unknown_character_tells_which_of_all_others_it_is(text: str, kind: str) -> None:
    tokenizer = taught(text, TokenizerSection(tokens=kind))
    assert 2**tokenizer.surprise == pytest.approx(CODE_POINTS - len({*text, "a", "b"}), rel=1e-9)


def test_code_points_are_all_that_can_be_written() -> None:
    assert sum(not 0xD800 <= point < 0xE000 for point in range(sys.maxunicode + 1)) == CODE_POINTS
    assert learned(VERSE, tokens="bytes").surprise == learned(VERSE, tokens="bpe").surprise == 0


# Bytes


def test_bytes_are_all_256_whatever_training_holds() -> None:
    tokenizer = learned("ab", tokens="bytes")
    assert len(tokenizer) == 256
    assert tokenizer == learned(VERSE, tokens="bytes")
    assert tokenizer.content == tuple(bytes([number]) for number in range(256))
    assert tokenizer.encode(VERSE).tolist() == list(VERSE.encode())


# Words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("so good, so good", ["so", " good", ",", " so", " good"]),
        ("I wasn't — wasn’t I?", ["I", " wasn't", " —", " wasn’t", " I", "?"]),
        ("a  b\t c\r\n\nd", ["a", " ", " b", "\t", " c", "\r", "\n", "\n", "d"]),
        ("so...good (so)", ["so", ".", ".", ".", "good", " (", "so", ")"]),
        ("2001: x_1=3.5", ["2001", ":", " x_1", "=", "3", ".", "5"]),
        ("'so' rock'n'roll", ["'", "so", "'", " rock'n'roll"]),
        ("schön ЖАР日本", ["schön", " ЖАР日本"]),
        ("😀😀 so😀", ["😀", "😀", " so", "😀"]),
    ],
)
def test_a_text_is_cut_into_words_with_the_blank_before_them(text: str, words: list[str]) -> None:
    tokenizer = learned(f"{text}\n{text}\n", tokens="words")
    found = shown(tokenizer, text)
    assert "".join(found) == text
    assert found == words


def test_rare_words_are_spelled() -> None:
    tokenizer = learned("so good, so good, so bad", tokens="words")
    assert tokenizer.tokens == ("", *" ,abdgos", " good", " so")  # the first "so" has no blank before it
    assert shown(tokenizer, "so good, so bad") == ["s", "o", " good", ",", " so", " ", "b", "a", "d"]
    assert shown(tokenizer, "bad goods") == ["b", "a", "d", " ", "g", "o", "o", "d", "s"]
    assert tokenizer.encode("box").tolist() == [tokenizer.tokens.index("b"), tokenizer.tokens.index("o"), UNKNOWN]


@given(st.lists(st.sampled_from(["ab", "cd", "ef", "gh", "a", "é"]), min_size=2, max_size=60), st.integers(2, 6))
def test_words_are_the_most_frequent_that_occur_more_than_once(words: list[str], most: int) -> None:
    text = "\n".join(words) + "\nxy"
    counts = Counter(word for word in words if len(word) > 1)
    often = sorted((count for count in counts.values() if count > 1), reverse=True)
    tokenizer = learned(text, tokens="words", vocabulary=most)
    characters = sorted(set(text))
    assert tokenizer.tokens[: len(characters) + 1] == ("", *characters)
    assert [counts[word] for word in tokenizer.tokens[len(characters) + 1 :]] == often[:most]
    for word in set(words):
        assert len(tokenizer.encode(word)) == (1 if word in tokenizer.tokens else len(word))


def test_words_are_ten_thousand_where_nobody_says_how_many() -> None:
    text = "".join(f"w{number}\n" for number in range(12_000)) * 2
    characters = len(set(text))
    assert len(learned(text, tokens="words")) == 10_000 + characters + 1
    assert len(learned(text, tokens="words", vocabulary=11_000)) == 11_000 + characters + 1


# Byte pairs


MANY = "".join(f"word{number * 7919 % 1000} {number * 31 % 97}\n" for number in range(3000))


@pytest.mark.parametrize("size", [257, 300, 1000])
def test_pieces_are_as_many_as_asked_for(size: int) -> None:
    tokenizer = learned(MANY, tokens="bpe", vocabulary=size)
    assert len(tokenizer) == len(set(tokenizer.tokens)) == size
    assert sorted(content for content in tokenizer.content if len(content) == 1) == [bytes([one]) for one in range(256)]
    assert {one + two for one, two in tokenizer.merges} == {token for token in tokenizer.tokens if len(token) > 1}
    assert rejoined(tokenizer, MANY) == MANY


def test_pieces_are_a_thousand_where_nobody_says_how_many() -> None:
    assert learned(MANY, tokens="bpe") == learned(MANY, tokens="bpe", vocabulary=1000)


def test_pieces_are_fewer_where_there_is_no_more_to_merge() -> None:
    assert learned("a\nb\n", tokens="bpe").merges == ()
    assert len(learned("a\nb\n", tokens="bpe")) == 256
    assert shown(learned("so good", tokens="bpe"), "so good") == ["so", " good"]


def test_more_pieces_make_fewer_tokens() -> None:
    lengths = [len(learned(MANY, tokens="bpe", vocabulary=size).encode(MANY)) for size in (257, 300, 500, 1000)]
    assert lengths == sorted(lengths, reverse=True)
    assert len(set(lengths)) == 4


@pytest.mark.parametrize("size", [2, 256])
def test_fewer_pieces_than_bytes_are_refused(size: int) -> None:
    with pytest.raises(InputError, match=f"begins with the 256 bytes: say 257 or more; found {size}"):
        learned(VERSE, tokens="bpe", vocabulary=size)


# Of all kinds


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("text", ["", "a", "\n\n\n\n", "😀😀"])
def test_a_text_of_one_character_teaches_nothing(kind: str, text: str) -> None:
    with pytest.raises(DataError, match="holds one character again and again"):
        learned(text, tokens=kind)


@given(TEXTS, SECTIONS)
def test_what_is_learned_twice_is_equal(text: str, section: TokenizerSection) -> None:
    assert taught(text, section) == taught(text, section)


def test_another_process_learns_the_same() -> None:
    program = (
        "import json, sys; from foretell.config import TokenizerSection; from foretell.data.tokenizer import Tokenizer;"
        "text = json.load(sys.stdin);"
        "print(json.dumps([Tokenizer.learn(text, TokenizerSection(tokens=kind)).document()"
        " for kind in ('characters', 'bytes', 'words', 'bpe')]))"
    )
    text = VERSE * 2 + MANY
    done = subprocess.run(
        [sys.executable, "-c", program], input=json.dumps(text), capture_output=True, check=True, text=True
    )
    assert json.loads(done.stdout) == [learned(text, tokens=kind).document() for kind in KINDS]


# What a model folder holds


@given(TEXTS, TEXTS, SECTIONS)
def test_a_tokenizer_from_json_cuts_every_text_alike(text: str, other: str, section: TokenizerSection) -> None:
    tokenizer = taught(text, section)
    restored = Tokenizer.restore(json.loads(json.dumps(tokenizer.document())))
    assert restored == tokenizer
    assert restored.document() == tokenizer.document()
    for own in (text, other):
        assert restored.encode(own).tolist() == tokenizer.encode(own).tolist()
        assert restored.unknown(own) == tokenizer.unknown(own)
    assert restored.surprise == tokenizer.surprise
    assert restored.letters.tolist() == tokenizer.letters.tolist()


def test_bytes_need_no_list_in_a_model_folder() -> None:
    assert learned(VERSE, tokens="bytes").document() == {"kind": "bytes", "tokens": []}


LETTERS: dict[str, Any] = {"kind": "characters", "tokens": ["", "a", "b"]}
WORDS: dict[str, Any] = {"kind": "words", "tokens": ["", "a", "b", " ab"]}
PAIRS: dict[str, Any] = learned("abab", tokens="bpe", vocabulary=257).document()
ALPHABET: list[str] = PAIRS["tokens"][:256]

CONTRADICTIONS: dict[str, dict[str, Any]] = {
    "no such kind": {**LETTERS, "kind": "syllables"},
    "a kind that is no text": {**LETTERS, "kind": ["characters"]},
    "no tokens": {**LETTERS, "tokens": []},
    "only what is not known": {**LETTERS, "tokens": [""]},
    "one character": {**LETTERS, "tokens": ["", "a"]},
    "nothing for what is not known": {**LETTERS, "tokens": ["a", "b", "c"]},
    "what is not known in another place": {**LETTERS, "tokens": ["a", "", "b"]},
    "what is not known twice": {**LETTERS, "tokens": ["", "a", "b", ""]},
    "a character twice": {**LETTERS, "tokens": ["", "a", "b", "a"]},
    "a character of two letters": {**LETTERS, "tokens": ["", "a", "bc"]},
    "a number among characters": {**LETTERS, "tokens": ["", "a", 5]},
    "nothing among characters": {**LETTERS, "tokens": ["", "a", None]},
    "a list among characters": {**LETTERS, "tokens": ["", "a", ["b"]]},
    "half a letter": {**LETTERS, "tokens": ["", "a", "\ud83d"]},
    "characters as one text": {**LETTERS, "tokens": "abc"},
    "characters that are merged": {**LETTERS, "merges": [["a", "b"]]},
    "words that are merged": {**WORDS, "merges": [["a", "b"]]},
    "a word twice": {**WORDS, "tokens": ["", "a", " ab", " ab"]},
    "words without what is not known": {**WORDS, "tokens": ["a", "b", " ab"]},
    "bytes that have names": {"kind": "bytes", "tokens": ["a", "b", "c"]},
    "bytes that are merged": {"kind": "bytes", "tokens": [], "merges": [["a", "b"]]},
    "a byte missing": {**PAIRS, "tokens": [token for token in PAIRS["tokens"] if token != "!"]},
    "a piece twice": {**PAIRS, "tokens": [*PAIRS["tokens"], "ab"]},
    "a piece of nothing": {**PAIRS, "tokens": [*PAIRS["tokens"], ""]},
    "a piece of letters that stand for no byte": {**PAIRS, "tokens": [*PAIRS["tokens"], "日"]},
    "a piece with a blank": {**PAIRS, "tokens": [*PAIRS["tokens"], "a b"]},
    "pieces behind what is not known": {**PAIRS, "tokens": ["", *PAIRS["tokens"]]},
    "a merge of one": {**PAIRS, "merges": [["a"]]},
    "a merge of three": {**PAIRS, "merges": [["a", "b", "ab"]]},
    "a merge of what is no piece": {**PAIRS, "merges": [["ab", "ba"]]},
    "a merge into what is no piece": {**PAIRS, "merges": [["b", "a"]]},
    "a merge of nothing": {**PAIRS, "merges": [["", "a"]]},
    "a merge of numbers": {**PAIRS, "merges": [[1, 2]]},
}


@pytest.mark.parametrize("document", CONTRADICTIONS.values(), ids=CONTRADICTIONS.keys())
def test_a_tokenizer_that_contradicts_itself_is_refused(document: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        Tokenizer.restore(document)


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"kind": "characters"},
        {"tokens": ["", "a", "b"]},
        {**LETTERS, "tokens": 5},
        {**LETTERS, "tokens": None},
        {**PAIRS, "merges": 5},
        {**PAIRS, "merges": None},
        {**PAIRS, "merges": [5]},
    ],
    ids=lambda document: ", ".join(f"{key}: {str(value)[:20]}" for key, value in document.items()),
)
def test_a_tokenizer_that_lacks_something_is_refused(document: dict[str, Any]) -> None:
    with pytest.raises((ValueError, KeyError, TypeError)):
        Tokenizer.restore(document)


def test_what_is_refused_differs_from_what_is_read() -> None:
    for document in (LETTERS, WORDS, PAIRS):
        assert Tokenizer.restore(document).document() == document
    assert Tokenizer.restore(LETTERS).encode("abc").tolist() == [1, 2, UNKNOWN]
    assert Tokenizer.restore({**LETTERS, "tokens": ["", "b", "a"]}).encode("abc").tolist() == [2, 1, UNKNOWN]
    assert Tokenizer.restore(WORDS).encode("ab ab").tolist() == [1, 2, 3]
    assert shown(Tokenizer.restore(PAIRS), "abba") == ["ab", "b", "a"]
    assert shown(Tokenizer.restore({"kind": "bpe", "tokens": ALPHABET}), "ab") == ["a", "b"]


@given(
    st.fixed_dictionaries(
        {
            "kind": st.sampled_from([*KINDS, "x"]),
            "tokens": st.lists(st.text(max_size=3) | st.sampled_from(["a", "b", "ab", "\n"]), max_size=6).map(
                lambda tokens: ["", *tokens]
            )
            | st.lists(st.sampled_from(["ab", "ba", "aba", "a b", "é"]), max_size=3).map(
                lambda tokens: [*ALPHABET, *tokens]
            ),
        },
        optional={"merges": st.lists(st.lists(st.sampled_from(["a", "b", "ab", ""]), max_size=3), max_size=3)},
    ),
    TEXTS,
)
def test_whatever_a_model_folder_holds_is_refused_or_cuts_texts(document: dict[str, Any], text: str) -> None:
    try:
        tokenizer = Tokenizer.restore(document)
    except ValueError:
        return
    tokens = tokenizer.encode(text)
    assert ((tokens >= 0) & (tokens < len(tokenizer))).all()
    known = {token for token in tokenizer.tokens if len(token) == 1}
    lost = tokenizer.has_unknown
    assert tokenizer.decode(tokens.tolist()) == "".join(own if own in known or not lost else "\ufffd" for own in text)
    assert tokenizer.letters[tokens].sum() == len(text)
    assert math.isfinite(tokenizer.surprise)
