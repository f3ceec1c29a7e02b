"""N-grams against a slow model of the same formulas, written down one by one in plain Python."""

from collections import defaultdict
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jaxtyping import Int64

from foretell.evaluation.kneser_ney import KneserNey, _numbered, count_ngrams, count_tokens

CLOSE = 1e-12


class Slow:
    """Interpolated n-grams with modified Kneser-Ney smoothing, as Chen and Goodman (1999) have them.

    Every count is looked up in a dictionary from contexts to what came after them, and every sum is a loop.
    """

    def __init__(self, tokens: list[int], known: int, order: int) -> None:
        self.tokens, self.known, self.order = tokens, known, min(order, len(tokens))
        self.counts = [self.counted(length) for length in range(1, self.order + 1)]
        self.discounts = [discounts(raw_discounts(self.sizes(level))) for level in self.counts]
        # How often anything follows each context, and what the discounts take of it.
        self.sums = {
            context: (sum(after.values()), sum(own[min(count, 3)] for count in after.values()))
            for level, own in zip(self.counts, self.discounts, strict=True)
            for context, after in level.items()
        }

    def counted(self, length: int) -> dict[tuple[int, ...], dict[int, int]]:
        """How often each n-gram occurs, or, of shorter ones, after how many different tokens."""
        found: defaultdict[tuple[int, ...], list[int | None]] = defaultdict(list)
        for start in range(len(self.tokens) - length + 1):
            before = self.tokens[start - 1] if start else None
            found[tuple(self.tokens[start : start + length])].append(before)
        counts: defaultdict[tuple[int, ...], dict[int, int]] = defaultdict(dict)
        for ngram, befores in found.items():
            different = len({before for before in befores if before is not None})
            # What occurs at the very beginning alone comes after nothing, which counts as one.
            counts[ngram[:-1]][ngram[-1]] = len(befores) if length == self.order else max(1, different)
        return dict(counts)

    def sizes(self, level: dict[tuple[int, ...], dict[int, int]]) -> list[int]:
        """How many n-grams have a count of one, two, three, four."""
        return [sum(count == size for after in level.values() for count in after.values()) for size in (1, 2, 3, 4)]

    def probability(self, context: tuple[int, ...], token: int) -> float:
        """p(token | context), the context no longer than the order allows."""
        shorter = self.probability(context[1:], token) if context else 1 / self.known
        after = self.counts[len(context)].get(context)
        if after is None:
            return shorter
        own, (total, left) = self.discounts[len(context)], self.sums[context]
        count = after.get(token, 0)
        return max(count - own[min(count, 3)], 0) / total + left / total * shorter

    def after(self, text: list[int]) -> list[float]:
        """How likely each token is after a text."""
        context = tuple(text[len(text) - min(len(text), self.order - 1) :])
        return [self.probability(context, token) for token in range(self.known)]


def raw_discounts(sizes: list[int]) -> list[float | None]:
    """D1, D2 and D3+ of equation 26; none where no n-gram has the count."""
    one, two, three, four = sizes
    share = one / (one + 2 * two) if one + two else 0.5
    return [
        1 - 2 * share * two / one if one else None,
        2 - 3 * share * three / two if two else None,
        3 - 4 * share * four / three if three else None,
    ]


def discounts(raw: list[float | None]) -> list[float]:
    """The same within bounds; half of a count where nothing is known of it."""
    filled = [0.5 * size if found is None else found for size, found in enumerate(raw, 1)]
    return [0.0, *(min(max(found, 0.05), size - 0.05) for size, found in enumerate(filled, 1))]


def array(tokens: list[int]) -> Int64[np.ndarray, " time"]:
    return np.array(tokens, np.int64)


def both(tokens: list[int], known: int, order: int) -> tuple[KneserNey, Slow]:
    return count_ngrams(array(tokens), known, order)[-1], Slow(tokens, known, order)


def zipfian(length: int, known: int, seed: int = 0) -> list[int]:
    """A text in which some tokens are frequent and many are rare, and each depends a little on the one before."""
    generator = np.random.default_rng(seed)
    chances = 1 / np.arange(1, known + 1)
    drawn = generator.choice(known, length, p=chances / chances.sum())
    for place in range(1, length):
        if generator.random() < 0.3:
            drawn[place] = (drawn[place - 1] * 7 + 1) % known
    return drawn.tolist()


@st.composite
def texts(draw: st.DrawFn, shortest: int = 1) -> tuple[int, list[int], int, list[int]]:
    """How many tokens there are, a text to learn from that need not hold all, an order, and another text."""
    known = draw(st.integers(2, 5))
    held = draw(st.integers(1, known))
    learned = draw(st.lists(st.integers(0, held - 1), min_size=shortest, max_size=60))
    return known, learned, draw(st.integers(1, 8)), draw(st.lists(st.integers(0, known - 1), max_size=20))


# As the formulas say


@given(texts())
def test_probabilities_are_those_of_the_formulas(case: tuple[int, list[int], int, list[int]]) -> None:
    known, learned, order, other = case
    model, slow = both(learned, known, order)
    for text in (learned, other):
        expected = [slow.after(text[:place])[token] for place, token in enumerate(text)]
        np.testing.assert_allclose(model.probabilities(array(text)), expected, rtol=0, atol=CLOSE)


@given(texts())
def test_distributions_are_those_of_the_formulas_and_sum_to_one(case: tuple[int, list[int], int, list[int]]) -> None:
    known, learned, order, other = case
    model, slow = both(learned, known, order)
    for text in (learned, other, [], learned[:2], learned[-3:] + other[:1]):
        likely = model.distribution(model.read(array(text)))
        np.testing.assert_allclose(likely, slow.after(text), rtol=0, atol=CLOSE)
        assert likely.min() > 0
        assert abs(likely.sum() - 1) < CLOSE


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_a_longer_text_has_the_discounts_of_the_formulas_alone(order: int) -> None:
    learned = zipfian(4000, 300)
    model, slow = both(learned, 300, order)
    for level, counts in zip(model.levels[1:3], slow.counts[1:3], strict=True):
        raw = [found for found in raw_discounts(slow.sizes(counts)) if found is not None]
        assert len(raw) == 3
        assert all(0.05 < found < size - 0.05 for size, found in enumerate(raw, 1))
        np.testing.assert_allclose(level.discounts, [0, *raw], rtol=0, atol=CLOSE)
    text = zipfian(200, 300, seed=1)
    expected = [slow.probability(tuple(text[max(0, place - order + 1) : place]), text[place]) for place in range(200)]
    np.testing.assert_allclose(model.probabilities(array(text)), expected, rtol=0, atol=CLOSE)
    likely = model.distribution(model.read(array(text)))
    np.testing.assert_allclose(likely, slow.after(text), rtol=0, atol=CLOSE)
    assert model.parameters == sum(len(after) for level in slow.counts for after in level.values())


def test_discounts_by_hand() -> None:
    # Bigrams of aabacada: aa, ab, ba, ac, ca, ad, da, once each; tokens come after a, b, c, d; a; a; a.
    model = count_ngrams(array([0, 0, 1, 0, 2, 0, 3, 0]), 4, 2)[-1]
    assert model.levels[0].counts.tolist() == [4, 1, 1, 1]
    assert model.levels[0].discounts.tolist() == [0, 0.95, 1.0, 1.5]
    assert model.levels[1].discounts.tolist() == [0, 0.95, 1.0, 1.5]
    unigram = [(4 - 1.5) / 7, *[(1 - 0.95) / 7] * 3]
    base = (1.5 + 3 * 0.95) / 7 / 4
    np.testing.assert_allclose(model.distribution(model.read(array([]))), np.array(unigram) + base, rtol=0, atol=CLOSE)
    after = [0.05 / 4 + 0.95 * (share + base) for share in unigram]
    np.testing.assert_allclose(model.distribution(model.read(array([0]))), after, rtol=0, atol=CLOSE)


# What the smoothing is for


def test_tokens_that_follow_one_alone_are_unlikely_after_others() -> None:
    # As Francisco follows San alone, however often: 8 follows 9; 7 follows many, half as often.
    learned = [9, 8] * 20 + [token for first in range(5) for token in (first, 7)] * 2
    models = count_ngrams(array(learned), 11, 2)
    unigram = models[0].distribution(models[0].read(array([])))
    unseen = models[1].distribution(models[1].read(array([10])))
    assert unigram[8] > unigram[7]
    assert unseen[8] < unseen[7]
    assert models[1].distribution(models[1].read(array([9]))).argmax() == 8


def test_one_token_alone_is_as_likely_as_it_is_frequent() -> None:
    learned = zipfian(5000, 20)
    model = count_ngrams(array(learned), 20, 1)[0]
    likely = model.distribution(model.read(array(learned)))
    np.testing.assert_allclose(likely, np.bincount(learned, minlength=20) / 5000, atol=0.001)


# Reading on


@given(texts(), st.integers(0, 20))
def test_stepping_says_what_reading_a_text_says(case: tuple[int, list[int], int, list[int]], only_read: int) -> None:
    known, learned, order, other = case
    model = count_ngrams(array(learned), known, order)[-1]
    contexts = model.begin(1)
    stepped = []
    for token in other:
        stepped.append(float(model.distribution(contexts[0])[token]))
        contexts = model.advance(contexts, array([token]))
    np.testing.assert_allclose(model.probabilities(array(other)), stepped, rtol=0, atol=CLOSE)
    assert contexts[0].tolist() == model.read(array(other)).tolist()
    only_read = min(only_read, len(other))
    np.testing.assert_array_equal(
        model.probabilities(array(other), only_read), model.probabilities(array(other))[only_read:]
    )


@given(texts(), st.integers(0, 20))
def test_only_the_tokens_of_an_ngram_matter(case: tuple[int, list[int], int, list[int]], place: int) -> None:
    known, learned, order, other = case
    model = count_ngrams(array(learned), known, order)[-1]
    text = learned + other
    place = min(place, len(text))
    before = max(0, place - model.order + 1)
    found = model.probabilities(array(text[before:]), place - before)
    np.testing.assert_allclose(found, model.probabilities(array(text), place), rtol=0, atol=CLOSE)


@given(texts(), st.lists(st.lists(st.integers(0, 1), min_size=6, max_size=6), min_size=1, max_size=4))
def test_texts_side_by_side_are_read_as_if_each_were_alone(
    case: tuple[int, list[int], int, list[int]], rows: list[list[int]]
) -> None:
    known, learned, order, _ = case
    model = count_ngrams(array(learned), known, order)[-1]
    contexts = model.begin(len(rows))
    for column in zip(*rows, strict=True):
        contexts = model.advance(contexts, array(list(column)))
    assert contexts.tolist() == [model.read(array(row)).tolist() for row in rows]


# Contexts that were never seen


@given(texts(), st.lists(st.integers(0, 4), max_size=6))
def test_after_what_was_never_seen_shorter_contexts_count(
    case: tuple[int, list[int], int, list[int]], more: list[int]
) -> None:
    known, learned, order, other = case
    model = count_ngrams(array(learned), known + 1, order)[-1]
    never = known  # a token that the text lacks
    text = [token % known for token in more]
    whole = model.distribution(model.read(array([*other, never, *text])))
    np.testing.assert_array_equal(whole, model.distribution(model.read(array(text))))
    assert abs(whole.sum() - 1) < CLOSE
    nothing = model.distribution(model.read(array([*text, never])))
    np.testing.assert_array_equal(nothing, model.distribution(model.begin(1)[0]))


def test_what_ends_the_text_alone_says_nothing_of_what_follows() -> None:
    model = count_ngrams(array([0, 1, 0, 1, 0, 2]), 3, 3)[-1]
    assert model.read(array([2]))[1] >= 0  # it was seen
    np.testing.assert_array_equal(model.distribution(model.read(array([2]))), model.distribution(model.begin(1)[0]))


# Orders


@given(texts())
def test_orders_nest(case: tuple[int, list[int], int, list[int]]) -> None:
    known, learned, order, other = case
    models = count_ngrams(array(learned), known, order)
    assert [model.order for model in models] == list(range(1, min(order, len(learned)) + 1))
    assert all(model.tokens == known for model in models)
    for fewer, more in pairwise(models):
        for one, two in zip(fewer.levels[:-1], more.levels[:-2], strict=True):
            assert one.keys.tolist() == two.keys.tolist()
            assert one.counts.tolist() == two.counts.tolist()
        assert fewer.levels[-1].keys.tolist() == more.levels[-2].keys.tolist()
        assert fewer.parameters < more.parameters
    for model in models:
        alone = count_ngrams(array(learned), known, model.order)[-1]
        np.testing.assert_array_equal(model.probabilities(array(other)), alone.probabilities(array(other)))


@pytest.mark.parametrize("length", [1, 2, 3])
def test_a_text_shorter_than_the_order_has_ngrams_no_longer_than_itself(length: int) -> None:
    learned = [0, 1, 0][:length]
    models = count_ngrams(array(learned), 2, 8)
    assert [model.order for model in models] == list(range(1, length + 1))
    slow = Slow(learned, 2, 8)
    for text in ([], [0], [0, 1], [1, 1, 0, 1]):
        np.testing.assert_allclose(models[-1].distribution(models[-1].read(array(text))), slow.after(text), atol=CLOSE)


def test_a_text_shorter_than_the_order_can_be_asked_for() -> None:
    model = count_ngrams(array(zipfian(500, 5)), 5, 6)[-1]
    for length in range(7):
        likely = model.probabilities(array(list(range(5)) * 2)[:length])
        assert likely.shape == (length,)
        np.testing.assert_array_equal(likely, model.probabilities(array(list(range(5)) * 2))[:length])


def test_longer_ngrams_foresee_the_text_that_they_counted() -> None:
    learned = zipfian(2000, 50)
    bits = [-np.log2(model.probabilities(array(learned))).mean() for model in count_ngrams(array(learned), 50, 6)]
    assert all(more < fewer for fewer, more in pairwise(bits))


def test_many_tokens_do_not_run_over() -> None:
    known = 1_000_000
    learned = [known - 1, known - 2, 0, known - 1, known - 2, 1] * 50
    model = count_ngrams(array(learned), known, 8)[-1]
    likely = model.distribution(model.read(array(learned)))
    assert likely[known - 1] > 0.9
    assert abs(likely.sum() - 1) < 1e-9


@given(st.lists(st.integers(0, 40), min_size=1, max_size=200))
def test_numbers_are_those_of_unique(values: list[int]) -> None:
    expected = np.unique(np.array(values), return_index=True, return_inverse=True, return_counts=True)
    for ours, theirs in zip(_numbered(np.array(values)), expected, strict=True):
        assert ours.dtype == theirs.dtype
        assert ours.tolist() == theirs.tolist()


@given(st.lists(st.integers(0, 9), min_size=1, max_size=80))
def test_single_tokens_are_counted_from_how_often_each_occurs(tokens: list[int]) -> None:
    (ours,), (theirs,) = (
        count_tokens(np.bincount(tokens, minlength=10)).levels,
        count_ngrams(np.array(tokens), 10, 1)[0].levels,
    )
    assert (ours.keys.tolist(), ours.counts.tolist()) == (theirs.keys.tolist(), theirs.counts.tolist())
    assert (ours.contexts, ours.tokens) == (theirs.contexts, theirs.tokens)
