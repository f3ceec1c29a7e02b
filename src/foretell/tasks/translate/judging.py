"""How good a model's translations of some pairs are."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64

from ...data.joint import UNKNOWN, JointVocabulary
from ...evaluation.translation import Judged
from ..interface import Evaluation
from .config import SearchSection
from .models import Asked, Model


@dataclass(frozen=True)
class Looked:
    """Texts that were translated: what was read, said and wanted, and tokens of each source."""

    sources: Sequence[str]
    said: Sequence[str]
    wanted: Sequence[str]
    lengths: Int64[np.ndarray, " text"]


def evaluation_of(
    model: Model,
    vocabulary: JointVocabulary,
    texts: tuple[Sequence[str], Sequence[str]],
    section: SearchSection,
    language: str,
    length: int,
) -> Evaluation:
    """How a model does on pairs.

    Args:
        model: What translates.
        vocabulary: What cuts texts.
        texts: Sources and targets.
        section: How translations are found, and judged.
        language: Of targets.
        length: Most tokens of a translation.
    """
    sources, wanted = texts
    answers = model.translations(sources, vocabulary, Asked(section.beam, section.length_penalty, length))
    said, tokens = [each[0].text if each else "" for each in answers], vocabulary.encode(sources)
    lengths = np.array([len(own) for own in tokens], np.int64)
    references = [text.lower() for text in wanted] if vocabulary.lowercase else list(wanted)
    judged = Judged(said, references, lengths, section.bleu_tokens, language)
    unknown = sum(int((own == UNKNOWN).sum()) for own in tokens) / max(1, int(lengths.sum()))
    metrics = {**judged.metrics(), "beam": section.beam, "length_penalty": section.length_penalty, "unknown": unknown}
    looked = Looked(sources, said, references, lengths)
    return Evaluation(metrics, judged.statistics, np.arange(len(said)), None, looked, judged.error)
