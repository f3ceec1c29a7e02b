"""Who learns from what: shares of texts, spans that the data name, and no text in two spans."""

import io
import tarfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretell.config import TextSection, TextSpanSection
from foretell.data.corpora import DROPPED, SPANS, Corpus, Texts, read_texts, share_out
from foretell.errors import ConfigurationError, DataError

LABELS = ("a", "b", "c")


def texts_of(
    texts: Sequence[str], labels: Sequence[str], spans: Sequence[str] | None = None, *, multi_label: bool = False
) -> Texts:
    frame = pl.DataFrame({"text": list(texts), "label": list(labels)})
    if spans is not None:
        frame = frame.with_columns(pl.Series("split", list(spans)))
    section = TextSection(span_column=None if spans is None else "split", multi_label=multi_label)
    return read_texts(frame, section)


def different(count: int) -> list[str]:
    return [f"text {number}" for number in range(count)]


def shared(texts: Texts, seed: int = 0, **options: Any) -> Corpus:
    return share_out(texts, TextSpanSection.model_validate(options), seed)


def found(corpus: Corpus, span: str) -> set[str]:
    return {corpus.texts.texts[int(number)] for number in corpus.of(span)}


ROWS = st.lists(st.tuples(st.integers(0, 40), st.sampled_from(LABELS)), min_size=4, max_size=90)
NAMES = st.sampled_from([(), ("train",), ("train", "test"), ("train", "validation"), SPANS])


# Shares


@given(
    st.lists(st.integers(1, 60), min_size=2, max_size=4),
    st.tuples(st.integers(50, 98), st.integers(1, 49)).filter(lambda pair: sum(pair) < 100),
    st.integers(0, 2**32 - 1),
    st.randoms(),
)
def test_each_label_is_shared_out_to_within_one_text(
    sizes: list[int], percent: tuple[int, int], seed: int, random: Any
) -> None:
    labels = [LABELS[number % 3] * (1 + number // 3) for number, size in enumerate(sizes) for _ in range(size)]
    random.shuffle(labels)
    shares = (percent[0], percent[1], 100 - sum(percent))
    texts = texts_of(different(len(labels)), labels)
    try:
        corpus = shared(texts, seed, spans=[str(share / 100) for share in shares])
    except DataError:
        return  # too few for these shares
    assert set(corpus.spans.tolist()) <= {0, 1, 2}
    assert corpus.dropped == {"also_in_validation_or_test": 0, "also_in_test": 0}
    for label in range(len(texts.labels)):
        own = corpus.spans[texts.targets == label]
        for number, share in enumerate(shares):
            assert abs((own == number).sum() - share / 100 * len(own)) <= 1 + 1e-9


def test_the_usual_shares_are_seventy_and_twice_fifteen() -> None:
    corpus = shared(texts_of(different(200), ["a"] * 120 + ["b"] * 80))
    counts = [np.bincount(corpus.texts.targets[corpus.of(span)]).tolist() for span in SPANS]
    assert counts == [[84, 56], [18, 12], [18, 12]]
    assert corpus.notes == ["no spans are named: 0.7, 0.15, 0.15, drawn at random, each label alike"]
    assert all((np.diff(corpus.of(span)) > 0).all() for span in SPANS)


@pytest.mark.parametrize("spans", [("0.5,0.3,0.2",), ("0.5", "0.3", "0.2"), (" .5 ,0.30, 2e-1",)])
def test_shares_are_given_together_or_one_by_one(spans: tuple[str, ...]) -> None:
    corpus = shared(texts_of(different(100), ["a", "b"] * 50), spans=spans)
    assert [len(corpus.of(span)) for span in SPANS] == [50, 30, 20]


def test_the_seed_alone_says_which_texts_are_drawn() -> None:
    labels = ["a", "b", "c", "a"] * 30
    texts, others = texts_of(different(120), labels), texts_of([f"other {number}" for number in range(120)], labels)
    spans = [shared(some, seed).spans.tolist() for some in (texts, others) for seed in (0, 1, 2**32 - 1)]
    assert spans[:3] == spans[3:]
    assert spans[0] != spans[1] != spans[2] != spans[0]
    multi = texts_of(different(120), labels, multi_label=True)
    assert shared(multi, 5).spans.tolist() == shared(multi, 5).spans.tolist() != shared(multi, 6).spans.tolist()


@pytest.mark.parametrize(
    ("spans", "named", "told"),
    [
        ("0.7,0.3", (), "3 shares above zero that add up to 1, of train, validation and test.*found 0.7,0.3"),
        ("0.7,0.2,0.2", (), "add up to 1.*found 0.7,0.2,0.2"),
        ("0.8,0.2,0", (), "above zero"),
        ("0.8,0.4,-0.2", (), "above zero"),
        ("70,15,15", (), "add up to 1"),
        ("most,some,few", (), "found most,some,few"),
        ("nan,nan,nan", (), "above zero"),
        ("inf,-inf,1", (), "above zero"),
        ("0.7,0.15,0.15", ("train", "test"), "2 shares.*of train and validation, as the data name the test.*0.8,0.2"),
        ("0.9,0.2", ("train", "test"), "found 0.9,0.2"),
        ("0.9,0.2", ("train", "validation"), "found 0.9,0.2"),
        ("0.7,0.3", ("train",), "3 shares"),
        ("0.8,0.2", SPANS, "names all spans itself; leave --spans away"),
    ],
)
def test_shares_that_make_no_sense_are_a_wrong_configuration(spans: str, named: tuple[str, ...], told: str) -> None:
    texts = texts_of(different(60), ["a", "b"] * 30, [named[row % len(named)] for row in range(60)] if named else None)
    with pytest.raises(ConfigurationError, match=told) as caught:
        shared(texts, spans=spans)
    assert caught.value.details["option"] == "spans"


# Spans that the data name


def test_spans_that_the_data_name_are_kept() -> None:
    spans = ["train", "test", "validation", "train", "train", "test"]
    corpus = shared(texts_of(different(6), ["a", "b", "a", "b", "a", "a"], spans))
    assert [SPANS[number] for number in corpus.spans] == spans
    assert corpus.notes == []


@given(st.lists(st.sampled_from(["train", "test"]), min_size=30, max_size=90), st.integers(0, 99))
def test_where_the_data_name_a_test_validation_is_a_share_of_training(named: list[str], seed: int) -> None:
    named = [*named, "train", "test"]
    labels = [LABELS[number % 2] for number in range(len(named))]
    texts = texts_of(different(len(named)), labels, named)
    try:
        corpus = shared(texts, seed)
    except DataError:
        assert named.count("train") < 12
        return
    assert corpus.of("test").tolist() == [row for row, span in enumerate(named) if span == "test"]
    for label in (0, 1):
        own = corpus.spans[(texts.targets == label) & (texts.named == 0)]
        assert abs((own == 1).sum() - 0.2 * len(own)) <= 1
    assert corpus.notes == ["validation is a share of training: 0.8, 0.2, drawn at random, each label alike"]


def test_shares_of_training_may_be_given() -> None:
    texts = texts_of(different(110), ["a", "b"] * 55, ["train"] * 100 + ["test"] * 10)
    corpus = shared(texts, spans="0.6,0.4")
    assert [len(corpus.of(span)) for span in SPANS] == [60, 40, 10]


def test_a_validation_without_a_test_becomes_the_test() -> None:
    texts = texts_of(different(110), ["a", "b"] * 55, ["train"] * 100 + ["validation"] * 10)
    corpus = shared(texts)
    assert [len(corpus.of(span)) for span in SPANS] == [80, 20, 10]
    assert corpus.of("test").tolist() == list(range(100, 110))
    assert corpus.notes[0].startswith("no texts are named for test: those for validation are used")
    assert texts.named[105] == 1  # what was read stays as it was


def test_texts_that_are_all_for_training_are_shared_out() -> None:
    labels = ["a", "b", "b", "c"] * 25
    named, plain = (shared(texts_of(different(100), labels, spans)) for spans in (["train"] * 100, None))
    assert named.spans.tolist() == plain.spans.tolist()


@pytest.mark.parametrize("spans", [("test",), ("validation",), ("validation", "test")])
def test_spans_without_a_training_are_told(spans: tuple[str, ...]) -> None:
    texts = texts_of(different(30), ["a", "b", "c"] * 10, [spans[row % len(spans)] for row in range(30)])
    with pytest.raises(DataError, match=f"names texts for {spans[0]}, but none for train"):
        shared(texts)


# The last ones


@given(st.integers(6, 90), st.integers(0, 99), st.sampled_from([(70, 15, 15), (50, 25, 25), (34, 33, 33)]))
def test_the_last_rows_of_a_table_are_taken_in_order(count: int, seed: int, percent: tuple[int, int, int]) -> None:
    texts = texts_of(different(count), [LABELS[number % 2] for number in range(count)])
    try:
        corpus = shared(texts, seed, split="last", spans=[str(share / 100) for share in percent])
    except DataError:
        assert count < 12
        return
    assert (np.diff(corpus.spans) >= 0).all()
    for number, share in enumerate(percent):
        assert abs((corpus.spans == number).sum() - share / 100 * count) <= 1
    assert corpus.notes[0].endswith("the last ones")


def test_the_last_rows_of_training_validate_where_the_data_name_a_test() -> None:
    named = ["test", "train"] * 50
    corpus = shared(texts_of(different(100), ["a", "a", "b", "b"] * 25, named), split="last")
    assert corpus.of("test").tolist() == list(range(0, 100, 2))
    assert corpus.of("validation").tolist() == list(range(81, 100, 2))


def test_rows_that_are_sorted_by_label_are_told() -> None:
    with pytest.raises(DataError, match='one label only, "a"; where the rows are sorted by label, say --split random'):
        shared(texts_of(different(100), ["a"] * 80 + ["b"] * 20), split="last")


def films(count: int) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for number in range(count):
            entry = tarfile.TarInfo(f"{('neg', 'pos')[number % 2]}/{number:03}.txt")
            content = f"text {number}".encode()
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return stream.getvalue()


def test_texts_of_a_folder_are_shuffled_before_the_last_ones_are_taken(tmp_path: Path) -> None:
    (tmp_path / "films.tar").write_bytes(films(200))
    texts = read_texts(tmp_path / "films.tar", TextSection())
    corpus = shared(texts, 3, split="last")
    assert [len(corpus.of(span)) for span in SPANS] == [140, 30, 30]
    for span in SPANS:
        assert set(texts.targets[corpus.of(span)]) == {0, 1}
        assert (np.diff(corpus.of(span)) > 0).all()
    assert corpus.spans.tolist() == shared(texts, 3, split="last").spans.tolist()
    assert corpus.spans.tolist() != shared(texts, 4, split="last").spans.tolist()
    # Not each label alike: what is drawn is drawn from all.
    counts = {tuple(np.bincount(shared(texts, seed, split="last").spans[:100])) for seed in range(6)}
    assert len(counts) > 1


# Duplicates


@given(ROWS, NAMES, st.integers(0, 99), st.sampled_from(["random", "last"]), st.booleans(), st.randoms())
def test_no_text_stands_in_two_spans_and_test_loses_none(
    rows: list[tuple[int, str]], names: tuple[str, ...], seed: int, split: str, multi_label: bool, random: Any
) -> None:
    named = [random.choice(names) for _ in rows] if names else None
    labels = [label for _, label in rows]
    repeated = texts_of([f"text {number}" for number, _ in rows], labels, named, multi_label=multi_label)
    unique = texts_of(different(len(rows)), labels, named, multi_label=multi_label)
    try:
        corpus, before = shared(repeated, seed, split=split), shared(unique, seed, split=split)
    except DataError:
        return  # too few are left, or a label has too few texts
    assert set(corpus.spans.tolist()) <= {0, 1, 2, DROPPED}
    contents = [found(corpus, span) for span in SPANS]
    assert not contents[0] & contents[1]
    assert not contents[0] & contents[2]
    assert not contents[1] & contents[2]
    # The same draw as without duplicates, less what a later span holds.
    assert corpus.of("test").tolist() == before.of("test").tolist()
    texts = [repeated.texts[number] for number in range(len(rows))]
    in_test = {texts[number] for number in before.of("test")}
    in_later = in_test | {texts[number] for number in before.of("validation")}
    validation = [number for number in before.of("validation") if texts[number] not in in_test]
    assert corpus.of("validation").tolist() == validation
    assert corpus.of("train").tolist() == [number for number in before.of("train") if texts[number] not in in_later]
    assert corpus.dropped == {
        "also_in_validation_or_test": len(before.of("train")) - len(corpus.of("train")),
        "also_in_test": len(before.of("validation")) - len(corpus.of("validation")),
    }
    assert sum(corpus.dropped.values()) == (corpus.spans == DROPPED).sum()


def test_what_was_dropped_is_told_in_sentences() -> None:
    texts = texts_of(
        ["x", "y", "z", "w", "v", "y", "x", "z", "u", "u"],
        ["a", "b", "a", "b", "a", "b", "b", "a", "a", "b"],
        ["train"] * 5 + ["validation"] * 2 + ["test"] + ["validation"] + ["test"],
    )
    corpus = shared(texts)
    assert corpus.spans.tolist() == [3, 3, 3, 0, 0, 1, 1, 2, 3, 2]
    assert corpus.dropped == {"also_in_validation_or_test": 3, "also_in_test": 1}
    assert corpus.notes == [
        "dropped, since validation or test holds the same: 3 texts of training",
        "dropped, since test holds the same: 1 text of validation",
        "exact duplicates: 4 texts in all; 4 texts among them with other labels",
    ]


def test_duplicates_inside_one_span_stay() -> None:
    texts = texts_of(
        ["x", "x", "y", "z", "z", "w"], ["a", "a", "b", "a", "a", "b"], ["train"] * 3 + ["test"] * 2 + ["validation"]
    )
    corpus = shared(texts)
    assert corpus.spans.tolist() == [0, 0, 0, 2, 2, 1]
    assert corpus.notes == ["exact duplicates: 2 texts in all"]


@given(ROWS)
def test_texts_that_contradict_each_other_are_counted(rows: list[tuple[int, str]]) -> None:
    texts, labels = [f"text {number}" for number, _ in rows], [label for _, label in rows]
    of: dict[str, set[str]] = {}
    for text, label in zip(texts, labels, strict=True):
        of.setdefault(text, set()).add(label)
    contradicting = sum(len(of[text]) > 1 for text in texts)
    repeated = len(texts) - len(of)
    for multi_label in (False, True):
        corpus = shared(
            texts_of(
                [*texts, *"pqrs"],
                [*labels, *LABELS, "a"],
                [*["test"] * len(texts), "train", "train", "train", "validation"],
                multi_label=multi_label,
            )
        )
        told = f"; {contradicting} texts among them with other labels" if contradicting else ""
        expected = f"exact duplicates: {repeated} text{'s' * (repeated != 1)} in all{told}"
        assert corpus.notes == ([expected] if repeated else [])


def test_texts_differ_by_their_last_letter_and_by_blanks() -> None:
    texts = texts_of(["x", "x ", "X", "x\n"], ["a", "b", "a", "b"], ["train", "train", "validation", "test"])
    assert shared(texts).dropped == {"also_in_validation_or_test": 0, "also_in_test": 0}


def test_a_training_that_the_test_repeats_is_told() -> None:
    texts = texts_of(["x", "y"] * 3, ["a", "b"] * 3, ["train"] * 2 + ["validation"] * 2 + ["test"] * 2)
    with pytest.raises(DataError, match=r"the train span holds no texts \(0 train, 0 validation, 2 test\)"):
        shared(texts)


# What can be learned


@pytest.mark.parametrize("count", [1, 2, 3])
def test_too_few_texts_are_told(count: int) -> None:
    with pytest.raises(DataError, match=r"span holds no texts|one label only"):
        shared(texts_of(different(count), ["a", "b", "a"][:count]))


def test_a_label_that_is_all_in_test_is_told() -> None:
    with pytest.raises(DataError, match='row 5 has the label "c", which no text of the train span has'):
        shared(texts_of(different(5), ["a", "b", "a", "b", "c"], ["train", "train", "validation", "test", "test"]))
    with pytest.raises(DataError, match='row 5 has the label "c", which no text of the train span has'):
        shared(
            texts_of(
                different(5),
                ["a", "b|a", "a", "", "c|a"],
                ["train", "train", "validation", "test", "test"],
                multi_label=True,
            )
        )


def test_a_thousand_labels_need_ten_texts_each() -> None:
    labels = [str(number) for number in range(1001)]
    texts = texts_of(different(10 * 1001), labels * 10)
    assert Counter(shared(texts).spans.tolist()) == {0: 6 * 1001, 1: 2 * 1001, 2: 2 * 1001}
    with pytest.raises(DataError, match="1001 different labels over 10009 texts"):
        shared(texts_of(different(10 * 1001 - 1), (labels * 10)[:-1]))


def test_texts_with_several_labels_are_shared_out_together() -> None:
    texts = texts_of(different(100), ["a|b", "b", "", "a|c"] * 25, multi_label=True)
    corpus = shared(texts)
    assert [len(corpus.of(span)) for span in SPANS] == [70, 15, 15]
    assert sorted(np.concatenate([corpus.of(span) for span in SPANS]).tolist()) == list(range(100))
    one = texts_of(different(60), ["a", ""] * 30, multi_label=True)  # one label that a text has or not
    assert [len(shared(one).of(span)) for span in SPANS] == [42, 9, 9]


# The texts themselves


def test_texts_keep_labels_places_and_hashes() -> None:
    texts = texts_of(["x", "y", "x"], ["b", "a", "b"], ["test", "train", "validation"])
    assert texts.labels == ("a", "b")
    assert texts.targets.tolist() == [1, 0, 1]
    assert texts.named.tolist() == [2, 0, 1]
    assert texts.places[1] == "the data frame, row 2"
    assert (texts.hashes[0] == texts.hashes[2]).all()
    assert (texts.hashes[0] != texts.hashes[1]).any()
    assert len(texts.texts) == len(texts.places) == 3


@given(ROWS, st.integers(0, 3), st.data())
def test_a_fingerprint_changes_with_every_text_and_label(
    rows: list[tuple[int, str]], kind: int, data: st.DataObject
) -> None:
    texts, labels = [f"text {number}" for number, _ in rows], [label for _, label in rows]
    before = texts_of(texts, labels).fingerprint
    assert texts_of(list(texts), list(labels)).fingerprint == before
    row = data.draw(st.integers(0, len(rows) - 1))
    if kind == 0:
        texts[row] += "."
    elif kind == 1:
        labels[row] = "d"
    elif kind == 2:
        del texts[row], labels[row]
    else:
        texts.insert(row, "more")
        labels.insert(row, "a")
    assert texts_of(texts, labels).fingerprint != before
