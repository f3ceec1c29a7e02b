"""How good translations are: BLEU and chrF by sacrebleu, each with the protocol that its figure belongs to.

Papineni, Roukos, Ward and Zhu, "BLEU: a Method for Automatic Evaluation of Machine Translation" (2002); Popović, "chrF:
character n-gram F-score for automatic MT evaluation" (2015); Post, "A Call for Clarity in Reporting BLEU" (2018).
The papers on Multi30k print BLEU of texts in small letters that Moses's tokenizer has cut.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Float64, Int64

ORDER = 4  # of the longest n-gram of BLEU
BINS = 5  # of lengths
Statistics = Float64[np.ndarray, "text number"]


@dataclass(frozen=True)
class Judged:
    """Translations beside what they should be.

    Attributes:
        said: The translations.
        wanted: The references, one for each.
        lengths: Tokens of each source.
        tokens: What sacrebleu cuts texts into.
        language: Of targets; English's rules where it is not known.
    """

    said: Sequence[str]
    wanted: Sequence[str]
    lengths: Int64[np.ndarray, " text"]
    tokens: str = "13a"
    language: str = ""

    @cached_property
    def order(self) -> int:
        """Tokens of the longest n-gram: fewer than four where no reference has as many."""
        with _lines_let_go():
            return _order(map(self._bleu(ORDER).tokenizer, self.wanted))

    @cached_property
    def statistics(self) -> Statistics:
        """What BLEU is worked out from, for each text: matching and all n-grams of each length, both lengths."""
        bleu = self._bleu(self.order, effective=True)
        with _lines_let_go():
            return _statistics(bleu, self.said, self.wanted)

    def error(self, sums: Float64[np.ndarray, " number"]) -> float:
        """What is missing to a BLEU of 100, of texts whose statistics add up to these."""
        return 100 - bleu_of(sums, self.order)

    def metrics(self) -> dict[str, Any]:
        """All figures, each with its signature."""
        from sacrebleu.metrics.chrf import CHRF

        cut = [_moses(texts, self.language) for texts in (self.said, self.wanted)]
        shorter = _order(cut[1])
        bleu, papers, chrf = self._bleu(self.order), self._papers(shorter), CHRF()
        exact = self._exact
        with _lines_let_go():
            score = float(bleu.corpus_score(list(self.said), [list(self.wanted)]).score)
            score_papers = float(papers.corpus_score(cut[0], [cut[1]]).score)
        low, high = self.interval()
        told = f"of texts cut by sacremoses ({self.language or 'en'})"
        return {
            "bleu": score,
            "missing": 100 - score,
            "bleu_low": low,
            "bleu_high": high,
            "bleu_signature": f"{bleu.get_signature()}{_told(self.order)}",
            "bleu_papers": score_papers,
            "papers_signature": f"{papers.get_signature()}{_told(shorter)} {told}",
            "chrf": float(chrf.corpus_score(list(self.said), [list(self.wanted)]).score),
            "chrf_signature": str(chrf.get_signature()),
            "exact": float(exact.mean()),
            "unit": "BLEU",
            "count": len(self.said),
            "by_length": self._by_length(),
        }

    def interval(self, resamples: int = 1000, confidence: float = 0.95, seed: int = 0) -> tuple[float, float]:
        """The bootstrap interval of BLEU over texts (Koehn, "Statistical Significance Tests for MT Evaluation", 2004).

        Args:
            resamples: Bootstrap draws.
            confidence: Probability that it shall cover.
            seed: Of the draws.
        """
        sums = resampled(self.statistics[None], resamples, np.random.default_rng(seed))[0]
        ends = np.quantile([bleu_of(own, self.order) for own in sums], [(1 - confidence) / 2, (1 + confidence) / 2])
        return float(ends[0]), float(ends[1])

    @cached_property
    def _exact(self) -> Float64[np.ndarray, " text"]:
        pairs = zip(self.said, self.wanted, strict=True)
        return np.array([" ".join(said.split()) == " ".join(wanted.split()) for said, wanted in pairs], np.float64)

    def _by_length(self) -> list[dict[str, Any]]:
        """How good translations of short and of long sources are, in bins of about as many."""
        from sacrebleu.metrics.chrf import CHRF

        edges = np.unique(np.quantile(self.lengths, np.linspace(0, 1, BINS + 1), method="inverted_cdf"))
        bins = np.searchsorted(edges[1:-1], self.lengths, side="left")
        found = []
        for number in np.unique(bins):
            own = np.flatnonzero(bins == number)
            said, wanted = ([texts[int(place)] for place in own] for texts in (self.said, self.wanted))
            found.append(
                {
                    "from": int(self.lengths[own].min()),
                    "to": int(self.lengths[own].max()),
                    "count": len(own),
                    "exact": float(self._exact[own].mean()),
                    "chrf": float(CHRF().corpus_score(said, [wanted]).score),
                }
            )
        return found

    def _bleu(self, order: int, *, effective: bool = False) -> Any:
        from sacrebleu.metrics.bleu import BLEU

        return BLEU(tokenize=self.tokens, max_ngram_order=order, effective_order=effective, force=True)

    def _papers(self, order: int) -> Any:
        from sacrebleu.metrics.bleu import BLEU

        return BLEU(tokenize="none", lowercase=True, force=True, max_ngram_order=order)


@contextmanager
def _lines_let_go() -> Iterator[None]:
    """Has sacrebleu forget the lines it has cut: it keeps 65,536, and every tokenizer that cut one, for good."""
    from sacrebleu.tokenizers.tokenizer_base import BaseTokenizer

    try:
        yield
    finally:
        for kind in BaseTokenizer.__subclasses__():
            for own in vars(kind).values():
                if hasattr(own, "cache_clear"):
                    own.cache_clear()


def _order(texts: Iterable[str]) -> int:
    """Tokens of the longest n-gram: fewer than four where no text has as many."""
    return max(1, min(ORDER, max(len(text.split()) for text in texts)))


def _told(order: int) -> str:
    return "" if order == ORDER else f"|order:{order}"


def bleu_of(sums: Float64[np.ndarray, " number"], order: int) -> float:
    """BLEU of texts whose statistics add up to these, as sacrebleu works it out.

    Args:
        sums: As :attr:`Judged.statistics`.
        order: Tokens of the longest n-gram.
    """
    from sacrebleu.metrics.bleu import BLEU

    whole = [round(own) for own in sums.tolist()]
    matching, all_of = whole[:order], whole[order : 2 * order]
    said, wanted = whole[2 * order :]
    score = BLEU.compute_bleu(matching, all_of, said, wanted, smooth_method="exp", max_ngram_order=order)
    return float(score.score)


def resampled(
    statistics: Float64[np.ndarray, "rung text number"], resamples: int, generator: np.random.Generator
) -> Float64[np.ndarray, "rung resample number"]:
    """The summed statistics of texts that are drawn with replacement, the same ones for each rung.

    Args:
        statistics: Of each text.
        resamples: How many draws.
        generator: Of the draws.
    """
    texts = statistics.shape[1]
    counts = generator.multinomial(texts, np.full(texts, 1 / texts), resamples).astype(np.float64)
    return counts @ statistics


def _statistics(bleu: Any, said: Sequence[str], wanted: Sequence[str]) -> Statistics:
    rows = []
    for one, other in zip(said, wanted, strict=True):
        score = bleu.sentence_score(one, [other])
        rows.append([*score.counts, *score.totals, score.sys_len, score.ref_len])
    return np.array(rows, np.float64)


def _moses(texts: Sequence[str], language: str) -> list[str]:
    """Texts in small letters, cut as Moses does."""
    from sacremoses import MosesTokenizer

    tokenizer = MosesTokenizer(lang=language or "en")
    return [str(tokenizer.tokenize(text.lower(), return_str=True)) for text in texts]
