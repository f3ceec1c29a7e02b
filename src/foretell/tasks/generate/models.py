"""What says what comes next: counts, a network, a mixture of both. All that each knows are plain values and arrays."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol, cast, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float64, Int64
from torch import nn

from ...data.storage import TokenArray
from ...data.streams import BEFORE, in_parts, windows_before
from ...decoding import Prompt, Scores, Steps, Tokens, log_softmax
from ...evaluation.kneser_ney import KneserNey
from ...nn import LanguageNetwork
from ...numbers import require_numbers
from .config import LanguageSection

AT_ONCE = 8_000_000  # scores that are held at once
_CHUNK = 256  # tokens of a text
Nats = Float64[np.ndarray, " asked"]


@runtime_checkable
class Model(Steps, Protocol):
    """What says what comes next."""

    @property
    def parameters(self) -> int:
        """How many numbers it learned."""
        ...

    def nats(self, tokens: TokenArray, known: int) -> Nats:
        """The surprise at each token of a text but the first ones, which are only read: -log p, in nats."""
        ...

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """All it knows: plain values, and arrays."""
        ...


@dataclass(frozen=True)
class UniformModel:
    """Every token alike."""

    tokens: int

    @property
    def parameters(self) -> int:
        """None."""
        return 0

    def nats(self, tokens: TokenArray, known: int) -> Nats:
        """The same for each."""
        return np.full(len(tokens) - known, np.log(self.tokens))

    def begin(self, prompts: Sequence[Prompt]) -> tuple[Scores, Any]:
        """The same for all."""
        return np.zeros((len(prompts), self.tokens)), None

    def step(self, tokens: Tokens, state: Any) -> tuple[Scores, Any]:
        """The same whatever came."""
        return np.zeros((len(tokens), self.tokens)), None

    def chosen(self, state: Any, rows: Int64[np.ndarray, " row"]) -> Any:
        """Nothing is known of any."""
        return None

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """How many tokens there are."""
        return {"tokens": self.tokens}, {}


@dataclass(frozen=True)
class CountModel:
    """N-grams; of one token they are how often each occurs."""

    counts: KneserNey

    @property
    def parameters(self) -> int:
        """How many counts it keeps."""
        return self.counts.parameters

    def nats(self, tokens: TokenArray, known: int) -> Nats:
        """The surprise at each."""
        before = max(0, known - self.counts.order)
        return -np.log(self.counts.probabilities(tokens[before:].astype(np.int64), known - before))

    def begin(self, prompts: Sequence[Prompt]) -> tuple[Scores, Any]:
        """What follows each prompt."""
        contexts = np.stack([self.counts.read(prompt.astype(np.int64)) for prompt in prompts])
        return self._scores(contexts), contexts

    def step(self, tokens: Tokens, state: Any) -> tuple[Scores, Any]:
        """What follows one more token of each text."""
        contexts = self.counts.advance(state, tokens)
        return self._scores(contexts), contexts

    def chosen(self, state: Any, rows: Int64[np.ndarray, " row"]) -> Any:
        """The contexts of some texts."""
        return state[rows]

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """All counts."""
        levels = enumerate(self.counts.levels)
        arrays = {
            f"{number}/{name}": array
            for number, own in levels
            for name, array in (("keys", own.keys), ("counts", own.counts.astype(np.int32)))
        }
        return {"order": self.counts.order, "tokens": self.counts.tokens}, arrays

    def _scores(self, contexts: Int64[np.ndarray, "batch order"]) -> Scores:
        return np.log(np.stack([self.counts.distribution(own) for own in contexts]))


@dataclass(frozen=True)
class NetworkModel:
    """A network that carries a state from token to token."""

    network: LanguageNetwork
    section: LanguageSection

    @property
    def parameters(self) -> int:
        """How many numbers it learned."""
        return sum(weight.numel() for weight in self.network.parameters())

    def nats(self, tokens: TokenArray, known: int) -> Nats:
        """The surprise at each; a long text is read in parts side by side, each after some of what comes before it."""
        parts = in_parts(tokens, known, max(BEFORE, self.section.context))
        return parts.joined(network_nats(self.network, parts.tokens))

    def begin(self, prompts: Sequence[Prompt]) -> tuple[Scores, Any]:
        """What follows each prompt; those of one length are read side by side."""
        lengths = np.array([len(prompt) for prompt in prompts])
        order, scores, states = [], [], []
        with torch.inference_mode():
            for same in self._alike(lengths):
                length = lengths[same[0]]
                some = self._placed(np.stack([prompts[int(row)] for row in same]).astype(np.int64))
                state: tuple[torch.Tensor, ...] = ()
                for start in range(0, int(length), _CHUNK):
                    said, state = self.network(some[:, start : start + _CHUNK], *state)
                order.append(same)
                scores.append(said[:, -1])
                states.append(state)
            joined = tuple(torch.cat(parts) for parts in zip(*states, strict=True))
            back = np.argsort(np.concatenate(order))
            return torch.cat(scores).cpu().numpy()[back], self.chosen(joined, back)

    def step(self, tokens: Tokens, state: Any) -> tuple[Scores, Any]:
        """What follows one more token of each text."""
        with torch.inference_mode():
            scores, after = self.network.step(self._placed(tokens), self._table, *state)
        return scores.cpu().numpy(), after

    def _placed(self, tokens: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(tokens).to(self.network.embedding.device)

    def _alike(self, lengths: Int64[np.ndarray, " prompt"]) -> list[Int64[np.ndarray, " same"]]:
        """Numbers of prompts of one length together, no more than their scores have room for."""
        most = max(1, AT_ONCE // (_CHUNK * self.network.tokens))
        groups = [np.flatnonzero(lengths == length) for length in np.unique(lengths)]
        return [same[start : start + most] for same in groups for start in range(0, len(same), most)]

    @cached_property
    def _table(self) -> torch.Tensor:
        """What each token adds to a step; the weights of a model stay as they are."""
        with torch.inference_mode():
            return self.network.table()

    def chosen(self, state: Any, rows: Int64[np.ndarray, " row"]) -> Any:
        """The states of some texts."""
        own = self._placed(rows)
        return tuple(part[own] for part in state)

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Its options and weights."""
        return _network_state(self.network, self.section)


@dataclass(frozen=True)
class WindowModel:
    """A network that reads the last tokens anew for each that is to come, as the decks' program does."""

    network: LanguageNetwork
    section: LanguageSection
    lookback: int

    @property
    def parameters(self) -> int:
        """How many numbers it learned."""
        return sum(weight.numel() for weight in self.network.parameters())

    def nats(self, tokens: TokenArray, known: int) -> Nats:
        """The surprise at each after the window before it."""
        found = np.zeros(len(tokens) - known)
        for same, windows in windows_before(tokens, np.arange(known, len(tokens)), self.lookback):
            size = max(1, AT_ONCE // (windows.shape[1] * max(4 * self.section.units[0], self.network.tokens)))
            for start in range(0, len(same), size):
                some = same[start : start + size]
                logarithms = log_softmax(self._read(windows[start : start + size]).astype(np.float64))
                found[some] = -logarithms[np.arange(len(some)), tokens[known + some]]
            require_numbers(found)
        return found

    def begin(self, prompts: Sequence[Prompt]) -> tuple[Scores, Any]:
        """What follows each prompt."""
        windows = [prompt[-self.lookback :].astype(np.int64) for prompt in prompts]
        return np.concatenate([self._read(window[None]) for window in windows]), windows

    def step(self, tokens: Tokens, state: Any) -> tuple[Scores, Any]:
        """What follows one more token of each text."""
        windows = [np.append(own, token)[-self.lookback :] for own, token in zip(state, tokens, strict=True)]
        if len({len(own) for own in windows}) == 1:
            return self._read(np.stack(windows)), windows
        return np.concatenate([self._read(window[None]) for window in windows]), windows

    def chosen(self, state: Any, rows: Int64[np.ndarray, " row"]) -> Any:
        """The windows of some texts."""
        return [state[row] for row in rows]

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Its options and weights."""
        values, arrays = _network_state(self.network, self.section)
        return {**values, "lookback": self.lookback}, arrays

    def _read(self, windows: Int64[np.ndarray, "batch time"]) -> Scores:
        with torch.inference_mode():
            placed = torch.from_numpy(windows).to(self.network.embedding.device)
            return cast(Scores, self.network(placed)[0][:, -1].cpu().numpy())


@dataclass(frozen=True)
class MixtureModel:
    """The weighted mean of what others say, as probabilities.

    Attributes:
        rungs: The names of its members.
        members: What they are.
        weights: How much each counts; together one.
    """

    rungs: tuple[str, ...]
    members: tuple[Model, ...]
    weights: Float64[np.ndarray, " model"]

    @property
    def parameters(self) -> int:
        """Those of all members, and their weights."""
        return sum(member.parameters for member in self.members) + len(self.weights)

    def nats(self, tokens: TokenArray, known: int) -> Nats:
        """The surprise at each."""
        each = np.stack([-member.nats(tokens, known) for member in self.members])
        return -_mixed(each, self.weights[:, None])

    def begin(self, prompts: Sequence[Prompt]) -> tuple[Scores, Any]:
        """What follows each prompt."""
        return self._together([member.begin(prompts) for member in self.members])

    def step(self, tokens: Tokens, state: Any) -> tuple[Scores, Any]:
        """What follows one more token of each text."""
        return self._together([own.step(tokens, before) for own, before in zip(self.members, state, strict=True)])

    def chosen(self, state: Any, rows: Int64[np.ndarray, " row"]) -> Any:
        """The members' states of some texts."""
        return tuple(member.chosen(own, rows) for member, own in zip(self.members, state, strict=True))

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """All its members know."""
        values, arrays = [], {"weights": self.weights}
        for number, (rung, member) in enumerate(zip(self.rungs, self.members, strict=True)):
            own, weights = member.state()
            values.append({"rung": rung, "model": own})
            arrays |= {f"members/{number}/{name}": array for name, array in weights.items()}
        return {"members": values}, arrays

    def _together(self, said: list[tuple[Scores, Any]]) -> tuple[Scores, Any]:
        logarithms = np.stack([log_softmax(scores.astype(np.float64)) for scores, _ in said])
        return _mixed(logarithms, self.weights[:, None, None]), tuple(state for _, state in said)


def network_nats(network: nn.Module, tokens: Int64[np.ndarray, "part time"]) -> Float64[np.ndarray, "part asked"]:
    """The surprise at each token of texts side by side but the first, in nats.

    Args:
        network: That carries a state on.
        tokens: The texts.
    """
    count, time = tokens.shape
    own = cast(LanguageNetwork, network)
    chunk = max(1, min(_CHUNK, AT_ONCE // (count * own.tokens)))
    found, state = np.zeros((count, time - 1)), own.begin(count)
    whole = torch.from_numpy(tokens).to(own.embedding.device)
    with torch.inference_mode():
        for start in range(0, time - 1, chunk):
            end = min(start + chunk, time - 1)
            scores, state = own(whole[:, start:end], *state)
            asked = whole[:, start + 1 : end + 1]
            found[:, start:end] = (
                nn.functional.cross_entropy(scores.flatten(0, 1), asked.flatten(), reduction="none")
                .view(count, -1)
                .cpu()
                .numpy()
            )
    require_numbers(found)
    return found


def _network_state(network: LanguageNetwork, section: LanguageSection) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    values = {"tokens": network.tokens, "network": section.model_dump(mode="json")}
    return values, {name: tensor.numpy() for name, tensor in network.state_dict().items()}


def _mixed(logarithms: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The logarithm of the weighted mean of probabilities; a model without any weight says nothing."""
    with np.errstate(divide="ignore"):
        weighted = logarithms + np.log(weights)
    most = weighted.max(axis=0)
    return most + np.log(np.exp(weighted - most).sum(axis=0))
