"""A translator that has learned: what it needs to translate again, on another machine, from a folder alone."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

import numpy as np
import polars as pl

from ...artefact import Artefact
from ...data.joint import UNKNOWN, JointVocabulary
from ...data.unlabelled import read_unlabelled
from ...errors import ConfigurationError, UnsafeFileError, counted
from ...nn import EncoderDecoder
from ...training.curves import RangeTest
from ...training.seeds import steady
from ..asking import asked_section
from ..cards import Card, card, document_of, source_name
from ..weights import load_network, of_a_model_folder, require_finite, require_kinds
from .config import (
    MEASURE,
    RUNGS,
    Configuration,
    EncoderDecoderSection,
    Translating,
    TranslatingSection,
    bleu_alone,
    signed_alone,
)
from .models import Answer, Asked, CopyModel, DictionaryModel, Model, NetworkModel
from .rungs import COPY, DICTIONARY, NETWORKS, build_network

VOCABULARY = "vocabulary.json"
LONGEST = 100_000  # tokens of a target from a model folder
SPARE = 10  # tokens that a translation may have more than any in training
_ABOUT = {"source": str, "fingerprint": str, "languages": list[str], "pairs": dict[str, int], "longest": int}
STRANGE = 0.1  # share of unknown tokens of texts that a model does not understand


@dataclass(frozen=True)
class LearnedTranslator:
    """One rung, learned.

    Attributes:
        rung: Its name on the ladder.
        configuration: All options of its training.
        model: What translates.
        vocabulary: What cuts texts.
        about: The pairs that it learned from.
        note: What it chose or found, in a sentence.
        history: One record for each epoch of its training.
        rates: What the search for a learning rate found, where one was asked for.
    """

    rung: str
    configuration: Configuration
    model: Model
    vocabulary: JointVocabulary
    about: dict[str, Any]
    note: str = ""
    history: list[dict[str, Any]] = field(default_factory=list)
    rates: RangeTest | None = None

    @property
    def encoding(self) -> str:
        """How the pairs of the training were encoded."""
        return self.configuration.pairs.encoding

    @property
    def parameters(self) -> int:
        """How many numbers it learned."""
        return self.model.parameters

    @property
    def language(self) -> str:
        """The language of targets, as far as it is known."""
        return self.configuration.search.language or str(self.about["languages"][1])

    @property
    def longest(self) -> int:
        """Most tokens of a translation where nobody says it: a few more than the longest target of training has."""
        return int(self.about["longest"]) + SPARE

    def with_history(self, history: list[dict[str, Any]], rates: RangeTest | None) -> "LearnedTranslator":
        """The same with what a model folder does not hold: its curve, and the rates that were tried."""
        return replace(self, history=history, rates=rates)

    def translations(self, texts: Sequence[str], section: TranslatingSection) -> list[list[Answer]]:
        """The translations of each text, the best first; an empty text has an empty one.

        Args:
            texts: What is translated.
            section: How.
        """
        tidy = [" ".join(text.split()) for text in texts]
        full = [place for place, text in enumerate(tidy) if text]
        if not isinstance(self.model, NetworkModel) and (idle := sorted(section.unusual())):
            told = ", ".join(f"--{name.replace('_', '-')}" for name in idle)
            warnings.warn(f"{self.rung} looks for one translation, and has no use for {told}", stacklevel=2)
        self._warn_of_strange([tidy[place] for place in full])
        found = [[Answer("")] for _ in tidy]
        if len(full) < len(tidy):
            warnings.warn(f"{counted(len(tidy) - len(full), 'text')} without any letter stay empty", stacklevel=2)
        with steady(self.parameters):
            own = self.model.translations([tidy[place] for place in full], self.vocabulary, self.asked(section))
        for place, answers in zip(full, own, strict=True):
            found[place] = answers or [Answer("")]
        return found

    def asked(self, section: TranslatingSection) -> Asked:
        """How translations are looked for: what is not named is as the model was judged."""
        search = self.configuration.search
        beam = 1 if section.greedy else section.beam or max(search.beam, section.n_best)
        penalty = search.length_penalty if section.length_penalty is None else section.length_penalty
        return Asked(beam, penalty, section.max_length or self.longest, section.copy_unknown, section.n_best)

    def unknown(self, texts: Sequence[str]) -> float:
        """The share of the tokens of texts that training never saw."""
        tokens = self.vocabulary.encode(texts)
        return sum(int((own == UNKNOWN).sum()) for own in tokens) / max(1, sum(map(len, tokens)))

    def _warn_of_strange(self, texts: Sequence[str]) -> None:
        share = self.unknown(texts)
        if share >= STRANGE:
            warnings.warn(
                f"{share:.0%} of the tokens are unknown to the model, which never saw them in training: is this the "
                f"language that it reads{self._named()}?".replace("%", " %", 1),
                stacklevel=3,
            )

    def _named(self) -> str:
        return f" ({self.about['languages'][0]})" if self.about["languages"][0] else ""

    def answer(self, texts: Sequence[str], **options: Any) -> pl.DataFrame:
        """The translations of texts: a row for each, or with ``n_best`` several rows of a text.

        Args:
            texts: What is translated.
            **options: How.
        """
        section = translating_section(options)
        rows = [
            (text, answer.text, rank, answer.score)
            for text, answers in zip(texts, self.translations(texts, section), strict=True)
            for rank, answer in enumerate(answers, 1)
        ]
        schema = {"source": pl.String, "translation": pl.String, "rank": pl.Int64, "score": pl.Float64}
        frame = pl.DataFrame(rows, schema=schema, orient="row")
        return frame if section.n_best > 1 else frame.drop("rank")

    def predict(
        self, source: object, *, text: str | None = None, encoding: str | None = None, **options: Any
    ) -> pl.DataFrame:
        """The translations of many texts: those of a list, the lines of a text file, a column of a table.

        Args:
            source: A path, a data frame, or a list of texts.
            text: The column with the texts; found where None.
            encoding: How they are encoded; as the pairs of the training where None.
            **options: How they are translated.

        Raises:
            DataError: There is no such file.
        """
        usual = self.configuration.pairs.source or "source"
        texts, beside = read_unlabelled(source, text, encoding or self.encoding, usual)
        answers = self.answer(texts, **options)
        if beside is None:
            return answers
        own = answers.drop("source")
        if "rank" in own.columns:  # the columns of a table stand beside each translation of a row
            rows = (own["rank"] == 1).cum_sum() - 1
            beside = beside[rows.to_list()]
        return pl.concat([beside, own.rename({name: _free(name, beside) for name in own.columns})], how="horizontal")

    def artefact(self, metrics: dict[str, Any]) -> Artefact:
        """All it knows, and how good it is."""
        values, arrays = self.model.state()
        document = {**document_of(self, metrics), "model": values}
        return Artefact("translate", document, arrays, {VOCABULARY: self.vocabulary.document()}, _card(self, metrics))

    @classmethod
    def restore(cls, artefact: Artefact) -> "LearnedTranslator":
        """The translator that a model folder holds.

        Raises:
            UnsafeFileError: The folder's documents contradict each other.
        """
        document = artefact.document
        with of_a_model_folder():
            rung, configuration = str(document["rung"]), Configuration.model_validate(document["config"])
            vocabulary = JointVocabulary.restore(artefact.files[VOCABULARY])
            require_finite(artefact.arrays)
            model = _model(rung, document["model"], artefact.arrays, len(vocabulary))
            about, note = dict(document["data"]), str(document["note"])
            require_kinds(about, _ABOUT)
            if len(about["languages"]) != 2 or not 1 <= about["longest"] <= LONGEST:
                raise ValueError("it translates between two languages, and a target of training has some tokens")
            return cls(rung, configuration, model, vocabulary, about, note)


def translating_section(
    options: Mapping[str, object], environment: Mapping[str, str] | None = None
) -> TranslatingSection:
    """The options of translating, checked.

    Args:
        options: By name.
        environment: What options that were not named may come from; nothing where None.

    Raises:
        UsageError: There is no such option.
        ConfigurationError: One breaks its rule, or two exclude each other.
    """
    section = asked_section(Translating, TranslatingSection, options, environment, "translating")
    if section.greedy and (section.beam or 1) > 1:
        raise ConfigurationError(f"--greedy follows one translation, --beam {section.beam} several; leave one away")
    followed = 1 if section.greedy else section.beam
    if followed is not None and section.n_best > followed:
        raise ConfigurationError(
            f"--n-best {section.n_best} asks for more translations than are followed ({followed}); say --beam "
            f"{section.n_best}",
            option="n_best",
        )
    return section


def _free(name: str, frame: pl.DataFrame) -> str:
    while name in frame.columns:
        name = f"found {name}"
    return name


def _model(rung: str, values: dict[str, Any], arrays: dict[str, np.ndarray], tokens: int) -> Model:
    if rung == COPY:
        return CopyModel()
    if rung == DICTIONARY:
        words = values["words"]
        if not isinstance(words, dict) or not all(isinstance(own, str) for own in words.values()):
            raise ValueError("a dictionary has a word for each word")
        return DictionaryModel(words)
    if rung not in NETWORKS:
        raise UnsafeFileError(f'the model folder names a rung "{rung}" that this version does not know')
    section = EncoderDecoderSection.model_validate(values["network"])
    if int(values["tokens"]) != tokens:
        raise ValueError("its network reads other tokens than its vocabulary has")
    network = load_network(lambda: build_network(rung, tokens, section), arrays)
    return NetworkModel(cast(EncoderDecoder, network), section)


def _card(learned: LearnedTranslator, metrics: dict[str, Any]) -> str:
    """The model card."""
    about, source, kind = learned.about, source_name(learned.about["source"]), learned.vocabulary.kind
    between = " to ".join(about["languages"]) if all(about["languages"]) else "one sequence to another"
    alone = replace(MEASURE, text=bleu_alone, columns=lambda metrics: {}, signed=signed_alone)
    own = Card(
        heading=f"Translator of {source}",
        facts={"Translates": between, "Reads and writes": f"{len(learned.vocabulary):,} {kind}"},
        data={"Source": f"{source}, {sum(about['pairs'].values()):,} pairs"},
        spans=about["pairs"],
        dropped={},
        limits=[
            "It translates what resembles its training, and may leave out or invent what does not.",
            f"What its {kind} do not cover is unknown to it, and copied at best.",
            f"It writes at most {learned.longest:,} tokens; its training held nothing longer.",
            "It reads one sentence at a time, and knows nothing of those before.",
        ],
        command='foretell translate FOLDER "a text"',
        answer='["a text"]',
        body=("application/json", """-d '{"texts": ["a text"]}'"""),
        measured={"BLEU as papers print it": "bleu_papers", "chrF": "chrf", "exactly right": "exact"},
    )
    return card(learned, RUNGS[learned.rung], own, alone, {name: _with_ends(part) for name, part in metrics.items()})


def _with_ends(part: Any) -> Any:
    """A span's metrics with BLEU's interval as that of any metric."""
    if not isinstance(part, dict) or part.get("bleu_low") is None or part.get("bleu_high") is None:
        return part
    return {**part, "intervals": {"bleu": {"low": part["bleu_low"], "high": part["bleu_high"]}}}
