"""A generator that has learned: what it needs to write again, on another machine, from a folder alone."""

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, cast

import numpy as np
import polars as pl
from jaxtyping import Float64

from ...artefact import Artefact
from ...data.documents import AnyCorpus, read_corpus
from ...data.storage import TokenArray
from ...data.streams import BEFORE, spread_stretches
from ...data.tokenizer import Tokenizer
from ...data.unlabelled import read_unlabelled
from ...errors import DataError, UnsafeFileError
from ...evaluation.kneser_ney import KneserNey, Level
from ...nn import LanguageNetwork
from ...training.curves import RangeTest
from ..cards import Card, card, document_of, pieces, source_name
from ..weights import load_network, of_a_model_folder, require_few, require_finite, require_kinds
from .config import MEASURE, RUNGS, Configuration, LanguageSection, WritingSection
from .judging import evaluation_of
from .models import CountModel, MixtureModel, Model, NetworkModel, UniformModel, WindowModel
from .rungs import MIXTURE, NETWORKS, NGRAM, UNIFORM, UNIGRAM, build_network
from .writing import Text, Writer, writing_section

VOCABULARY = "vocabulary.json"
_LONGEST = 20  # tokens of an n-gram from a model folder
_ABOUT = {"source": str, "fingerprint": str, "opening": str, "characters": dict[str, int]}


@dataclass(frozen=True)
class Scored:
    """How well a model foresaw a text.

    Attributes:
        text: The text, as the model reads it.
        tokens: Its tokens.
        bits: How many each took.
        metrics: Bits per character, and what stands beside it.
    """

    text: str
    tokens: TokenArray
    bits: Float64[np.ndarray, " token"]
    metrics: dict[str, Any]


@dataclass(frozen=True)
class LearnedGenerator:
    """One rung, learned.

    Attributes:
        rung: Its name on the ladder.
        configuration: All options of its training.
        model: What says what comes next.
        tokenizer: What cuts texts.
        about: The text that it learned from.
        note: What it chose or found, in a sentence.
        history: One record for each epoch of its training.
        rates: What the search for a learning rate found, where one was asked for.
    """

    rung: str
    configuration: Configuration
    model: Model
    tokenizer: Tokenizer
    about: dict[str, Any]
    note: str = ""
    history: list[dict[str, Any]] = field(default_factory=list)
    rates: RangeTest | None = None

    @property
    def encoding(self) -> str:
        """How the text of the training was encoded."""
        return self.configuration.corpus.encoding

    @property
    def parameters(self) -> int:
        """How many numbers it learned."""
        return self.model.parameters

    @cached_property
    def writer(self) -> Writer:
        """What writes with it."""
        return Writer(self.model, self.tokenizer, self.configuration.corpus.lowercase, str(self.about["opening"]))

    def with_history(self, history: list[dict[str, Any]], rates: RangeTest | None) -> "LearnedGenerator":
        """The same with what a model folder does not hold: its curve, and the rates that were tried."""
        return replace(self, history=history, rates=rates)

    def write(self, prompts: Sequence[str], **options: Any) -> list[Text]:
        """Texts that begin with prompts.

        Args:
            prompts: What they begin with.
            **options: How they are written, as ``foretell generate`` has them.
        """
        return self.writer.write(prompts, writing_section(options))

    def answer(self, texts: Sequence[str], **options: Any) -> pl.DataFrame:
        """What goes on from each prompt.

        Args:
            texts: The prompts.
            **options: How they are written.
        """
        section = writing_section(options)
        # The same prompt always gets the same text, however prompts come.
        written = self.writer.write(texts, section, alike=True)
        found = {"prompt": [own.prompt for own in written], "text": [own.text for own in written]}
        return pl.DataFrame(found, schema={"prompt": pl.String, "text": pl.String})

    def predict(
        self, source: object, *, text: str | None = None, encoding: str | None = None, **options: Any
    ) -> pl.DataFrame:
        """Texts that go on from prompts: those of a list, the lines of a text file, a column of a table.

        Args:
            source: A path, a data frame, or a list of texts.
            text: The column with the prompts; found where None.
            encoding: How they are encoded; as the text of the training where None.
            **options: How they are written.

        Raises:
            DataError: There is no such file, or a prompt holds what training never saw.
        """
        prompts, beside = read_unlabelled(source, text, encoding or self.encoding, "prompt")
        written = self.answer(prompts, **options)
        if beside is None:
            return written
        return pl.concat([beside, written.select(pl.col("text").alias(_free("text", beside)))], how="horizontal")

    def score(self, source: object, *, text: str | None = None, encoding: str | None = None) -> Scored:
        """Bits per character of any text, read from its beginning; a warning tells what of it was passed over.

        Args:
            source: A path, or a list of texts.
            text: The column with the texts of a table; found where None.
            encoding: How it is encoded; as the text of the training where None.

        Raises:
            DataError: There is no text.
        """
        named = {"text": text, "encoding": encoding or self.encoding}
        corpus = read_corpus(source, self.configuration.corpus.model_copy(update=named))
        for note in corpus.notes:
            warnings.warn(note, stacklevel=2)
        return self.score_text(corpus.text)

    def judge_corpus(self, corpus: AnyCorpus) -> dict[str, Any]:
        """The metrics of a text that was read; of one that is very long, of stretches of it.

        Args:
            corpus: The text.
        """
        most, size = self.configuration.evaluation.judged, corpus.characters
        parts = 0 < most < size
        told = [f"judged on {most:,} of the {size:,} characters of {corpus.source}, evenly spread"] * parts
        for note in (*corpus.notes, *told):
            warnings.warn(note, stacklevel=2)
        if not parts:
            return self.score_text("".join(corpus.parts(0, size))).metrics
        return evaluation_of(self.model, self.tokenizer, self._stretches(corpus, most)).metrics

    def _stretches(self, corpus: AnyCorpus, most: int) -> Iterator[tuple[TokenArray, int]]:
        """Stretches of a text, each after what stands before the beginning of a text and some of what comes before."""
        opening, before = self.writer.encoded("", WritingSection()), max(BEFORE, self.configuration.network.context)
        for start, stop in spread_stretches(corpus.characters, most):
            read = self.tokenizer.encode("".join(corpus.parts(max(0, start - before), start)))
            own = self.tokenizer.encode("".join(corpus.parts(start, stop)))
            yield np.concatenate([opening, read, own]), len(opening) + len(read)

    def score_text(self, text: str) -> Scored:
        """The same for a text as it is.

        Args:
            text: The text.
        """
        if not text:
            raise DataError("there is no text to score")
        small = text.lower() if self.configuration.corpus.lowercase else text
        opening, own = self.writer.encoded("", WritingSection()), self.tokenizer.encode(small)
        evaluation = evaluation_of(self.model, self.tokenizer, [(np.concatenate([opening, own]), len(opening))])
        return Scored(small, own, evaluation.details, evaluation.metrics)

    def artefact(self, metrics: dict[str, Any]) -> Artefact:
        """All it knows, and how good it is."""
        values, arrays = self.model.state()
        document = {**document_of(self, metrics), "model": values}
        return Artefact("generate", document, arrays, {VOCABULARY: self.tokenizer.document()}, _card(self, metrics))

    @classmethod
    def restore(cls, artefact: Artefact) -> "LearnedGenerator":
        """The generator that a model folder holds.

        Raises:
            UnsafeFileError: The folder's documents contradict each other.
        """
        document = artefact.document
        with of_a_model_folder():
            rung, configuration = str(document["rung"]), Configuration.model_validate(document["config"])
            tokenizer = Tokenizer.restore(artefact.files[VOCABULARY])
            require_finite(artefact.arrays)
            model = _model(rung, document["model"], artefact.arrays, len(tokenizer))
            about, note = dict(document["data"]), str(document["note"])
            require_kinds(about, _ABOUT)
            return cls(rung, configuration, model, tokenizer, about, note)


def _free(name: str, frame: pl.DataFrame) -> str:
    while name in frame.columns:
        name = f"written {name}"
    return name


def _model(rung: str, values: dict[str, Any], arrays: dict[str, np.ndarray], tokens: int) -> Model:
    if rung == UNIFORM:
        return UniformModel(tokens)
    if rung in (UNIGRAM, NGRAM):
        return CountModel(_counts(int(values["order"]), arrays, tokens))
    if rung == MIXTURE:
        members = []
        require_few(values["members"])
        for number, own in enumerate(values["members"]):
            if own["rung"] == MIXTURE:
                raise ValueError("a mixture is not made of mixtures")
            prefix = f"members/{number}/"
            known = {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
            members.append(_model(str(own["rung"]), own["model"], known, tokens))
        weights = arrays["weights"].astype(np.float64)
        if weights.shape != (len(members),) or (weights < 0).any() or abs(weights.sum() - 1) > 1e-6:
            raise ValueError("the weights of a mixture are shares")
        return MixtureModel(tuple(str(own["rung"]) for own in values["members"]), tuple(members), weights)
    if rung not in NETWORKS:
        raise UnsafeFileError(f'the model folder names a rung "{rung}" that this version does not know')
    section = LanguageSection.model_validate(values["network"])
    if int(values["tokens"]) != tokens:
        raise ValueError("its network reads other tokens than its vocabulary has")
    lookback = values.get("lookback")
    if lookback is not None and not 1 <= int(lookback) <= 10_000:
        raise ValueError("a window has some tokens")
    every_place = lookback is None
    network = load_network(lambda: build_network(rung, tokens, section, every_place=every_place), arrays)
    own = cast(LanguageNetwork, network)
    return NetworkModel(own, section) if lookback is None else WindowModel(own, section, int(lookback))


def _counts(order: int, arrays: dict[str, np.ndarray], tokens: int) -> KneserNey:
    if not 1 <= order <= _LONGEST:
        raise ValueError(f"n-grams have 1 to {_LONGEST} tokens")
    levels: list[Level] = []
    contexts = 1
    for number in range(order):
        keys, counts = (arrays[f"{number}/{name}"].astype(np.int64) for name in ("keys", "counts"))
        if keys.ndim != 1 or not len(keys) or counts.shape != keys.shape or not (keys[1:] > keys[:-1]).all():
            raise ValueError("n-grams stand in order, each with a count")
        if keys[0] < 0 or keys[-1] >= contexts * tokens or (counts < 1).any():
            raise ValueError("n-grams are made of those one token shorter, and occur")
        levels.append(Level(keys, counts, contexts, tokens))
        contexts = len(keys)
    return KneserNey(tuple(levels))


def _card(learned: LearnedGenerator, metrics: dict[str, Any]) -> str:
    """The model card."""
    about, tokenizer, source = learned.about, learned.tokenizer, source_name(learned.about["source"])
    own = Card(
        heading=f"Generator of {source}",
        facts={"Writes": f"{pieces(tokenizer.kind)}, {len(tokenizer):,} different ones"},
        data={"Source": f"{source}, {sum(about['characters'].values()):,} characters, spans in their order"},
        spans=about["characters"],
        dropped={},
        limits=[
            "It writes what resembles its training, and may recite passages of it: look before you publish.",
            "What it writes is likely, not true; nothing is looked up, and nothing is left out that may offend.",
            f"It knows the {pieces(tokenizer.kind)} of its training alone; others in a prompt count as unknown.",
            "Bits per character were measured on the end of the same text: of other texts it foresees less.",
        ],
        command="foretell generate FOLDER --prompt TEXT --temperature 0.5",
        answer='["a beginning"], temperature=0.5',
        body=("application/json", """-d '{"prompts": ["a beginning"], "temperature": 0.5}'"""),
        measured={"bits per token": "bits_per_token", "perplexity": "perplexity"},
    )
    return card(learned, RUNGS[learned.rung], own, replace(MEASURE, columns=lambda metrics: {}), metrics)
