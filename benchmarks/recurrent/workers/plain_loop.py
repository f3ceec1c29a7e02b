"""Recurrent layers with dropout within the recurrence as one writes them in torch: a loop in Python over time.

The inputs of all steps are multiplied at once, before the loop; one mask serves a whole sequence (Gal and Ghahramani,
"A Theoretically Grounded Application of Dropout in Recurrent Neural Networks", 2016).
"""

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..cases import GATES, Layer


class PlainDirection(nn.Module):
    """A GRU or an LSTM that reads one way.

    Args:
        features: Inputs at each step.
        layer: Kind, units, activation.
        dropout: Share of the inputs to drop.
        recurrent_dropout: Share of the state to drop.
    """

    def __init__(self, features: int, layer: Layer, dropout: float, recurrent_dropout: float) -> None:
        super().__init__()
        size = GATES[layer.kind] * layer.units
        self.inward, self.recurrent = nn.Linear(features, size), nn.Linear(layer.units, size)
        self.layer, self.dropout, self.recurrent_dropout = layer, dropout, recurrent_dropout

    def forward(self, inputs: Tensor) -> list[Tensor]:
        """From (time, batch, feature) to the outputs of each step."""
        batch = inputs.shape[1]
        projected = self.inward(inputs * functional.dropout(torch.ones_like(inputs[0]), self.dropout))
        mask = functional.dropout(torch.ones(batch, self.layer.units), self.recurrent_dropout)
        hidden = carry = torch.zeros(batch, self.layer.units)
        activation = torch.relu if self.layer.activation == "relu" else torch.tanh
        outputs = []
        for now in projected.unbind(0):
            before = self.recurrent(hidden * mask)
            if self.layer.kind == "GRU":
                reset, update, candidate = now.chunk(3, dim=-1)
                from_reset, from_update, from_candidate = before.chunk(3, dim=-1)
                keep = torch.sigmoid(update + from_update)
                new = activation(candidate + torch.sigmoid(reset + from_reset) * from_candidate)
                hidden = new + keep * (hidden - new)
            else:
                entry, forget, candidate, output = (now + before).chunk(4, dim=-1)
                carry = torch.sigmoid(forget) * carry + torch.sigmoid(entry) * activation(candidate)
                hidden = torch.sigmoid(output) * activation(carry)
            outputs.append(hidden)
        return outputs


class PlainRecurrent(nn.Module):
    """One direction, or two whose outputs are concatenated.

    Args:
        features: Inputs at each step.
        layer: Kind, units, activation.
        directions: 1 or 2.
        return_sequences: Whether the outputs of all steps come back, rather than the last one's.
        dropout: Share of the inputs to drop.
        recurrent_dropout: Share of the state to drop.
    """

    def __init__(
        self,
        features: int,
        layer: Layer,
        directions: int,
        return_sequences: bool,
        dropout: float,
        recurrent_dropout: float,
    ) -> None:
        super().__init__()
        self.directions = nn.ModuleList(
            PlainDirection(features, layer, dropout, recurrent_dropout) for _ in range(directions)
        )
        self.return_sequences = return_sequences

    def forward(self, inputs: Tensor) -> Tensor:
        """From (time, batch, feature) to (time, batch, unit) or (batch, unit)."""
        read = []
        for place, direction in enumerate(self.directions):
            outputs = cast("list[Tensor]", direction(inputs.flip(0) if place else inputs))
            if self.return_sequences:
                read.append(torch.stack(outputs[::-1] if place else outputs))
            else:
                read.append(outputs[-1])
        return torch.cat(read, dim=-1)
