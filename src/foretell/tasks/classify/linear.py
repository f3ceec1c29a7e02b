"""Linear baselines on n-grams: plain TF-IDF, and logistic regression weighted by naive Bayes (NB-SVM).

Wang and Manning, "Baselines and Bigrams: Simple, Good Sentiment and Topic Classification" (2012): whether an n-gram
occurs, times the logarithm of how much more frequent it is under a label, makes a linear classifier that is hard to
beat. Learned with scikit-learn; what is kept are plain arrays.
"""

import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64

from ...data.storage import TokenArray
from ...stopping import heed
from .ngrams import Keys, counted_keys, frequent, keys_at

STRENGTHS = {"nb-svm": (0.1, 0.3, 1.0), "tfidf": (3.0, 10.0, 30.0)}  # of the fit against its penalty
FEW_LABELS = 8  # up to which strengths are tried
Columns = Int64[np.ndarray, " entry"]
Rows = Int64[np.ndarray, " bound"]


@dataclass(frozen=True)
class Linear:
    """A linear classifier on n-grams.

    Attributes:
        kind: ``nb-svm`` counts whether an n-gram occurs; ``tfidf`` how often, relative to the length of a text.
        ngrams: Tokens of the longest n-gram.
        keys: The n-grams that it knows, in order.
        scale: What each is multiplied by before lengths are measured (tfidf).
        weights: Of each n-gram in each score.
        bias: Of each score.
    """

    kind: str
    ngrams: int
    keys: Keys
    scale: Float32[np.ndarray, " ngram"]
    weights: Float32[np.ndarray, "ngram score"]
    bias: Float64[np.ndarray, " score"]

    def entries(self, tokens: TokenArray) -> tuple[Columns, Float64[np.ndarray, " entry"]]:
        """The n-grams of a text that are known, and their values."""
        keys, counts = counted_keys(tokens, self.ngrams)
        columns = known_columns(self.keys, keys)
        counts = counts[columns >= 0]
        columns = columns[columns >= 0]
        if self.kind == "nb-svm":
            return columns, np.ones(len(columns))
        values = counts * self.scale[columns].astype(np.float64)
        length = np.sqrt((values**2).sum())
        return columns, values / length if length > 0 else values

    def scores(self, texts: Iterable[TokenArray]) -> Float64[np.ndarray, "text score"]:
        """The scores of texts."""
        found = []
        for tokens in texts:
            heed()
            columns, values = self.entries(tokens)
            found.append(values @ self.weights[columns] + self.bias)
        return np.array(found, np.float64).reshape(-1, len(self.bias))

    def contributions(self, tokens: TokenArray, score: int) -> Float64[np.ndarray, " token"]:
        """How much each token moves a score: an n-gram's part, shared among the tokens and the places that make it."""
        moved = np.zeros(len(tokens))
        columns, values = self.entries(tokens)
        parts = values * self.weights[columns, score]
        by_key = dict(zip(self.keys[columns].tolist(), parts.tolist(), strict=True))
        for length, keys in enumerate(keys_at(tokens, self.ngrams), start=1):
            here = np.array([by_key.get(key, 0.0) for key in keys.tolist()])
            _, place, times = np.unique(keys, return_inverse=True, return_counts=True)
            shared = here / (times[place] * length)
            for before in range(min(length, len(tokens))):
                moved[: len(tokens) - before] += shared[before:]
        return moved


def known_columns(known: Keys, keys: Keys) -> Columns:
    """Where keys stand among known ones; -1 where they do not."""
    if not len(known):
        return np.full(len(keys), -1, np.int64)
    places = np.minimum(np.searchsorted(known, keys), len(known) - 1)
    return np.where(known[places] == keys, places, -1)


def fit_linear(
    kind: str,
    ngrams: int,
    texts: Sequence[TokenArray],
    truth: Bool[np.ndarray, "text label"],
    columns: list[int],
    choose: Callable[[Linear], float],
) -> tuple[Linear, float]:
    """Learns a linear classifier: one score for each label that is asked for, against all others.

    Args:
        kind: ``nb-svm`` or ``tfidf``.
        ngrams: Tokens of the longest n-gram.
        texts: Those of training, in pieces.
        truth: Which labels each of them has.
        columns: The labels with a score: the second of two, or all.
        choose: Its error on validation.

    Returns:
        The classifier, and the strength that erred least.
    """
    from scipy.sparse import csr_matrix

    keys = frequent(texts, ngrams)
    indices, values, bounds = _gathered(texts, keys, ngrams)
    plain = Linear(
        kind,
        ngrams,
        keys,
        _scale(kind, indices, len(keys), len(truth)),
        np.zeros((len(keys), 1), np.float32),
        np.zeros(1),
    )
    if kind == "tfidf":
        values = values * plain.scale[indices]
        lengths = np.sqrt(np.add.reduceat(np.append(values**2, 0.0), bounds[:-1])) * (np.diff(bounds) > 0)
        values = values / np.repeat(np.maximum(lengths, 1e-12), np.diff(bounds))
    else:
        values = np.ones(len(indices), np.float32)
    matrix = csr_matrix((values.astype(np.float32), indices, bounds), shape=(len(truth), len(keys)))
    strengths = STRENGTHS[kind] if len(columns) <= FEW_LABELS else STRENGTHS[kind][1:2]
    best: tuple[float, Linear, float] | None = None
    for strength in strengths:
        weights, bias = _fitted(kind, matrix, truth[:, columns], strength)
        found = Linear(kind, ngrams, keys, plain.scale, weights, bias)
        error = choose(found) if len(strengths) > 1 else 0.0
        if best is None or error < best[0]:
            best = (error, found, strength)
    if best is None:
        raise ValueError("there is nothing to fit")
    return best[1], best[2]


def _fitted(
    kind: str, matrix: Any, truth: Bool[np.ndarray, "text score"], strength: float
) -> tuple[Float32[np.ndarray, "ngram score"], Float64[np.ndarray, " score"]]:
    from scipy.sparse import diags
    from sklearn.linear_model import LogisticRegression

    weights = np.zeros((matrix.shape[1], truth.shape[1]), np.float32)
    bias = np.zeros(truth.shape[1])
    for score, own in enumerate(truth.T):
        if (
            own.all() or not own.any()
        ):  # all texts of training have the label, or none: its share is all there is to learn
            share = (own.sum() + 1) / (len(own) + 2)
            bias[score] = np.log(share / (1 - share))
            continue
        ratios = np.ones(matrix.shape[1], np.float32)
        weighted = matrix
        if kind == "nb-svm":
            with_it, without = (1 + np.asarray(matrix[chosen].sum(axis=0)).ravel() for chosen in (own, ~own))
            ratios = np.log((with_it / with_it.sum()) / (without / without.sum())).astype(np.float32)
            weighted = matrix @ diags(ratios).tocsr()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that it could go on a little: validation judges what came of it
            model = LogisticRegression(C=strength, solver="liblinear", dual=True, max_iter=200, random_state=0)
            model.fit(weighted, own)
        weights[:, score], bias[score] = model.coef_[0] * ratios, float(model.intercept_[0])
    return weights, bias


def _gathered(
    texts: Iterable[TokenArray], keys: Keys, ngrams: int
) -> tuple[Columns, Float32[np.ndarray, " entry"], Rows]:
    """The columns and counts of each text's known n-grams, one text after the other, and where each begins."""
    columns, values, bounds = [], [], [0]
    for tokens in texts:
        found, counts = counted_keys(tokens, ngrams)
        places = known_columns(keys, found)
        columns.append(places[places >= 0])
        values.append(counts[places >= 0].astype(np.float32))
        bounds.append(bounds[-1] + len(columns[-1]))
    return np.concatenate(columns), np.concatenate(values), np.array(bounds, np.int64)


def _scale(kind: str, indices: Columns, width: int, texts: int) -> Float32[np.ndarray, " ngram"]:
    """One for each n-gram, or how telling it is: the rarer, the more (inverse document frequency)."""
    if kind == "nb-svm":
        return np.ones(width, np.float32)
    return (np.log((1 + texts) / (1 + np.bincount(indices, minlength=width))) + 1).astype(np.float32)
