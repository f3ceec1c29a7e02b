"""The options of generating, and its rungs in ladder order; nothing here imports torch."""

from collections.abc import Mapping
from typing import ClassVar, Literal

from pydantic import Field

from ...config import (
    CorpusSection,
    Names,
    RecurrentSection,
    RunSection,
    Section,
    Sizes,
    TaskConfiguration,
    TokenizerSection,
    TrainingSection,
    own,
)
from ...config.kinds import Temperatures
from ...evaluation.words import Measure, Metrics
from ..rung import Range, Rung, Span


class StreamSection(Section):
    """How a text is read in training."""

    unroll: int = own(
        64, ge=1, le=10_000, description="Tokens of a piece: how far back in time a gradient goes; states go on."
    )
    align: Literal["standard", "lecture"] = Field(
        "standard", description="'lecture': windows of --lookback tokens with one target each, as in the decks."
    )
    lookback: int = Field(60, ge=1, le=10_000, description="Tokens of a window, with --align lecture.")
    stride: int = Field(3, ge=1, le=10_000, description="Tokens from a window to the next, with --align lecture.")


class LanguageSection(RecurrentSection):
    """The shape of a network, and what it drops while it learns; what is not named is each rung's own."""

    embedding: int = own(64, ge=1, le=4096, description="Numbers of a token's vector.")
    tied: bool = own(False, description="A token's score is a product with its vector, not with weights of its own.")
    output_dropout: float = own(0.0, ge=0, lt=1, description="Share of what the last layer returns that is dropped.")
    heads: int = own(4, ge=1, le=256, description="Heads of attention.")
    feed_forward: int = own(512, ge=1, le=16_384, description="Units between the dense layers of a block.")
    context: int = own(128, ge=1, le=16_384, description="Tokens back to which attention may go.")
    positions: Literal["rotary", "learned"] = own(
        "rotary", description="What tells attention where a token stands: its distance, or its place in a round."
    )


class GenerateTraining(TrainingSection):
    """How a network learns."""

    loss: Literal["cross-entropy"] = Field("cross-entropy", description="Loss to minimise, on the next token.")


class SamplesSection(Section):
    """What a report shows of texts that networks write."""

    sample_epochs: Sizes = Field(
        (), description="Epochs after which each network writes samples, such as 20,60; the best one always does."
    )
    sample_prompts: Names = Field((), description="What samples begin with (found in validation when not named).")
    sample_temperatures: Temperatures = Field((0.2, 0.5, 1.0), description="At which temperatures each is written.")
    sample_length: int = Field(400, ge=1, le=100_000, description="Tokens of a sample.")


class JudgingSection(Section):
    """How models are judged."""

    judged: int = Field(
        1_000_000, ge=0, description="Most tokens of validation, and of test, that count, evenly spread; 0 takes all."
    )


class NgramSection(Section):
    """What n-grams count."""

    order: int | None = Field(
        None, ge=2, le=20, description="Tokens of the longest n-gram (2 to 8 when not named, the best on validation)."
    )
    counted: int | None = Field(
        None,
        ge=0,
        description="Most tokens of training that n-grams count, evenly spread; 0 takes all (when not named, all of a "
        "text in memory, five million of one in a store).",
    )


class Configuration(TaskConfiguration):
    """Every option of ``foretell compare generate`` and ``foretell train generate``."""

    reads_many: ClassVar[bool] = True
    reading: ClassVar[tuple[str, ...]] = ("corpus",)
    fixed: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "corpus": ("lowercase",),
        "tokenizer": (),
        "streams": ("align", "lookback"),
        "network": (),
    }
    searched: ClassVar[tuple[str, ...]] = ("streams", "network", "training")
    judging: ClassVar[tuple[str, ...]] = (*TaskConfiguration.judging, "align", "lookback", "stride")
    corpus: CorpusSection = CorpusSection()
    tokenizer: TokenizerSection = TokenizerSection()
    streams: StreamSection = StreamSection()
    network: LanguageSection = LanguageSection()
    training: GenerateTraining = GenerateTraining()
    evaluation: JudgingSection = JudgingSection()
    ngrams: NgramSection = NgramSection()
    samples: SamplesSection = SamplesSection()
    run: RunSection = RunSection()


class WritingSection(Section):
    """How texts are written."""

    answers: ClassVar[str] = "texts"
    length: int = Field(400, ge=1, le=10_000_000, description="Most tokens to write.")
    temperature: float = Field(
        0.5, ge=0, le=100, description="Low ones repeat what is likely, high ones invent; 0 is the likeliest alone."
    )
    greedy: bool = Field(False, description="Always the likeliest token, whatever the temperature.")
    top_k: int | None = Field(None, ge=1, description="Draw from so many of the likeliest tokens.")
    top_p: float = Field(1.0, gt=0, le=1, description="Draw from the likeliest tokens that make up this share.")
    min_p: float = Field(0.0, ge=0, le=1, description="Least probability, as a share of that of the likeliest token.")
    repetition_penalty: float = Field(
        1.0, ge=1, le=100, description="How much less likely tokens become that were written (1 leaves them alone)."
    )
    beam: int | None = Field(
        None, ge=1, le=1000, description="Look for the likeliest text, following so many at once, in place of drawing."
    )
    seed: int = Field(0, ge=0, lt=2**32, description="Seed of what is drawn.")
    stop: Names = Field((), description="Text before which writing ends; several may be named.")
    on_unknown: Literal["error", "skip"] = Field(
        "error", description="What to do with letters of a prompt that training never saw."
    )


class Writing(TaskConfiguration):
    """The options of writing, checked as all others are."""

    writing: WritingSection = WritingSection()


class Predicting(WritingSection):
    """The options of ``foretell predict`` for a generator: each line of INPUT is gone on with."""

    text: str | None = Field(None, description="Column with the prompts (found when not named).")
    encoding: str | None = Field(None, description="How prompts are encoded: utf-8, latin-1, cp1252 ...")


def bits_text(metrics: Metrics) -> str:
    """Bits per character, and their spread over several trainings.

    >>> bits_text({"bits_per_character": 1.9234}), bits_text({"bits_per_character": 2.0, "spread": {}})
    ('1.923 bits', '2.000 bits')
    """
    spread = (metrics.get("spread") or {}).get("bits_per_character")
    return f"{metrics['bits_per_character']:.3f}{'' if spread is None else f' ± {spread:.3f}'} bits"


def token_columns(metrics: Metrics) -> dict[str, str]:
    """What stands beside bits per character.

    >>> token_columns({"perplexity": 3.8123})
    {'perplexity of a token': '3.812'}
    """
    return {"perplexity of a token": f"{metrics['perplexity']:.4g}"}


MEASURE = Measure(
    "bits per character",
    "bits per character",
    "bits_per_character",
    bits_text,
    lambda metrics: (float(metrics["bits_per_character"]), "bits per character"),
    listed=("bits_per_character", "spread"),
    loss="cross-entropy (nats a token)",
    counted="characters",
    columns=token_columns,
)

_RATE: dict[str, Span] = {"learning_rate": Range(3e-4, 1e-2, log=True), "output_dropout": Range(0.0, 0.6)}
_RECURRENT: dict[str, Span] = {
    **_RATE,
    "units": Range(128, 1024, log=True),
    "embedding": Range(16, 256, log=True),
    "recurrent_dropout": Range(0.0, 0.5),
    "unroll": Range(32, 256, log=True),
}
_TRAINED: dict[str, object] = {"optimiser": "adamw", "schedule": "cosine", "warmup_steps": 100, "batch_size": 16}


def _network(summary: str, search: dict[str, Span], **options: object) -> Rung:
    return Rung("model", summary, {**_TRAINED, **options}, search)


RUNGS: dict[str, Rung] = {
    "uniform": Rung("baseline", "every token alike", constant=True),
    "unigram": Rung("baseline", "how often each token occurs", constant=True),
    "ngram": Rung("baseline", "n-grams, modified Kneser-Ney, the order chosen on validation"),
    "lstm": _network("long short-term memory, as in the decks", _RECURRENT, units=(128,), learning_rate=3e-3),
    "gru": _network("gated recurrent units", _RECURRENT, units=(128,), learning_rate=3e-3),
    "lstm-stacked": _network(
        "two large LSTM layers with dropout of their states, tied vectors",
        _RECURRENT,
        units=(320, 320),
        embedding=128,
        tied=True,
        recurrent_dropout=0.2,
        output_dropout=0.25,
        dropout=0.05,
        learning_rate=3e-3,
        epochs=18,
    ),
    "transformer": _network(
        "attention over what was read before",
        {**_RATE, "layers": Range(2, 8), "dropout": Range(0.0, 0.4)},
        embedding=128,
        layers=4,
        dropout=0.1,
        tied=True,
        unroll=128,
        learning_rate=2e-3,
        epochs=15,
    ),
    "mixture": Rung("model", "the best network and the n-grams, weighted on validation", combines=2, among=("ngram",)),
}
