"""What scores texts: shares, a linear classifier, a network, a mean of others. All that each knows are arrays."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float64

from ...data.batches import Reader
from ...data.storage import TokenArray
from ...evaluation.calibration import probabilities
from ...evaluation.saliency import contributions
from ...nn import TextNetwork
from ...numbers import require_numbers
from ...stopping import heed
from .config import TextNetworkSection
from .linear import Linear

AT_ONCE = 64_000  # tokens of a batch that is scored
LEAST = 1e-9  # probability
Scores = Float64[np.ndarray, "text score"]


@runtime_checkable
class Model(Protocol):
    """What scores texts."""

    def scores(self, texts: Sequence[TokenArray]) -> Scores:
        """The scores of texts in pieces."""
        ...

    def moved(self, tokens: TokenArray, weights: Float64[np.ndarray, " score"]) -> Float64[np.ndarray, " token"] | None:
        """How much each token moved a sum of a text's scores; None where it cannot say."""
        ...

    def attended(self, tokens: TokenArray) -> Float64[np.ndarray, " token"] | None:
        """How much of all attention each token got; None where nothing attends."""
        ...

    @property
    def parameters(self) -> int:
        """How many numbers it learned."""
        ...

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """All it knows: plain values, and arrays."""
        ...


@dataclass(frozen=True)
class ShareModel:
    """Says of every text what was most frequent in training."""

    shares: Float64[np.ndarray, " label"]
    exclusive: bool

    @property
    def parameters(self) -> int:
        """One for each label."""
        return len(self.shares)

    def scores(self, texts: Sequence[TokenArray]) -> Scores:
        """The same for each text."""
        return np.repeat(_scores_of(self.shares[None], exclusive=self.exclusive), len(texts), axis=0)

    def moved(self, tokens: TokenArray, weights: Float64[np.ndarray, " score"]) -> Float64[np.ndarray, " token"] | None:
        """Nothing moves it."""
        return np.zeros(len(tokens))

    def attended(self, tokens: TokenArray) -> None:
        """Nothing attends."""

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """The shares."""
        return {}, {"shares": self.shares}


@dataclass(frozen=True)
class LinearModel:
    """A linear classifier on n-grams."""

    linear: Linear

    @property
    def parameters(self) -> int:
        """Weights and biases."""
        return int(self.linear.weights.size + self.linear.bias.size)

    def scores(self, texts: Sequence[TokenArray]) -> Scores:
        """The scores of texts in pieces."""
        return self.linear.scores(texts)

    def moved(self, tokens: TokenArray, weights: Float64[np.ndarray, " score"]) -> Float64[np.ndarray, " token"] | None:
        """What the n-grams that each token is part of add to the scores."""
        return sum(
            (weight * self.linear.contributions(tokens, score) for score, weight in enumerate(weights) if weight),
            np.zeros(len(tokens)),
        )

    def attended(self, tokens: TokenArray) -> None:
        """Nothing attends."""

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """What it counts, and its weights."""
        own = self.linear
        arrays = {"keys": own.keys, "scale": own.scale, "weights": own.weights, "bias": own.bias}
        return {"kind": own.kind, "ngrams": own.ngrams}, arrays


@dataclass(frozen=True)
class NetworkModel:
    """A network, and how it reads texts."""

    network: TextNetwork
    reader: Reader
    section: TextNetworkSection

    @property
    def parameters(self) -> int:
        """How many numbers it learned."""
        return sum(weight.numel() for weight in self.network.parameters())

    def scores(self, texts: Sequence[TokenArray]) -> Scores:
        """The scores of texts, read in batches of like length."""
        cut = [self.reader.cut(text) for text in texts]
        found: Scores | None = None
        with torch.inference_mode():
            for some in by_length([len(text) for text in cut]):
                heed()
                batch = self.reader.filled([cut[number] for number in some])
                scores = self.network(batch.tokens, batch.lengths).double().numpy()
                require_numbers(scores)
                found = np.zeros((len(cut), scores.shape[1])) if found is None else found
                found[some] = scores
        return np.zeros((0, 1)) if found is None else found

    def moved(self, tokens: TokenArray, weights: Float64[np.ndarray, " score"]) -> Float64[np.ndarray, " token"] | None:
        """The gradient by each token's vector, times the vector; zero for tokens that are not read."""
        batch = self.reader.filled([self.reader.cut(tokens)])
        asked = torch.from_numpy(weights[None]).float()
        network = self.network
        return self._placed(tokens, contributions(network.embedding, network.read, *batch, asked)[0].double().numpy())

    def attended(self, tokens: TokenArray) -> Float64[np.ndarray, " token"] | None:
        """How much of all attention each token got, over all blocks, heads and places that ask."""
        batch = self.reader.filled([self.reader.cut(tokens)])
        with torch.inference_mode():
            weights = self.network.attention(*batch)
        if weights is None:
            return None
        return self._placed(tokens, weights.mean(dim=(0, 2, 3))[0].double().numpy())

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Its options and weights."""
        values = {
            "tokens": self.network.embedding.tokens,
            "embedding": self.network.embedding.width,
            "length": self.reader.length,
            "truncate": "front" if self.reader.front else "back",
            "network": self.section.model_dump(mode="json", exclude={"vectors"}),
        }
        return values, {name: tensor.numpy() for name, tensor in self.network.state_dict().items()}

    def _placed(self, tokens: TokenArray, values: Float64[np.ndarray, " read"]) -> Float64[np.ndarray, " token"]:
        """Values of what is read of a text, at its place in the whole."""
        placed = np.zeros(len(tokens))
        read = min(len(tokens), self.reader.length)
        placed[len(tokens) - read if self.reader.front else 0 :][:read] = values[:read]
        return placed


@dataclass(frozen=True)
class Member:
    """A model of an ensemble, and the temperature of its scores."""

    rung: str
    model: Model
    temperature: float


@dataclass(frozen=True)
class EnsembleModel:
    """The mean of what others say, as probabilities."""

    members: tuple[Member, ...]
    exclusive: bool

    @property
    def parameters(self) -> int:
        """Those of all members."""
        return sum(member.model.parameters for member in self.members)

    def scores(self, texts: Sequence[TokenArray]) -> Scores:
        """The logarithms of the mean probabilities."""
        said = [
            probabilities(member.model.scores(texts), member.temperature, exclusive=self.exclusive)
            for member in self.members
        ]
        return _scores_of(np.mean(said, axis=0), exclusive=self.exclusive)

    def moved(self, tokens: TokenArray, weights: Float64[np.ndarray, " score"]) -> Float64[np.ndarray, " token"] | None:
        """The mean of what moved its members, each relative to its temperature."""
        parts = [
            part / member.temperature
            for member in self.members
            if (part := member.model.moved(tokens, weights)) is not None
        ]
        return np.mean(parts, axis=0) if parts else None

    def attended(self, tokens: TokenArray) -> Float64[np.ndarray, " token"] | None:
        """The attention of the first member that attends."""
        return next((found for member in self.members if (found := member.model.attended(tokens)) is not None), None)

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """All its members know."""
        values: list[dict[str, Any]] = []
        arrays: dict[str, np.ndarray] = {}
        for number, member in enumerate(self.members):
            own, weights = member.model.state()
            values.append({"rung": member.rung, "temperature": member.temperature, "model": own})
            arrays |= {f"members/{number}/{name}": array for name, array in weights.items()}
        return {"members": values}, arrays


def by_length(lengths: list[int]) -> Iterator[list[int]]:
    """Numbers of texts in batches of like length, each so large that it stays within bounds.

    >>> list(by_length([3, 90_000, 2]))
    [[2, 0], [1]]
    """
    some: list[int] = []
    for number in sorted(range(len(lengths)), key=lengths.__getitem__):
        if some and (len(some) + 1) * lengths[number] > AT_ONCE:
            yield some
            some = []
        some.append(number)
    if some:
        yield some


def _scores_of(likely: Float64[np.ndarray, "text label"], *, exclusive: bool) -> Scores:
    """Scores with given probabilities: one for two exclusive labels, else one for each."""
    clipped = np.clip(likely, LEAST, 1 - LEAST)
    if exclusive and likely.shape[1] > 2:
        return np.log(clipped)
    logits = np.log(clipped) - np.log1p(-clipped)
    return logits[:, 1:] if exclusive else logits
