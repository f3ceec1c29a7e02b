"""Classifying as a task: what the ladder, the predictor and the command line call."""

import warnings
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Int64
from torch import Tensor

from ...artefact import Artefact
from ...data.corpora import Corpus, Texts, read_texts, share_out
from ...data.storage import Chosen, TokenFile
from ...errors import DataError, UsageError
from ...evaluation.calibration import find_temperature, probabilities
from ...evaluation.classification import Judged
from ...evaluation.panels import Panel
from ...nn import NgramEmbedding, TextNetwork, recurrence
from ...training.group import Group
from ...training.losses import Loss, class_loss
from ...training.sampling import Sampler, evenly_spread
from ...training.seeds import seeded
from ..interface import Attempt, Evaluation, Exported, Probe, Start
from ..rung import Rung, climbed
from ..training import begin_with, nothing_to_go_on, train_network
from .config import MEASURE, RUNGS, ClassifyTraining, Configuration
from .exporting import FORMS, export
from .judging import evaluation_of
from .learned import LearnedClassifier, outputs_of
from .linear import Linear, fit_linear
from .models import EnsembleModel, LinearModel, Member, Model, NetworkModel, ShareModel, by_length
from .ngrams import drawn, frequent, naive_bayes_factors
from .panels import classify_panels
from .prepare import Before, PreparedTexts, prepare
from .rungs import ENSEMBLE, LINEAR, MAJORITY, NETWORKS, TextShape, build_network, unread, with_vectors

_COMPARED = 2000  # texts that both programs label after an export
_NGRAMS = {"words": 2, "bpe": 2, "characters": 5}


class TextExamples:
    """The texts of a corpus, as the training loop draws them.

    Args:
        prepared: The texts, with a rung's own options.
    """

    def __init__(self, prepared: PreparedTexts) -> None:
        self.prepared, self.reader = prepared, prepared.reader()
        self.training, self.validation = prepared.corpus.of("train"), prepared.corpus.of("validation")

    def batch(self, positions: Int64[np.ndarray, " batch"]) -> tuple[tuple[Tensor, ...], Tensor]:
        """Tokens, lengths and labels of some training texts."""
        return self._batch(self.training[positions])

    def validate(self, network: Any, loss: Loss, device: torch.device, group: Group) -> dict[str, float]:
        """The mean loss over all validation texts."""
        total, own = 0.0, self.validation[group.share(len(self.validation))]
        for some in by_length(self.lengths(own).tolist()):
            inputs, targets = self._batch(own[some])
            total += loss(network(*(part.to(device) for part in inputs)), targets.to(device)).item() * len(targets)
        (whole,) = group.sums(total)
        return {"loss": whole / len(self.validation)}

    def lengths(self, numbers: Int64[np.ndarray, " text"]) -> Int64[np.ndarray, " text"]:
        """How many tokens are read of some texts."""
        return self.reader.lengths(self.prepared.tokens.lengths[numbers])

    def _batch(self, numbers: Int64[np.ndarray, " batch"]) -> tuple[tuple[Tensor, ...], Tensor]:
        batch = self.reader.batch(self.prepared.tokens, numbers)
        return tuple(batch), torch.from_numpy(self.prepared.corpus.texts.targets[numbers])


class ClassifyTask:
    """Label texts."""

    name = "classify"
    configuration = Configuration
    rungs: dict[str, Rung] = RUNGS
    measure = MEASURE
    forms = FORMS

    def prepare(self, source: object, configuration: Configuration, start: Start | None = None) -> PreparedTexts:
        """Reads texts and learns what the rungs share, or takes it from a model to start from."""
        if start is None:
            return _checked(prepare(source, configuration))
        fitted = start.fitted
        if not isinstance(fitted.model, NetworkModel):
            raise nothing_to_go_on(start)
        if start.rescale:
            raise UsageError("--rescale means nothing to texts: their vocabulary is the model's")
        tokens = fitted.model.network.embedding.tokens
        return _checked(prepare(source, configuration, Before(fitted.vocabulary, tokens, fitted.labels, fitted.seen)))

    def reconfigured(self, prepared: PreparedTexts, configuration: Configuration) -> PreparedTexts:
        """The same texts under other options."""
        return _checked(replace(prepared, configuration=configuration))

    def folds(self, prepared: PreparedTexts) -> list[PreparedTexts]:
        """The texts themselves: there is one test."""
        return [prepared]

    def fit(self, prepared: PreparedTexts, rung: str, attempt: Attempt) -> LearnedClassifier:
        """Learns one rung; a network goes on from its last checkpoint in the attempt's folder."""
        own = prepared.of_rung(RUNGS[rung].options)
        if rung == MAJORITY:
            shares = own.shares(own.corpus.of("train"))
            model = ShareModel(shares, own.exclusive)
            often = [label for label, share in zip(own.labels, shares, strict=True) if share > 0.5]
            first = own.labels[int(shares.argmax())]
            said = first if own.exclusive else ", ".join(often) or "no label"
            note = f"always {said}; {shares.max():.1%} of training have {first}, the most frequent"
            return _learned(own, rung, model, note, calibrated=False)
        if rung in LINEAR:
            return _learned(own, rung, *_fit_linear(own, rung))
        if rung == ENSEMBLE:
            return _combined(own, attempt)
        return _trained(own, rung, attempt)

    def evaluate(self, prepared: PreparedTexts, fitted: LearnedClassifier, span: str) -> Evaluation:
        """Judges a rung on one span."""
        numbers = prepared.corpus.of(span)
        likely = fitted.probabilities(Chosen(prepared.tokens, numbers))
        truth = prepared.truth(numbers)
        own = {"exclusive": fitted.exclusive, "intervals": span == "test"}
        return evaluation_of(fitted.labels, likely, truth, numbers, **own)

    def judge(self, fitted: LearnedClassifier, source: object) -> dict[str, Any]:
        """Judges a rung on the test span of its own texts, or on all of other texts."""
        texts, own = _read_again(fitted, source)
        tokens = TokenFile.of(fitted.vocabulary.encode(texts.texts[number] for number in range(len(texts.texts))))
        numbers, span = (np.arange(len(texts.texts)), "all") if own is None else (own.of("test"), "test")
        old = texts.among(fitted.seen)[numbers]
        if own is not None:
            numbers = numbers[~old]  # what a model learned from before its training went on
        elif old.any():
            told = f"{int(old.sum())} of the {len(numbers)} texts are among those that {fitted.rung} learned from"
            warnings.warn(told, stacklevel=2)
        truth = texts.truth(numbers)
        likely = fitted.probabilities(Chosen(tokens, numbers))
        metrics = evaluation_of(fitted.labels, likely, truth, numbers, exclusive=fitted.exclusive).metrics
        return {"span": span, "metrics": metrics}

    def probe(self, fitted: LearnedClassifier, source: object, count: int) -> Probe | None:
        """A network and some texts of validation or of other texts, cut to one length: half of them are as long."""
        if not isinstance(fitted.model, NetworkModel):
            return None
        reader, (texts, own) = fitted.model.reader, _read_again(fitted, source)
        numbers, span = (np.arange(len(texts.texts)), "all") if own is None else (own.of("validation"), "validation")
        numbers = numbers[evenly_spread(len(numbers), 2 * count)]
        pieces = [reader.cut(own) for own in fitted.vocabulary.encode(texts.texts[int(number)] for number in numbers)]
        length = int(np.median([len(own) for own in pieces]))
        chosen = [place for place, own in enumerate(pieces) if len(own) >= length][:count]
        batch = reader.filled([pieces[place][-length:] if reader.front else pieces[place][:length] for place in chosen])
        targets = torch.from_numpy(texts.targets[numbers[chosen]])
        loss = class_loss(len(fitted.labels), exclusive=fitted.exclusive)
        return Probe(fitted.model.network, tuple(batch), targets, loss, span)

    def export(self, fitted: LearnedClassifier, form: str, folder: Path, source: object) -> Exported:
        """Writes a classifier for another program, and has both label the texts of test, or other texts."""
        if source is None:
            return export(fitted, folder, [])
        texts, own = _read_again(fitted, source)
        numbers = np.arange(len(texts.texts)) if own is None else own.of("test")
        chosen = numbers[evenly_spread(len(numbers), _COMPARED)]
        return export(fitted, folder, list(fitted.vocabulary.encode(texts.texts[int(number)] for number in chosen)))

    def restore(self, artefact: Artefact) -> LearnedClassifier:
        """The classifier that a model folder holds."""
        return LearnedClassifier.restore(artefact)

    def panels(
        self,
        prepared: PreparedTexts,
        learned: Mapping[str, LearnedClassifier],
        kept: str,
        evaluations: dict[str, Evaluation],
        reference: str,
    ) -> list[Panel]:
        """Confusion, reliability, the most confident mistakes, texts and vocabulary."""
        return classify_panels(prepared, learned[kept], evaluations, reference)


def _read_again(fitted: LearnedClassifier, source: object) -> tuple[Texts, Corpus | None]:
    """Texts with the labels that a classifier knows, and their spans where they are those of its training."""
    configuration = fitted.configuration
    section = configuration.texts
    try:
        texts = read_texts(source, section, fitted.labels)
    except DataError as error:
        if section.span_column is None or error.details.get("column") != section.span_column:
            raise
        texts = read_texts(source, section.model_copy(update={"span_column": None}), fitted.labels)
    if texts.fingerprint != fitted.about["fingerprint"]:
        return texts, None
    return texts, share_out(texts, configuration.spans, configuration.training.seed, known=True)


def _trained(prepared: PreparedTexts, rung: str, attempt: Attempt) -> LearnedClassifier:
    """A network that has learned."""
    configuration = prepared.configuration
    section, examples = configuration.training.seeded(attempt.seed), TextExamples(prepared)
    network, made = _network(prepared, rung, section, attempt.start)
    if isinstance(network.embedding, NgramEmbedding):
        network.embedding.sparse = section.optimiser == "lazy-adam" and not section.clip
    lengths = examples.lengths(examples.training)
    count = len(examples.training)
    sampler = Sampler(count, section.batch_size, section.steps_per_epoch, section.seed, lengths=lengths)
    loss = class_loss(
        len(prepared.labels),
        exclusive=prepared.exclusive,
        weights=prepared.class_weights(),
        smoothing=section.label_smoothing,
    )
    result, note = train_network(network, examples, loss, sampler, section, attempt)
    model = NetworkModel(network, examples.reader, configuration.network)
    learned = _learned(prepared, rung, model, "; ".join(filter(None, (note, *made))))
    if attempt.start:
        learned = replace(learned, seen=np.union1d(learned.seen, attempt.start.fitted.seen))
    return replace(learned, history=result.history, rates=result.rates)


def _network(
    prepared: PreparedTexts, rung: str, section: ClassifyTraining, start: Start | None
) -> tuple[TextNetwork, list[str]]:
    """A network as its training begins, and notes on what was made of the options."""
    options, vectors = prepared.configuration.network, prepared.vectors
    outputs = outputs_of(len(prepared.labels), exclusive=prepared.exclusive)
    shape = TextShape(prepared.known, outputs, prepared.configuration.tokens.length, options.embedding)
    if start is not None:
        before: TextNetwork = start.fitted.model.network
        known = len(before.embedding.table) if isinstance(before.embedding, NgramEmbedding) else 0
        network = build_network(rung, replace(shape, embedding=before.embedding.width, known=known), options)
        begin_with(network, before, start)
        return network, []
    if NETWORKS[rung].counts:
        return _counting(prepared, rung, shape, section.seed)
    with seeded(section.seed):
        network = build_network(rung, shape if vectors is None else replace(shape, embedding=vectors.width), options)
    return network, [_with_vectors(network, prepared)]


def _counting(prepared: PreparedTexts, rung: str, shape: TextShape, seed: int) -> tuple[TextNetwork, list[str]]:
    """A network with vectors for the n-grams that training holds twice, weighted where that was asked for."""
    configuration, reader = prepared.configuration, prepared.reader()
    options, vectors = configuration.network, prepared.vectors
    whole = Chosen(prepared.tokens, prepared.corpus.of("train"))
    counted = drawn(whole, options.ngrams, configuration.linear.ngram_count, prepared.seed)
    known = np.zeros(0, np.int64)
    if options.ngrams > 1:
        known = frequent([reader.known(tokens) for tokens in counted], options.ngrams, 2, options.buckets)
    width = shape.embedding if vectors is None else vectors.width
    with seeded(seed):
        network = build_network(rung, replace(shape, embedding=width, known=len(known)), options)
    embedding = network.embedding
    if isinstance(embedding, NgramEmbedding):
        embedding.table.copy_(torch.from_numpy(known))
        if options.weighting == "naive-bayes":
            factors = naive_bayes_factors(embedding, reader, counted, prepared.truth(counted.numbers))
            embedding.factors.copy_(torch.from_numpy(factors))
    return network, [
        f"vectors of {len(known):,} n-grams",
        _drawn_note(counted, whole),
        _with_vectors(network, prepared),
    ]


def _with_vectors(network: TextNetwork, prepared: PreparedTexts) -> str:
    """Gives words the vectors that a file has for them, where one was named; a note on it."""
    vectors, tokens = prepared.vectors, prepared.known
    if vectors is None:
        return ""
    trained = prepared.configuration.network.train_vectors
    with_vectors(network, vectors.values[:tokens], vectors.known[:tokens])
    network.embedding.weight.requires_grad_(trained)
    stay = "" if trained else ", which stay as they are"
    return f"vectors of {int(vectors.known[:tokens].sum()):,} of {tokens:,} words from a file{stay}"


def _fit_linear(prepared: PreparedTexts, rung: str) -> tuple[Model, str]:
    """A linear baseline, its strength chosen on validation."""
    validation = prepared.corpus.of("validation")
    section = prepared.configuration.linear
    ngrams = 1 if rung == "tfidf" else section.linear_ngrams or _NGRAMS[prepared.vocabulary.kind]
    whole = Chosen(prepared.tokens, prepared.corpus.of("train"))
    training = drawn(whole, ngrams, section.ngram_count, prepared.seed)
    truth, checked = prepared.truth(validation), Chosen(prepared.tokens, validation)

    def error(linear: Linear) -> float:
        likely = probabilities(LinearModel(linear).scores(checked), exclusive=prepared.exclusive)
        return float(Judged(prepared.labels, likely, truth, prepared.exclusive).losses.mean())

    columns = [1] if prepared.exclusive and len(prepared.labels) == 2 else list(range(len(prepared.labels)))
    linear, strength = fit_linear(rung, ngrams, training, prepared.truth(training.numbers), columns, error)
    note = f"{len(linear.keys):,} n-grams, strength {strength:g} of the fit chosen on validation"
    return LinearModel(linear), "; ".join(filter(None, (note, _drawn_note(training, whole))))


def _drawn_note(training: Chosen, whole: Chosen) -> str:
    """Which texts n-grams were counted in, where not in all."""
    if len(training) == len(whole):
        return ""
    return f"n-grams of {len(training):,} of {len(whole):,} texts, drawn at random (--ngram-count)"


def _combined(prepared: PreparedTexts, attempt: Attempt) -> LearnedClassifier:
    """The mean of other rungs."""
    if not attempt.members:
        raise UsageError(
            f"{ENSEMBLE} is the mean of other rungs, which a comparison trains: foretell compare classify DATA",
            rung=ENSEMBLE,
        )
    members = tuple(Member(name, own.model, own.temperature) for name, own in attempt.members.items())
    return _learned(
        prepared, ENSEMBLE, EnsembleModel(members, prepared.exclusive), f"mean of {', '.join(attempt.members)}"
    )


def _learned(
    prepared: PreparedTexts, rung: str, model: Model, note: str, *, calibrated: bool = True
) -> LearnedClassifier:
    """A model with the temperature that validation asks for."""
    texts, validation = prepared.corpus.texts, prepared.corpus.of("validation")
    temperature = 1.0
    if calibrated:
        scores = model.scores(Chosen(prepared.tokens, validation))
        temperature = find_temperature(scores, prepared.truth(validation), exclusive=prepared.exclusive)
    vocabulary = prepared.vocabulary
    if isinstance(model, NetworkModel):
        vocabulary = vocabulary.first(model.network.embedding.tokens)
    about = {
        "source": texts.source,
        "fingerprint": texts.fingerprint,
        "texts": prepared.counts,
        "dropped": prepared.dropped,
        "text_column": texts.column,
    }
    known = (prepared.labels, temperature, about, note)
    return LearnedClassifier(rung, prepared.configuration, model, vocabulary, *known, seen=prepared.corpus.learned_from)


def _checked(prepared: PreparedTexts) -> PreparedTexts:
    """The same, its networks checked and the options that none of its rungs reads noted."""
    configuration = prepared.configuration
    rungs = climbed(configuration.run, RUNGS)
    for rung in rungs:
        if rung in NETWORKS:
            own = prepared.of_rung(RUNGS[rung].options)
            with torch.device("meta"), torch.no_grad():
                shape = TextShape(3, 1, 1, own.configuration.network.embedding)
                build_network(rung, shape, own.configuration.network)
            if configuration.training.kernel == "torch":  # whose layers lack some of what ours can do
                tokens, lengths = torch.ones(1, 1, dtype=torch.int64), torch.ones(1, dtype=torch.int64)
                with seeded(0), recurrence("torch"), torch.no_grad():
                    build_network(rung, shape, own.configuration.network)(tokens, lengths)
    return replace(prepared, idle=tuple(unread(configuration, rungs)))


task = ClassifyTask()
