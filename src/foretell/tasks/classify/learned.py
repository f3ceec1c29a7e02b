"""A classifier that has learned: what it needs to label texts again, on another machine, from a folder alone."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

import numpy as np
import polars as pl
from jaxtyping import Float64, Int64

from ...artefact import Artefact
from ...data.batches import Reader
from ...data.storage import TokenArray
from ...data.unlabelled import read_unlabelled
from ...data.vectors import WIDEST
from ...data.vocabulary import Vocabulary
from ...errors import UnsafeFileError, counted
from ...evaluation.calibration import COLDEST, HOTTEST, probabilities
from ...evaluation.panels import Panel, Passages
from ...stopping import heed
from ...training.curves import RangeTest
from ..cards import Card, card, document_of, pieces, source_name
from ..weights import load_network, of_a_model_folder, require_few, require_finite, require_kinds
from .config import MEASURE, RUNGS, Configuration, TextNetworkSection
from .explaining import Explanation, explain, headings
from .linear import Linear
from .models import EnsembleModel, LinearModel, Member, Model, NetworkModel, ShareModel
from .rungs import ENSEMBLE, LINEAR, MAJORITY, NETWORKS, TextShape, build_network

VOCABULARY, SEEN = "vocabulary.json", "seen"
ON_PAGE = 200  # texts
_ABOUT = {  # what is told of data, and what it must be
    "source": str,
    "fingerprint": str,
    "texts": dict[str, int],
    "dropped": dict[str, int] | None,
    "text_column": str | None,
}


@dataclass(frozen=True)
class LearnedClassifier:
    """One rung, learned.

    Attributes:
        rung: Its name on the ladder.
        configuration: All options of its training.
        model: What scores texts.
        vocabulary: What cuts them.
        labels: The names of the labels.
        temperature: What scores are divided by.
        about: The texts that it learned from.
        note: What it chose or found, in a sentence.
        history: One record for each epoch of its training.
        rates: What the search for a learning rate found, where one was asked for.
        seen: A number for each text that it learned from or was chosen on.
    """

    rung: str
    configuration: Configuration
    model: Model
    vocabulary: Vocabulary
    labels: tuple[str, ...]
    temperature: float
    about: dict[str, Any]
    note: str = ""
    history: list[dict[str, Any]] = field(default_factory=list)
    rates: RangeTest | None = None
    seen: Int64[np.ndarray, " hash"] = field(default_factory=lambda: np.zeros(0, np.int64))

    @property
    def exclusive(self) -> bool:
        """Whether a text has exactly one label."""
        return not self.configuration.texts.multi_label

    @property
    def encoding(self) -> str:
        """How the texts of the training were encoded."""
        return self.configuration.texts.encoding

    @property
    def parameters(self) -> int:
        """How many numbers it learned."""
        return self.model.parameters

    def with_history(self, history: list[dict[str, Any]], rates: RangeTest | None) -> "LearnedClassifier":
        """The same with what a model folder does not hold: its curve, and the rates that were tried."""
        return replace(self, history=history, rates=rates)

    def probabilities(self, texts: Sequence[TokenArray]) -> Float64[np.ndarray, "text label"]:
        """How likely each label is, of texts in pieces."""
        return probabilities(self.model.scores(texts), self.temperature, exclusive=self.exclusive)

    def answer(self, texts: Sequence[str]) -> pl.DataFrame:
        """A label for each text, how likely it is, and how likely each label is; nothing for an empty text."""
        return self._answered(texts, self._likely(texts))

    def predict(self, source: object, *, text: str | None = None, encoding: str | None = None) -> pl.DataFrame:
        """Labels for the texts of a table, beside its columns; or for a list, a folder of .txt files, a text file.

        Args:
            source: A path, a data frame, or a list of texts.
            text: The column with the texts; that of the training where None.
            encoding: How they are encoded.

        Raises:
            DataError: There is no such file or column.
        """
        texts, beside = self._read(source, text, encoding)
        return self._beside(beside, self.answer(texts))

    def explain(
        self, source: object, *, text: str | None = None, encoding: str | None = None
    ) -> tuple[pl.DataFrame, list[Panel]]:
        """The same with the words that moved each answer, and a page of the texts with these words shaded."""
        texts, beside = self._read(source, text, encoding)
        answers, found, likely = self.explained(texts)
        words = pl.Series("words", [own.words() for own in found], strict=False)
        said, sure = answers["label"].fill_null("").to_list(), answers["probability"].fill_null(0).to_list()
        if not self.exclusive:  # of several labels the surest is explained
            asked = np.abs(np.nan_to_num(likely, nan=0.5) - 0.5).argmax(axis=1)
            sure = [max(row[own], 1 - row[own]) for row, own in zip(np.nan_to_num(likely), asked, strict=True)]
            about = [
                self.labels[own] if row[own] > 0.5 else f"not {self.labels[own]}"
                for row, own in zip(likely, asked, strict=True)
            ]
            said = [f"{own or 'no label'} ({which})" for own, which in zip(said, about, strict=True)]
        told = headings(said, sure)
        passages = [own.passage(head) for own, head in zip(found[:ON_PAGE], told[:ON_PAGE], strict=True)]
        caption = (
            "Green words moved the answer towards the label that was given, red ones away from it: to first order what "
            "the score would lose without the word (gradient times vector)."
        )
        if any(own.attended is not None for own in found):
            caption += " The blue line below a word is how much of the network's attention it got."
        left = f" The first {ON_PAGE} of {len(texts)} texts." if len(texts) > ON_PAGE else ""
        panel = Panel(
            "Texts", f"{self.rung}: {self.note}.{left}", [Passages("What moved each answer", passages, caption)]
        )
        return self._beside(beside, answers.with_columns(words)), [panel]

    def explained(
        self, texts: Sequence[str]
    ) -> tuple[pl.DataFrame, list[Explanation], Float64[np.ndarray, "text label"]]:
        """A label for each text, what moved each answer, and how likely each label is."""
        likely = self._likely(texts)
        found = [self._explained(own, row) for own, row in zip(texts, likely, strict=True)]
        return self._answered(texts, likely), found, likely

    def vectors(self) -> tuple[list[str], Float64[np.ndarray, "token unit"]] | None:
        """The tokens that it has a vector for, but those that stand for nothing; None where it has no vectors."""
        if not isinstance(self.model, NetworkModel):
            return None
        embedding = self.model.network.embedding  # of n-grams too, which have no name
        tokens = list(self.vocabulary.tokens[: embedding.tokens])
        values = embedding.weight[: len(tokens)].detach().double().numpy()
        return tokens[2:], values[2:]

    def artefact(self, metrics: dict[str, Any]) -> Artefact:
        """All it knows, and how good it is."""
        values, arrays = self.model.state()
        document = {
            **document_of(self, metrics),
            "labels": list(self.labels),
            "temperature": self.temperature,
            "model": values,
        }
        arrays = {**arrays, SEEN: self.seen}
        files = {VOCABULARY: self.vocabulary.document()}
        return Artefact("classify", document, arrays, files, _card(self, metrics))

    @classmethod
    def restore(cls, artefact: Artefact) -> "LearnedClassifier":
        """The classifier that a model folder holds.

        Raises:
            UnsafeFileError: The folder's documents contradict each other.
        """
        document = artefact.document
        with of_a_model_folder():
            rung, configuration = str(document["rung"]), Configuration.model_validate(document["config"])
            vocabulary = Vocabulary.restore(artefact.files[VOCABULARY])
            labels, temperature = tuple(map(str, document["labels"])), float(document["temperature"])
            exclusive = not configuration.texts.multi_label
            if len(set(labels)) != len(labels) or len(labels) < 1 + exclusive or not COLDEST <= temperature <= HOTTEST:
                raise ValueError("labels differ, there are several, and a temperature is above zero")
            require_finite(artefact.arrays)
            arrays = dict(artefact.arrays)
            seen = arrays.pop(SEEN, np.zeros(0, np.int64)).astype(np.int64)
            if seen.ndim != 1:
                raise ValueError(f"{SEEN} is a list of numbers")
            model = _model(rung, document["model"], arrays, vocabulary, len(labels), exclusive=exclusive)
            about, note = dict(document["data"]), str(document["note"])
            require_kinds(about, _ABOUT)
            return cls(rung, configuration, model, vocabulary, labels, temperature, about, note, seen=seen)

    def _likely(self, texts: Sequence[str]) -> Float64[np.ndarray, "text label"]:
        """How likely each label is; no number for an empty text."""
        pieces = list(self.vocabulary.encode(texts))
        self._tell_what_is_cut(pieces)
        likely = self.probabilities(pieces) if pieces else np.zeros((0, len(self.labels)))
        empty = np.array([not text.strip() for text in texts], bool)
        if empty.any():
            warnings.warn(f"{counted(int(empty.sum()), 'text')} without a word: no label is given", stacklevel=2)
            likely[empty] = np.nan
        return likely

    def _tell_what_is_cut(self, pieces: list[TokenArray]) -> None:
        """Says which texts are not read whole."""
        if not isinstance(self.model, NetworkModel):
            return
        length = self.model.reader.length
        long = sum(len(own) > length for own in pieces)
        if long:
            where = "ends are read" if self.model.reader.front else "beginnings are read"
            told = "is longer" if long == 1 else "are longer"
            warnings.warn(
                f"{counted(long, 'text')} {told} than the {length} tokens that {self.rung} reads: their {where}",
                stacklevel=2,
            )

    def _answered(self, texts: Sequence[str], likely: Float64[np.ndarray, "text label"]) -> pl.DataFrame:
        known = np.isfinite(likely).all(axis=1)
        best = np.where(known[:, None], likely, 0)
        if self.exclusive:
            chosen = best.argmax(axis=1)
            said = [self.labels[number] if there else None for number, there in zip(chosen, known, strict=True)]
            sure = best.max(axis=1, initial=0.0)
        else:
            separator = self.configuration.texts.separator
            rows = [separator.join(np.array(self.labels, object)[row > 0.5]) for row in best]
            said = [row if there else None for row, there in zip(rows, known, strict=True)]
            sure = np.maximum(best, 1 - best).prod(axis=1)
        columns: dict[str, Any] = {
            "label": pl.Series(said, dtype=pl.String),
            "probability": np.where(known, sure, np.nan),
        }
        columns |= {f"p({label})": likely[:, number] for number, label in enumerate(self.labels)}
        frame = pl.DataFrame(columns)
        return frame.with_columns(pl.col(pl.Float64).fill_nan(None))

    def _explained(self, text: str, likely: Float64[np.ndarray, " label"]) -> Explanation:
        heed()
        if not np.isfinite(likely).all():
            return Explanation(text, [], np.zeros(0), None)
        return explain(self.model, self.vocabulary, text, likely, exclusive=self.exclusive)

    def _read(self, source: object, text: str | None, encoding: str | None) -> tuple[list[str], pl.DataFrame | None]:
        """Texts, and what stands beside them."""
        section = self.configuration.texts
        named, usual = text or section.text, self.about.get("text_column")
        return read_unlabelled(source, named, encoding or section.encoding, str(usual) if usual else None)

    def _beside(self, frame: pl.DataFrame | None, answers: pl.DataFrame) -> pl.DataFrame:
        """Answers beside the columns that came in; where names meet, the answer's is another."""
        if frame is None:
            return answers
        renamed: dict[str, str] = {}
        for name in answers.columns:
            free = name
            while free in frame.columns or free in renamed.values():
                free = f"predicted {free}"
            renamed[name] = free
        return pl.concat([frame, answers.rename(renamed)], how="horizontal")


def _model(
    rung: str,
    values: dict[str, Any],
    arrays: dict[str, np.ndarray],
    vocabulary: Vocabulary,
    labels: int,
    *,
    exclusive: bool,
) -> Model:
    outputs = outputs_of(labels, exclusive=exclusive)
    if rung == MAJORITY:
        shares = arrays["shares"].astype(np.float64)
        if shares.shape != (labels,) or not ((shares >= 0) & (shares <= 1)).all():
            raise ValueError("there is a share for each label")
        return ShareModel(shares, exclusive)
    if rung in LINEAR:
        return LinearModel(_linear(values, arrays, outputs))
    if rung == ENSEMBLE:
        members = []
        require_few(values["members"])
        for number, own in enumerate(values["members"]):
            if own["rung"] == ENSEMBLE:
                raise ValueError("an ensemble is not made of ensembles")
            prefix = f"members/{number}/"
            weights = {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
            member = _model(str(own["rung"]), own["model"], weights, vocabulary, labels, exclusive=exclusive)
            temperature = float(own["temperature"])
            if not COLDEST <= temperature <= HOTTEST:
                raise ValueError("a temperature is above zero")
            members.append(Member(str(own["rung"]), member, temperature))
        return EnsembleModel(tuple(members), exclusive)
    if rung not in NETWORKS:
        raise UnsafeFileError(f'the model folder names a rung "{rung}" that this version does not know')
    section = TextNetworkSection.model_validate(values["network"])
    tokens, length = int(values["tokens"]), int(values["length"])
    if not 2 < tokens <= len(vocabulary) or not 1 <= length <= 1_000_000 or values["truncate"] not in ("front", "back"):
        raise ValueError("what it reads contradicts its vocabulary")
    table = arrays.get("embedding.table", np.zeros(0, np.int64))
    if not 1 <= int(values["embedding"]) <= WIDEST or table.ndim != 1 or not (table[1:] > table[:-1]).all():
        raise ValueError("vectors are as wide as they can be, and n-grams stand in order")
    shape = TextShape(tokens, outputs, length, int(values["embedding"]), len(table))
    network = load_network(lambda: build_network(rung, shape, section), arrays)
    return NetworkModel(cast(Any, network), Reader(length, tokens, front=values["truncate"] == "front"), section)


def _linear(values: dict[str, Any], arrays: dict[str, np.ndarray], outputs: int) -> Linear:
    keys = arrays["keys"].astype(np.int64)
    weights, scale, bias = arrays["weights"], arrays["scale"], arrays["bias"]
    if keys.ndim != 1 or weights.shape != (len(keys), outputs) or scale.shape != keys.shape or bias.shape != (outputs,):
        raise ValueError("there is a weight for each n-gram and score")
    if not (keys[1:] > keys[:-1]).all() or values["kind"] not in LINEAR or not 1 <= int(values["ngrams"]) <= 6:
        raise ValueError("n-grams stand in order")
    return Linear(
        str(values["kind"]),
        int(values["ngrams"]),
        keys,
        scale.astype(np.float32),
        weights.astype(np.float32),
        bias.astype(np.float64),
    )


def outputs_of(labels: int, *, exclusive: bool) -> int:
    """How many scores a model gives: one where there are two exclusive labels."""
    return 1 if exclusive and labels == 2 else labels


def _card(learned: LearnedClassifier, metrics: dict[str, Any]) -> str:
    """The model card."""
    about, source = learned.about, source_name(learned.about["source"])
    labels = ", ".join(learned.labels[:20]) + (
        f" and {len(learned.labels) - 20} more" if len(learned.labels) > 20 else ""
    )
    own = Card(
        heading=f"Classifier of {source}",
        facts={
            "Says": f"{'which of' if learned.exclusive else 'any of'} {labels}",
            "Reads": f"{pieces(learned.vocabulary.kind)}, {len(learned.vocabulary):,} different ones",
            "Temperature": f"{learned.temperature:.3g}, chosen on validation",
        },
        data={"Source": f"{source}, {sum(about['texts'].values()):,} texts"},
        spans=about["texts"],
        dropped=about.get("dropped", {}),
        limits=_limits(learned, metrics),
        command="foretell predict FOLDER texts.csv -o labels.csv\nforetell predict FOLDER -     # line by line",
        answer='["a text", "another"]',
        body=("application/json", """-d '{"texts": ["a text"]}'"""),
        measured={"macro F1": "macro_f1", "log loss": "log_loss", **MEASURE.further},
    )
    return card(learned, RUNGS[learned.rung], own, replace(MEASURE, columns=lambda metrics: {}), metrics)


def _limits(learned: LearnedClassifier, metrics: dict[str, Any]) -> list[str]:
    limits = [
        "It labels well only texts that resemble its training, in language, subject and length.",
        f"Of {pieces(learned.vocabulary.kind)} that training did not hold it knows nothing: they count as unknown.",
    ]
    if isinstance(learned.model, NetworkModel):
        reader = learned.model.reader
        which = "end" if reader.front else "beginning"
        limits.append(f"It reads at most {reader.length:,} tokens of a text; of a longer one the {which}.")
    if learned.exclusive:
        limits.append("It gives every text with a word one of its labels, also a text that none of them fits.")
    parts = (metrics.get("test") or {}).get("labels") or []
    if parts:
        rare = min(parts, key=lambda own: own["count"])
        limits.append(f"How well it knows `{rare['label']}` rests on {counted(rare['count'], 'text')} of test.")
    return limits
