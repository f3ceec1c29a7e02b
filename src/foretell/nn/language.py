"""Networks that say what comes next: tokens in, a score for each token at every place, and a state to read on from.

A state is a tuple of tensors whose first axis is the batch; it is given and given back, and kept nowhere.
"""

import math
from collections.abc import Sequence
from typing import Protocol, cast, runtime_checkable

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from ..errors import ConfigurationError
from .initialisation import initialise
from .recurrent import LayerState, Recurrent

State = tuple[Tensor, ...]


@runtime_checkable
class Body(Protocol):
    """What reads the vectors of tokens, place by place, and carries a state on."""

    width: int

    def begin(self, batch: int) -> State:
        """The state before anything was read."""
        ...

    def __call__(self, vectors: Tensor, state: State) -> tuple[Tensor, State]:
        """Reads on: what it makes of each place, and the state after the last one."""
        ...


class RecurrentBody(nn.Module):
    """Recurrent layers one upon the other.

    Args:
        layers: Each reads what the one below returns; the last one may return its last state alone.

    Raises:
        ConfigurationError: One of them is several.

    >>> from foretell.nn import LSTM
    >>> body = RecurrentBody([LSTM(8, 16, return_sequences=True)])
    >>> outputs, state = body(torch.zeros(3, 7, 8), body.begin(3))
    >>> outputs.shape, [tuple(part.shape) for part in state]
    (torch.Size([3, 7, 16]), [(3, 16), (3, 16)])
    """

    def __init__(self, layers: Sequence[Recurrent]) -> None:
        super().__init__()
        if any(layer.layers > 1 for layer in layers):
            raise ConfigurationError("the layers of a body are given one by one; one of them is several")
        self.layers = nn.ModuleList(layers)
        self.width = layers[-1].width

    @property
    def each(self) -> list[Recurrent]:
        """The layers, from the inputs on."""
        return list(cast("list[Recurrent]", self.layers))

    def begin(self, batch: int) -> State:
        """Zeros for each part of each layer's state."""
        return tuple(
            layer.each[0].bias.new_zeros(batch, layer.units) for layer in self.each for _ in range(layer.cell.parts)
        )

    def forward(
        self, vectors: Float[Tensor, "batch time unit"], state: State
    ) -> tuple[Float[Tensor, "batch place width"], State]:
        """Reads on.

        Args:
            vectors: Those of the new tokens.
            state: Of all layers.
        """
        after: list[Tensor] = []
        for layer, before in zip(self.each, self._of_layers(state), strict=True):
            vectors, own = layer(vectors, before, return_state=True)
            after += [part[0] for part in (own if isinstance(own, tuple) else (own,))]
        return (vectors if vectors.ndim == 3 else vectors[:, None]), tuple(after)

    def step(self, projected: Float[Tensor, "batch gates"], state: State) -> tuple[Float[Tensor, "batch width"], State]:
        """Reads one token on, as generating does.

        Args:
            projected: What the token's vector adds to the gates of the first layer.
            state: Of all layers.
        """
        after: list[Tensor] = []
        vectors = projected
        for number, (layer, before) in enumerate(zip(self.each, self._of_layers(state), strict=True)):
            vectors, own = layer.step(vectors, before) if number else layer.step_projected(vectors, before)
            after += [part[0] for part in (own if isinstance(own, tuple) else (own,))]
        return vectors, tuple(after)

    def _of_layers(self, state: State) -> list[LayerState]:
        states: list[LayerState] = []
        for layer in self.each:
            own, state = state[: layer.cell.parts], state[layer.cell.parts :]
            states.append(own[0][None] if len(own) == 1 else (own[0][None], own[1][None]))
        return states


class LanguageNetwork(nn.Module):
    """Embedding, a body that reads on, and a score for each token.

    Args:
        tokens: How many there are.
        width: Numbers of a token's vector.
        body: What reads them.
        dropout: Share of what the body returns that is dropped in training, the same all along a stretch of text
            (Gal and Ghahramani 2015).
        tied: Whether a token's score is a product with its vector (Press and Wolf, "Using the Output Embedding to
            Improve Language Models", 2017), rather than with weights of its own.

    >>> from foretell.nn import LSTM
    >>> network = LanguageNetwork(50, 8, RecurrentBody([LSTM(8, 16, return_sequences=True)]))
    >>> scores, state = network(torch.zeros(3, 7, dtype=torch.int64), *network.begin(3))
    >>> scores.shape
    torch.Size([3, 7, 50])
    """

    def __init__(self, tokens: int, width: int, body: nn.Module, dropout: float = 0.0, *, tied: bool = False) -> None:
        super().__init__()
        self.tokens, self.width, self.dropout = tokens, width, dropout
        self.embedding = nn.Parameter(torch.empty(tokens, width))
        self.body = body
        inner = cast(Body, body).width
        self.project = nn.Linear(inner, width) if tied and inner != width else None
        self.output = None if tied else nn.Linear(inner, tokens)
        self.bias = nn.Parameter(torch.zeros(tokens)) if tied else None
        initialise(self)
        # Tied vectors are weights of an output as well, whose scores begin near zero; as inputs they grow to one.
        self.growth = math.sqrt(width) if tied else 1.0
        nn.init.normal_(self.embedding, std=1 / self.growth)

    def begin(self, batch: int) -> State:
        """The state before anything was read."""
        return cast(Body, self.body).begin(batch)

    def forward(
        self, tokens: Int64[Tensor, "batch time"], *state: Tensor
    ) -> tuple[Float[Tensor, "batch place token"], State]:
        """Reads on.

        Args:
            tokens: The next ones of each text.
            *state: That of what was read before; nothing was where there is none.

        Returns:
            The scores of what comes after each place (after the last one where the body returns that alone), and the
            state after it.
        """
        return self.read(self.embedded(tokens), *state)

    def embedded(self, tokens: Int64[Tensor, "*place"]) -> Float[Tensor, "*place unit"]:
        """The vector of each token."""
        vectors = nn.functional.embedding(tokens, self.embedding)
        return vectors if self.growth == 1 else vectors * self.growth

    def read(
        self, vectors: Float[Tensor, "batch time unit"], *state: Tensor
    ) -> tuple[Float[Tensor, "batch place token"], State]:
        """The same for tokens that have their vectors already."""
        outputs, after = cast(Body, self.body)(vectors, state or self.begin(len(vectors)))
        if self.training and self.dropout:
            kept = outputs.new_empty(len(outputs), 1, outputs.shape[2]).bernoulli_(1 - self.dropout)
            outputs = outputs * kept.div_(1 - self.dropout)
        return self.scores(outputs), after

    def table(self) -> Float[Tensor, "token number"]:
        """What each token adds as :meth:`step` reads it: its vector, or what that adds to the gates of a first layer.

        It is made of the weights as they are, and stands for them until they change.
        """
        vectors = self.embedded(torch.arange(self.tokens, device=self.embedding.device))
        return self.body.each[0].each[0].project(vectors) if isinstance(self.body, RecurrentBody) else vectors

    def step(
        self, tokens: Int64[Tensor, " batch"], table: Float[Tensor, "token number"], *state: Tensor
    ) -> tuple[Float[Tensor, "batch token"], State]:
        """Reads one token of each text on, as generating does.

        Args:
            tokens: One of each text.
            table: As :meth:`table` gives it.
            *state: That of what was read before; nothing was where there is none.
        """
        state = state or self.begin(len(tokens))
        read = nn.functional.embedding(tokens, table)
        if isinstance(self.body, RecurrentBody):
            outputs, after = self.body.step(read, state)
            return self.scores(outputs), after
        outputs, after = cast(Body, self.body)(read[:, None], state)
        return self.scores(outputs[:, 0]), after

    def scores(self, outputs: Float[Tensor, "*place width"]) -> Float[Tensor, "*place token"]:
        """A score for each token."""
        if self.output is not None:
            return cast(Tensor, self.output(outputs))
        return nn.functional.linear(
            outputs if self.project is None else self.project(outputs), self.embedding, self.bias
        )


class Forgetful(nn.Module):
    """A network that gives no state back: what it is given next follows nothing.

    Args:
        network: The network.
        last: Whether it says what follows the last token alone.

    >>> from foretell.nn import LSTM
    >>> network = LanguageNetwork(50, 8, RecurrentBody([LSTM(8, 16, return_sequences=True)]))
    >>> Forgetful(network, last=True)(torch.zeros(3, 7, dtype=torch.int64)).shape
    torch.Size([3, 1, 50])
    """

    def __init__(self, network: LanguageNetwork, *, last: bool = False) -> None:
        super().__init__()
        self.network, self.last = network, last

    def forward(self, tokens: Int64[Tensor, "batch time"]) -> Float[Tensor, "batch place token"]:
        """The scores of what comes after each token, or after the last one."""
        scores, _ = self.network(tokens)
        return scores[:, -1:] if self.last else scores
