"""The task of translating: what the rooms below treat like any other task."""

from collections.abc import Mapping
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ...artefact import Artefact
from ...data.joint import PADDING
from ...data.pairs import Pairs, read_pairs
from ...errors import DataError, MissingError, UsageError
from ...evaluation.dictionary import learn_dictionary
from ...evaluation.panels import Panel
from ...nn import recurrence
from ...training.losses import LOSSES, MeanSurprise
from ...training.sampling import evenly_spread
from ...training.seeds import seeded, steady
from ..interface import Attempt, Evaluation, Exported, Probe, Start
from ..rung import Rung, climbed
from ..training import begin_with, nothing_to_go_on, train_network
from .config import MEASURE, RUNGS, Configuration
from .examples import PairExamples, filled
from .exporting import FORMS, export
from .judging import evaluation_of
from .learned import LearnedTranslator
from .models import CopyModel, DictionaryModel, NetworkModel, cased_words, words_of
from .panels import translate_panels
from .prepare import PreparedPairs, about, prepare, span_of, texts_of
from .rungs import COPY, DICTIONARY, NETWORKS, build_network, unread

MODULES = ("sacrebleu", "sacremoses")
_COMPARED = 1000  # texts that another program translates as well


class TranslateTask:
    """Write in another language."""

    name = "translate"
    configuration = Configuration
    rungs: dict[str, Rung] = RUNGS
    measure = MEASURE
    forms = FORMS

    def prepare(self, source: object, configuration: Configuration, start: Start | None = None) -> PreparedPairs:
        """Reads pairs and learns their tokens, or takes those of a model to start from."""
        require_metrics()
        if start is None:
            return _checked(prepare(source, configuration))
        fitted: LearnedTranslator = start.fitted
        if not isinstance(fitted.model, NetworkModel):
            raise nothing_to_go_on(start)
        if start.rescale:
            raise UsageError("--rescale means nothing to texts: their tokens are the model's")
        return _checked(prepare(source, configuration, fitted.vocabulary))

    def reconfigured(self, prepared: PreparedPairs, configuration: Configuration) -> PreparedPairs:
        """The same pairs under other options."""
        return _checked(replace(prepared, configuration=configuration))

    def folds(self, prepared: PreparedPairs) -> list[PreparedPairs]:
        """The pairs themselves: there is one test."""
        return [prepared]

    def fit(self, prepared: PreparedPairs, rung: str, attempt: Attempt) -> LearnedTranslator:
        """Learns one rung; a network goes on from its last checkpoint in the attempt's folder."""
        own = prepared.of_rung(RUNGS[rung].options)
        if rung == COPY:
            return _learned(own, rung, CopyModel(), "")
        if rung == DICTIONARY:
            sources, targets = own.texts("train")
            words = learn_dictionary([words_of(text) for text in sources], [cased_words(text) for text in targets])
            return _learned(own, rung, DictionaryModel(words), f"{len(words):,} words")
        return _trained(own, rung, attempt)

    def evaluate(self, prepared: PreparedPairs, fitted: LearnedTranslator, span: str) -> Evaluation:
        """Judges a rung on one span."""
        return _evaluated(fitted, prepared.pairs, prepared.of_span(span))

    def judge(self, fitted: LearnedTranslator, source: object) -> dict[str, Any]:
        """Judges a rung on the test span of its own pairs, or on all of other pairs."""
        require_metrics()
        pairs, numbers, span = _read_again(fitted, source, "test")
        return {"span": span, "metrics": _evaluated(fitted, pairs, numbers).metrics}

    def probe(self, fitted: LearnedTranslator, source: object, count: int) -> Probe | None:
        """A network and some pairs of validation, or of other pairs, whose sources are as long as most are."""
        if not isinstance(fitted.model, NetworkModel):
            return None
        pairs, numbers, span = _read_again(fitted, source, "validation")
        sources, targets = (fitted.vocabulary.encode(texts) for texts in texts_of(pairs, numbers))
        lengths = np.array([len(own) for own in sources])
        usual = np.flatnonzero(lengths == np.bincount(lengths).argmax())
        chosen = [int(own) for own in usual[evenly_spread(len(usual), count)]]
        shortest = min(len(targets[own]) for own in chosen)
        read, sizes = filled([sources[own] for own in chosen], end=True)
        written, _ = filled([targets[own][: shortest - 1] for own in chosen], begin=True)
        asked, _ = filled([targets[own][:shortest] for own in chosen])
        return Probe(fitted.model.network, (read, sizes, written), asked, LOSSES["cross-entropy"], span)

    def export(self, fitted: LearnedTranslator, form: str, folder: Path, source: object) -> Exported:
        """Writes a translator for another program, and has both translate the sources of test, or of other pairs."""
        texts: list[str] = []
        if source is not None:
            pairs, numbers, _ = _read_again(fitted, source, "test")
            texts = texts_of(pairs, numbers)[0]
        return export(fitted, form, folder, texts[:_COMPARED])

    def restore(self, artefact: Artefact) -> LearnedTranslator:
        """The translator that a model folder holds."""
        return LearnedTranslator.restore(artefact)

    def panels(
        self,
        prepared: PreparedPairs,
        learned: Mapping[str, LearnedTranslator],
        kept: str,
        evaluations: dict[str, Evaluation],
        reference: str,
    ) -> list[Panel]:
        """Translations, quality by length, attention and what was read."""
        return translate_panels(prepared, learned, kept, evaluations, reference)


def require_metrics() -> None:
    """Checks that what judges translations is installed, before anything is learned.

    Raises:
        MissingError: It is not.
    """
    missing = [name for name in MODULES if find_spec(name) is None]
    if missing:
        raise MissingError(
            f"translating is judged by {' and '.join(missing)}, not installed here: pip install 'foretell[translate]'",
            extra="translate",
        )


def _evaluated(fitted: LearnedTranslator, pairs: Pairs, numbers: np.ndarray) -> Evaluation:
    with steady(fitted.parameters):
        section = fitted.configuration.search
        texts, length = texts_of(pairs, numbers), fitted.longest
        return evaluation_of(fitted.model, fitted.vocabulary, texts, section, fitted.language, length)


def _read_again(fitted: LearnedTranslator, source: object, span: str) -> tuple[Pairs, np.ndarray, str]:
    """Pairs, the numbers of those that are judged, and what these are.

    They are those of a span where a translator learned from the same pairs, else all.

    Others need neither the training's columns nor its files of validation and test.
    """
    configuration = fitted.configuration
    section = configuration.pairs
    alone = section.model_copy(update={"validation_data": (), "test_data": ()})
    nameless = alone.model_copy(update={"source": None, "target": None, "span_column": None})
    problem: DataError | None = None
    for own in (section, alone, nameless):
        try:
            pairs = read_pairs(source, own)
        except DataError as error:
            problem = problem or error
            continue
        if pairs.fingerprint == fitted.about["fingerprint"]:
            numbers = span_of(pairs, configuration, fitted.vocabulary, span)
            if not len(numbers):
                most = configuration.pieces.max_length
                raise DataError(f"{pairs.source} has no pair of {span} that is of {most} tokens at most")
            return pairs, numbers, span
        if own is not section or section == alone:
            return pairs, np.arange(len(pairs)), "all"
    raise problem or DataError("there are no pairs")


def _learned(prepared: PreparedPairs, rung: str, model: Any, note: str) -> LearnedTranslator:
    return LearnedTranslator(rung, prepared.configuration, model, prepared.vocabulary, about(prepared), note)


def _trained(prepared: PreparedPairs, rung: str, attempt: Attempt) -> LearnedTranslator:
    """A network that has learned."""
    configuration = prepared.configuration
    section = configuration.training.seeded(attempt.seed)
    with seeded(section.seed):
        network = build_network(rung, len(prepared.vocabulary), configuration.network)
    if attempt.start is not None:
        begin_with(network, attempt.start.fitted.model.network, attempt.start)
    network.smoothing = configuration.training.label_smoothing
    examples = PairExamples(prepared, section.seed)
    order = examples.order
    result, note = train_network(network, examples, MeanSurprise(PADDING), order, section, attempt)
    if section.warmup_steps > (steps := section.epochs * order.steps):
        told = f"its warm-up of {section.warmup_steps:,} steps is longer than its training of {steps:,}"
        note = f"{note}; {told}: name fewer --warmup-steps"
    model = NetworkModel(network, configuration.network)
    if rates := [record["per_second"] for record in result.history if "per_second" in record]:
        note = f"{note}, {round(float(np.median(rates)), -1):,.0f} target tokens a second"
    return _learned(prepared, rung, model, note).with_history(result.history, result.rates)


def _checked(prepared: PreparedPairs) -> PreparedPairs:
    """The same, its networks checked and the options that none of its rungs reads noted."""
    configuration = prepared.configuration
    rungs = climbed(configuration.run, RUNGS)
    for rung in rungs:
        if rung in NETWORKS:
            own = prepared.of_rung(RUNGS[rung].options).configuration
            with torch.device("meta"), torch.no_grad():
                build_network(rung, 5, own.network)
            if configuration.training.kernel == "torch":  # whose layers lack some of what ours can do
                with seeded(0), recurrence("torch"), torch.no_grad():
                    network = build_network(rung, 5, own.network).train()
                    network(torch.ones(1, 2, dtype=torch.int64), torch.tensor([2]), torch.ones(1, 2, dtype=torch.int64))
    return replace(prepared, idle=tuple(unread(configuration, rungs)))


task = TranslateTask()
