"""Labels to be doubted: what a classifier that never saw a text says against its label, more surely than it may err.

Where labels are right, a classifier hardly errs where it is surest (Northcutt et al., "Confident Learning", 2021).
Where some are wrong at random, it errs there about as often as they are: the tail of its errors is flat, and says how
many.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64

from ...data.corpora import Texts

_LEAST, _MOST = 400, 6_000  # texts that are looked at
_FOLDS = 5
_FLAT = 0.4  # of the errors further down
_SHARE = 0.015  # of labels that are wrong, at least
_HALF = 0.45
_STRETCH = 10.0  # texts by which wrong labels outweigh right ones
_TURNED = 0.6
_SHOWN = 5
_MOST_LABELS = 50


@dataclass(frozen=True)
class Doubts:
    """What is doubtful about labels.

    Attributes:
        share: Of labels that look wrong; zero where that is nothing unusual.
        surest: Numbers of the texts whose labels look wrong, the surest first.
        stretch: The first and the last text of a stretch in which most labels look wrong.
    """

    share: float
    surest: list[int]
    stretch: tuple[int, int] | None


def doubts_of(texts: Texts, seed: int) -> Doubts | None:
    """What a linear classifier says of labels that it did not learn from.

    Args:
        texts: With one label each.
        seed: Of those that are looked at, where there are many.

    Returns:
        What is doubtful; None where too few texts, too many labels, or several a text leave nothing to say.
    """
    if texts.targets.ndim != 1 or len(texts.texts) < _LEAST or not 2 <= len(texts.labels) <= _MOST_LABELS:
        return None
    numbers: Int64[np.ndarray, " chosen"] = np.arange(len(texts.texts))
    if len(numbers) > _MOST:
        numbers = np.sort(np.random.Generator(np.random.Philox(key=[seed, 2**35])).permutation(numbers)[:_MOST])
    labels = texts.targets[numbers]
    if np.bincount(labels, minlength=len(texts.labels)).min() < _FOLDS:
        return None
    scores = _scores([texts.texts[number] for number in numbers.tolist()], labels)
    best = scores.argmax(axis=1)
    wrong: Bool[np.ndarray, " chosen"] = best != labels
    ordered = np.sort(scores, axis=1)
    order = np.argsort(ordered[:, -2] - ordered[:, -1], kind="stable")  # the surest first
    share = _share(wrong[order]) if wrong.mean() < _HALF else 0.0
    against = np.where(wrong, scores[np.arange(len(labels)), best] - scores[np.arange(len(labels)), labels], 0.0)
    surest = numbers[np.argsort(-against, kind="stable")[:_SHOWN]].tolist()
    stretch = _stretch(wrong, labels) if texts.ordered else None
    return Doubts(share, surest, None if stretch is None else (int(numbers[stretch[0]]), int(numbers[stretch[1]])))


def _scores(texts: Sequence[str], labels: Int64[np.ndarray, " text"]) -> Float64[np.ndarray, "text label"]:
    """The score of each label for texts that the classifier did not see."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold
    from sklearn.multiclass import OneVsRestClassifier

    several = TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True)
    try:
        matrix = several.fit_transform(texts)
    except ValueError:  # no word occurs twice
        return np.zeros((len(texts), int(labels.max()) + 1))
    scores = np.zeros((len(texts), int(labels.max()) + 1))
    folds = StratifiedKFold(_FOLDS, shuffle=True, random_state=0)
    for known, held in folds.split(matrix, labels):
        model = OneVsRestClassifier(LogisticRegression(C=3.0, solver="liblinear", random_state=0))
        found = model.fit(matrix[known], labels[known]).decision_function(matrix[held])
        scores[held] = np.stack([-found, found], axis=1) if found.ndim == 1 else found
    return scores


def _share(wrong: Bool[np.ndarray, " surest"]) -> float:
    """The share of wrong labels, from the fifth of texts that the classifier is surest of; zero where it is usual."""
    fifth = len(wrong) // 5
    count, next_ = int(wrong[:fifth].sum()), float(wrong[fifth : 2 * fifth].mean())
    share = count / fifth
    surely = (count - 2 * np.sqrt(count)) / fifth > _SHARE
    return share if surely and _FLAT * next_ < share < _HALF else 0.0


def _stretch(wrong: Bool[np.ndarray, " text"], labels: Int64[np.ndarray, " text"]) -> tuple[int, int] | None:
    """The stretch in which more labels look wrong than right, of every label."""
    best, running, start = (0.0, 0, 0), 0.0, 0
    for place, own in enumerate(np.where(wrong, 0.5, -0.5).tolist()):
        if running <= 0:
            running, start = 0.0, place
        running += own
        if running > best[0]:
            best = (running, start, place)
    weight, first, last = best
    inside = labels[first : last + 1]
    shares = [wrong[first : last + 1][inside == label].mean() for label in np.unique(inside)]
    return (first, last) if weight > _STRETCH and len(shares) > 1 and min(shares) > _TURNED else None
