"""Recurrent layers as options name them."""

from typing import Any

from ..config import NetworkSection, RecurrentSection
from ..errors import ConfigurationError
from ..nn import GRU, LSTM, RNN, Bidirectional
from ..nn.recurrent import Recurrent

CELLS: dict[str, type[Recurrent]] = {"rnn": RNN, "gru": GRU, "lstm": LSTM}


def sizes(section: RecurrentSection) -> tuple[int, ...]:
    """The units of each layer: those that are named one by one, or one size for all layers.

    >>> sizes(NetworkSection(units=32, layers=2)), sizes(NetworkSection(units="32,64"))
    ((32, 32), (32, 64))
    """
    return section.units if len(section.units) > 1 else section.units * section.layers


def recurrent_layers(
    kind: str, features: int, section: RecurrentSection, units: tuple[int, ...], *, every_step: bool = False
) -> list[Recurrent | Bidirectional]:
    """Recurrent layers one upon the other; all but the last return sequences, the last one too where asked.

    Args:
        kind: ``rnn``, ``gru`` or ``lstm``.
        features: Inputs of a step.
        section: Activation, dropout, and the direction where it names one.
        units: Of each layer.
        every_step: Whether the last layer returns the states of all steps.

    Raises:
        ConfigurationError: ``activation`` names another number of layers.
    """
    activations = section.activation * len(units) if len(section.activation) == 1 else section.activation
    if len(activations) != len(units):
        raise ConfigurationError(
            f"activation names {len(activations)} layers ({', '.join(activations)}), the network has {len(units)}; "
            "name one for all, or one for each",
            option="activation",
        )
    direction, merge = "forward", ""
    if isinstance(section, NetworkSection):
        direction, merge = section.direction, section.merge
    layers: list[Recurrent | Bidirectional] = []
    for number, (size, activation) in enumerate(zip(units, activations, strict=True)):
        options: dict[str, Any] = {"reset": section.reset} if kind == "gru" else {}
        layer = CELLS[kind](
            features,
            size,
            activation=activation,
            dropout=section.dropout,
            recurrent_dropout=section.recurrent_dropout,
            mask=section.mask,
            return_sequences=every_step or number + 1 < len(units),
            reversed=direction == "backward",
            **options,
        )
        layers.append(Bidirectional(layer, merge) if direction == "both" else layer)
        features = layers[-1].width
    return layers
