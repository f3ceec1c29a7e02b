"""What a network reads of texts: cut to a length, filled up to the longest of a batch, its own tokens alone."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretell.data.batches import Reader
from foretell.data.storage import Chosen, TextFile, TokenFile
from foretell.data.vocabulary import PADDING, UNKNOWN

TOKENS = st.lists(st.lists(st.integers(2, 30), max_size=12), min_size=1, max_size=8)


def file_of(*texts: list[int]) -> TokenFile:
    return TokenFile.of(np.array(text, np.int32) for text in texts)


def every(file: TokenFile) -> np.ndarray:
    return np.arange(len(file))


def test_a_long_text_is_cut_at_its_front_or_at_its_back() -> None:
    text = np.arange(2, 9, dtype=np.int32)
    assert Reader(3, 100).cut(text).tolist() == [6, 7, 8]
    assert Reader(3, 100, front=False).cut(text).tolist() == [2, 3, 4]
    assert Reader(7, 100).cut(text).tolist() == Reader(8, 100, front=False).cut(text).tolist() == text.tolist()


def test_a_batch_is_filled_up_behind_to_its_longest_text_only() -> None:
    file = file_of([5], [2, 3, 4, 5, 6, 7, 8, 9], [], [4, 3, 2])
    reader = Reader(6, 100)
    batch = reader.batch(file, np.array([0, 3]))
    assert batch.tokens.tolist() == [[5, PADDING, PADDING], [4, 3, 2]]
    assert batch.lengths.tolist() == [1, 3]
    assert reader.batch(file, np.array([1, 0])).tokens.tolist() == [[4, 5, 6, 7, 8, 9], [5, 0, 0, 0, 0, 0]]
    assert reader.batch(file, np.array([0])).tokens.tolist() == [[5]]


def test_tokens_that_a_network_does_not_know_count_as_unknown() -> None:
    batch = Reader(9, 4).batch(file_of([2, 3, 4, 5], [300]), np.array([0, 1]))
    assert batch.tokens.tolist() == [[2, 3, UNKNOWN, UNKNOWN], [UNKNOWN, PADDING, PADDING, PADDING]]
    assert batch.lengths.tolist() == [4, 1]


@pytest.mark.parametrize("front", [True, False])
def test_something_stands_in_for_a_text_without_tokens(front: bool) -> None:
    batch = Reader(5, 10, front=front).batch(file_of([], [3, 4]), np.array([0, 1]))
    assert batch.tokens.tolist() == [[UNKNOWN, PADDING], [3, 4]]
    assert batch.lengths.tolist() == [1, 2]
    alone = Reader(5, 10, front=front).batch(file_of([], []), np.array([0, 1]))
    assert alone.tokens.tolist() == [[UNKNOWN], [UNKNOWN]]


@given(TOKENS, st.integers(1, 14), st.integers(3, 40), st.booleans(), st.data())
def test_a_batch_holds_what_is_read_of_each_text(
    texts: list[list[int]], length: int, tokens: int, front: bool, data: st.DataObject
) -> None:
    file, reader = file_of(*texts), Reader(length, tokens, front=front)
    numbers = np.array(data.draw(st.lists(st.integers(0, len(texts) - 1), min_size=1, max_size=9)), np.int64)
    batch = reader.batch(file, numbers)
    assert str(batch.tokens.dtype) == str(batch.lengths.dtype) == "torch.int64"
    assert batch.lengths.tolist() == reader.lengths(file.lengths[numbers]).tolist()
    assert batch.tokens.shape == (len(numbers), int(batch.lengths.max()))
    assert int(batch.tokens.max()) < tokens
    for number, row, own in zip(numbers, batch.tokens.tolist(), batch.lengths.tolist(), strict=True):
        text = texts[number]
        known = [token if token < tokens else UNKNOWN for token in text] or [UNKNOWN]
        read = known[max(0, len(known) - length) :] if front else known[:length]
        assert row == [*read, *[PADDING] * (len(row) - own)]
        assert len(read) == own


@given(TOKENS, st.integers(1, 14), st.booleans())
def test_no_batch_changes_what_is_kept(texts: list[list[int]], length: int, front: bool) -> None:
    file = file_of(*texts)
    once = Reader(length, 5, front=front).batch(file, every(file))
    once.tokens.fill_(7)
    assert [file[number].tolist() for number in range(len(file))] == texts
    assert Reader(length, 50, front=front).batch(file, every(file)).lengths.tolist() == once.lengths.tolist()


@given(TOKENS)
def test_tokens_are_kept_as_they_are(texts: list[list[int]]) -> None:
    file = file_of(*texts)
    assert len(file) == len(texts)
    assert [file[number].tolist() for number in range(len(file))] == texts
    assert file.lengths.tolist() == [len(text) for text in texts]
    assert file.tokens.dtype == np.int32
    backwards = Chosen(file, every(file)[::-1])
    assert [tokens.tolist() for tokens in backwards] == texts[::-1]
    assert [tokens.tolist() for tokens in backwards[1:3]] == texts[::-1][1:3]
    assert len(backwards[:2]) == min(2, len(texts))


@given(st.lists(st.text(st.characters(), max_size=9), max_size=8))
def test_texts_are_kept_as_they_are(texts: list[str]) -> None:
    stored = TextFile.of(texts)
    assert [stored[number] for number in range(len(stored))] == texts


def test_nothing_can_be_kept_as_well() -> None:
    assert len(TokenFile.of([])) == len(TextFile.of([])) == 0
    assert TokenFile.of([]).lengths.tolist() == []
    assert file_of([], [])[1].tolist() == []
    half = "so \ud83d"
    assert TextFile.of([half])[0] == half
