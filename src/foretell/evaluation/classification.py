"""How good a classifier's probabilities are: accuracy, macro F1, log loss, ROC AUC, calibration, each with an interval.

Intervals come from a bootstrap of the texts: every metric is computed anew for each draw. Calibration error is the mean
distance between probability and share of right answers over bins of equal width (Naeini et al., "Obtaining Well
Calibrated Probabilities Using Bayesian Binning", 2015); ROC AUC is that of each label against the others, their mean.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64

BINS = 15
_LEAST = 1e-12  # probability, so that its logarithm is finite
_WORK = 25_000_000  # texts times labels times resamples
FEWEST = 50  # resamples: with fewer there are no intervals


@dataclass(frozen=True)
class Judged:
    """A classifier's probabilities beside the truth.

    Attributes:
        labels: The names of the labels.
        probabilities: Of each label.
        truth: Which labels each text has.
        exclusive: Whether a text has exactly one.
    """

    labels: Sequence[str]
    probabilities: Float64[np.ndarray, "text label"]
    truth: Bool[np.ndarray, "text label"]
    exclusive: bool

    @cached_property
    def said(self) -> Bool[np.ndarray, "text label"]:
        """Which labels the classifier gives: the likeliest, or all that are likelier than not."""
        if not self.exclusive:
            return self.probabilities > 0.5
        return np.arange(len(self.labels)) == self.probabilities.argmax(axis=1)[:, None]

    @cached_property
    def losses(self) -> Float64[np.ndarray, " text"]:
        """One for a wrong answer, zero for a right one; with several labels a text, the share of wrong ones."""
        wrong = self.said != self.truth
        return (wrong.any(axis=1) if self.exclusive else wrong.mean(axis=1)).astype(np.float64)

    @cached_property
    def surprises(self) -> Float64[np.ndarray, " text"]:
        """Minus the logarithm of the probability of the truth, in nats; where a text has several labels their mean."""
        likely = np.clip(self.probabilities, _LEAST, 1 - _LEAST)
        if self.exclusive:
            return -np.log((likely * self.truth).sum(axis=1))
        return -np.where(self.truth, np.log(likely), np.log1p(-likely)).mean(axis=1)

    def confusion(self) -> Int64[np.ndarray, "truth said"]:
        """How often each label was taken for each, where a text has exactly one."""
        return self.truth.T.astype(np.int64) @ self.said.astype(np.int64)

    def reliability(self) -> list[tuple[float, float, int]]:
        """For each bin that is not empty: the mean probability, the share of right answers, how many there are."""
        sure, right = self._answers()
        bins = _bins(sure)
        found = []
        for number in range(BINS):
            own = bins == number
            if own.any():
                found.append((float(sure[own].mean()), float(right[own].mean()), int(own.sum())))
        return found

    def metrics(self, *, intervals: bool = True) -> dict[str, Any]:
        """All metrics; with ``intervals`` the ends of their 95 % intervals."""
        once = self._weighted(np.ones((1, len(self.truth)), np.float32))
        document: dict[str, Any] = {name: _number(values[0]) for name, values in once.items()}
        if not self.exclusive:
            document["exact_match"] = float((self.said == self.truth).all(axis=1).mean())
        document["count"] = len(self.truth)
        document["labels"] = self._by_label()
        if intervals and len(self.truth) > 1:
            document["intervals"] = self._intervals(document)
        return document

    def _intervals(self, values: dict[str, Any], seed: int = 0) -> dict[str, dict[str, float]]:
        texts = len(self.truth)
        resamples = min(500, _WORK // (texts * len(self.labels)))
        if resamples < FEWEST:
            return {}
        size = max(1, 2_000_000 // texts)
        generator = np.random.default_rng(seed)
        parts: dict[str, list[Float64[np.ndarray, " resample"]]] = {}
        for start in range(0, resamples, size):
            some = min(size, resamples - start)
            drawn = generator.integers(0, texts, (some, texts))
            weights = np.stack([np.bincount(row, minlength=texts) for row in drawn]).astype(np.float32)
            for name, found in self._weighted(weights).items():
                parts.setdefault(name, []).append(found)
        ends = {}
        for name, own in parts.items():
            every = np.concatenate(own)
            if values[name] is not None and np.isfinite(every).any():
                # Around the value itself: some metrics, calibration error above all, are larger in any draw.
                low, high = np.nanquantile(every, (0.025, 0.975)) + (values[name] - float(np.nanmedian(every)))
                ends[name] = {"low": max(0.0, float(low)), "high": float(high)}
        return ends

    def _weighted(self, weights: np.ndarray) -> dict[str, Float64[np.ndarray, " resample"]]:
        """Every metric for some weights of the texts, a row for each resample."""
        total = weights.sum(axis=1, dtype=np.float64)
        error = weights @ self.losses.astype(np.float32) / total
        return {
            "accuracy": 1 - error,
            "error": error,
            "macro_f1": self._macro_f1(weights),
            "log_loss": (weights @ self.surprises.astype(np.float32)).astype(np.float64) / total,
            "roc_auc": self._areas(weights),
            "calibration_error": self._calibration(weights),
        }

    def _macro_f1(self, weights: np.ndarray) -> Float64[np.ndarray, " resample"]:
        both, said, truth = (
            (weights @ part.astype(np.float32)).astype(np.float64)
            for part in (self.said & self.truth, self.said, self.truth)
        )
        there = said + truth
        scores = np.divide(2 * both, there, out=np.zeros_like(both), where=there > 0)
        # A label of no text of a draw, which was not said either, has no part in it; one of no text at all counts zero.
        never = len(self.labels) - int((self.said | self.truth).any(axis=0).sum())
        return scores.sum(axis=1) / ((there > 0).sum(axis=1) + never)

    def _areas(self, weights: np.ndarray) -> Float64[np.ndarray, " resample"]:
        """The mean area under the ROC curve over labels; of two exclusive ones that of the second, which is both's."""
        columns = [1] if self.exclusive and len(self.labels) == 2 else range(len(self.labels))
        areas = np.stack([_area(self.probabilities[:, own], self.truth[:, own], weights) for own in columns])
        known = np.isfinite(areas)
        return np.divide(
            np.where(known, areas, 0).sum(axis=0),
            known.sum(axis=0),
            out=np.full(areas.shape[1], np.nan),
            where=known.any(axis=0),
        )

    def _calibration(self, weights: np.ndarray) -> Float64[np.ndarray, " resample"]:
        each = len(self._answers()[0]) // len(self.truth)
        return np.abs(weights @ self._gaps).sum(axis=1, dtype=np.float64) / (
            each * weights.sum(axis=1, dtype=np.float64)
        )

    @cached_property
    def _gaps(self) -> Float32[np.ndarray, "text bin"]:
        """By how much each text's answers were surer than right, in the bin of each."""
        sure, right = self._answers()
        texts = np.repeat(np.arange(len(self.truth)), len(sure) // len(self.truth))
        summed = np.bincount(texts * BINS + _bins(sure), sure - right, minlength=len(self.truth) * BINS)
        return summed.reshape(-1, BINS).astype(np.float32)

    def _answers(self) -> tuple[Float64[np.ndarray, " answer"], Float64[np.ndarray, " answer"]]:
        """How likely each answer is to be right, and whether it is; each label is an answer where there are several."""
        if self.exclusive:
            return self.probabilities.max(axis=1), 1 - self.losses
        return self.probabilities.ravel(), self.truth.ravel().astype(np.float64)

    def _by_label(self) -> list[dict[str, Any]]:
        rows = []
        for number, label in enumerate(self.labels):
            said, truth = self.said[:, number], self.truth[:, number]
            both = int((said & truth).sum())
            precision, recall = both / max(1, int(said.sum())), both / max(1, int(truth.sum()))
            score = 2 * both / max(1, int(said.sum()) + int(truth.sum()))
            rows.append(
                {"label": label, "precision": precision, "recall": recall, "f1": score, "count": int(truth.sum())}
            )
        return rows


def _area(scores: Float64[np.ndarray, " text"], truth: Bool[np.ndarray, " text"], weights: np.ndarray) -> np.ndarray:
    """The area under the ROC curve for some weights: how often a text with the label scores above one without."""
    order = np.argsort(scores, kind="stable")
    starts = np.flatnonzero(np.concatenate([[True], np.diff(scores[order]) > 0]))
    ordered, own = weights[:, order].astype(np.float64), truth[order]
    with_it = np.add.reduceat(ordered * own, starts, axis=1)
    without = np.add.reduceat(ordered * ~own, starts, axis=1)
    below = np.cumsum(without, axis=1) - without
    pairs = with_it.sum(axis=1) * without.sum(axis=1)
    won = (with_it * (below + 0.5 * without)).sum(axis=1)
    return np.divide(won, pairs, out=np.full(len(weights), np.nan), where=pairs > 0)


def _bins(sure: Float64[np.ndarray, " answer"]) -> Int64[np.ndarray, " answer"]:
    return np.minimum((sure * BINS).astype(np.int64), BINS - 1)


def _number(value: np.floating[Any]) -> float | None:
    return float(value) if np.isfinite(value) else None
