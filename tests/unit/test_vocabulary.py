"""What texts are cut into: learned from given texts alone, kept as JSON, and found again in the text it came from."""

import json
import subprocess
import sys
import unicodedata
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from foretell.config import TokenSection
from foretell.data.vocabulary import PADDING, SPECIAL, UNKNOWN, Vocabulary
from foretell.errors import DataError

KINDS = ("words", "characters", "bpe")
REVIEWS = [
    "A <b>good</b> film, so GOOD!<br /><br />I wasn't bored.",
    "The worst film: schön was it not... Café, café 😀😀",
    "so bad, so\nvery bad. I wasn't bored 😀",
] * 2
TEXTS = st.lists(st.text(max_size=30), min_size=1, max_size=8)
WORDS = st.lists(st.sampled_from(["so", "So", "good", "bad", "b's", "!", "<br>", "é", "e\u0301", "\n", " ", "😀"]))
SECTIONS = st.builds(
    TokenSection,
    tokens=st.sampled_from(KINDS),
    vocabulary=st.integers(3, 300),
    lowercase=st.booleans(),
    punctuation=st.booleans(),
)


def learned(*texts: str, **options: Any) -> Vocabulary:
    return Vocabulary.learn(texts, TokenSection.model_validate(options))


def encoded(vocabulary: Vocabulary, *texts: str) -> list[list[int]]:
    return [tokens.tolist() for tokens in vocabulary.encode(texts)]


def shown(vocabulary: Vocabulary, text: str) -> list[str]:
    return [vocabulary.tokens[number] for number in encoded(vocabulary, text)[0]]


def cut(vocabulary: Vocabulary, text: str) -> list[tuple[str, str]]:
    """Each piece, and what stands in the text where it is."""
    numbers, places = vocabulary.pieces(text)
    return [(vocabulary.tokens[number], text[start:end]) for number, (start, end) in zip(numbers, places, strict=True)]


# Words


def test_words_are_the_most_frequent_first_and_rare_ones_unknown() -> None:
    vocabulary = learned("so good, so good, so", "not so good! Good", "bad")
    assert vocabulary.tokens == (*SPECIAL, "good", "so", ",")
    assert encoded(vocabulary, "So bad, not good", "") == [[3, UNKNOWN, 4, UNKNOWN, 2], []]
    assert len(vocabulary) == 5
    assert vocabulary.numbers["so"] == 3


@given(st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=80))
def test_words_are_counted_over_all_texts(words: list[str]) -> None:
    counts = Counter(words)
    common = sorted((word for word in counts if counts[word] > 1), key=lambda word: (-counts[word], word))
    half = len(words) // 2
    texts = [" ".join(words[:half]), "", " ".join(words[half:])]
    if not common:
        with pytest.raises(DataError, match="hold no words that could be learned from: each occurs once at most"):
            learned(*texts)
        return
    vocabulary = learned(*texts)
    assert sorted(vocabulary.tokens[2:]) == sorted(common)
    assert [counts[word] for word in vocabulary.tokens[2:]] == [counts[word] for word in common]


@pytest.mark.parametrize(
    ("text", "options", "words"),
    [
        ("So good, so GOOD!", {}, ["so", "good", ",", "so", "good", "!"]),
        ("So good, so GOOD!", {"punctuation": False}, ["so", "good", "so", "good"]),
        ("So good, so GOOD!", {"lowercase": False}, ["So", "good", ",", "so", "GOOD", "!"]),
        ("I wasn't — wasn’t I?", {"punctuation": False}, ["i", "wasn't", "wasn’t", "i"]),
        ("'quoted' rock'n'roll", {}, ["'", "quoted", "'", "rock'n'roll"]),
        ("a<br />b<BR>c</p>d <b class='x'>e", {}, ["a", "b", "c", "d", "e"]),
        ("1 < 2 > 0, <3", {"punctuation": False}, ["1", "2", "0", "3"]),
        ("1 < 2 > 0", {}, ["1", "<", "2", ">", "0"]),
        ("2001: it's 3.5 _x_", {"punctuation": False}, ["2001", "it's", "3", "5", "_x_"]),
        ("schön cafe\u0301 ЖАР", {}, ["schön", "café", "жар"]),
        ("😀😀 wow😀", {}, ["😀", "😀", "wow", "😀"]),
        ("😀 wow", {"punctuation": False}, ["wow"]),
        ("so...good", {}, ["so", ".", ".", ".", "good"]),
        (" \t\n", {}, []),
    ],
)
def test_a_text_is_cut_into_words(text: str, options: dict[str, Any], words: list[str]) -> None:
    vocabulary = learned(text, text, "more", "more", **options)
    assert shown(vocabulary, text) == words


def test_words_are_of_the_given_texts_alone() -> None:
    vocabulary = learned("good good", "film film")
    assert vocabulary.tokens == (*SPECIAL, "film", "good")
    assert encoded(vocabulary, "bad film", "bad bad") == [[UNKNOWN, 2], [UNKNOWN, UNKNOWN]]
    assert encoded(vocabulary, "good") == [[3]]
    assert vocabulary.tokens == (*SPECIAL, "film", "good")


def test_texts_are_read_one_by_one() -> None:
    def texts() -> Iterator[str]:
        for number in range(5000):
            yield f"text {number % 100}"

    vocabulary = Vocabulary.learn(texts(), TokenSection())
    assert len(vocabulary) == 103
    tokens = vocabulary.encode(texts())
    assert next(tokens).dtype == np.int32
    assert sum(1 for _ in tokens) == 4999


# Characters


def test_characters_are_letters_blanks_and_marks() -> None:
    vocabulary = learned("Só <b>\n", "ss", tokens="characters")
    assert set(vocabulary.tokens[2:]) == {"s", "ó", " ", "<", "b", ">", "\n"}
    assert vocabulary.tokens[2] == "s"
    assert shown(vocabulary, "BO so\u0301\n😀") == ["b", "[unknown]", " ", "s", "ó", "\n", "[unknown]"]
    capitals = learned("Ss", "S", tokens="characters", lowercase=False)
    assert capitals.tokens == (*SPECIAL, "S", "s")


@given(st.text(max_size=40))
def test_characters_give_the_text_back(text: str) -> None:
    normal = unicodedata.normalize("NFC", text)
    if not normal:
        return
    vocabulary = learned(text, tokens="characters", lowercase=False)
    assert "".join(shown(vocabulary, text)) == normal
    counts = Counter(normal)
    assert [counts[token] for token in vocabulary.tokens[2:]] == sorted(counts.values(), reverse=True)


# Byte pairs


def test_byte_pairs_merge_what_is_frequent() -> None:
    vocabulary = learned(*["low lower lowest"] * 20, tokens="bpe", vocabulary=60)
    assert shown(vocabulary, "low") == ["▁low"]
    assert "".join(shown(vocabulary, "lowest lows")) == "▁lowest▁lows"
    assert all(first + second in vocabulary.numbers for first, second in vocabulary.merges)
    once = learned(*["ab cab dab"] * 20, tokens="bpe", vocabulary=8)
    assert once.tokens == (*SPECIAL, *"abcd▁", "ab")
    assert once.merges == (("a", "b"),)


def test_byte_pairs_are_as_many_as_asked_for_at_most() -> None:
    many = [" ".join(f"word{number * 7919 % 1000}" for number in range(1000))] * 2
    for count in (100, 300):
        assert len(learned(*many, tokens="bpe", vocabulary=count)) == count
    assert len(learned("ab", "ab", tokens="bpe", vocabulary=300)) == len(SPECIAL) + 3 + 2


@given(WORDS, WORDS)
def test_byte_pairs_of_known_letters_leave_nothing_unknown(first: list[str], second: list[str]) -> None:
    texts = [" ".join(words) for words in (first, second)]
    try:
        vocabulary = learned(*texts, tokens="bpe", vocabulary=80)
    except DataError:
        assert not "".join(texts).strip()
        return
    assert UNKNOWN not in {number for tokens in encoded(vocabulary, *texts) for number in tokens}


@pytest.mark.parametrize("special", SPECIAL)
def test_no_text_can_write_padding_or_the_unknown(special: str) -> None:
    for kind in KINDS:
        vocabulary = learned(*[f"x{special} y{special} z{special}"] * 20, tokens=kind)
        assert vocabulary.tokens[:2] == SPECIAL
        for text in (special, f"x{special}", f"q{special}"):
            assert PADDING not in encoded(vocabulary, text)[0], kind
        assert UNKNOWN not in encoded(vocabulary, f"x{special}")[0], kind


@given(TEXTS, TEXTS, SECTIONS)
def test_padding_fills_up_and_stands_for_nothing_in_a_text(
    texts: list[str], others: list[str], section: TokenSection
) -> None:
    try:
        vocabulary = Vocabulary.learn(texts, section)
    except DataError:
        return
    for tokens in vocabulary.encode(texts + others):
        assert ((tokens > PADDING) & (tokens < len(vocabulary))).all()


# Of all kinds


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("texts", [[], [""], ["", " "]])
def test_texts_without_a_piece_are_told(kind: str, texts: list[str]) -> None:
    if kind == "words" or not "".join(texts):
        with pytest.raises(DataError, match=f"the training texts hold no {kind} that could be learned from"):
            learned(*texts, tokens=kind)


@given(TEXTS, TEXTS, SECTIONS)
def test_a_vocabulary_from_json_cuts_every_text_alike(
    texts: list[str], others: list[str], section: TokenSection
) -> None:
    try:
        vocabulary = Vocabulary.learn(texts, section)
    except DataError:
        return
    restored = Vocabulary.restore(json.loads(json.dumps(vocabulary.document())))
    assert restored == vocabulary
    assert restored.document() == vocabulary.document()
    some = [*texts, *others]
    assert encoded(restored, *some) == encoded(vocabulary, *some)


@given(TEXTS, SECTIONS)
def test_what_is_learned_twice_is_equal(texts: list[str], section: TokenSection) -> None:
    try:
        once = Vocabulary.learn(texts, section)
    except DataError:
        return
    assert Vocabulary.learn(iter(texts), section) == once


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_learned_twice_is_equal_with_more_letters_than_are_kept(kind: str) -> None:
    text = " ".join(chr(0x4E00 + number) + chr(0x4E00 + number * 7 % 1500) for number in range(1500))
    once = learned(text, text, tokens=kind, vocabulary=1200)
    assert all(learned(text, text, tokens=kind, vocabulary=1200) == once for _ in range(3))


def test_another_process_learns_the_same() -> None:
    program = (
        "import json, sys; from foretell.config import TokenSection; from foretell.data.vocabulary import Vocabulary;"
        "texts = json.load(sys.stdin);"
        "print(json.dumps([Vocabulary.learn(texts, TokenSection(tokens=kind, vocabulary=90)).document()"
        " for kind in ('words', 'characters', 'bpe')]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], input=json.dumps(REVIEWS), capture_output=True, text=True, check=True
    )
    here = [learned(*REVIEWS, tokens=kind, vocabulary=90).document() for kind in KINDS]
    assert json.loads(done.stdout) == here


@given(TEXTS, SECTIONS, st.integers(3, 40))
def test_the_first_pieces_count_others_as_unknown(texts: list[str], section: TokenSection, count: int) -> None:
    try:
        vocabulary = Vocabulary.learn(texts, section)
    except DataError:
        return
    fewer = vocabulary.first(count)
    if section.tokens == "bpe" or count >= len(vocabulary):
        assert fewer == vocabulary
        return
    assert fewer.tokens == vocabulary.tokens[:count]
    assert Vocabulary.restore(fewer.document()) == fewer
    for all_of_them, few in zip(encoded(vocabulary, *texts), encoded(fewer, *texts), strict=True):
        assert few == [number if number < count else UNKNOWN for number in all_of_them]


@pytest.mark.parametrize("kind", KINDS)
def test_half_a_letter_is_no_traceback(kind: str) -> None:
    broken = "so \ud83d so"  # as JSON can write it
    vocabulary = learned("so good", broken, "so good", tokens=kind, vocabulary=40)
    (tokens,) = encoded(vocabulary, broken)
    assert len(tokens) > 0
    numbers, places = vocabulary.pieces(broken)
    assert len(numbers) == len(places)


# Where pieces stand


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("So GOOD, so!", ["So", "GOOD", ",", "so", "!"]),
        ("so<br /><br />good <b>film</b>.", ["so", "good", "film", "."]),
        ("<p>Café — schön</p>", ["Café", "—", "schön"]),
        ("cafe\u0301 so", ["cafe\u0301", "so"]),
        ("😀 so 👩\u200d👧 good😀", ["😀", "so", "👩", "\u200d", "👧", "good", "😀"]),
        ("İstanbul so ẞ", ["İstanbul", "so", "ẞ"]),
        ("  so \n\t good ", ["so", "good"]),
        ("never seen wasn't", ["never", "seen", "wasn't"]),
        ("", []),
    ],
)
def test_words_stand_where_they_were_found(text: str, expected: list[str]) -> None:
    vocabulary = learned(*REVIEWS)
    assert [found for _, found in cut(vocabulary, text)] == expected
    for token, found in cut(vocabulary, text):
        assert token in ("[unknown]", unicodedata.normalize("NFC", found).lower())


@pytest.mark.parametrize("text", ["So GOOD, so!", "Café <b>😀", "so\n", "İ so", ""])
def test_characters_stand_where_they_were_found(text: str) -> None:
    vocabulary = learned(*REVIEWS, tokens="characters")
    places = list(dict.fromkeys(vocabulary.pieces(text)[1]))  # one letter that becomes two stands there twice
    assert "".join(text[start:end] for start, end in places) == text
    for token, found in cut(vocabulary, text):
        assert token == "[unknown]" or token in found.lower()


@pytest.mark.parametrize("text", ["So GOOD, so!", "so bored 😀 café", "Café CAFÉ schön wasn't", "  so  good ", ""])
def test_byte_pairs_stand_where_they_were_found(text: str) -> None:
    for count in (50, 300):
        for token, found in cut(learned(*REVIEWS, tokens="bpe", vocabulary=count), text):
            if token not in ("▁", "[unknown]"):  # a blank before the first word is not of the text
                assert token.removeprefix("▁") == found.lower().strip()


@pytest.mark.parametrize("text", ["so<br />good", "<b>so</b> good", "cafe\u0301 so"])
def test_byte_pairs_leave_out_what_was_no_text(text: str) -> None:
    for token, found in cut(learned(*REVIEWS, tokens="bpe", vocabulary=300), text):
        if token not in ("▁", "[unknown]"):
            assert token.removeprefix("▁") == unicodedata.normalize("NFC", found).strip()


@given(st.text(max_size=40) | WORDS.map("".join), SECTIONS)
@example(":\u0f7a", TokenSection(punctuation=True))  # a sign that is a piece of its own
def test_pieces_are_those_that_networks_read_and_stand_in_order(text: str, section: TokenSection) -> None:
    vocabulary = Vocabulary.learn(REVIEWS, section)
    numbers, places = vocabulary.pieces(text)
    assert numbers.tolist() == encoded(vocabulary, text)[0]
    assert all(0 <= start < end <= len(text) for start, end in places)
    assert places == sorted(places)
    if section.tokens == "words":
        assert all(end <= start for (_, end), (start, _) in pairwise(places))


# What a model folder holds


GOOD: dict[str, Any] = {"kind": "words", "lowercase": True, "punctuation": False, "tokens": [*SPECIAL, "so", "good"]}
MERGED: dict[str, Any] = {**GOOD, "kind": "bpe", "tokens": [*SPECIAL, "a", "b", "ab"], "merges": [["a", "b"]]}

CONTRADICTIONS: dict[str, dict[str, Any]] = {
    "no such kind": {**GOOD, "kind": "syllables"},
    "a kind that is no text": {**GOOD, "kind": ["words"]},
    "no pieces": {**GOOD, "tokens": []},
    "only what is special": {**GOOD, "tokens": list(SPECIAL)},
    "nothing special": {**GOOD, "tokens": ["so", "good", "bad"]},
    "special in another order": {**GOOD, "tokens": [*SPECIAL[::-1], "so"]},
    "a piece twice": {**GOOD, "tokens": [*SPECIAL, "so", "so"]},
    "what is special twice": {**GOOD, "tokens": [*SPECIAL, "so", SPECIAL[1]]},
    "a number among pieces": {**GOOD, "tokens": [*SPECIAL, 5]},
    "nothing among pieces": {**GOOD, "tokens": [*SPECIAL, None]},
    "pieces as one text": {**GOOD, "tokens": "so good"},
    "half a letter": {**GOOD, "tokens": [*SPECIAL, "\ud83d"]},
    "a merge of one": {**MERGED, "merges": [["a"]]},
    "a merge of three": {**MERGED, "merges": [["a", "b", "ab"]]},
    "a merge of what is unknown": {**MERGED, "merges": [["a", "c"]]},
    "a merge into what is unknown": {**MERGED, "merges": [["b", "a"]]},
    "a merge of numbers": {**MERGED, "merges": [[1, 2]]},
}


@pytest.mark.parametrize("document", CONTRADICTIONS.values(), ids=CONTRADICTIONS.keys())
def test_a_vocabulary_that_contradicts_itself_is_refused(document: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        Vocabulary.restore(document)


@pytest.mark.parametrize(
    "document",
    [
        *({name: value for name, value in GOOD.items() if name != lacking} for lacking in GOOD),
        {**GOOD, "tokens": 5},
        {**GOOD, "tokens": None},
        {**MERGED, "merges": 5},
        {**MERGED, "merges": None},
        {**MERGED, "merges": [5]},
    ],
    ids=repr,
)
def test_a_vocabulary_that_lacks_something_is_refused(document: dict[str, Any]) -> None:
    with pytest.raises((ValueError, KeyError, TypeError)):
        Vocabulary.restore(document)


def test_what_is_refused_differs_from_what_is_read() -> None:
    assert Vocabulary.restore(GOOD).document() == GOOD
    assert encoded(Vocabulary.restore(GOOD), "So good, bad") == [[2, 3, UNKNOWN]]
    assert Vocabulary.restore(MERGED).document() == MERGED
    assert shown(Vocabulary.restore({**MERGED, "tokens": [*MERGED["tokens"], "▁"]}), "ab") == ["▁", "ab"]


@given(
    st.fixed_dictionaries(
        {
            "kind": st.sampled_from([*KINDS, "x"]),
            "lowercase": st.booleans() | st.none(),
            "punctuation": st.booleans() | st.none(),
            "tokens": st.lists(st.text(max_size=3) | st.sampled_from([*SPECIAL, "a", "b", "ab"]), max_size=6).map(
                lambda tokens: [*SPECIAL, *tokens]
            ),
        },
        optional={"merges": st.lists(st.lists(st.sampled_from(["a", "b", "ab", ""]), max_size=3), max_size=3)},
    ),
    st.text(max_size=20),
)
def test_whatever_a_model_folder_holds_is_refused_or_cuts_texts(document: dict[str, Any], text: str) -> None:
    try:
        vocabulary = Vocabulary.restore(document)
    except ValueError:
        return
    (tokens,) = vocabulary.encode([text])
    assert ((tokens >= 0) & (tokens < len(vocabulary))).all()
