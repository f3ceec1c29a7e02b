"""How new a text is: words against a set of them, copies against every stretch there is."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretell.evaluation.novelty import SEARCHED, Known, distinct_letters, distinct_words, words_of

LETTERS = st.text("ab \n", max_size=40)
PARTS = [
    "so",
    "So",
    "SO",
    "good",
    " ",
    " ",
    "\n",
    "don't",
    "don’t",
    "'",
    "!",
    "2",
    "_",
    "straße",
    "STRASSE",
    "é",
    "日本",
    "😀",
]
WORDS = st.lists(st.sampled_from(PARTS), max_size=25).map("".join)


def longest(known: str, text: str) -> int:
    """How long the longest stretch is that both hold, by looking at all of them."""
    stretches = {known[start:end] for start in range(len(known)) for end in range(start, len(known) + 1)}
    return max(
        end - start
        for start in range(len(text) + 1)
        for end in range(start, len(text) + 1)
        if text[start:end] in stretches | {""}
    )


def spelled(text: str) -> list[tuple[int, int]]:
    """Where words begin and end: runs of letters, with apostrophes between them."""
    places, start = [], 0
    while start < len(text):
        end = start
        while end < len(text) and (
            text[end].isalpha() or (start < end < len(text) - 1 and text[end] in "'’" and text[end + 1].isalpha())
        ):
            end += 1
        if end > start:
            places.append((start, end))
        start = max(end, start + 1)
    return places


# Copies


@given(LETTERS, LETTERS)
def test_the_longest_copy_is_as_long_as_any_that_both_texts_hold(known: str, text: str) -> None:
    found = Known(known).longest_copy(text)
    assert found in text
    assert found in known
    assert len(found) == longest(known, text)


@given(LETTERS, LETTERS, LETTERS)
def test_a_text_that_is_all_copied_is_its_own_longest_copy(before: str, text: str, after: str) -> None:
    assert Known(before + text + after).longest_copy(text) == text


def test_copies_are_found_letter_by_letter() -> None:
    known = Known("Wherefore art thou Romeo?\nDeny thy father")
    assert known.longest_copy("I art thou Romeo, deny") == " art thou Romeo"
    assert known.longest_copy("WHEREFORE") == "W"
    assert known.longest_copy("?\nDeny") == "?\nDeny"
    assert known.longest_copy("zzz") == known.longest_copy("") == Known("").longest_copy("so") == ""
    assert Known("abcXdef").longest_copy("abcdef") == "abc"  # the first of those that are equally long


def test_copies_are_looked_for_in_the_beginning_of_a_huge_text() -> None:
    known = Known("a" * (SEARCHED - 3) + "bcd" + "efg")
    assert known.longest_copy("bcdefg") == "bcd"


# New words


@given(WORDS, WORDS)
def test_new_words_are_those_that_the_text_lacks_but_the_last(known: str, text: str) -> None:
    held = {known[start:end].casefold() for start, end in spelled(known)}
    places = spelled(text)
    assert Known(known).words == held
    assert words_of(text) == [text[start:end].casefold() for start, end in places]
    if len(places) == 1:
        return
    whole = [(start, end) for start, end in places if end < len(text)]
    assert Known(known).new_words(text) == [place for place in whole if text[slice(*place)].casefold() not in held]


def test_new_words_stand_where_they_are_whatever_letters_are_large() -> None:
    known = Known("The sense of the SAME thing; don't Straße")
    text = "the thingother, sAmE dont don't STRASSE senses of"
    assert [text[start:end] for start, end in known.new_words(text)] == ["thingother", "dont", "senses"]


@pytest.mark.parametrize(
    ("text", "new"), [("so goo", []), ("so goo ", ["goo"]), ("so goo!", ["goo"]), ("xy goo", ["xy"])]
)
def test_the_last_word_may_have_been_cut(text: str, new: list[str]) -> None:
    assert [text[start:end] for start, end in Known("so good").new_words(text)] == new


def test_numbers_and_marks_are_no_words() -> None:
    assert Known("so").new_words("2001 _ !? 😀 3rd so ") == [(13, 15)]
    assert words_of("2001 a1b _x_ rock'n'roll 'so' it’s'") == ["a", "b", "x", "rock'n'roll", "so", "it’s"]


# Distinct


@given(st.lists(st.sampled_from(["so", "good", "bad"]), max_size=20))
def test_distinct_words_are_the_share_of_pairs_that_differ(words: list[str]) -> None:
    pairs = [(words[place], words[place + 1]) for place in range(len(words) - 1)]
    expected = len(set(pairs)) / len(pairs) if pairs else None
    assert distinct_words(" ".join(words)) == expected
    assert distinct_words(", ".join(word.upper() for word in words) + "!") == expected


@given(st.text("ab", max_size=60))
def test_distinct_letters_are_the_share_of_stretches_of_eight_that_differ(text: str) -> None:
    stretches = [match[1] for match in re.finditer("(?=(.{8}))", text)]
    assert distinct_letters(text) == (len(set(stretches)) / len(stretches) if stretches else None)


def test_too_few_have_no_share() -> None:
    assert distinct_words("") is distinct_words("so") is distinct_words("so 5 !") is None
    assert distinct_words("so good") == 1.0
    assert distinct_letters("") is distinct_letters("abcdefg") is None
    assert distinct_letters("abcdefgh") == 1.0
    assert distinct_letters("a" * 100) == 1 / 93
