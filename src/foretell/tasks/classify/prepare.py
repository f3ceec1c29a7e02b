"""From texts to what every rung learns from: a corpus, its vocabulary, its tokens in a file."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import Bool, Float64, Int64

from ...data.batches import Reader
from ...data.corpora import SPANS, Corpus, read_texts, share_out
from ...data.storage import TokenFile
from ...data.vectors import WordVectors, read_vectors
from ...data.vocabulary import Vocabulary
from ...errors import ConfigurationError, counted
from ..rung import climbed
from .config import RUNGS, Configuration


@dataclass(frozen=True)
class Before:
    """What a model knows whose training goes on.

    Attributes:
        vocabulary: What it cuts texts into.
        tokens: How many of the vocabulary's tokens its network tells apart.
        labels: Those that it gives; some of them may be missing now.
        seen: Texts that it learned from, none of which is judged on.
    """

    vocabulary: Vocabulary
    tokens: int
    labels: tuple[str, ...]
    seen: Int64[np.ndarray, " hash"]


@dataclass(frozen=True)
class PreparedTexts:
    """Texts that every rung can learn from.

    Attributes:
        configuration: All options.
        corpus: The texts and their spans.
        vocabulary: What they are cut into.
        tokens: All texts in pieces.
        vectors: Those that a file has for the words, where one was named.
        fixed: How many tokens the model knows whose training goes on; None where training begins.
        idle: Options that were named and that no rung reads.
    """

    configuration: Configuration
    corpus: Corpus
    vocabulary: Vocabulary
    tokens: TokenFile
    vectors: WordVectors | None = None
    fixed: int | None = None
    idle: tuple[str, ...] = field(default=())

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of the labels."""
        return self.corpus.texts.labels

    @property
    def exclusive(self) -> bool:
        """Whether a text has exactly one label."""
        return self.corpus.texts.targets.ndim == 1

    @property
    def counts(self) -> dict[str, int]:
        """How many texts each span has."""
        return {span: len(self.corpus.of(span)) for span in SPANS}

    @property
    def dropped(self) -> dict[str, int]:
        """How many were dropped, by reason."""
        return self.corpus.dropped

    @property
    def fingerprint(self) -> str:
        """A hash that tells whether the texts are still the same."""
        return self.corpus.texts.fingerprint

    @property
    def seed(self) -> int:
        """Where the random choices of a training on these texts come from."""
        return self.configuration.training.seed

    @property
    def messages(self) -> list[str]:
        """What the user should know about the texts, a sentence each."""
        texts, counts = self.corpus.texts, self.counts
        shares = self.shares(np.arange(len(texts.texts)))
        shown = ", ".join(f"{label} {share:.0%}" for label, share in list(zip(self.labels, shares, strict=True))[:12])
        more = f" and {len(self.labels) - 12} more" if len(self.labels) > 12 else ""
        unknown = float((self.tokens.tokens == 1).mean())
        known = f"{len(self.vocabulary):,} {_PIECES[self.vocabulary.kind]}"
        idle = [f"no rung has a use for --{name.replace('_', '-')}" for name in self.idle]
        return [
            f"{len(texts.texts):,} texts of {texts.source}; labels: {shown}{more}",
            *texts.notes,
            *self.corpus.notes,
            f"texts: {counts['train']:,} train, {counts['validation']:,} validation, {counts['test']:,} test",
            f"vocabulary: {known} of the training texts; {unknown:.1%} of all text is unknown",
            *self._cut(),
            *idle,
        ]

    def _cut(self) -> list[str]:
        """How many texts are too long for which networks to read them whole."""
        lengths, where = self.tokens.lengths, "ends" if self.configuration.tokens.truncate == "front" else "beginnings"
        reading: dict[int, list[str]] = {}
        for name in climbed(self.configuration.run, RUNGS):
            if RUNGS[name].kind == "model" and not RUNGS[name].combines:
                own = self.configuration.of_rung(RUNGS[name].options).tokens.length
                reading.setdefault(own, []).append(name)
        told = []
        for length, names in sorted(reading.items()):
            if long := int((lengths > length).sum()):
                what = f"{counted(long, 'text')} {'is' if long == 1 else 'are'} longer than {length} tokens"
                told.append(
                    f"{what}, the longest has {int(lengths.max()):,}: {', '.join(names)} read only the {where} of such"
                )
        return told

    def truth(self, numbers: Int64[np.ndarray, " text"]) -> Bool[np.ndarray, "text label"]:
        """Which labels some texts have."""
        return self.corpus.texts.truth(numbers)

    def shares(self, numbers: Int64[np.ndarray, " text"]) -> Float64[np.ndarray, " label"]:
        """Which share of some texts has each label."""
        targets = self.corpus.texts.targets[numbers]
        if targets.ndim == 2:
            return targets.mean(axis=0)
        return np.bincount(targets, minlength=len(self.labels)) / len(numbers)

    def of_rung(self, options: Mapping[str, object]) -> "PreparedTexts":
        """The same with a rung's own values for what was left open."""
        own = self.configuration.of_rung(options)
        return replace(self, configuration=own)

    def reader(self) -> Reader:
        """What cuts texts as the options say."""
        section = self.configuration.tokens
        return Reader(section.length, self.known, front=section.truncate == "front")

    @property
    def known(self) -> int:
        """How many tokens a network tells apart: all byte pairs, else the most frequent."""
        if self.fixed is not None or self.vocabulary.kind == "bpe":
            return self.fixed or len(self.vocabulary)
        return min(self.configuration.tokens.vocabulary, len(self.vocabulary))

    def class_weights(self) -> list[float] | None:
        """How much a text of each label counts in training; None where all count alike."""
        if self.configuration.training.class_weight == "none":
            return None
        shares = self.shares(self.corpus.of("train"))
        if self.exclusive:
            return [float(1 / (len(shares) * share)) for share in shares]
        return [float((1 - share) / max(share, 1e-6)) for share in shares]


_PIECES = {"words": "words", "characters": "characters", "bpe": "pieces"}


def prepare(source: object, configuration: Configuration, before: Before | None = None) -> PreparedTexts:
    """Reads texts, deals out spans, learns the vocabulary on training, and cuts all texts.

    Args:
        source: Where the texts are.
        configuration: All options.
        before: What a model knows whose training goes on.

    Raises:
        InputError: The texts do not fit what was asked.
    """
    if configuration.network.vectors is not None and configuration.tokens.tokens != "words":
        raise ConfigurationError(
            f"--vectors are those of words; the tokens are {configuration.tokens.tokens}; say --tokens words",
            option="vectors",
        )
    seed, goes_on = configuration.training.seed, before is not None
    texts = read_texts(source, configuration.texts, before.labels if before else None)
    corpus = share_out(texts, configuration.spans, seed, known=goes_on)
    corpus = corpus.without(before.seen) if before else corpus
    training = (texts.texts[int(number)] for number in corpus.of("train"))
    if before is None:
        vocabulary = Vocabulary.learn(training, configuration.tokens)
    else:  # words that the model does not know are the baselines' alone
        vocabulary = before.vocabulary.extended(training, configuration.tokens)
    tokens = TokenFile.of(vocabulary.encode(texts.texts[number] for number in range(len(texts.texts))))
    file = configuration.network.vectors
    # Where a training goes on, the model's own vectors have moved on from those of the file.
    vectors = read_vectors(file, vocabulary) if file is not None and not goes_on else None
    return PreparedTexts(configuration, corpus, vocabulary, tokens, vectors, before.tokens if before else None)
