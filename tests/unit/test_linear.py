"""Linear baselines: scikit-learn's TF-IDF and a plain NB-SVM, n-grams told apart, and what each token adds to a score."""

import warnings
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from foretell.data.batches import Reader
from foretell.data.storage import Chosen, TokenFile
from foretell.data.vocabulary import UNKNOWN
from foretell.nn import NgramEmbedding
from foretell.tasks.classify.linear import FEW_LABELS, STRENGTHS, Linear, fit_linear, known_columns
from foretell.tasks.classify.ngrams import FEW, counted_keys, drawn, frequent, keys_at, naive_bayes_factors

Text = list[int]
words = st.lists(st.integers(1, 12), max_size=15)


def tokens_of(text: Sequence[int] | np.ndarray) -> np.ndarray:
    return np.array(text, np.int32)


def ngrams_of(text: Sequence[int], longest: int) -> list[tuple[int, ...]]:
    """All n-grams of a text that hold no unknown token."""
    every = [tuple(text[at : at + n]) for n in range(1, longest + 1) for at in range(len(text) - n + 1)]
    return [ngram for ngram in every if min(ngram) > UNKNOWN]


def corpus(texts: int, vocabulary: int, labels: int, seed: int = 0) -> tuple[list[Text], np.ndarray]:
    """Texts whose words hint at their labels; some words are unknown, some texts empty."""
    generator = np.random.default_rng(seed)
    numbers = generator.integers(0, labels, texts)
    found = []
    for number in numbers:
        drawn = generator.integers(1, vocabulary, generator.integers(1, 25))
        own = generator.integers(
            2 + number * vocabulary // (labels + 1), 2 + (number + 1) * vocabulary // (labels + 1), 4
        )
        found.append(generator.permutation(np.concatenate([drawn, own])).tolist())
    for place in (0, texts // 2, texts // 2 + 1, texts - 1):
        found[place] = []
    return found, np.arange(labels) == numbers[:, None]


def fitted(
    kind: str, ngrams: int, texts: list[Text], truth: np.ndarray, columns: list[int], strength: float | None = None
) -> Linear:
    """A classifier of one of the strengths."""
    wanted = STRENGTHS[kind][1] if strength is None else strength
    errors = iter([float(own != wanted) for own in STRENGTHS[kind]])
    linear, chosen = fit_linear(
        kind, ngrams, [tokens_of(text) for text in texts], truth, columns, lambda _: next(errors)
    )
    assert chosen == wanted
    return linear


def learned_by_scikit(matrix: Any, answers: np.ndarray, strength: float) -> LogisticRegression:
    model = LogisticRegression(C=strength, solver="liblinear", dual=True, max_iter=200, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it has not quite converged
        return model.fit(matrix, answers)


def terms(longest: int) -> dict[str, Any]:
    """Our n-grams as scikit-learn's words."""
    return {"analyzer": lambda text: [" ".join(map(str, ngram)) for ngram in ngrams_of(text, longest)]}


def key_of(ngram: Sequence[int]) -> int:
    """The number that an n-gram has."""
    return int(keys_at(tokens_of(ngram), len(ngram))[-1][-1])


# TF-IDF


@pytest.mark.parametrize("strength", STRENGTHS["tfidf"])
@pytest.mark.parametrize("ngrams", [1, 2])
@pytest.mark.parametrize(("size", "rarest"), [(30, 1), (400, 2)], ids=["few n-grams", "many n-grams"])
def test_tfidf_is_scikit_learns(size: int, rarest: int, ngrams: int, strength: float) -> None:
    """Of many n-grams those are kept that occur in two texts; where that leaves fewer than a hundred, all."""
    texts, truth = corpus(150 if ngrams == 1 or rarest == 2 else 15, size, 2)
    vectorizer = TfidfVectorizer(min_df=rarest, **terms(ngrams))
    matrix = vectorizer.fit_transform(texts)
    model = learned_by_scikit(matrix, truth[:, 1], strength)
    linear = fitted("tfidf", ngrams, texts, truth, [1], strength)
    assert len(linear.keys) == len(vectorizer.vocabulary_)
    others, _ = corpus(60, size + 30, 2, seed=1)
    for asked in (texts, others):
        expected = model.decision_function(vectorizer.transform(asked))
        found = linear.scores(tokens_of(text) for text in asked)
        assert found.shape == (len(asked), 1)
        np.testing.assert_allclose(found[:, 0], expected, atol=2e-4)


def test_its_scale_is_the_inverse_document_frequency() -> None:
    texts, truth = corpus(80, 40, 2)
    linear = fitted("tfidf", 1, texts, truth, [1])
    counted = CountVectorizer(**terms(1))
    weighted = TfidfTransformer().fit(counted.fit_transform(texts))
    for term, column in counted.vocabulary_.items():
        (place,) = known_columns(linear.keys, counted_keys(tokens_of([int(term)]), 1)[0])
        assert linear.scale[place] == pytest.approx(weighted.idf_[column], rel=1e-6)


def test_its_values_have_the_length_of_one() -> None:
    texts, truth = corpus(80, 40, 2)
    linear = fitted("tfidf", 2, texts, truth, [1])
    for text in texts:
        _, values = linear.entries(tokens_of(text))
        assert (values**2).sum() == pytest.approx(1.0 if len(values) else 0.0)


# NB-SVM


@pytest.mark.parametrize("strength", STRENGTHS["nb-svm"])
@pytest.mark.parametrize("ngrams", [1, 2, 3])
def test_nb_svm_is_a_plain_computation(ngrams: int, strength: float) -> None:
    texts, truth = corpus(120, 9, 2)
    occurs = Counter(ngram for text in texts for ngram in set(ngrams_of(text, ngrams)))
    often = [ngram for ngram, count in occurs.items() if count >= 2]
    known = often if len(often) >= 100 else list(occurs)

    def present(some: list[Text]) -> np.ndarray:
        found = [set(ngrams_of(text, ngrams)) for text in some]
        return np.array([[float(ngram in own) for ngram in known] for own in found])

    matrix, own = present(texts), truth[:, 1]
    with_it, without = 1 + matrix[own].sum(axis=0), 1 + matrix[~own].sum(axis=0)
    ratios = np.log((with_it / with_it.sum()) / (without / without.sum()))
    model = learned_by_scikit(matrix * ratios, own, strength)
    linear = fitted("nb-svm", ngrams, texts, truth, [1], strength)
    assert len(linear.keys) == len(known)
    others, _ = corpus(60, 12, 2, seed=1)
    for asked in (texts, others):
        expected = model.decision_function(present(asked) * ratios)
        np.testing.assert_allclose(linear.scores(map(tokens_of, asked))[:, 0], expected, atol=2e-4)


def test_how_often_an_ngram_occurs_says_nothing_to_nb_svm() -> None:
    texts, truth = corpus(80, 20, 2)
    linear = fitted("nb-svm", 1, texts, truth, [1])
    once, thrice = linear.scores([tokens_of([5, 9, 13]), tokens_of([9, 5, 13, 5, 5, 9, 9, 13])])
    assert once == pytest.approx(thrice)


# Both


@pytest.mark.parametrize("kind", STRENGTHS)
def test_each_label_is_learned_against_all_others(kind: str) -> None:
    texts, truth = corpus(150, 40, 4)
    linear = fitted(kind, 1, texts, truth, [0, 1, 2, 3])
    scores = linear.scores(map(tokens_of, texts))
    assert scores.shape == (150, 4)
    for label in range(4):
        alone = fitted(kind, 1, texts, truth, [label])
        np.testing.assert_allclose(alone.scores(map(tokens_of, texts))[:, 0], scores[:, label], atol=1e-9)
    assert (scores.argmax(axis=1) == truth.argmax(axis=1)).mean() > 0.8


@pytest.mark.parametrize("kind", STRENGTHS)
@pytest.mark.parametrize("best", range(3))
def test_the_strength_is_the_one_that_errs_least_and_the_weakest_of_those(kind: str, best: int) -> None:
    texts, truth = corpus(60, 20, 2)
    asked: list[Linear] = []

    def choose(linear: Linear) -> float:
        asked.append(linear)
        return 0.3 if len(asked) - 1 < best else 0.1

    linear, strength = fit_linear(kind, 1, list(map(tokens_of, texts)), truth, [1], choose)
    assert (strength, linear) == (STRENGTHS[kind][best], asked[best])
    sizes = [float((own.weights**2).sum()) for own in asked]
    assert sizes == sorted(sizes), "the stronger the fit, the larger the weights"


def test_of_many_labels_one_strength_is_tried() -> None:
    texts, truth = corpus(200, 60, FEW_LABELS + 1)

    def choose(linear: Linear) -> float:
        raise AssertionError("nothing is to be chosen")

    linear, strength = fit_linear("nb-svm", 1, list(map(tokens_of, texts)), truth, list(range(FEW_LABELS + 1)), choose)
    assert strength == STRENGTHS["nb-svm"][1]
    assert linear.weights.shape == (len(linear.keys), FEW_LABELS + 1)


@pytest.mark.parametrize("there", [True, False])
@pytest.mark.parametrize("kind", STRENGTHS)
def test_a_label_that_all_texts_of_training_have_or_none_is_learned(kind: str, there: bool) -> None:
    """One of several labels may be everywhere, and of texts that --linear-count draws none may have a rare one."""
    texts, truth = corpus(60, 20, 3)
    several = np.concatenate([truth, np.full((60, 1), there)], axis=1)
    linear = fitted(kind, 1, texts, several, [0, 1, 2, 3])
    scores = linear.scores(map(tokens_of, texts))
    assert np.isfinite(scores).all()
    assert ((scores[:, 3] > 0) == there).all()
    np.testing.assert_allclose(scores[:, :3], fitted(kind, 1, texts, truth, [0, 1, 2]).scores(map(tokens_of, texts)))


@pytest.mark.parametrize("kind", STRENGTHS)
def test_a_text_without_known_ngrams_has_the_bias_as_its_score(kind: str) -> None:
    texts, truth = corpus(80, 20, 3)
    linear = fitted(kind, 2, texts, truth, [0, 1, 2])
    for text in ([], [UNKNOWN], [UNKNOWN, UNKNOWN, UNKNOWN], [500], [500, 501, 500]):
        (scores,) = linear.scores([tokens_of(text)])
        assert scores.tolist() == linear.bias.tolist()
        for score in range(3):
            assert linear.contributions(tokens_of(text), score).tolist() == [0.0] * len(text)
    assert linear.scores([]).shape == (0, 3)


@pytest.mark.parametrize("kind", STRENGTHS)
def test_ngrams_that_training_never_saw_change_nothing(kind: str) -> None:
    texts, truth = corpus(80, 20, 2)
    linear = fitted(kind, 1, texts, truth, [1])
    plain, longer = linear.scores([tokens_of([4, 5, 6]), tokens_of([700, 4, 5, UNKNOWN, 6, 900, 800])])
    assert longer == pytest.approx(plain)


def made(kind: str, ngrams: int, texts: list[Text], scores: int, seed: int) -> Linear:
    """A classifier of random weights, that knows half of the n-grams of some texts."""
    generator = np.random.default_rng(seed)
    every = np.unique(
        np.concatenate([np.zeros(0, np.int64), *(counted_keys(tokens_of(own), ngrams)[0] for own in texts)])
    )
    keys = every[generator.random(len(every)) < 0.5]
    scale = np.ones(len(keys)) if kind == "nb-svm" else generator.uniform(1, 5, len(keys))
    weights = generator.normal(0, 1, (len(keys), scores))
    return Linear(
        kind, ngrams, keys, scale.astype(np.float32), weights.astype(np.float32), generator.normal(0, 1, scores)
    )


@given(
    kind=st.sampled_from(list(STRENGTHS)),
    ngrams=st.integers(1, 4),
    texts=st.lists(words, min_size=1, max_size=5),
    seed=st.integers(0, 2**31),
)
def test_contributions_sum_to_the_score_less_the_bias(kind: str, ngrams: int, texts: list[Text], seed: int) -> None:
    linear = made(kind, ngrams, texts, 2, seed)
    scores = linear.scores(map(tokens_of, texts))
    for text, own in zip(texts, scores, strict=True):
        for score in range(2):
            moved = linear.contributions(tokens_of(text), score)
            assert moved.shape == (len(text),)
            assert moved.sum() == pytest.approx(own[score] - linear.bias[score], abs=1e-9)


@given(kind=st.sampled_from(list(STRENGTHS)), ngrams=st.integers(1, 4), text=words, seed=st.integers(0, 2**31))
def test_an_ngrams_part_is_shared_by_its_places_and_tokens(kind: str, ngrams: int, text: Text, seed: int) -> None:
    """A plain loop over all places of all n-grams."""
    linear = made(kind, ngrams, [text], 1, seed)
    times = Counter(ngrams_of(text, ngrams))
    known = {ngram: int(known_columns(linear.keys, np.array([key_of(ngram)]))[0]) for ngram in times}
    values = {
        ngram: 1.0 if kind == "nb-svm" else times[ngram] * float(linear.scale[column])
        for ngram, column in known.items()
        if column >= 0
    }
    length = 1.0 if kind == "nb-svm" else sum(value**2 for value in values.values()) ** 0.5
    expected = np.zeros(len(text))
    for n in range(1, ngrams + 1):
        for at in range(len(text) - n + 1):
            ngram = tuple(text[at : at + n])
            if ngram in values:
                part = values[ngram] / length * float(linear.weights[known[ngram], 0])
                expected[at : at + n] += part / (times[ngram] * n)
    np.testing.assert_allclose(linear.contributions(tokens_of(text), 0), expected, atol=1e-9)


# N-grams


@given(texts=st.lists(words, max_size=6), ngrams=st.integers(1, 6))
def test_different_ngrams_have_different_keys_and_equal_ones_the_same(texts: list[Text], ngrams: int) -> None:
    """Each at the place where it ends, over all texts and lengths; zero where there is none or a token is unknown."""
    keys: dict[tuple[int, ...], int] = {}
    for text in texts:
        found = keys_at(tokens_of(text), ngrams)
        assert [len(own) for own in found] == [len(text)] * ngrams
        for length, own in enumerate(found, start=1):
            for end, key in enumerate(own.tolist(), start=1):
                ngram = tuple(text[max(0, end - length) : end])
                if len(ngram) < length or min(ngram) <= UNKNOWN:
                    assert key == 0
                else:
                    assert key != 0
                    assert keys.setdefault(ngram, key) == key
    assert len(set(keys.values())) == len(keys)


def test_keys_of_hundreds_of_thousands_of_ngrams_differ() -> None:
    """Of frequent tokens and of a large vocabulary, of all lengths together; all pairs of the most frequent ones."""
    generator = np.random.default_rng(0)
    first = np.arange(2, 302)
    pairs = np.stack([np.full(300**2, UNKNOWN), np.repeat(first, 300), np.tile(first, 300)], axis=1)
    together = [np.unique(keys_at(tokens_of(pairs.ravel()), 2)[1])]
    assert len(together[0]) == 1 + 300**2, "zero, and each pair's own"
    for vocabulary in (300, 2_000_000):
        tokens = generator.integers(2, vocabulary, 15_000).astype(np.int32)
        for length, keys in enumerate(keys_at(tokens, 6), start=1):
            different = len(np.unique(np.lib.stride_tricks.sliding_window_view(tokens, length), axis=0))
            own = np.unique(keys[length - 1 :])
            assert len(own) == different, f"n-grams of {length} tokens share keys"
            if length > 2:
                together.append(own)
    every = np.concatenate([np.arange(2, 500_000), *together])
    assert len(np.unique(every)) == len(every), "n-grams of different lengths share keys"


@given(text=words, ngrams=st.integers(1, 5))
def test_ngrams_are_counted(text: Text, ngrams: int) -> None:
    keys, counts = counted_keys(tokens_of(text), ngrams)
    expected = Counter(ngrams_of(text, ngrams))
    assert len(keys) == len(expected)
    assert (keys[1:] > keys[:-1]).all()
    found = dict(zip(keys.tolist(), counts.tolist(), strict=True))
    for ngram, count in expected.items():
        assert found[key_of(ngram)] == count


numbers = st.integers(-(2**63), 2**63 - 1)


@given(known=st.sets(numbers), asked=st.lists(numbers), data=st.data())
def test_known_keys_are_found_where_they_stand(known: set[int], asked: list[int], data: st.DataObject) -> None:
    if known:
        asked = asked + data.draw(st.lists(st.sampled_from(sorted(known))))
    ordered = sorted(known)
    found = known_columns(np.array(ordered, np.int64), np.array(asked, np.int64))
    assert found.tolist() == [ordered.index(key) if key in known else -1 for key in asked]


@pytest.mark.parametrize("shortest", [1, 2])
@pytest.mark.parametrize(("count", "vocabulary"), [(40, 20), (200, 60)])
def test_frequent_ngrams_are_those_that_two_texts_hold_or_all_where_hardly_any_does(
    count: int, vocabulary: int, shortest: int
) -> None:
    texts, _ = corpus(count, vocabulary, 2)
    texts = texts[: count if count > 40 else 6]
    occurs = Counter(ngram for text in texts for ngram in set(ngrams_of(text, 2)) if len(ngram) >= shortest)
    often = [ngram for ngram, times in occurs.items() if times >= 2]
    expected = often if len(often) >= FEW else list(occurs)
    assert (len(often) >= FEW) == (count > 40), "both cases are tried"
    found = frequent([tokens_of(text) for text in texts], 2, shortest)
    assert found.tolist() == sorted(map(key_of, expected))
    most = frequent([tokens_of(text) for text in texts], 2, shortest, most=30)
    assert (most[1:] > most[:-1]).all()
    kept = [occurs[ngram] for ngram in expected if key_of(ngram) in set(most.tolist())]
    assert sorted(kept) == sorted(occurs[ngram] for ngram in expected)[-30:], "the most frequent"


@given(
    lengths=st.lists(st.integers(0, 30), min_size=1, max_size=20), ngrams=st.integers(1, 3), most=st.integers(1, 600)
)
def test_texts_are_drawn_so_that_they_hold_no_more_ngrams_than_asked(
    lengths: list[int], ngrams: int, most: int
) -> None:
    """One at least; in their order, and for a seed always the same."""
    file = TokenFile.of(tokens_of([5] * length) for length in lengths)
    every = np.arange(len(lengths))
    found = drawn(Chosen(file, every), ngrams, most, 3)
    assert (drawn(Chosen(file, every), ngrams, most, 3).numbers == found.numbers).all()
    assert (np.diff(found.numbers) > 0).all()
    held = ngrams * sum(lengths[number] for number in found.numbers)
    assert len(found) >= 1
    assert held <= most or len(found) == 1
    assert (len(found) == len(lengths)) or ngrams * sum(lengths) > most


@pytest.mark.parametrize(("labels", "several"), [(2, False), (3, False), (3, True)])
def test_the_weight_of_a_vector_says_how_telling_its_ngram_is(labels: int, several: bool) -> None:
    """NB-SVM's logarithm of the ratio, without its sign; of several labels the largest."""
    texts, truth = corpus(80, 20, labels)
    if several:
        truth = truth | (np.random.default_rng(0).random(truth.shape) < 0.3)
    some = [tokens_of(text) for text in texts]
    known = frequent(some, 2, shortest=2)
    embedding = NgramEmbedding(40, 3, 2, len(known))
    embedding.table.copy_(torch.from_numpy(known))
    found = naive_bayes_factors(embedding, Reader(100, 40), some, truth)
    rows: dict[tuple[int, ...], int] = {(token,): token for token in range(2, 40)}
    occurring = {ngram for text in texts for ngram in ngrams_of(text, 2)}
    places = known.tolist()
    rows |= {
        ngram: 40 + places.index(key_of(ngram)) for ngram in occurring if key_of(ngram) in places and len(ngram) > 1
    }
    expected = dict.fromkeys(rows, 0.0)
    present = {ngram: np.array([ngram in set(ngrams_of(text, 2)) for text in texts]) for ngram in rows}
    for own in truth.T:
        with_it, without = (
            {ngram: 1 + int((there & chosen).sum()) for ngram, there in present.items()} for chosen in (own, ~own)
        )
        sums = [sum(part.values()) for part in (with_it, without)]
        for ngram in rows:
            ratio = np.log(with_it[ngram] / sums[0]) - np.log(without[ngram] / sums[1])
            expected[ngram] = max(expected[ngram], abs(ratio))
    difference = [found[row] - expected[ngram] for ngram, row in rows.items()]
    assert found.shape == (40 + len(known),)
    assert np.abs(difference).max() < 0.05, "but for what padding and unknown tokens add to the sums"
    assert np.corrcoef([found[row] for row in rows.values()], list(expected.values()))[0, 1] > 0.999
