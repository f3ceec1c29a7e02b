"""Networks and their parts: tensors in, tensors out. Nothing here knows of files, tables or tasks."""

from .cells import GRUCell, LSTMCell, RNNCell
from .conversion import load_torch_state, to_torch_state
from .initialisation import initialise
from .networks import PerceptronNetwork, RecurrentNetwork
from .recurrent import GRU, LSTM, RNN, Bidirectional
from .threads import kernel_threads
from .ways import recurrence

__all__ = [
    "GRU",
    "LSTM",
    "RNN",
    "Bidirectional",
    "GRUCell",
    "LSTMCell",
    "PerceptronNetwork",
    "RNNCell",
    "RecurrentNetwork",
    "initialise",
    "kernel_threads",
    "load_torch_state",
    "recurrence",
    "to_torch_state",
]
