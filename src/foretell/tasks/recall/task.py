"""Recalling as a task: what the ladder, the predictor and the command line call."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Int64
from torch import Tensor

from ...artefact import Artefact
from ...errors import UsageError
from ...evaluation.panels import Figure, Line, Panel
from ...training.group import Group
from ...training.losses import LOSSES, Loss
from ...training.sampling import Sampler, evenly_spread
from ...training.seeds import seeded
from ..interface import Attempt, Evaluation, Probe, Start
from ..rung import Rung
from ..training import train_network
from .config import MEASURE, RUNGS, Configuration
from .learned import CHUNK, LearnedRecall, build_network
from .sequences import PreparedRecall, Sequences, answers, one_hot, prepare


class RecallExamples:
    """Prepared sequences as the training loop draws them.

    Args:
        prepared: The sequences.
    """

    def __init__(self, prepared: PreparedRecall) -> None:
        self.symbols = prepared.configuration.recall.symbols
        self.training = prepared.sequences["train"]
        self.validation = prepared.sequences["validation"]

    def batch(self, positions: Int64[np.ndarray, " batch"]) -> tuple[tuple[Tensor, ...], Tensor]:
        """Inputs and answers of some training sequences."""
        inputs, targets = _tensors(self.training[positions], self.symbols)
        return (inputs,), targets

    def validate(self, network: Any, loss: Loss, device: torch.device, group: Group) -> dict[str, float]:
        """The mean loss over all validation sequences."""
        total, own = 0.0, self.validation[group.share(len(self.validation))]
        for start in range(0, len(own), CHUNK):
            inputs, targets = _tensors(own[start : start + CHUNK], self.symbols)
            total += loss(network(inputs.to(device)), targets.to(device)).item() * len(inputs)
        (whole,) = group.sums(total)
        return {"loss": whole / len(self.validation)}


class RecallTask:
    """Recall what was seen some steps before."""

    name = "recall"
    configuration = Configuration
    rungs: dict[str, Rung] = RUNGS
    measure = MEASURE

    def prepare(self, source: object, configuration: Configuration, start: Start | None = None) -> PreparedRecall:
        """Makes the sequences of all spans.

        Raises:
            UsageError: Data were named.
        """
        if source is not None:
            raise UsageError(f"{self.name} makes its own data; leave DATA away, and say --gap, --symbols or --seed")
        return prepare(configuration)

    def reconfigured(self, prepared: PreparedRecall, configuration: Configuration) -> PreparedRecall:
        """The same sequences under other options."""
        return replace(prepared, configuration=configuration)

    def folds(self, prepared: PreparedRecall) -> list[PreparedRecall]:
        """The sequences themselves: there is one test."""
        return [prepared]

    def fit(self, prepared: PreparedRecall, rung: str, attempt: Attempt) -> LearnedRecall:
        """Learns one rung; a network goes on from its last checkpoint in the attempt's folder."""
        configuration = prepared.configuration.of_rung(RUNGS[rung].options)
        about = {"fingerprint": prepared.fingerprint, "sequences": prepared.counts}
        if RUNGS[rung].kind == "baseline":
            counts = np.bincount(answers(prepared.sequences["train"]), minlength=configuration.recall.symbols)
            shares = counts / counts.sum()
            note = f"always {shares.argmax()}, which is {shares.max():.1%} of training"
            return LearnedRecall(rung, configuration, shares, about, note)
        section = configuration.training.seeded(attempt.seed)
        with seeded(section.seed):
            network = build_network(rung, configuration)
        if attempt.start:
            network.load_state_dict(attempt.start.fitted.model.state_dict())
        sampler = Sampler(prepared.counts["train"], section.batch_size, section.steps_per_epoch, section.seed)
        examples, loss = RecallExamples(prepared), LOSSES[section.loss]
        result, note = train_network(network, examples, loss, sampler, section, attempt)
        return LearnedRecall(rung, configuration, network, about, note, result.history, result.rates)

    def evaluate(self, prepared: PreparedRecall, fitted: LearnedRecall, span: str) -> Evaluation:
        """Judges a rung on one span."""
        return _judged(fitted, prepared.sequences[span])

    def judge(self, fitted: LearnedRecall, source: object) -> dict[str, Any]:
        """Judges a rung on the test span of its own data (``source`` is None), or on all rows of a table."""
        sequences = prepare(fitted.configuration).sequences["test"] if source is None else fitted.read(source)
        return {"span": "test" if source is None else "all", "metrics": _judged(fitted, sequences).metrics}

    def probe(self, fitted: LearnedRecall, source: object, count: int) -> Probe | None:
        """A network with some sequences of the validation span, or of a table."""
        if not isinstance(fitted.model, torch.nn.Module):
            return None
        own = source is None
        sequences = prepare(fitted.configuration).sequences["validation"] if own else fitted.read(source)
        chosen = sequences[evenly_spread(len(sequences), count)]
        inputs, targets = _tensors(chosen, fitted.configuration.recall.symbols)
        loss = LOSSES[fitted.configuration.training.loss]
        return Probe(fitted.model, (inputs,), targets, loss, "validation" if own else "all")

    def restore(self, artefact: Artefact) -> LearnedRecall:
        """The rung that a model folder holds."""
        return LearnedRecall.restore(artefact)

    def panels(
        self,
        prepared: PreparedRecall,
        learned: Mapping[str, LearnedRecall],
        kept: str,
        evaluations: dict[str, Evaluation],
        reference: str,
    ) -> list[Panel]:
        """What was asked, and how each symbol fared."""
        symbols = [str(symbol) for symbol in range(prepared.configuration.recall.symbols)]
        chosen = [name for name in dict.fromkeys((reference, kept)) if name in evaluations]
        lines = [Line(name, symbols, evaluations[name].details) for name in chosen]
        figure = Figure(
            "bars", "By symbol", "the answer", "share of wrong answers", lines, "Chance knows one symbol alone."
        )
        prose = " ".join(f"{message[0].upper()}{message[1:]}." for message in prepared.messages)
        return [Panel("Sequences", prose, [figure])]


def _tensors(sequences: Sequences, symbols: int) -> tuple[Tensor, Tensor]:
    return torch.from_numpy(one_hot(sequences, symbols)), torch.from_numpy(answers(sequences))[:, None]


def _judged(fitted: LearnedRecall, sequences: Sequences) -> Evaluation:
    asked = answers(sequences)
    wrong = (fitted.probabilities(sequences).argmax(axis=1) != asked).astype(np.float64)
    symbols = fitted.configuration.recall.symbols
    counts = np.bincount(asked, minlength=symbols)
    by_symbol = np.bincount(asked, wrong, symbols) / np.maximum(counts, 1)
    shown = [float(share) if count else None for share, count in zip(by_symbol, counts, strict=True)]
    error = float(wrong.mean())
    metrics = {"accuracy": 1 - error, "error": error, "count": len(sequences)}
    return Evaluation(metrics, wrong, np.arange(len(wrong)), None, shown)


task = RecallTask()
