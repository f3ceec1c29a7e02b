"""The options of classifying, and its rungs in ladder order; nothing here imports torch."""

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field

from ...config import (
    NetworkSection,
    RunSection,
    Section,
    Sizes,
    TaskConfiguration,
    TextSection,
    TextSpanSection,
    TokenSection,
    TrainingSection,
    own,
)
from ...evaluation.words import Measure, Metrics, Parts
from ..rung import Choices, Range, Rung, Span


class TextNetworkSection(NetworkSection):
    """The shape of a network, and what it drops while it learns; what is not named is each rung's own."""

    embedding: int = own(32, ge=1, le=4096, description="Numbers of a token's vector; those of --vectors where given.")
    vectors: Path | None = Field(
        None, description="File of word vectors to begin with: text, as fastText (.vec) and GloVe write it, or gzipped."
    )
    train_vectors: bool = Field(True, description="Vectors are learned on; else they stay as they are.")
    pooling: Literal["last", "maximum", "average"] = own(
        "last", description="What is kept of all places of a text: the last, or of each number the maximum or average."
    )
    kernel_size: Sizes = own(
        (5,), min_length=1, description="Tokens that a convolution sees at once; several side by side."
    )
    pool_size: int = own(4, ge=1, le=1024, description="Places of which pooling makes one, before a recurrent layer.")
    heads: int = own(4, ge=1, le=256, description="Heads of attention, or as many of them as divide the width evenly.")
    feed_forward: int = own(64, ge=1, le=16_384, description="Units between the dense layers of an encoder block.")
    ngrams: int = own(2, ge=1, le=5, description="Tokens of the longest n-gram that has a vector of its own.")
    buckets: int = own(
        1_000_000, ge=1, le=20_000_000, description="Most n-grams with a vector: the most frequent that two texts hold."
    )
    weighting: Literal["none", "naive-bayes"] = own(
        "none", description="What vectors of words and n-grams are weighted by: how telling they are of a label."
    )


class LinearSection(Section):
    """What linear baselines count."""

    linear_ngrams: int | None = Field(
        None, ge=1, le=6, description="Tokens of the longest n-gram: 2 of words and byte pairs, 5 of characters."
    )
    ngram_count: int = Field(
        12_000_000,
        ge=1000,
        description="Most n-grams that are counted, of texts drawn at random, by linear baselines and bags.",
    )


class ClassifyTraining(TrainingSection):
    """How a network learns."""

    loss: Literal["cross-entropy"] = Field("cross-entropy", description="Loss to minimise, on the labels.")
    class_weight: Literal["none", "balanced"] = Field(
        "none", description="Whether rare labels count as much as frequent ones (balanced)."
    )
    label_smoothing: float = own(
        0.0, ge=0, lt=1, description="Share of certainty that is taken from the truth and given to all labels alike."
    )


class Configuration(TaskConfiguration):
    """Every option of ``foretell compare classify`` and ``foretell train classify``."""

    reading: ClassVar[tuple[str, ...]] = ("texts", "spans")
    fixed: ClassVar[Mapping[str, tuple[str, ...]]] = {"texts": ("multi_label",), "tokens": (), "network": ()}
    searched: ClassVar[tuple[str, ...]] = ("tokens", "network", "training", "linear")
    judging: ClassVar[tuple[str, ...]] = (*TaskConfiguration.judging, "vectors")
    shaping: ClassVar[tuple[str, ...]] = ("tokens",)

    def of_rung(self, options: Mapping[str, object]) -> "Configuration":
        """The configuration with a rung's own values; byte pairs are learned once, for all rungs alike."""
        own = {name: value for name, value in options.items() if name != "vocabulary"}
        return super().of_rung(own if self.tokens.tokens == "bpe" else options)

    texts: TextSection = TextSection()
    spans: TextSpanSection = TextSpanSection()
    tokens: TokenSection = TokenSection()
    network: TextNetworkSection = TextNetworkSection()
    training: ClassifyTraining = ClassifyTraining()
    linear: LinearSection = LinearSection()
    run: RunSection = RunSection()


class Predicting(Section):
    """The options of ``foretell predict`` for a classifier."""

    answers: ClassVar[str] = "labels"
    text: str | None = Field(None, description="Column with the texts (that of the training when not named).")
    encoding: str | None = Field(None, description="How texts are encoded: utf-8, latin-1, cp1252 ...")


def label_columns(metrics: Metrics) -> dict[str, str]:
    """What stands beside accuracy.

    >>> label_columns({"macro_f1": 0.9123, "log_loss": 0.2345})
    {'macro F1': '0.912', 'log loss': '0.234'}
    """
    return {"macro F1": f"{metrics['macro_f1']:.3f}", "log loss": f"{metrics['log_loss']:.3f}"}


def label_parts(metrics: Metrics) -> Parts | None:
    """How each label fared."""
    rows = [
        [own["label"], f"{own['precision']:.3f}", f"{own['recall']:.3f}", f"{own['f1']:.3f}", str(own["count"])]
        for own in metrics.get("labels", ())
    ]
    return Parts(["label", "precision", "recall", "F1", "texts"], rows, right=(1, 2, 3, 4)) if rows else None


def accuracy_text(metrics: Metrics) -> str:
    """The share of right answers, and its spread over several trainings.

    >>> accuracy_text({"accuracy": 0.9123}), accuracy_text({"accuracy": 0.9123, "spread": {"accuracy": 0.004}})
    ('91.23 %', '91.23 ± 0.40 %')
    """
    spread = (metrics.get("spread") or {}).get("accuracy")
    return f"{100 * metrics['accuracy']:.2f}{'' if spread is None else f' ± {100 * spread:.2f}'} %"


MEASURE = Measure(
    "accuracy",
    "share of right answers",
    "error",
    accuracy_text,
    lambda metrics: (float(metrics["accuracy"]), "accuracy"),
    listed=("accuracy", "error", "spread"),
    further={"ROC AUC": "roc_auc", "calibration error": "calibration_error"},
    loss="cross-entropy (nats)",
    counted="texts",
    columns=label_columns,
    parts=label_parts,
)

_RATE: dict[str, Span] = {"learning_rate": Range(1e-4, 1e-2, log=True), "dropout": Range(0.0, 0.6)}
_SIZED: dict[str, Span] = {"units": Range(16, 128, log=True), "embedding": Range(16, 128, log=True), **_RATE}
_RECURRENT: dict[str, Span] = {**_SIZED, "recurrent_dropout": Range(0.0, 0.5)}
_BAG: dict[str, Span] = {"embedding": Range(8, 64, log=True), "ngrams": Range(1, 3), **_RATE}
_BAGS: dict[str, object] = {
    "embedding": 16,
    "vocabulary": 100_000,
    "length": 100_000,
    "dropout": 0.3,
    "optimiser": "lazy-adam",
    "clip": 0.0,
}
_DECKS = {"epochs": 10}  # as the decks train on reviews
_SKLEARN = ("sklearn", "classify")


def _network(summary: str, search: dict[str, Span], **options: object) -> Rung:
    return Rung("model", summary, {**_DECKS, **options}, search)


RUNGS: dict[str, Rung] = {
    "majority": Rung("baseline", "always the most frequent label", constant=True),
    "tfidf": Rung("baseline", "logistic regression on weighted words (TF-IDF)", needs=_SKLEARN),
    "nb-svm": Rung("baseline", "logistic regression on n-grams, weighted by naive Bayes", needs=_SKLEARN),
    "bag": _network("mean of the vectors of words and n-grams", _BAG, **_BAGS, learning_rate=5e-3),
    "bag-weighted": _network(
        "the same, weighted by naive Bayes, long texts saying more",
        _BAG,
        **{**_BAGS, "epochs": 5},
        weighting="naive-bayes",
        learning_rate=2e-3,
    ),
    "rnn": _network("simple recurrent layer, dense", _RECURRENT),
    "lstm": _network("long short-term memory, dense", _RECURRENT),
    "gru": _network("gated recurrent units, dense", _RECURRENT),
    "lstm-bidirectional": _network(
        "one LSTM in each direction", _RECURRENT, direction="both", pooling="maximum", dropout=0.3
    ),
    "conv": _network(
        "convolutions of several widths, the maximum of each filter",
        _SIZED,
        units=(64,),
        kernel_size=(3, 5),
        pooling="maximum",
        dropout=0.2,
        epochs=6,
        optimiser="adamw",
    ),
    "conv-gru": _network(
        "a convolution, then gated recurrent units",
        _RECURRENT,
        units=(64,),
        embedding=64,
        dropout=0.3,
        pooling="maximum",
    ),
    "transformer": _network(
        "attention over all tokens, the average of what it finds",
        {**_RATE, "embedding": Choices(("32", "64")), "layers": Range(1, 2)},
        pooling="average",
        dropout=0.2,
        length=256,
        batch_size=32,
        epochs=5,
        optimiser="adamw",
    ),
    "ensemble": Rung("model", "mean of the best three on validation", combines=3),
}
