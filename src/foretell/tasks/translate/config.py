"""The options of translating, and its rungs in ladder order; nothing here imports torch."""

from collections.abc import Mapping
from typing import ClassVar, Literal

from pydantic import Field

from ...config import (
    PairSection,
    PieceSection,
    RecurrentSection,
    RunSection,
    Section,
    TaskConfiguration,
    TrainingSection,
    own,
)
from ...config.kinds import Name
from ...evaluation.words import Measure, Metrics, Parts
from ..rung import Range, Rung, Span


class EncoderDecoderSection(RecurrentSection):
    """The shape of a network, and what it drops while it learns; what is not named is each rung's own."""

    embedding: int = own(128, ge=1, le=16_384, description="Numbers of a token's vector, and of a position.")
    output_dropout: float = own(0.0, ge=0, lt=1, description="Share of what a decoder's states find that is dropped.")
    heads: int = own(4, ge=1, le=256, description="Heads of attention.")
    feed_forward: int = own(256, ge=1, le=65_536, description="Units between the dense layers of a block.")
    norm: Literal["pre", "post"] = own(
        "pre", description="Where blocks normalise: what they read, or what comes of it, as in the paper."
    )
    positions: Literal["sinusoidal", "learned"] = own(
        "sinusoidal", description="What tells attention where a token stands."
    )


class TranslateTraining(TrainingSection):
    """How a network learns."""

    loss: Literal["cross-entropy"] = Field("cross-entropy", description="Loss to minimise, on the next token.")
    label_smoothing: float = own(0.1, ge=0, lt=1, description="Share of certainty that is given to all tokens alike.")
    batch_tokens: int = own(
        2500, ge=1, le=10_000_000, description="Most tokens of a step on either side, those that fill up among them."
    )
    batch_size: int = own(1000, ge=1, description="Most pairs of a step.")


class SearchSection(Section):
    """How translations are found, and judged."""

    beam: int = own(5, ge=1, le=200, description="Translations of a text that are followed at once; 1 is greedy.")
    length_penalty: float = own(
        1.0, ge=0, le=10, description="How much longer translations are favoured: scores over ((5 + length) / 6)^this."
    )
    bleu_tokens: Literal["13a", "intl", "zh", "char", "none"] = Field(
        "13a",
        description="What sacrebleu cuts texts into; 13a is its default, zh and char are for texts without blanks.",
    )
    language: Name = Field(
        None, description="Language of targets, for the papers' tokens (by the names of files when not named)."
    )


class Configuration(TaskConfiguration):
    """Every option of ``foretell compare translate`` and ``foretell train translate``."""

    reads_many: ClassVar[bool] = True
    reading: ClassVar[tuple[str, ...]] = ("pairs",)
    fixed: ClassVar[Mapping[str, tuple[str, ...]]] = {"pieces": (), "network": ()}
    searched: ClassVar[tuple[str, ...]] = ("network", "training")
    pairs: PairSection = PairSection()
    pieces: PieceSection = PieceSection()
    network: EncoderDecoderSection = EncoderDecoderSection()
    training: TranslateTraining = TranslateTraining()
    search: SearchSection = SearchSection()
    run: RunSection = RunSection()


class TranslatingSection(Section):
    """How texts are translated."""

    answers: ClassVar[str] = "translations"
    beam: int | None = Field(
        None, ge=1, le=200, description="Translations that are followed at once (as judged when not named)."
    )
    greedy: bool = Field(False, description="Always the likeliest token; the same as --beam 1.")
    length_penalty: float | None = Field(
        None, ge=0, le=10, description="How much longer translations are favoured (as judged when not named)."
    )
    n_best: int = Field(1, ge=1, le=200, description="Translations of each text, the best first; no more than --beam.")
    max_length: int | None = Field(
        None,
        ge=1,
        le=100_000,
        description="Most tokens of a translation (ten more than the longest in training if not named).",
    )
    copy_unknown: bool = Field(True, description="Unknown symbols are copied from where they are aligned.")


class Translating(TaskConfiguration):
    """The options of translating, checked as all others are."""

    translating: TranslatingSection = TranslatingSection()


class Predicting(TranslatingSection):
    """The options of ``foretell predict`` for a translator: each text of INPUT is translated."""

    text: str | None = Field(None, description="Column with the texts (found when not named).")
    encoding: str | None = Field(None, description="How texts are encoded: utf-8, latin-1, cp1252 ...")


def bleu_text(metrics: Metrics) -> str:
    """BLEU in sacrebleu's default protocol, and in that of papers.

    >>> bleu_text({"bleu": 35.214, "bleu_papers": 38.5})
    '35.21 (38.50)'
    """
    return f"{bleu_alone(metrics)} ({metrics['bleu_papers']:.2f})"


def bleu_alone(metrics: Metrics) -> str:
    """BLEU in sacrebleu's default protocol, where that of papers stands beside it.

    >>> bleu_alone({"bleu": 35.214}), bleu_alone({"bleu": 35.214, "spread": {"bleu": 0.5}})
    ('35.21', '35.21 ± 0.50')
    """
    spread = (metrics.get("spread") or {}).get("bleu")
    return f"{metrics['bleu']:.2f}{'' if spread is None else f' ± {spread:.2f}'}"


def further_columns(metrics: Metrics) -> dict[str, str]:
    """What stands beside BLEU.

    >>> further_columns({"bleu_low": 34.0, "bleu_high": 36.5, "chrf": 60.0, "exact": 0.125})
    {'BLEU, 95 %': '34.0 to 36.5', 'chrF': '60.00', 'exact': '12.5 %'}
    """
    low, high = metrics.get("bleu_low"), metrics.get("bleu_high")
    interval = "" if low is None or high is None else f"{low:.1f} to {high:.1f}"
    return {"BLEU, 95 %": interval, "chrF": f"{metrics['chrf']:.2f}", "exact": f"{100 * metrics['exact']:.1f} %"}


def signatures(metrics: Metrics) -> list[str]:
    """The protocols of BLEU and chrF, a sentence each.

    >>> signatures({"bleu_signature": "tok:13a", "papers_signature": "case:lc", "chrf_signature": "nc:6"})[0]
    'BLEU: sacrebleu tok:13a; in brackets as papers print it: case:lc'
    """
    papers = f"in brackets as papers print it: {metrics['papers_signature']}"
    return [f"BLEU: sacrebleu {metrics['bleu_signature']}; {papers}", f"chrF: sacrebleu {metrics['chrf_signature']}"]


def signed_alone(metrics: Metrics) -> list[str]:
    """The same where BLEU as papers print it stands in a row of its own.

    >>> signed_alone({"bleu_signature": "tok:13a", "papers_signature": "case:lc", "chrf_signature": "nc:6"})[0]
    'BLEU: sacrebleu tok:13a; as papers print it: case:lc'
    """
    return [told.replace("; in brackets as papers", "; as papers", 1) for told in signatures(metrics)]


def length_parts(metrics: Metrics) -> Parts | None:
    """How good translations are by the length of what was read.

    >>> bins = [{"from": 1, "to": 9, "count": 2, "exact": 0.5, "chrf": 80.0}] * 2
    >>> length_parts({"by_length": bins}).rows[0]
    ['1 to 9', '50.0 %', '80.00', '2']
    """
    rows = [
        [f"{own['from']} to {own['to']}", f"{100 * own['exact']:.1f} %", f"{own['chrf']:.2f}", str(own["count"])]
        for own in metrics.get("by_length") or ()
    ]
    return Parts(["tokens of the source", "exact", "chrF", "pairs"], rows, right=(1, 2, 3)) if len(rows) > 1 else None


MEASURE = Measure(
    "BLEU",
    "BLEU (as papers print it)",
    "missing",
    bleu_text,
    lambda metrics: (float(metrics["bleu"]), "BLEU"),
    listed=("bleu", "bleu_papers", "chrf", "exact", "spread"),
    loss="surprise (nats a token)",
    counted="pairs",
    columns=further_columns,
    parts=length_parts,
    signed=signatures,
)

_RATE: dict[str, Span] = {"learning_rate": Range(3e-4, 1e-2, log=True), "dropout": Range(0.0, 0.5)}
_RECURRENT: dict[str, Span] = {**_RATE, "units": Range(64, 512, log=True), "embedding": Range(64, 512, log=True)}
_TRANSFORMER: dict[str, Span] = {**_RATE, "warmup_steps": Range(500, 8000, log=True)}
_TINY: dict[str, object] = {
    "optimiser": "adam",
    "schedule": "inverse-sqrt",
    "warmup_steps": 2000,
    "learning_rate": 5e-3,
    "embedding": 128,
    "layers": 4,
    "feed_forward": 256,
    "heads": 4,
    "dropout": 0.3,
    "average_last": 10,
    "epochs": 80,
    "patience": 15,
    "length_penalty": 1.4,
}


def _recurrent(summary: str, **options: object) -> Rung:
    trained: dict[str, object] = {
        "optimiser": "adam",
        "schedule": "inverse-sqrt",
        "warmup_steps": 500,
        "learning_rate": 2e-3,
        "embedding": 128,
        "units": (256,),
        "dropout": 0.2,
        "output_dropout": 0.3,
        "epochs": 20,
        "patience": 4,
        "average_last": 3,
    }
    return Rung("model", summary, {**trained, **options}, _RECURRENT)


def _paper(**options: object) -> dict[str, object]:
    """What both of the paper's networks share: its section 5, and 6.1."""
    return {
        "optimiser": "adam",
        "schedule": "inverse-sqrt",
        "warmup_steps": 4000,
        "clip": 0.0,
        "batch_tokens": 25_000,
        "layers": 6,
        "norm": "post",
        "average_last": 5,
        "beam": 4,
        "length_penalty": 0.6,
        **options,
    }


RUNGS: dict[str, Rung] = {
    "copy": Rung("baseline", "what was read, as it is"),
    "dictionary": Rung("baseline", "each word by the word that its pairs make likeliest, in order"),
    "lstm": _recurrent("LSTM encoder and decoder without attention"),
    "gru-attention": _recurrent("GRU encoder and decoder with additive attention (Bahdanau)"),
    "lstm-attention": _recurrent("LSTM encoder and decoder with multiplicative attention (Luong)"),
    "transformer-tiny": Rung("model", "attention alone, 4+4 layers of width 128", _TINY, _TRANSFORMER),
    "transformer-base": Rung(
        "model",
        "attention alone, the paper's 6+6 layers of width 512",
        _paper(embedding=512, feed_forward=2048, heads=8, dropout=0.1, learning_rate=7e-4),
        _TRANSFORMER,
        large=True,
    ),
    "transformer-big": Rung(
        "model",
        "attention alone, the paper's 6+6 layers of width 1024",
        _paper(embedding=1024, feed_forward=4096, heads=16, dropout=0.3, learning_rate=5e-4),
        _TRANSFORMER,
        large=True,
    ),
}
