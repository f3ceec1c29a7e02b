"""Recurrent layers with the dropout that belongs in them (Gal and Ghahramani 2015), for anyone's own network."""

from collections.abc import Callable
from typing import Any, ClassVar, Literal, cast

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..errors import ConfigurationError, nearest
from .cells import Activation, Cell, GRUCell, LSTMCell, RNNCell, State
from .ways import Sequences, one_step, run

LayerState = Tensor | tuple[Tensor, Tensor]
"""The state of a layer: (layer, batch, unit); for an LSTM a pair of these, the state and the cell."""


class Recurrent(nn.Module):
    """One or several recurrent layers, one upon the other.

    Args:
        features: Inputs of a step.
        units: Numbers of a state.
        layers: How many; each reads the states of the one below.
        activation: ``tanh`` or ``relu``.
        dropout: Share of each layer's inputs that are dropped in training; the others grow to make up for them.
        recurrent_dropout: Share of the state that the matrices do not see in training.
        mask: ``sequence`` drops the same numbers at every step of a sequence, as it should be; ``step`` draws anew at
            each step, the naive way, which disturbs what is to be remembered.
        return_sequences: Whether the states of all steps come back, or the last one.
        reversed: Whether sequences are read from their ends; the states then stand at the steps that were read, and
            the last one is that of the first step.
        **options: Of the cell: ``reset`` for a GRU.

    Raises:
        ConfigurationError: A value breaks its rule.
    """

    cell: ClassVar[type[Cell]]

    def __init__(
        self,
        features: int,
        units: int,
        *,
        layers: int = 1,
        activation: Activation = "tanh",
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        mask: Literal["sequence", "step"] = "sequence",
        return_sequences: bool = False,
        reversed: bool = False,
        **options: Any,
    ) -> None:
        super().__init__()
        for name in options:
            if name not in self.cell.options:
                known = ("layers", "activation", "dropout", "recurrent_dropout", "mask", "return_sequences", "reversed")
                raise ConfigurationError(
                    f'{type(self).__name__} has no option "{name}"; {nearest(name, (*known, *self.cell.options))}',
                    option=name,
                )
        if not isinstance(layers, int) or layers < 1:
            raise ConfigurationError(
                f"layers must be a whole number, 1 or more; it is {layers!r}", option="layers", value=layers
            )
        for name, share in (("dropout", dropout), ("recurrent_dropout", recurrent_dropout)):
            if not isinstance(share, int | float) or not 0 <= share < 1:
                raise ConfigurationError(
                    f"{name} must be at least 0 and below 1; it is {share!r}", option=name, value=share
                )
        if mask not in ("sequence", "step"):
            raise ConfigurationError(f'mask must be "sequence" or "step"; it is {mask!r}', option="mask", value=mask)
        self.features, self.units, self.layers = features, units, layers
        self.dropout, self.recurrent_dropout, self.mask = dropout, recurrent_dropout, mask
        self.return_sequences, self.reversed = return_sequences, reversed
        self._options = {"activation": activation, **options}
        self.cells = nn.ModuleList(
            self.cell(features if layer == 0 else units, units, **self._options) for layer in range(layers)
        )

    def forward(
        self,
        inputs: Float[Tensor, "batch time feature"],
        state: LayerState | None = None,
        lengths: Any = None,
        return_state: bool = False,
    ) -> Any:
        """Reads a batch of sequences.

        Args:
            inputs: The sequences, filled up to one length where ``lengths`` says so.
            state: Where to begin; zeros where None.
            lengths: Steps of each sequence; all where None. What lies beyond has no effect, and outputs there are zero.
            return_state: Whether the final state comes back as well.

        Returns:
            With ``return_sequences`` the states of the last layer at every step, (batch, time, unit), else the last
            one, (batch, unit); with ``return_state`` a pair of that and the final state.

        Raises:
            ConfigurationError: A shape does not fit.
        """
        if not isinstance(inputs, Tensor):
            raise ConfigurationError(
                f"inputs must be a tensor of the shape (batch, time, {self.features}); found {type(inputs).__name__}"
            )
        if inputs.ndim != 3 or inputs.shape[-1] != self.features:
            raise ConfigurationError(
                f"inputs must have the shape (batch, time, {self.features}); they have {tuple(inputs.shape)}"
            )
        device = self.each[0].bias.device
        if inputs.device != device:
            raise ConfigurationError(f"the inputs are on {inputs.device}, the layer is on {device}: move one")
        inputs = inputs.to(self._dtype)
        before = self._checked_state(state, inputs)
        steps = None if lengths is None else self._checked(lengths, inputs)
        after = []
        for layer, cell in enumerate(self.each):
            every_step = self.return_sequences or layer + 1 < self.layers
            input_mask = self._drawn(self.dropout, inputs, inputs.shape[-1])
            state_mask = self._drawn(self.recurrent_dropout, inputs, self.units)
            sequences = Sequences(inputs, input_mask, state_mask, steps, self.reversed, every_step)
            outputs, final = run(cell, sequences, tuple(part[layer] for part in before))
            inputs = inputs if outputs is None else outputs
            after.append(final)
        result = inputs if self.return_sequences else after[-1][0]
        if not return_state:
            return result
        return result, self._whole(tuple(torch.stack(parts) for parts in zip(*after, strict=True)))

    @property
    def each(self) -> list[Cell]:
        """The cells of the layers, from the inputs on."""
        return list(cast("list[Cell]", self.cells))

    @property
    def width(self) -> int:
        """Numbers of an output."""
        return self.units

    def step(
        self, inputs: Float[Tensor, "batch feature"], state: LayerState | None = None
    ) -> tuple[Float[Tensor, "batch unit"], LayerState]:
        """Reads one step and carries the state on, as generating does.

        Args:
            inputs: The step's inputs.
            state: The state before; zeros where None.

        Returns:
            The last layer's state, and the state of all layers.
        """
        if inputs.ndim != 2 or inputs.shape[-1] != self.features:
            raise ConfigurationError(
                f"inputs of a step must have the shape (batch, {self.features}); they have {tuple(inputs.shape)}"
            )
        if not (self.training and (self.dropout or self.recurrent_dropout)):
            parts = one_step(self.each, inputs, self._checked_state(state, inputs))
            if parts is not None:
                return parts[0][-1], self._whole(parts)
        outputs, after = self(inputs[:, None], state, return_state=True)
        return (outputs[:, -1] if self.return_sequences else outputs), after

    def step_projected(
        self, projected: Float[Tensor, "batch gates"], state: LayerState
    ) -> tuple[Float[Tensor, "batch unit"], LayerState]:
        """The same for inputs that the first cell has projected already, as can be done once for each of few symbols.

        Args:
            projected: What the step's inputs add to the first layer's gates: the cell's ``project`` of them.
            state: The state before.
        """
        before = self._checked_state(state, projected)
        parts = one_step(self.each, projected, before, True)
        if parts is None:
            after, outputs = [], projected
            for layer, cell in enumerate(self.each):
                added = outputs if layer == 0 else cell.project(outputs)
                after.append(cell.advance(added, tuple(part[layer] for part in before)))
                outputs = after[-1][0]
            parts = tuple(torch.stack(own) for own in zip(*after, strict=True))
        return parts[0][-1], self._whole(parts)

    @property
    def _dtype(self) -> torch.dtype:
        return self.each[0].bias.dtype

    def twin(self) -> "Recurrent":
        """A layer of the same kind that reads in the other direction, with weights of its own."""
        made = type(self)(
            self.features,
            self.units,
            layers=self.layers,
            dropout=self.dropout,
            recurrent_dropout=self.recurrent_dropout,
            mask=self.mask,
            return_sequences=self.return_sequences,
            reversed=not self.reversed,
            **self._options,
        )
        return made.to(self.each[0].bias)

    def _drawn(self, share: float, like: Tensor, width: int) -> Tensor | None:
        """A mask of zeros and 1 / (1 − share); None outside training."""
        if not share or not self.training:
            return None
        steps = like.shape[1] if self.mask == "step" else 1
        kept = torch.empty(len(like), steps, width, dtype=like.dtype, device=like.device)
        return kept.bernoulli_(1 - share).div_(1 - share)

    def _checked_state(self, state: LayerState | None, inputs: Tensor) -> State:
        """The parts of a state, each (layer, batch, unit)."""
        shape = (self.layers, len(inputs), self.units)
        if state is None:
            return (inputs.new_zeros(shape),) * self.cell.parts
        parts: State = tuple(state) if isinstance(state, tuple | list) else (state,)
        if len(parts) != self.cell.parts or any(part.shape != shape for part in parts):
            wanted = ("a tensor" if self.cell.parts == 1 else "a pair of tensors") + f" of the shape {shape}"
            found = " and ".join(str(tuple(part.shape)) for part in parts)
            raise ConfigurationError(f"the state must be {wanted} (layer, batch, unit); found {found}")
        if any(part.device != inputs.device for part in parts):
            raise ConfigurationError(f"the state is on {parts[0].device}, the inputs are on {inputs.device}: move one")
        return parts if parts[0].dtype == inputs.dtype else tuple(part.to(inputs.dtype) for part in parts)

    def _whole(self, parts: State) -> LayerState:
        return parts[0] if len(parts) == 1 else (parts[0], parts[1])

    def _checked(self, lengths: Any, inputs: Tensor) -> Tensor:
        given = lengths.detach().clone() if isinstance(lengths, Tensor) else torch.from_numpy(np.array(lengths))
        found = given.to(inputs.device, torch.int64)
        batch, time, _ = inputs.shape
        whole = not given.is_floating_point() and tuple(found.shape) == (batch,)
        if not whole or bool(((found < 0) | (found > time)).any()):
            raise ConfigurationError(
                f"lengths must be one whole number from 0 to {time} for each of {batch} sequences; "
                f"found {given.tolist()}"
            )
        return found

    def extra_repr(self) -> str:
        """What ``print`` shows."""
        plain = {
            "layers": 1,
            "dropout": 0.0,
            "recurrent_dropout": 0.0,
            "mask": "sequence",
            "return_sequences": False,
            "reversed": False,
        }
        usual = {**plain, "activation": "tanh", "reset": "after"}
        values = {name: getattr(self, name) for name in plain} | self._options
        changed = [f"{name}={value!r}" for name, value in values.items() if value != usual.get(name)]
        return ", ".join([str(self.features), str(self.units), *changed])


class RNN(Recurrent):
    """Simple recurrent layers: h' = f(xW + hU + b).

    >>> RNN(3, 5)(torch.zeros(2, 7, 3)).shape
    torch.Size([2, 5])
    """

    cell = RNNCell


class LSTM(Recurrent):
    """Long short-term memory.

    >>> outputs, (state, cell) = LSTM(3, 5, return_sequences=True)(torch.zeros(2, 7, 3), return_state=True)
    >>> outputs.shape, state.shape
    (torch.Size([2, 7, 5]), torch.Size([1, 2, 5]))
    """

    cell = LSTMCell


class GRU(Recurrent):
    """Gated recurrent units; ``reset="before"`` is the slides' convention.

    >>> layer = GRU(14, 32, recurrent_dropout=0.2)
    >>> layer(torch.zeros(8, 240, 14)).shape
    torch.Size([8, 32])
    """

    cell = GRUCell


MERGES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "concatenate": lambda ahead, back: torch.cat([ahead, back], -1),
    "sum": lambda ahead, back: ahead + back,
    "mean": lambda ahead, back: (ahead + back) / 2,
    "product": lambda ahead, back: ahead * back,
}


class Bidirectional(nn.Module):
    """A layer and its twin that reads in the other direction (Schuster and Paliwal 1997), their outputs merged.

    Args:
        layer: The layer; its twin begins with weights of its own.
        merge: ``concatenate``, ``sum``, ``mean`` or ``product``.

    Raises:
        ConfigurationError: There is no such merge.

    >>> Bidirectional(GRU(3, 5))(torch.zeros(2, 7, 3)).shape
    torch.Size([2, 10])
    """

    def __init__(self, layer: Recurrent, merge: str = "concatenate") -> None:
        super().__init__()
        if merge not in MERGES:
            raise ConfigurationError(
                f"merge must be one of {', '.join(MERGES)}; it is {merge!r}", option="merge", value=merge
            )
        if not isinstance(layer, Recurrent):
            raise ConfigurationError(f"layer must be an RNN, LSTM or GRU of foretell.nn; found {type(layer).__name__}")
        self.ahead, self.back, self.merge = layer, layer.twin(), merge

    @property
    def width(self) -> int:
        """Numbers of an output."""
        return self.ahead.width * (2 if self.merge == "concatenate" else 1)

    def forward(
        self,
        inputs: Float[Tensor, "batch time feature"],
        state: tuple[LayerState, LayerState] | None = None,
        lengths: Any = None,
        return_state: bool = False,
    ) -> Any:
        """Reads a batch of sequences in both directions, as :meth:`Recurrent.forward` in one; states in pairs."""
        states = (None, None) if state is None else state
        both = [
            layer(inputs, own, lengths, return_state=True)
            for layer, own in zip((self.ahead, self.back), states, strict=True)
        ]
        merged = MERGES[self.merge](both[0][0], both[1][0])
        return (merged, (both[0][1], both[1][1])) if return_state else merged

    def extra_repr(self) -> str:
        """What ``print`` shows."""
        return f"merge={self.merge!r}"
