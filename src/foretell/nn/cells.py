"""Recurrent cells, one step each, written as their equations; every kernel is held against these.

Throughout, x is the input of a step, h the state before it, σ the sigmoid, f the activation, and ∘ multiplies number
by number. A mask (Gal and Ghahramani 2015, "A Theoretically Grounded Application of Dropout in Recurrent Neural
Networks") multiplies the state where a matrix reads it, never the state that is carried on.
"""

from collections.abc import Callable
from typing import ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..errors import ConfigurationError

Activation = Literal["tanh", "relu"]
ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {"tanh": torch.tanh, "relu": torch.relu}

State = tuple[Tensor, ...]
"""What a cell carries on: (state,), or (state, cell) for an LSTM; each (batch, unit)."""


class Cell(nn.Module):
    """A recurrent cell: what a step takes from the inputs, and how it goes on from a state.

    Args:
        features: Inputs of a step.
        units: Numbers of the state.
        activation: ``tanh``, or ``relu`` for the larger of a number and zero.
    """

    gates: ClassVar[int]
    parts: ClassVar[int] = 1
    options: ClassVar[tuple[str, ...]] = ()

    def __init__(self, features: int, units: int, *, activation: Activation = "tanh") -> None:
        super().__init__()
        if activation not in ACTIVATIONS:
            raise ConfigurationError(
                f'the activation must be "tanh" or "relu"; it is {activation!r}', option="activation", value=activation
            )
        for name, value in (("features", features), ("units", units)):
            if not isinstance(value, int) or value < 1:
                raise ConfigurationError(
                    f"{name} must be a whole number, 1 or more; it is {value!r}", option=name, value=value
                )
        self.features, self.units, self.activation = features, units, activation
        self.input_weights = nn.Parameter(torch.empty(features, self.gates * units))
        self.state_weights = nn.Parameter(torch.empty(units, self.gates * units))
        self.bias = nn.Parameter(torch.empty(self.gates * units))
        self.reset_parameters()

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """Glorot weights for the inputs, orthogonal ones for the state, each gate a matrix of its own; zero biases."""
        for gate in range(self.gates):
            own = slice(gate * self.units, (gate + 1) * self.units)
            nn.init.xavier_uniform_(self.input_weights[:, own])
            nn.init.orthogonal_(self.state_weights[:, own])
        nn.init.zeros_(self.bias)

    def project(self, inputs: Float[Tensor, "*batch feature"]) -> Float[Tensor, "*batch gates"]:
        """What the inputs add to each gate: xW + b."""
        return inputs @ self.input_weights + self.bias

    def advance(self, projected: Tensor, state: State, mask: Tensor | None = None) -> State:
        """The state after a step.

        Args:
            projected: What the step's inputs add, (batch, gates · units).
            state: The state before, each (batch, unit).
            mask: Multiplies the state where a matrix reads it, (batch, unit).
        """
        raise NotImplementedError

    def forward(self, inputs: Float[Tensor, "batch feature"], state: State, mask: Tensor | None = None) -> State:
        """The state after a step with some inputs."""
        return self.advance(self.project(inputs), state, mask)

    def torch_biases(self) -> tuple[Tensor, Tensor]:
        """The biases as torch and cuDNN have them: one that inputs add, and one that the state adds."""
        return self.bias, torch.zeros_like(self.bias)

    def f(self, sums: Tensor) -> Tensor:
        """The activation."""
        return ACTIVATIONS[self.activation](sums)

    def extra_repr(self) -> str:
        """What ``print`` shows."""
        return f"{self.features}, {self.units}, activation={self.activation!r}"


def _read(state: Tensor, mask: Tensor | None) -> Tensor:
    return state if mask is None else state * mask


class RNNCell(Cell):
    """h' = f(xW + hU + b): the simple recurrent cell (Elman 1990; Keras's SimpleRNN).

    >>> cell = RNNCell(3, 2)
    >>> (state,) = cell(torch.zeros(1, 3), (torch.zeros(1, 2),))
    >>> state.tolist()
    [[0.0, 0.0]]
    """

    gates = 1

    def advance(self, projected: Tensor, state: State, mask: Tensor | None = None) -> State:
        """The state after a step."""
        (h,) = state
        return (self.f(projected + _read(h, mask) @ self.state_weights),)


class LSTMCell(Cell):
    """Long short-term memory (Hochreiter and Schmidhuber 1997; forget gate: Gers, Schmidhuber and Cummins 2000).

    i = σ(xWᵢ + hUᵢ + bᵢ), f = σ(xW_f + hU_f + b_f), g = f(xW_g + hU_g + b_g), o = σ(xWₒ + hUₒ + bₒ);
    c' = f ∘ c + i ∘ g; h' = o ∘ f(c'). The slides call g the candidate C̃. The forget gate's bias begins at one
    (Jozefowicz, Zaremba and Sutskever 2015), so that a new network remembers.
    """

    gates, parts = 4, 2

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """As every cell, and one as the forget gate's bias."""
        super().reset_parameters()
        nn.init.ones_(self.bias[self.units : 2 * self.units])

    def advance(self, projected: Tensor, state: State, mask: Tensor | None = None) -> State:
        """The state and the cell after a step."""
        h, c = state
        i, f, g, o = (projected + _read(h, mask) @ self.state_weights).chunk(4, -1)
        c = f.sigmoid() * c + i.sigmoid() * self.f(g)
        return o.sigmoid() * self.f(c), c


class GRUCell(Cell):
    """A gated recurrent unit (Cho et al. 2014), in both conventions.

    r = σ(xWᵣ + hUᵣ + bᵣ), z = σ(xW_z + hU_z + b_z), and the candidate ĥ is
    f(xW + r ∘ (hU + c) + b) with ``reset="after"`` (cuDNN, torch, Keras), or
    f(xW + (r ∘ h)U + b) with ``reset="before"`` (the slides, the paper). Then h' = z ∘ h + (1 − z) ∘ ĥ.

    The slides write h' = (1 − z) ∘ h + z ∘ ĥ: their z is one minus ours (and torch's, and Keras's), so its weights are
    ours with the sign turned.

    Args:
        features: Inputs of a step.
        units: Numbers of the state.
        activation: Of the candidate.
        reset: Whether the reset gate multiplies after or before the product with the candidate's matrix.
    """

    gates = 3
    options = ("reset",)

    def __init__(
        self, features: int, units: int, *, activation: Activation = "tanh", reset: Literal["after", "before"] = "after"
    ) -> None:
        super().__init__(features, units, activation=activation)
        if reset not in ("after", "before"):
            raise ConfigurationError(f'reset must be "after" or "before"; it is {reset!r}', option="reset", value=reset)
        self.reset = reset
        self.candidate_bias = nn.Parameter(torch.zeros(units)) if reset == "after" else None

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """As every cell."""
        super().reset_parameters()
        candidate_bias = getattr(self, "candidate_bias", None)  # not there yet when a cell is made
        if candidate_bias is not None:
            nn.init.zeros_(candidate_bias)

    def advance(self, projected: Tensor, state: State, mask: Tensor | None = None) -> State:
        """The state after a step."""
        (h,) = state
        read = _read(h, mask)
        r_x, z_x, candidate_x = projected.chunk(3, -1)
        to_gates, to_candidate = self.state_weights.tensor_split([2 * self.units], -1)
        r_h, z_h = (read @ to_gates).chunk(2, -1)
        r, z = (r_x + r_h).sigmoid(), (z_x + z_h).sigmoid()
        if self.candidate_bias is not None:
            candidate = self.f(candidate_x + r * (read @ to_candidate + self.candidate_bias))
        else:
            candidate = self.f(candidate_x + (r * read) @ to_candidate)
        return (z * h + (1 - z) * candidate,)

    def torch_biases(self) -> tuple[Tensor, Tensor]:
        """The same; the candidate's second bias is no part of the first one."""
        if self.candidate_bias is None:
            return super().torch_biases()
        return self.bias, torch.cat([torch.zeros_like(self.bias[: 2 * self.units]), self.candidate_bias])
