"""From pairs to what every rung learns from: three spans, one vocabulary, the tokens of both sides."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Bool, Int64

from ...config import entries
from ...data.joint import UNKNOWN, JointVocabulary
from ...data.pairs import SPANS, Pairs, read_pairs
from ...data.storage import TokenFile
from ...errors import ConfigurationError, DataError, counted
from .config import Configuration

SHARES = (0.8, 0.1, 0.1)
LEAST, SHORTEST = 10, 2  # pairs of training, and of validation and test
DROPPED = 3  # in place of a span's number
Numbers = Int64[np.ndarray, " chosen"]


@dataclass(frozen=True)
class PreparedPairs:
    """Pairs that every rung can learn from.

    Attributes:
        configuration: All options.
        pairs: All pairs.
        spans: The number of each pair's span; ``DROPPED`` where it has none.
        lost: How many pairs were dropped, by reason.
        vocabulary: What both sides are cut into, learned on training.
        sources: The tokens of all sources.
        targets: The tokens of all targets.
        idle: Options that were named and that no rung reads.
    """

    configuration: Configuration
    pairs: Pairs
    spans: Int64[np.ndarray, " pair"]
    lost: Mapping[str, int]
    vocabulary: JointVocabulary
    sources: TokenFile
    targets: TokenFile
    idle: tuple[str, ...] = field(default=())

    def of_span(self, span: str) -> Int64[np.ndarray, " pair"]:
        """The numbers of a span's pairs."""
        return np.flatnonzero(self.spans == SPANS.index(span))

    def texts(self, span: str) -> tuple[list[str], list[str]]:
        """The sources and the targets of a span."""
        return texts_of(self.pairs, self.of_span(span))

    @cached_property
    def lengths(self) -> Int64[np.ndarray, "pair 2"]:
        """Tokens of both sides of each pair, with the end of each."""
        return np.stack([self.sources.lengths, self.targets.lengths], 1) + 1

    @property
    def counts(self) -> dict[str, int]:
        """How many pairs each span has."""
        return {span: len(self.of_span(span)) for span in SPANS}

    @property
    def dropped(self) -> dict[str, int]:
        """How many pairs were dropped, by reason."""
        return dict(self.lost)

    @property
    def fingerprint(self) -> str:
        """A hash that tells whether the pairs are still the same."""
        return self.pairs.fingerprint

    @property
    def seed(self) -> int:
        """Where the random choices of a training on these pairs come from."""
        return self.configuration.training.seed

    @property
    def language(self) -> str:
        """The language of targets, as far as it is known."""
        return self.configuration.search.language or self.pairs.languages[1]

    @property
    def messages(self) -> list[str]:
        """What the user should know about the pairs, a sentence each."""
        counts, kind = self.counts, self.vocabulary.kind
        shown = {"bpe": "pieces of byte pairs"}.get(kind, kind)
        means = [float(file.lengths[self.of_span("train")].mean()) for file in (self.sources, self.targets)]
        between = " to ".join(filter(None, self.pairs.languages)) if all(self.pairs.languages) else ""
        return [
            f"{len(self.pairs):,} pairs of {self.pairs.source}{f', {between}' if between else ''}",
            *self.pairs.notes,
            f"pairs: {counts['train']:,} train, {counts['validation']:,} validation, {counts['test']:,} test",
            *(f"dropped: {counted(number, 'pair')}, {reason}" for reason, number in self.lost.items() if number),
            f"{len(self.vocabulary):,} {shown}; a source has {means[0]:.1f} of them, a target {means[1]:.1f}",
            *self._unknown(),
            *self._known_by_heart(),
            *(f"no rung has a use for --{name.replace('_', '-')}" for name in self.idle),
        ]

    def _unknown(self) -> list[str]:
        told = []
        for span in SPANS[1:]:
            for side, file in (("sources", self.sources), ("targets", self.targets)):
                tokens = [file[int(number)] for number in self.of_span(span)]
                share = float((np.concatenate(tokens) == UNKNOWN).mean()) if tokens else 0.0
                if share:
                    told.append(f"{span} {side} {share:.2%}".replace("%", " %"))
        return [f"tokens that the vocabulary does not hold: {', '.join(told)}"] if told else []

    def _known_by_heart(self) -> list[str]:
        sources = [set(self.texts(span)[0]) for span in ("train", "test")]
        share = sum(source in sources[0] for source in sources[1]) / max(1, len(sources[1]))
        told = f"{share:.1%} of the sources of test stand in training as well, with other targets"
        return [told.replace("%", " %")] if share >= 0.005 else []

    def of_rung(self, options: Mapping[str, object]) -> "PreparedPairs":
        """The same with a rung's own values for what was left open."""
        return replace(self, configuration=self.configuration.of_rung(options))


def texts_of(pairs: Pairs, numbers: Int64[np.ndarray, " chosen"]) -> tuple[list[str], list[str]]:
    """The sources and the targets of some pairs."""
    return [pairs.sources[int(own)] for own in numbers], [pairs.targets[int(own)] for own in numbers]


def prepare(source: object, configuration: Configuration, vocabulary: JointVocabulary | None = None) -> PreparedPairs:
    """Reads pairs, deals out spans, learns tokens on training, and cuts all of them.

    Args:
        source: Where the pairs are.
        configuration: All options.
        vocabulary: That of a model whose training goes on.

    Raises:
        InputError: The pairs do not fit what was asked.
    """
    pairs = read_pairs(source, configuration.pairs)
    spans, doubled = spans_of(pairs, configuration)
    most = configuration.pieces.max_length
    learned, training = vocabulary, spans == 0
    if learned is None:
        learned = JointVocabulary.learn(*texts_of(pairs, np.flatnonzero(training)), configuration.pieces)
    sources, targets = _cut(pairs, learned)
    long = _longer(sources, targets, most) & (spans < DROPPED)
    if vocabulary is None and (long & training).any() and not long[training].all():
        # What is dropped teaches no token either.
        kept = np.flatnonzero(training & ~long)
        learned = JointVocabulary.learn(*texts_of(pairs, kept), configuration.pieces)
        sources, targets = _cut(pairs, learned)
        long = (_longer(sources, targets, most) | (long & training)) & (spans < DROPPED)
    lost = {
        "a side of them empty": pairs.empty,
        "in a later span as well": doubled,
        f"of more than {most} tokens (--max-length)": int(long.sum()),
    }
    prepared = PreparedPairs(configuration, pairs, np.where(long, DROPPED, spans), lost, learned, sources, targets)
    counts = prepared.counts
    if counts["train"] < LEAST or min(counts.values()) < SHORTEST:
        raise DataError(
            f"training needs {LEAST} pairs or more, validation and test {SHORTEST} each; {pairs.source} leaves "
            f"{counts['train']:,}, {counts['validation']:,} and {counts['test']:,}"
            f"{_because(lost)}; all pairs of one source are of one span; give it more pairs, other --spans"
            f"{', or a larger --max-length' if long.any() else ''}",
            file=pairs.source,
        )
    return prepared


def span_of(pairs: Pairs, configuration: Configuration, vocabulary: JointVocabulary, span: str) -> Numbers:
    """The numbers of the pairs of a span that is judged, as they were when a vocabulary was learned.

    Args:
        pairs: All pairs of the training.
        configuration: All options.
        vocabulary: The vocabulary.
        span: ``validation`` or ``test``.
    """
    numbers = np.flatnonzero(spans_of(pairs, configuration)[0] == SPANS.index(span))
    cut = [vocabulary.encode(texts) for texts in texts_of(pairs, numbers)]
    lengths = np.array([max(map(len, own)) for own in zip(*cut, strict=True)], np.int64)
    return numbers[lengths <= configuration.pieces.max_length]


def _cut(pairs: Pairs, vocabulary: JointVocabulary) -> tuple[TokenFile, TokenFile]:
    """The tokens of all sources, and of all targets."""
    sources, targets = (
        TokenFile.of(vocabulary.encode(side[number] for number in range(len(side))))
        for side in (pairs.sources, pairs.targets)
    )
    return sources, targets


def _longer(sources: TokenFile, targets: TokenFile, most: int) -> Bool[np.ndarray, " pair"]:
    return np.maximum(sources.lengths, targets.lengths) > most


def _because(lost: Mapping[str, int]) -> str:
    told = [f"{number:,} {reason}" for reason, number in lost.items() if number]
    return f" ({', '.join(told)})" if told else ""


def spans_of(pairs: Pairs, configuration: Configuration) -> tuple[Int64[np.ndarray, " pair"], int]:
    """The span of each pair, and how many of training were dropped as they stand in a later span as well.

    What the data name for test (and validation) is that; of what is left shares are drawn, all pairs of one source
    into the same span.

    Raises:
        ConfigurationError: The shares contradict what is named.
    """
    spans = pairs.named.copy()
    missing = [number for number in (1, 2) if not (spans == number).any()]
    shares = _shares(configuration.pairs.spans, [SPANS[number] for number in missing])
    spans[spans < 0] = 0
    if missing:
        drawn = np.flatnonzero(spans == 0)
        groups = _groups([pairs.sources[int(own)] for own in drawn])
        generator = np.random.Generator(np.random.Philox(key=[configuration.training.seed, 0x5EED]))
        order = generator.permutation(int(groups.max(initial=-1)) + 1)
        # The number of pairs up to the end of each group, in a drawn order of groups.
        sizes = np.bincount(groups)[order].cumsum()
        ends, total = 0.0, len(drawn)
        chosen = np.zeros(len(order), np.int64)
        for number, share in zip(missing, shares, strict=True):
            start, ends = ends, ends + share
            chosen[order[(sizes > start * total) & (sizes <= ends * total)]] = number
        spans[drawn] = chosen[groups]
    double = _in_later_spans(pairs, spans)
    spans[double] = DROPPED
    return spans, int(double.sum())


def _shares(named: Sequence[str], missing: Sequence[str]) -> list[float]:
    """The shares of validation and test, of those that are missing."""
    texts = entries(named)
    if not texts:
        return [SHARES[SPANS.index(span)] for span in missing]
    if not missing:
        raise ConfigurationError("the data name all spans themselves; leave --spans away", option="spans")
    try:
        shares = [float(text) for text in texts]
    except ValueError:
        shares = []
    if len(shares) != len(missing) + 1 or min(shares, default=0) <= 0 or abs(sum(shares) - 1) > 1e-6:
        wanted = ", ".join(("train", *missing))
        example = ",".join(f"{share:g}" for share in ((0.8, 0.1, 0.1) if len(missing) == 2 else (0.9, 0.1)))
        raise ConfigurationError(
            f"spans are shares above zero that add up to 1, of {wanted}, such as {example}; found {','.join(texts)}",
            option="spans",
        )
    return shares[1:]


def _groups(texts: Sequence[str]) -> Int64[np.ndarray, " text"]:
    """The same number for the same text, counted from the first on."""
    numbers: dict[str, int] = {}
    return np.array([numbers.setdefault(text, len(numbers)) for text in texts], np.int64)


def _in_later_spans(pairs: Pairs, spans: Int64[np.ndarray, " pair"]) -> Bool[np.ndarray, " pair"]:
    """Which pairs of training and validation stand in a later span as well, both sides the same."""
    keys = [hash((pairs.sources[number], pairs.targets[number])) for number in range(len(pairs))]
    later: dict[int, int] = {}
    for key, span in zip(keys, spans.tolist(), strict=True):
        later[key] = max(span, later.get(key, 0))
    return np.array([later[key] > span for key, span in zip(keys, spans.tolist(), strict=True)], bool)


def about(prepared: PreparedPairs) -> dict[str, Any]:
    """What a model folder says of the pairs that it learned from."""
    return {
        "source": prepared.pairs.source,
        "fingerprint": prepared.fingerprint,
        "languages": list(prepared.pairs.languages),
        "pairs": prepared.counts,
        "longest": int(prepared.targets.lengths[prepared.of_span("train")].max()),
    }
