"""From a corpus to what every rung learns from: its tokens, in three spans."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ...data.documents import Corpus, cut_text, read_corpus, repeated_lines
from ...data.storage import TokenArray
from ...data.streams import BEFORE
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
        borders: The first character of validation, the first of test, and the first after that.
        tokenizer: What it is cut into, learned on training.
        tokens: Those of each span.
        idle: Options that were named and that no rung reads.
    """

    configuration: Configuration
    corpus: Corpus
    borders: tuple[int, int, int]
    tokenizer: Tokenizer
    tokens: Mapping[str, TokenArray]
    idle: tuple[str, ...] = field(default=())

    def text(self, span: str) -> str:
        """The characters of a span."""
        return self.corpus.text[slice(*_stretch(self.borders, span))]

    @property
    def counts(self) -> dict[str, int]:
        """How many characters each span has."""
        return {span: len(self.text(span)) for span in SPANS}

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
        unknown = {span: int((self.tokens[span] == UNKNOWN).sum()) for span in SPANS} if self.has_unknown else {}
        told = [f"{number} of {span}" for span, number in unknown.items() if number]
        return [
            f"{len(corpus.text):,} characters of {corpus.source}{many}",
            *corpus.notes,
            f"characters: {counts['train']:,} train, {counts['validation']:,} validation, {counts['test']:,} test",
            f"{len(self.tokenizer) - self.has_unknown:,} different {kind} in training"
            + (f"; tokens: {pieces}" if self.tokenizer.kind != "characters" else ""),
            *([f"characters that training never saw: {', '.join(told)}"] if told else []),
            *repeated_lines(self.text("train"), self.text("test")),
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

    def with_context(self, span: str) -> tuple[TokenArray, int]:
        """The tokens of a span after some of what comes before it, and how many these are."""
        place, most = SPANS.index(span), max(BEFORE, self.configuration.network.context)
        before = self.tokens[SPANS[place - 1]][-most:] if place else self.tokens[span][:1]
        own = self.tokens[span] if place else self.tokens[span][1:]
        return np.concatenate([before, own]), len(before)

    def streams(self) -> int:
        """How many streams a network reads side by side: no more than have room for two pieces each."""
        asked, unroll = self.configuration.training.batch_size, self.configuration.streams.unroll
        return max(1, min(asked, len(self.tokens["train"]) // (2 * unroll)))

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
    corpus = read_corpus(source, configuration.corpus)
    borders = cut_text(corpus, configuration.corpus.spans)
    texts = {span: corpus.text[slice(*_stretch(borders, span))] for span in SPANS}
    learned = tokenizer or Tokenizer.learn(texts["train"], configuration.tokenizer)
    tokens = {span: learned.encode(text) for span, text in texts.items()}
    return PreparedCorpus(configuration, corpus, borders, learned, tokens)


def _stretch(borders: tuple[int, int, int], span: str) -> tuple[int, int]:
    place = SPANS.index(span)
    return (0, *borders)[place], borders[place]


def about(prepared: PreparedCorpus) -> dict[str, Any]:
    """What a model folder says of the text that it learned from."""
    return {
        "source": prepared.corpus.source,
        "fingerprint": prepared.fingerprint,
        "opening": opening_of(prepared.text("train"), prepared.configuration.corpus.separator),
        "characters": prepared.counts,
        "tokens": {span: len(own) for span, own in prepared.tokens.items()},
    }
