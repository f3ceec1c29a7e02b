"""Networks and their parts: tensors in, tensors out. Nothing here knows of files, tables or tasks."""

from .attention import MultiHeadAttention
from .cells import GRUCell, LSTMCell, RNNCell
from .channels import (
    ChannelNetwork,
    Patches,
    PatchTransformer,
    ReversibleNormalisation,
    SegmentRecurrent,
    TrendAndRemainder,
)
from .conversion import load_torch_state, to_torch_state
from .convolution import Convolutions
from .heads import ChangeFromLast, KnownAhead
from .initialisation import initialise
from .networks import ConvolutionNetwork, ConvolutionRecurrentNetwork, PerceptronNetwork, RecurrentNetwork
from .recurrent import GRU, LSTM, RNN, Bidirectional
from .threads import kernel_threads
from .transformer import Encoder, EncoderBlock, TransformerNetwork
from .ways import recurrence

__all__ = [
    "GRU",
    "LSTM",
    "RNN",
    "Bidirectional",
    "ChangeFromLast",
    "ChannelNetwork",
    "ConvolutionNetwork",
    "ConvolutionRecurrentNetwork",
    "Convolutions",
    "Encoder",
    "EncoderBlock",
    "GRUCell",
    "KnownAhead",
    "LSTMCell",
    "MultiHeadAttention",
    "PatchTransformer",
    "Patches",
    "PerceptronNetwork",
    "RNNCell",
    "RecurrentNetwork",
    "ReversibleNormalisation",
    "SegmentRecurrent",
    "TransformerNetwork",
    "TrendAndRemainder",
    "initialise",
    "kernel_threads",
    "load_torch_state",
    "recurrence",
    "to_torch_state",
]
