"""How good a classifier is on some texts, and what there is to look at."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64

from ...evaluation.classification import Judged
from ..interface import Evaluation

MISTAKES = 12


@dataclass(frozen=True)
class ClassifyDetails:
    """What the report shows of a classifier's errors.

    Attributes:
        judged: Its probabilities beside the truth.
        texts: The number of each text in the corpus.
    """

    judged: Judged
    texts: Int64[np.ndarray, " text"]

    def mistakes(self, count: int = MISTAKES) -> Int64[np.ndarray, " mistake"]:
        """The places of the answers that are wrong and most sure, the surest first."""
        judged = self.judged
        if judged.exclusive:
            sure = judged.probabilities.max(axis=1)
        else:
            sure = np.where(judged.said != judged.truth, np.abs(judged.probabilities - 0.5), 0).max(axis=1)
        wrong = np.flatnonzero(judged.losses > 0)
        return wrong[np.argsort(-sure[wrong], kind="stable")[:count]]


def evaluation_of(
    labels: tuple[str, ...],
    probabilities: Float64[np.ndarray, "text label"],
    truth: Bool[np.ndarray, "text label"],
    numbers: Int64[np.ndarray, " text"],
    *,
    exclusive: bool,
    intervals: bool = True,
) -> Evaluation:
    """A classifier's metrics on some texts, with their intervals; texts have nothing to do with each other."""
    judged = Judged(labels, probabilities, truth, exclusive)
    details = ClassifyDetails(judged, numbers)
    return Evaluation(judged.metrics(intervals=intervals), judged.losses, np.arange(len(numbers)), None, details)


def said_text(labels: tuple[str, ...], row: Bool[np.ndarray, " label"]) -> str:
    """The labels of a text in words."""
    return ", ".join(label for label, there in zip(labels, row, strict=True) if there)
