"""State dictionaries of recurrent layers to and from those of torch.nn's.

torch keeps matrices the other way round, and two biases for each gate, of which all but one of a GRU are redundant:
they are summed here, and given back as one with zeros for the other.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from ..errors import ConfigurationError
from .cells import Cell, GRUCell, RNNCell
from .recurrent import Bidirectional, Recurrent


def to_torch_state(layer: Recurrent | Bidirectional) -> dict[str, Tensor]:
    """The weights of a layer as torch.nn's layer of the same kind calls them.

    Args:
        layer: RNN, LSTM or GRU with the reset after the product; or one layer of them in both directions.

    Raises:
        ConfigurationError: torch.nn has no such layer.

    >>> from foretell.nn import GRU
    >>> torch.nn.GRU(3, 5).load_state_dict(to_torch_state(GRU(3, 5)))
    <All keys matched successfully>
    """
    state = {}
    for name, cell in _cells(layer):
        weights = (cell.input_weights.t(), cell.state_weights.t(), *cell.torch_biases())
        for kind, tensor in zip(("weight_ih", "weight_hh", "bias_ih", "bias_hh"), weights, strict=True):
            state[f"{kind}_{name}"] = tensor.detach().clone(memory_format=torch.contiguous_format)
    return state


def load_torch_state(layer: Recurrent | Bidirectional, state: Mapping[str, Tensor]) -> None:
    """Takes over the weights of torch.nn's layer of the same kind.

    Args:
        layer: As in :func:`to_torch_state`; changed in place.
        state: What ``state_dict()`` of torch's layer gives.

    Raises:
        ConfigurationError: The weights are those of another kind or size of layer.

    >>> from foretell.nn import LSTM
    >>> load_torch_state(LSTM(3, 5, layers=2), torch.nn.LSTM(3, 5, num_layers=2).state_dict())
    """
    wanted = {name: tuple(tensor.shape) for name, tensor in to_torch_state(layer).items()}
    found = {name: tuple(tensor.shape) for name, tensor in state.items()}
    without_bias = {name: shape for name, shape in wanted.items() if name.startswith("weight")}
    if found not in (wanted, without_bias):
        names = sorted(name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name))
        first = names[0]
        raise ConfigurationError(
            f"the state is of another layer than {type(layer).__name__}: {first} should be "
            f"{wanted.get(first, 'absent')} and is {found.get(first, 'absent')}"
        )
    with torch.no_grad():
        for name, cell in _cells(layer):
            cell.input_weights.copy_(state[f"weight_ih_{name}"].t())
            cell.state_weights.copy_(state[f"weight_hh_{name}"].t())
            zeros = torch.zeros_like(cell.bias)
            bias, state_bias = state.get(f"bias_ih_{name}", zeros), state.get(f"bias_hh_{name}", zeros)
            if isinstance(cell, GRUCell) and cell.candidate_bias is not None:
                gates = 2 * cell.units
                cell.candidate_bias.copy_(state_bias[gates:])
                state_bias = torch.cat([state_bias[:gates], zeros[gates:]])
            cell.bias.copy_(bias + state_bias)


def _cells(layer: Recurrent | Bidirectional) -> list[tuple[str, Cell]]:
    """The cells of a layer, by the ending of torch's names."""
    if isinstance(layer, Bidirectional):
        if layer.ahead.layers > 1:
            raise ConfigurationError(
                "several layers in both directions have no counterpart in torch.nn, which merges the directions after "
                f"each layer; this one has {layer.ahead.layers} layers, convert layer by layer"
            )
        first, second = (layer.back, layer.ahead) if layer.ahead.reversed else (layer.ahead, layer.back)
        pairs: list[tuple[str, Cell]] = [("l0", first.each[0]), ("l0_reverse", second.each[0])]
    else:
        pairs = [(f"l{number}", cell) for number, cell in enumerate(layer.each)]
    if any(isinstance(cell, GRUCell) and cell.reset != "after" for _, cell in pairs):
        raise ConfigurationError('torch.nn has no GRU with reset="before"; make the layer with reset="after"')
    if any(not isinstance(cell, RNNCell) and cell.activation != "tanh" for _, cell in pairs):
        raise ConfigurationError('torch.nn has no LSTM or GRU with activation="relu"; make the layer with "tanh"')
    return pairs
