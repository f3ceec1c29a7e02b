"""Networks that read one sequence and write another: an encoder, a decoder, and one vector for each token of both.

What the encoder read is a memory, a tuple of tensors with a row for each source; what the decoder read so far is a
state (tensors, or keys and values that grow), with a row for each text that is written. Both are given and given back,
and kept nowhere. Several texts that follow each other may share a source, as those of a beam do.
"""

import math
from collections.abc import Sequence
from typing import Any, Protocol, cast, runtime_checkable

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from ..errors import ConfigurationError
from .attention import QueryAttention
from .dropout import Dropout
from .initialisation import initialise
from .kept import Kept
from .positions import positions_until
from .readers import inside
from .recurrent import Bidirectional, LayerState, Recurrent
from .surprise import sum_of_surprise
from .transformer import Decoder, Encoder, NormPlace

Memory = tuple[Tensor, ...]
State = tuple[Tensor, ...] | Kept
Maps = dict[str, list[Tensor]]
"""Weights of attention by what attends to what: layer by layer, each (row, head, query, key)."""


@runtime_checkable
class Pair(Protocol):
    """An encoder and a decoder over vectors."""

    width: int

    def encode(self, vectors: Tensor, lengths: Tensor, maps: Maps | None = None) -> Memory:
        """Reads sources.

        Args:
            vectors: Those of their tokens, (source, place, unit).
            lengths: Tokens of each.
            maps: Gets the weights of attention, where they are wanted.
        """
        ...

    def begin(self, memory: Memory) -> Any:
        """The state before anything was written, a row for each source."""
        ...

    def decode(self, vectors: Tensor, memory: Memory, state: Any, maps: Maps | None = None) -> tuple[Tensor, Any]:
        """Reads on what is written: what it makes of each place, and the state after the last one.

        Args:
            vectors: Those of the new tokens, (row, place, unit).
            memory: What the encoder read; rows that follow each other may share one of its own.
            state: What was read before.
            maps: Gets the weights of attention, where they are wanted.
        """
        ...


class TransformerPair(nn.Module):
    """The Transformer's encoder and decoder (Vaswani et al. 2017).

    Args:
        width: Numbers of a position.
        heads: Heads of attention.
        feed_forward: Units between the dense layers of a block.
        layers: Blocks of the encoder, and as many of the decoder.
        dropout: Share that is dropped in training of positions and of what blocks add to them.
        norm: Where blocks normalise: ``pre``, or ``post`` as in the paper.
        activation: ``gelu``, or ``relu`` as in the paper.
        places: With learned positions, how many there are; sinusoidal ones where 0.

    >>> pair = TransformerPair(32, 4, 64, layers=2)
    >>> memory = pair.encode(torch.zeros(2, 7, 32), torch.tensor([7, 4]))
    >>> pair.decode(torch.zeros(2, 5, 32), memory, pair.begin(memory))[0].shape
    torch.Size([2, 5, 32])
    """

    def __init__(
        self,
        width: int,
        heads: int,
        feed_forward: int,
        layers: int,
        dropout: float = 0.0,
        norm: NormPlace = "pre",
        activation: str = "relu",
        places: int = 0,
    ) -> None:
        super().__init__()
        self.width = width
        self.encoder = Encoder(width, heads, feed_forward, layers, dropout, 0.0, norm, activation)
        self.decoder = Decoder(width, heads, feed_forward, layers, dropout, 0.0, norm, activation)
        self.dropout = Dropout(dropout)
        self.learned = nn.Parameter(torch.empty(2, places, width)) if places else None
        if self.learned is not None:
            nn.init.normal_(self.learned, std=1.0 / math.sqrt(width))

    def encode(
        self, vectors: Float[Tensor, "source place unit"], lengths: Int64[Tensor, " source"], maps: Maps | None = None
    ) -> Memory:
        """Reads sources: whether each place is no padding, then keys and values of each block of the decoder."""
        own = inside(lengths, vectors.shape[1])
        # 1. encode the position; what follows is in attention.py
        positions = self.dropout(vectors + self._positions(0, vectors.shape[1], vectors, 0))
        allowed = None if bool(own.all()) else own[:, None]
        if maps is None:
            read = self.encoder(positions, allowed)
        else:
            read, maps["encoder"] = self.encoder(positions, allowed, return_attention=True)
        return own, *self.decoder.memory(read)

    def begin(self, memory: Memory) -> Kept:
        """Nothing was read."""
        return Kept()

    def decode(
        self, vectors: Float[Tensor, "row place unit"], memory: Memory, state: Kept, maps: Maps | None = None
    ) -> tuple[Float[Tensor, "row place unit"], Kept]:
        """Reads on; the state is keys and values of each block."""
        own, *known = memory
        begun = state.places
        positions = self.dropout(vectors + self._positions(begun, begun + vectors.shape[1], vectors, 1))
        allowed = None if bool(own.all()) else own[:, None]
        outputs, after, weights = self.decoder(positions, state, tuple(known), allowed, maps is not None)
        if maps is not None:
            maps["decoder"], maps["cross"] = weights[0::2], weights[1::2]
        return outputs, after

    def _positions(self, start: int, end: int, like: Tensor, side: int) -> Tensor:
        if self.learned is None:
            return positions_until(end, self.width, like)[start:]
        if end > self.learned.shape[1]:
            raise ConfigurationError(
                f"learned positions end after {self.learned.shape[1]} tokens; found a text of {end}", option="positions"
            )
        return self.learned[side, start:end]


class RecurrentPair(nn.Module):
    """A recurrent encoder that reads both ways, and a recurrent decoder that begins with what it came to.

    Without attention all that the decoder knows of a source is its first state (Sutskever, Vinyals and Le, "Sequence to
    Sequence Learning with Neural Networks", 2014). With attention each of its states asks those of the encoder, and
    what it finds is put beside it (Luong et al. 2015, section 3).

    Args:
        encoder: Layers one upon the other; all return the states of all steps.
        decoder: Likewise.
        attention: How the decoder's states ask the encoder's; not at all where None.
        dropout: Share of the outputs that is dropped in training.

    >>> from foretell.nn import GRU, AdditiveAttention
    >>> encoder, decoder = (GRU(8, 16, return_sequences=True) for _ in range(2))
    >>> pair = RecurrentPair([Bidirectional(encoder)], [decoder], AdditiveAttention(16, 32, 16))
    >>> memory = pair.encode(torch.zeros(2, 7, 8), torch.tensor([7, 4]))
    >>> pair.decode(torch.zeros(2, 5, 8), memory, pair.begin(memory))[0].shape
    torch.Size([2, 5, 16])
    """

    def __init__(
        self,
        encoder: Sequence[Bidirectional],
        decoder: Sequence[Recurrent],
        attention: QueryAttention | None = None,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.encoder, self.decoder = nn.ModuleList(encoder), nn.ModuleList(decoder)
        read, self.width = encoder[-1].width, decoder[-1].width
        parts = sum(layer.units * layer.cell.parts for layer in decoder)
        self.bridge = nn.Linear(read, parts)
        self.attention = attention
        self.combine = None if attention is None else nn.Linear(read + self.width, self.width)
        self.dropout = Dropout(dropout)

    @property
    def layers(self) -> list[Recurrent]:
        """The layers of the decoder, from the inputs on."""
        return list(cast("list[Recurrent]", self.decoder))

    def encode(
        self, vectors: Float[Tensor, "source place unit"], lengths: Int64[Tensor, " source"], maps: Maps | None = None
    ) -> Memory:
        """Reads sources: the decoder's first state; with attention also whether places are no padding, states, keys."""
        read, ends = vectors, None
        for layer in self.encoder:
            read, ends = layer(read, lengths=lengths, return_state=True)
        # The last state of each direction: what it came to at its own end.
        last = torch.cat(
            [(own[0] if isinstance(own, tuple) else own)[-1] for own in cast("tuple[LayerState, ...]", ends)], 1
        )
        first = torch.tanh(self.bridge(last))
        if self.attention is None:
            return (first,)
        return first, inside(lengths, vectors.shape[1]), read, self.attention.keys(read)

    def begin(self, memory: Memory) -> tuple[Tensor, ...]:
        """The parts of each layer's state."""
        sizes = [layer.units for layer in self.layers for _ in range(layer.cell.parts)]
        return tuple(part.contiguous() for part in torch.split(memory[0], sizes, 1))

    def decode(
        self,
        vectors: Float[Tensor, "row place unit"],
        memory: Memory,
        state: tuple[Tensor, ...],
        maps: Maps | None = None,
    ) -> tuple[Float[Tensor, "row place width"], tuple[Tensor, ...]]:
        """Reads on; the state is that of each layer."""
        after: list[Tensor] = []
        outputs = vectors
        for layer in self.layers:
            own, state = state[: layer.cell.parts], state[layer.cell.parts :]
            begun: LayerState = own[0][None] if len(own) == 1 else (own[0][None], own[1][None])
            outputs, ends = layer(outputs, begun, return_state=True)
            after += [part[0] for part in (ends if isinstance(ends, tuple) else (ends,))]
        if self.attention is not None and self.combine is not None:
            outputs = self._found(outputs, memory, maps)
        return self.dropout(outputs), tuple(after)

    def _found(self, outputs: Tensor, memory: Memory, maps: Maps | None) -> Tensor:
        """h̃ = tanh(W[c; h]) with the context c that each state h finds."""
        _, own, read, keys = memory
        shared = len(outputs) // len(read)
        asking = outputs.reshape(len(read), shared * outputs.shape[1], outputs.shape[2])
        context, weights = cast(QueryAttention, self.attention)(asking, read, keys, own)
        combined = torch.tanh(cast(nn.Linear, self.combine)(torch.cat([context, asking], 2)))
        if maps is not None:
            maps["cross"] = [weights.unflatten(1, (shared, -1)).flatten(0, 1)[:, None]]
        return combined.view(outputs.shape)


def state_of_rows(state: State, rows: Int64[Tensor, " row"]) -> State:
    """The state of some texts, in some order, perhaps several times the same."""
    if isinstance(state, Kept):
        return state.of_rows(rows)
    return tuple(part.index_select(0, rows) for part in state)


class EncoderDecoder(nn.Module):
    """One vector for each token of both sides, an encoder and a decoder, and a score for each token.

    A token's score is a product with its vector (Press and Wolf 2017; Vaswani et al. 2017, section 3.4).

    Args:
        tokens: How many there are.
        width: Numbers of a token's vector.
        pair: The encoder and decoder.
        padding: The token that fills sequences up.
        dropout: Share of tokens' vectors that is dropped in training, where the pair drops none of its own.

    >>> network = EncoderDecoder(50, 32, TransformerPair(32, 4, 64, layers=1), padding=0)
    >>> source, written = torch.ones(2, 7, dtype=torch.int64), torch.ones(2, 5, dtype=torch.int64)
    >>> network(source, torch.tensor([7, 4]), written).shape
    torch.Size([2, 5, 50])
    """

    def __init__(self, tokens: int, width: int, pair: nn.Module, padding: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.tokens, self.width, self.padding = tokens, width, padding
        self.embedding = nn.Parameter(torch.empty(tokens, width))
        self.pair = pair
        inner = self.sides.width
        self.project = nn.Linear(inner, width) if inner != width else None
        self.bias = nn.Parameter(torch.zeros(tokens))
        self.dropout = Dropout(dropout)
        self.smoothing = 0.0
        initialise(self)
        nn.init.normal_(self.embedding, std=1 / math.sqrt(width))

    @property
    def sides(self) -> Pair:
        """The encoder and decoder."""
        return cast(Pair, self.pair)

    def embedded(self, tokens: Int64[Tensor, "row place"]) -> Float[Tensor, "row place unit"]:
        """The vector of each token, grown to about one."""
        return self.dropout(nn.functional.embedding(tokens, self.embedding) * math.sqrt(self.width))

    def forward(
        self,
        source: Int64[Tensor, "batch place"],
        lengths: Int64[Tensor, " batch"],
        written: Int64[Tensor, "batch written"],
        asked: Int64[Tensor, "batch written"] | None = None,
    ) -> Float[Tensor, "..."]:
        """Reads sources and what was written of each target.

        Args:
            source: Tokens of sources, filled up.
            lengths: Tokens of each.
            written: Tokens of targets, each beginning with the one that begins texts.
            asked: What comes after each of these; padding does not count.

        Returns:
            The scores of what comes after each token; where that is given, the sum of the surprise at it, in nats.
        """
        memory = self.encode(source, lengths)
        outputs, _ = self.sides.decode(self.embedded(written), memory, self.sides.begin(memory))
        if asked is None:
            return self.scores(outputs)
        vectors = outputs if self.project is None else self.project(outputs)
        smoothing = self.smoothing if self.training else 0.0
        return sum_of_surprise(
            vectors.flatten(0, 1), self.embedding, self.bias, asked.flatten(), self.padding, smoothing
        )

    def encode(
        self, source: Int64[Tensor, "source place"], lengths: Int64[Tensor, " source"], maps: Maps | None = None
    ) -> Memory:
        """Reads sources."""
        return self.sides.encode(self.embedded(source), lengths, maps)

    def step(
        self, tokens: Int64[Tensor, " row"], memory: Memory, state: State
    ) -> tuple[Float[Tensor, "row token"], State]:
        """Reads one token of each text on, as writing does.

        Args:
            tokens: One of each text.
            memory: What the encoder read.
            state: What was read of each text before.

        Returns:
            The scores of what comes next, and the state after.
        """
        outputs, after = self.sides.decode(self.embedded(tokens[:, None]), memory, state)
        return self.scores(outputs[:, 0]), after

    def scores(self, outputs: Float[Tensor, "*place unit"]) -> Float[Tensor, "*place token"]:
        """A score for each token."""
        vectors = outputs if self.project is None else self.project(outputs)
        return nn.functional.linear(vectors, self.embedding).add_(self.bias)  # with it torch first copies the bias
