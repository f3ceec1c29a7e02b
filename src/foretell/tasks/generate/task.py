"""Generating as a task: what the ladder, the predictor and the command line call."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

import numpy as np
import torch
from jaxtyping import Int64
from torch import Tensor, nn

from ...artefact import Artefact
from ...data.documents import AnyCorpus, Corpus
from ...data.stored_corpus import open_corpus
from ...data.streams import BEFORE, in_parts, pieces, spread_stretches
from ...data.text_sources import files_of
from ...data.token_spans import cut_into_tokens
from ...errors import ConfigurationError, UsageError
from ...evaluation.kneser_ney import ORDERS, count_ngrams, count_tokens
from ...evaluation.mixing import mixture_weights
from ...evaluation.panels import Panel
from ...nn import LanguageNetwork, recurrence
from ...nn.language import Forgetful
from ...training.group import Group
from ...training.losses import LOSSES, Loss
from ...training.sampling import Order, Sampler, StreamSampler, evenly_spread
from ...training.seeds import seeded
from ..interface import Attempt, Evaluation, Probe, Start
from ..rung import Rung, climbed
from ..training import begin_with, nothing_to_go_on, train_network
from .config import MEASURE, RUNGS, Configuration
from .judging import evaluation_of, nats_of
from .learned import LearnedGenerator
from .models import CountModel, MixtureModel, Model, NetworkModel, UniformModel, WindowModel, network_nats
from .panels import generate_panels
from .prepare import PreparedCorpus, about, prepare
from .rungs import MIXTURE, NETWORKS, UNIFORM, UNIGRAM, build_network, unread
from .samples import write_samples

_COUNTED = 5_000_000  # tokens of a text in a store that n-grams count where nobody says how many
_VALIDATED = 100_000  # tokens of validation that are read after each epoch


class TextExamples:
    """A text as the training loop reads it, in streams or in windows, and what a network writes after some epochs.

    Args:
        prepared: The text, with a rung's own options.
        network: What learns from it.
        seed: Where what is drawn comes from.
    """

    def __init__(self, prepared: PreparedCorpus, network: LanguageNetwork, seed: int) -> None:
        self.prepared, self.seed, self.model = prepared, seed, model_of(network, prepared)
        self.section = prepared.configuration.streams
        self.training = prepared.tokens["train"]
        before = max(BEFORE, prepared.configuration.network.context)
        self.parts = in_parts(*prepared.with_context("validation", stop=_VALIDATED), before)

    @property
    def lecture(self) -> bool:
        """Whether windows have one target each."""
        return self.section.align == "lecture"

    @property
    def order(self) -> Order:
        """Which pieces make which batch."""
        training, section = self.prepared.configuration.training, self.section
        if self.lecture:
            count = max(1, (len(self.training) - section.lookback - 1) // section.stride)
            return Sampler(count, training.batch_size, training.steps_per_epoch, self.seed)
        streams, steps = self.prepared.streams(), training.steps_per_epoch
        return StreamSampler(len(self.training), streams, section.unroll, steps, self.seed)

    def batch(self, positions: Int64[np.ndarray, " batch"]) -> tuple[tuple[Tensor, ...], Tensor]:
        """Tokens and what comes after them: after each, or after the last of a window."""
        if self.lecture:
            inputs, targets = pieces(self.training, positions * self.section.stride, self.section.lookback)
            return (torch.from_numpy(inputs),), torch.from_numpy(targets[:, -1:])
        inputs, targets = pieces(self.training, positions, self.section.unroll)
        return (torch.from_numpy(inputs),), torch.from_numpy(targets)

    def validate(self, network: Any, loss: Loss, device: torch.device, group: Group) -> dict[str, float]:
        """The mean surprise at the tokens of validation, or at the beginning of it where that is long."""
        if self.lecture:
            some = self.prepared.with_context("validation", stop=_VALIDATED // 10)
            return {"loss": float(self.model.nats(*some).mean())}
        tokens = self.parts.tokens
        nats, own = np.zeros((len(tokens), tokens.shape[1] - 1)), group.share(len(tokens))
        if own.stop > own.start:
            nats[own] = network_nats(network, tokens[own])
        (mean,) = group.sums(float(self.parts.joined(nats).mean()))
        return {"loss": mean}

    def shown(self, network: nn.Module, epoch: int) -> dict[str, Any]:
        """Samples of what the network writes, after the epochs that were chosen."""
        if epoch not in self.prepared.configuration.samples.sample_epochs:
            return {}
        return {"samples": write_samples(model_of(self.model.network, self.prepared), self.prepared, self.seed)}


class GenerateTask:
    """Write on."""

    name = "generate"
    configuration = Configuration
    rungs: dict[str, Rung] = RUNGS
    measure = MEASURE

    def prepare(self, source: object, configuration: Configuration, start: Start | None = None) -> PreparedCorpus:
        """Reads a corpus and learns its tokens, or takes those of a model to start from."""
        if start is None:
            return _checked(prepare(source, configuration))
        fitted: LearnedGenerator = start.fitted
        if not isinstance(fitted.model, NetworkModel | WindowModel):
            raise nothing_to_go_on(start)
        if start.rescale:
            raise UsageError("--rescale means nothing to texts: their tokens are the model's")
        return _checked(prepare(source, configuration, fitted.tokenizer))

    def reconfigured(self, prepared: PreparedCorpus, configuration: Configuration) -> PreparedCorpus:
        """The same text under other options."""
        return _checked(replace(prepared, configuration=configuration))

    def folds(self, prepared: PreparedCorpus) -> list[PreparedCorpus]:
        """The text itself: there is one test."""
        return [prepared]

    def fit(self, prepared: PreparedCorpus, rung: str, attempt: Attempt) -> LearnedGenerator:
        """Learns one rung; a network goes on from its last checkpoint in the attempt's folder."""
        own = prepared.of_rung(RUNGS[rung].options)
        if rung in NETWORKS:
            return _trained(own, rung, attempt)
        if rung == MIXTURE:
            return _mixed(own, attempt)
        model, note = _counted(own, rung)
        return LearnedGenerator(rung, own.configuration, model, own.tokenizer, about(own), note)

    def evaluate(self, prepared: PreparedCorpus, fitted: LearnedGenerator, span: str) -> Evaluation:
        """Judges a rung on one span."""
        return evaluation_of(fitted.model, fitted.tokenizer, prepared.judged(span))

    def judge(self, fitted: LearnedGenerator, source: object) -> dict[str, Any]:
        """Judges a rung on the test span of its own text, or on all of another."""
        corpus, own = _read_again(fitted, source)
        if own is None:
            return {"span": "all", "metrics": fitted.judge_corpus(corpus)}
        return {"span": "test", "metrics": self.evaluate(own, fitted, "test").metrics}

    def probe(self, fitted: LearnedGenerator, source: object, count: int) -> Probe | None:
        """A network and some windows of validation, or of another text; it says what follows the last token of each."""
        if not isinstance(fitted.model, NetworkModel | WindowModel):
            return None
        corpus, own = _read_again(fitted, source)
        tokens = (
            fitted.tokenizer.encode(corpus.beginning(0, corpus.characters)) if own is None else own.tokens["validation"]
        )
        section = fitted.configuration.streams
        length = min(max(2, section.lookback), len(tokens) - 1)
        starts = evenly_spread(len(tokens) - length, count)
        inputs, targets = pieces(tokens, starts, length)
        network = Forgetful(fitted.model.network, last=True)
        given, asked = torch.from_numpy(inputs), torch.from_numpy(targets[:, -1:])
        return Probe(network, (given,), asked, LOSSES["cross-entropy"], "all" if own is None else "validation")

    def restore(self, artefact: Artefact) -> LearnedGenerator:
        """The generator that a model folder holds."""
        return LearnedGenerator.restore(artefact)

    def panels(
        self,
        prepared: PreparedCorpus,
        learned: Mapping[str, LearnedGenerator],
        kept: str,
        evaluations: dict[str, Evaluation],
        reference: str,
    ) -> list[Panel]:
        """Samples, surprise and the corpus."""
        return generate_panels(prepared, learned, kept, evaluations, reference)


def model_of(network: LanguageNetwork, prepared: PreparedCorpus) -> NetworkModel | WindowModel:
    """What says what comes next with a network that was trained as the options say."""
    section, streams = prepared.configuration.network, prepared.configuration.streams
    if streams.align == "lecture":
        return WindowModel(network, section, streams.lookback)
    return NetworkModel(network, section)


def _read_again(fitted: LearnedGenerator, source: object) -> tuple[AnyCorpus, PreparedCorpus | None]:
    """A text, and where it is that of a generator's training its spans and tokens."""
    configuration = fitted.configuration
    # What is not a file cannot go through a store, wherever the text of the training lay.
    store = configuration.corpus.store if files_of(source) is not None else "no"
    section = configuration.corpus.model_copy(update={"cache_dir": None, "store": store})
    corpus = open_corpus(source, section)
    if corpus.fingerprint != fitted.about["fingerprint"]:
        return corpus, None
    cut = cut_into_tokens(corpus, section.spans, configuration.tokenizer, fitted.tokenizer)
    return corpus, PreparedCorpus(configuration, corpus, cut)


def _counted(prepared: PreparedCorpus, rung: str) -> tuple[Model, str]:
    """What learns by counting."""
    training, known = prepared.tokens["train"], len(prepared.tokenizer)
    if rung == UNIFORM:
        return UniformModel(known), f"one of {known:,} tokens"
    if rung == UNIGRAM:
        return CountModel(count_tokens(prepared.cut.counts["train"])), ""
    section = prepared.configuration.ngrams
    usual = 0 if isinstance(prepared.corpus, Corpus) else _COUNTED
    stretches = spread_stretches(len(training), usual if section.counted is None else section.counted)
    tokens = np.concatenate([training[start:stop] for start, stop in stretches]).astype(np.int64)
    order = section.order
    counted = count_ngrams(tokens, known, order or ORDERS[-1])
    if order is not None and len(counted) < order:
        raise ConfigurationError(f"training has {len(tokens)} tokens, too few for n-grams of {order}", option="order")
    models = [CountModel(own) for own in counted[(order or ORDERS[0]) - 1 :] or counted]
    counted.clear()
    best, least = models[-1], np.inf
    while models:  # the longest first, each given up before the next works out what it says
        own = models.pop()
        surprise = float(nats_of(own, prepared.judged("validation")).mean())
        best, least = (own, surprise) if surprise <= least else (best, least)
    chosen = f"order {best.counts.order}" + (", chosen on validation" if order is None else "")
    some = f", counted in {len(tokens):,} of {len(training):,} tokens" if len(tokens) < len(training) else ""
    return best, f"{chosen}, {best.parameters:,} n-grams{some}"


def _trained(prepared: PreparedCorpus, rung: str, attempt: Attempt) -> LearnedGenerator:
    """A network that has learned."""
    configuration = prepared.configuration
    section = configuration.training.seeded(attempt.seed)
    lecture = configuration.streams.align == "lecture"
    with seeded(section.seed):
        network = build_network(rung, len(prepared.tokenizer), configuration.network, every_place=not lecture)
    if attempt.start is not None:
        begin_with(network, attempt.start.fitted.model.network, attempt.start)
    examples = TextExamples(prepared, network, section.seed)
    trained = Forgetful(network, last=True) if lecture else network
    loss = LOSSES[section.loss]
    result, note = train_network(trained, examples, loss, examples.order, section, attempt)
    learned = LearnedGenerator(
        rung, configuration, model_of(network, prepared), prepared.tokenizer, about(prepared), note
    )
    return learned.with_history(result.history, result.rates)


def _mixed(prepared: PreparedCorpus, attempt: Attempt) -> LearnedGenerator:
    """A mixture of other rungs, weighted on validation."""
    if not attempt.members:
        raise UsageError(
            f"{MIXTURE} is made of other rungs, which a comparison trains: foretell compare generate DATA", rung=MIXTURE
        )
    members = {name: cast(LearnedGenerator, own).model for name, own in attempt.members.items()}
    surprise = [nats_of(model, prepared.judged("validation")) for model in members.values()]
    weights = mixture_weights(np.exp(-np.stack(surprise)))
    model = MixtureModel(tuple(members), tuple(members.values()), weights)
    note = " and ".join(f"{weight:.0%} {name}" for name, weight in zip(members, weights, strict=True))
    told = f"{note}, weighted on validation"
    return LearnedGenerator(MIXTURE, prepared.configuration, model, prepared.tokenizer, about(prepared), told)


def _checked(prepared: PreparedCorpus) -> PreparedCorpus:
    """The same, its networks checked and the options that none of its rungs reads noted."""
    configuration = prepared.configuration
    rungs = climbed(configuration.run, RUNGS)
    lecture = configuration.streams.align == "lecture"
    for rung in rungs:
        if rung in NETWORKS:
            own = prepared.of_rung(RUNGS[rung].options).configuration
            with torch.device("meta"), torch.no_grad():
                network = build_network(rung, 3, own.network, every_place=not lecture)
            if configuration.training.kernel == "torch":  # whose layers lack some of what ours can do
                with seeded(0), recurrence("torch"), torch.no_grad():
                    network = build_network(rung, 3, own.network, every_place=not lecture).train()
                    network(torch.ones(1, 2, dtype=torch.int64))
    return replace(prepared, idle=tuple(unread(configuration, rungs)))


task = GenerateTask()
