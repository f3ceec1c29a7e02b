"""The initial weights of the lectures' networks (Keras's defaults): Glorot inputs, orthogonal recurrence, zero biases.

Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural networks" (2010);
Saxe, McClelland and Ganguli, "Exact solutions to the nonlinear dynamics of learning" (2013).
"""

from torch import nn


def initialise(network: nn.Module) -> None:
    """Sets the weights of every dense layer and convolution inside a network; recurrent cells set their own.

    Args:
        network: Changed in place, from torch's current random state.

    >>> layer = nn.Linear(3, 2)
    >>> initialise(layer)
    >>> layer.bias.tolist()
    [0.0, 0.0]
    """
    for layer in network.modules():
        if isinstance(layer, nn.Linear | nn.Conv1d) and layer.bias is not None:
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)
