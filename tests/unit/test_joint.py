"""One vocabulary of both sides: what it learns, that texts come back, what is unknown, and folders that lie."""

from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretell.config import PieceSection
from foretell.data.joint import BEGIN, END, SPECIAL, UNKNOWN, JointVocabulary
from foretell.errors import ConfigurationError, DataError

SOURCES = ["the lower the newer", "the lowest is the widest", "newer and wider, lower and newest"] * 3
TARGETS = ["je tiefer desto neuer", "am tiefsten ist am weitesten", "neuer und weiter, tiefer und am neuesten"] * 3


def learned(kind: Any, **options: Any) -> JointVocabulary:
    return JointVocabulary.learn(SOURCES, TARGETS, PieceSection(tokens=kind, **options))


@pytest.mark.parametrize("kind", ["bpe", "characters", "words"])
def test_texts_come_back(kind: str) -> None:
    vocabulary = learned(kind)
    assert vocabulary.tokens[:4] == SPECIAL
    for text, tokens in zip([*SOURCES, *TARGETS], vocabulary.encode([*SOURCES, *TARGETS]), strict=True):
        assert UNKNOWN not in tokens
        assert vocabulary.text(tokens) == text
        assert vocabulary.text([BEGIN, *tokens, END]) == text
        cut = vocabulary.cut(text)
        assert cut.tokens.tolist() == tokens.tolist()
        assert len(cut.pieces) == len(tokens)
    again = JointVocabulary.restore(vocabulary.document())
    assert again == vocabulary


@given(st.text(alphabet="abcdefgnorstuwh, .▁é\u0301ж", max_size=30), st.sampled_from(["bpe", "characters", "words"]))
def test_any_text_is_cut_and_its_pieces_put_it_together_again(text: str, kind: str) -> None:
    vocabulary = learned(kind)
    tidy = " ".join(text.split())
    cut = vocabulary.cut(tidy)
    assert cut.tokens.tolist() == vocabulary.encode([tidy])[0].tolist()
    copies = {place: piece for place, (token, piece) in enumerate(zip(*cut, strict=True)) if token == UNKNOWN}
    back = vocabulary.text(cut.tokens.tolist(), copies)
    simple = back.replace("_", "▁").replace(" ", "")
    assert Counter(simple) >= Counter() and len(simple) <= 2 * len(tidy) + 1
    if not {"▁", "\u0301"} & set(tidy):
        assert back.replace(" ", "") == tidy.replace(" ", "")


def test_the_frequent_pieces_come_first_and_those_on_the_way_have_none() -> None:
    vocabulary = learned("bpe")
    counts = Counter(int(token) for tokens in vocabulary.encode([*SOURCES, *TARGETS]) for token in tokens)
    longer = [number for number in range(4, len(vocabulary)) if len(vocabulary.tokens[number]) > 1]
    assert all(counts[number] for number in longer)  # none that no text uses
    used = [counts[number] for number in range(4, len(vocabulary)) if counts[number]]
    assert used == sorted(used, reverse=True)
    steps = {"".join(pair) for pair in vocabulary.merges} - set(vocabulary.tokens)
    assert steps  # there are some
    for step in steps:  # and each is cut into its parts where a text holds it alone
        (tokens,) = vocabulary.encode([step.replace("▁", " ")])
        assert tokens.max() < len(vocabulary)
        assert vocabulary.text(tokens) == step.replace("▁", " ").strip()


def test_what_training_never_saw_is_unknown_and_is_known_by_its_letters() -> None:
    vocabulary = learned("bpe")
    cut = vocabulary.cut("the Жук is newer")
    unknown = [piece for token, piece in zip(*cut, strict=True) if token == UNKNOWN]
    assert unknown == ["Жук"]
    place = cut.tokens.tolist().index(UNKNOWN)
    assert vocabulary.text(cut.tokens, {place: "Жук"}) == "the Жук is newer"
    assert vocabulary.text(cut.tokens) == "the \ufffd is newer"
    words = learned("words").cut("the Жук, newer")
    assert words.pieces == ["▁the", "▁Жук", ",", "▁newer"]
    assert words.tokens.tolist()[1] == UNKNOWN


def test_letters_that_occur_once_are_unknown() -> None:
    vocabulary = JointVocabulary.learn([*SOURCES, "ж"], [*TARGETS, "x"], PieceSection())
    assert "ж" not in vocabulary.tokens
    assert UNKNOWN in vocabulary.encode(["ж"])[0]


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("bpe", r"--vocabulary asks for 5,000 pieces, and the training pairs have \d+; say --vocabulary \d+ or fewer"),
        ("characters", r"asks for 5,000 characters, and the training pairs have \d+"),
        ("words", r"asks for 5,000 words, and the training pairs have \d+ \(those that occur twice\)"),
    ],
)
def test_more_than_there_is_cannot_be_asked_for(kind: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said) as raised:
        learned(kind, vocabulary=5000)
    number = int(raised.value.message.partition("; say --vocabulary ")[2].split()[0])
    assert len(learned(kind, vocabulary=number)) <= number


def test_fewer_words_are_the_most_frequent() -> None:
    vocabulary = learned("words", vocabulary=8)
    assert len(vocabulary) == 8
    assert "▁the" in vocabulary.tokens


def test_small_letters_are_one_with_large_ones() -> None:
    vocabulary = JointVocabulary.learn(["The DOG"] * 3, ["Der HUND"] * 3, PieceSection(lowercase=True))
    assert vocabulary.text(vocabulary.encode(["the Dog"])[0]) == "the dog"


def test_nothing_to_learn_is_told() -> None:
    with pytest.raises(DataError, match="the training pairs hold no words that could be learned from"):
        JointVocabulary.learn(["a"], ["b"], PieceSection(tokens="words"))


def test_learning_is_the_same_each_time() -> None:
    assert learned("bpe") == learned("bpe")


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "bytes"},
        {"tokens": ["a", "b", "c", "d", "e"]},
        {"tokens": [*SPECIAL, "a", "a"]},
        {"tokens": [*SPECIAL, ""]},
        {"tokens": [*SPECIAL, 3]},
        {"merges": [["qq", "q"]]},
        {"tokens": [*SPECIAL, "t", "h", "th", "zz"]},
        {"kind": "characters", "tokens": [*SPECIAL, "ab"], "merges": []},
        {"kind": "words"},
    ],
)
def test_folders_that_lie_are_found_out(change: dict[str, Any]) -> None:
    document = learned("bpe").document()
    with pytest.raises((ValueError, KeyError, TypeError)):
        JointVocabulary.restore({**document, **change})


def test_numbers_fit_a_table(tmp_path: object) -> None:
    vocabulary = learned("bpe")
    tokens = np.concatenate(vocabulary.encode(["an unusual xylophone of the lowest kind"]))
    assert 0 <= tokens.min() <= tokens.max() < len(vocabulary)
