"""From a corpus to what every rung learns from: its tokens, in three spans."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ...data.documents import AnyCorpus
from ...data.storage import TokenArray
from ...data.stored_corpus import open_corpus
from ...data.streams import BEFORE, spread_stretches
from ...data.token_spans import AnyTokens, TokenSpans, cut_into_tokens
from ...data.tokenizer import UNKNOWN, Tokenizer
from ...errors import counted
from ..rung import climbed
from .config import RUNGS, Configuration
from .writing import opening_of

SPANS = ("train", "validation", "test")


@dataclass(frozen=True)
class PreparedCorpus:
    """A corpus that every rung can learn from.

    Attributes:
        configuration: All options.
        corpus: The text.
        cut: Its spans, and their tokens.
        idle: Options that were named and that no rung reads.
    """

    configuration: Configuration
    corpus: AnyCorpus
    cut: TokenSpans
    idle: tuple[str, ...] = field(default=())

    @property
    def tokenizer(self) -> Tokenizer:
        """What the text is cut into, learned on training."""
        return self.cut.tokenizer

    @property
    def tokens(self) -> Mapping[str, AnyTokens]:
        """The tokens of each span."""
        return self.cut.tokens

    def text(self, span: str) -> str:
        """The characters of a span, or the first of them where it cannot be held at once."""
        return self.corpus.beginning(*self._ends(span))

    @property
    def counts(self) -> dict[str, int]:
        """How many characters each span has."""
        ends = {span: self._ends(span) for span in SPANS}
        return {span: stop - start for span, (start, stop) in ends.items()}

    @property
    def dropped(self) -> dict[str, int]:
        """Nothing is."""
        return {}

    @property
    def fingerprint(self) -> str:
        """A hash that tells whether the text is still the same."""
        return self.corpus.fingerprint

    @property
    def seed(self) -> int:
        """Where the random choices of a training on this text come from."""
        return self.configuration.training.seed

    @property
    def messages(self) -> list[str]:
        """What the user should know about the text, a sentence each."""
        corpus, counts = self.corpus, self.counts
        many = f" in {counted(corpus.documents, 'text')}" if corpus.documents > 1 else ""
        pieces = ", ".join(f"{len(self.tokens[span]):,} {span}" for span in SPANS)
        kind = self.tokenizer.kind if self.tokenizer.kind != "bpe" else "pieces of byte pairs"
        unknown = {span: int(self.cut.counts[span][UNKNOWN]) for span in SPANS} if self.has_unknown else {}
        told = [f"{number} of {span}" for span, number in unknown.items() if number]
        return [
            f"{corpus.characters:,} characters of {corpus.source}{many}",
            *corpus.notes,
            f"characters: {counts['train']:,} train, {counts['validation']:,} validation, {counts['test']:,} test",
            f"{len(self.tokenizer) - self.has_unknown:,} different {kind} in training"
            + (f"; tokens: {pieces}" if self.tokenizer.kind != "characters" else ""),
            *([f"characters that training never saw: {', '.join(told)}"] if told else []),
            *self.cut.notes,
            *self._judged(),
            *self._streams(),
            *(f"no rung has a use for --{name.replace('_', '-')}" for name in self.idle),
        ]

    @property
    def has_unknown(self) -> bool:
        """Whether some characters may have no token."""
        return self.tokenizer.has_unknown

    def of_rung(self, options: Mapping[str, object]) -> "PreparedCorpus":
        """The same with a rung's own values for what was left open."""
        return replace(self, configuration=self.configuration.of_rung(options))

    def with_context(self, span: str, start: int = 0, stop: int | None = None) -> tuple[TokenArray, int]:
        """Tokens of a span after some of what comes before them, and how many these are.

        Args:
            span: Which.
            start: The first of its tokens.
            stop: The one after the last; all where None.
        """
        place, most = SPANS.index(span), max(BEFORE, self.configuration.network.context)
        own = self.tokens[span]
        if place and not start:
            before = self.tokens[SPANS[place - 1]][-most:]
        else:
            start = max(1, start)
            before = own[max(0, start - most) : start]
        return np.concatenate([before, own[start:stop]]).astype(np.int32, copy=False), len(before)

    def judged(self, span: str) -> Iterator[tuple[TokenArray, int]]:
        """The tokens of a span that models are judged on, each stretch after some of what comes before it."""
        for start, stop in spread_stretches(len(self.tokens[span]), self.configuration.evaluation.judged):
            yield self.with_context(span, start, stop)

    def streams(self) -> int:
        """How many streams a network reads side by side: no more than have room for two pieces each."""
        asked, unroll = self.configuration.training.batch_size, self.configuration.streams.unroll
        return max(1, min(asked, len(self.tokens["train"]) // (2 * unroll)))

    def _judged(self) -> list[str]:
        """Which spans are judged on in part."""
        most, sizes = self.configuration.evaluation.judged, {span: len(self.tokens[span]) for span in SPANS[1:]}
        return [
            f"models are judged on {most:,} of the {size:,} tokens of {span}, evenly spread (--judged)"
            for span, size in sizes.items()
            if 0 < most < size
        ]

    def _ends(self, span: str) -> tuple[int, int]:
        """The first character of a span, and the one after its last."""
        place = SPANS.index(span)
        return (0, *self.cut.borders)[place], self.cut.borders[place]

    def _streams(self) -> list[str]:
        """Which networks read fewer streams than was asked, as the text is short."""
        fewer: dict[tuple[int, int], list[str]] = {}
        for name in climbed(self.configuration.run, RUNGS):
            if RUNGS[name].kind == "model" and not RUNGS[name].combines:
                own = self.of_rung(RUNGS[name].options)
                asked, read = own.configuration.training.batch_size, own.streams()
                if read < asked and own.configuration.streams.align == "standard":
                    fewer.setdefault((asked, read), []).append(name)
        return [
            f"training is too short for {asked} streams side by side: {', '.join(names)} "
            f"{'reads' if len(names) == 1 else 'read'} {read}"
            for (asked, read), names in fewer.items()
        ]


def prepare(source: object, configuration: Configuration, tokenizer: Tokenizer | None = None) -> PreparedCorpus:
    """Reads a corpus, cuts spans, learns tokens on training, and cuts all of it into them.

    Args:
        source: Where the text is.
        configuration: All options.
        tokenizer: That of a model whose training goes on.

    Raises:
        InputError: The text does not fit what was asked.
    """
    corpus = open_corpus(source, configuration.corpus)
    cut = cut_into_tokens(corpus, configuration.corpus.spans, configuration.tokenizer, tokenizer)
    return PreparedCorpus(configuration, corpus, cut)


def about(prepared: PreparedCorpus) -> dict[str, Any]:
    """What a model folder says of the text that it learned from."""
    return {
        "source": prepared.corpus.source,
        "fingerprint": prepared.fingerprint,
        "opening": opening_of(prepared.text("train"), prepared.configuration.corpus.separator),
        "characters": prepared.counts,
        "tokens": {span: len(own) for span, own in prepared.tokens.items()},
    }
