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
from .decoder import DecoderBody
from .embedding import NgramEmbedding, TokenEmbedding
from .heads import ChangeFromLast, KnownAhead
from .initialisation import initialise
from .language import Forgetful, LanguageNetwork, RecurrentBody
from .networks import ConvolutionNetwork, ConvolutionRecurrentNetwork, PerceptronNetwork, RecurrentNetwork
from .readers import AttentionReader, ConvolutionReader, ConvolutionRecurrentReader, MeanReader, RecurrentReader
from .recurrent import GRU, LSTM, RNN, Bidirectional
from .texts import TextNetwork
from .threads import kernel_threads
from .transformer import Encoder, EncoderBlock, TransformerNetwork
from .ways import recurrence

__all__ = [
    "GRU",
    "LSTM",
    "RNN",
    "AttentionReader",
    "Bidirectional",
    "ChangeFromLast",
    "ChannelNetwork",
    "ConvolutionNetwork",
    "ConvolutionReader",
    "ConvolutionRecurrentNetwork",
    "ConvolutionRecurrentReader",
    "Convolutions",
    "DecoderBody",
    "Encoder",
    "EncoderBlock",
    "Forgetful",
    "GRUCell",
    "KnownAhead",
    "LSTMCell",
    "LanguageNetwork",
    "MeanReader",
    "MultiHeadAttention",
    "NgramEmbedding",
    "PatchTransformer",
    "Patches",
    "PerceptronNetwork",
    "RNNCell",
    "RecurrentBody",
    "RecurrentNetwork",
    "RecurrentReader",
    "ReversibleNormalisation",
    "SegmentRecurrent",
    "TextNetwork",
    "TokenEmbedding",
    "TransformerNetwork",
    "TrendAndRemainder",
    "initialise",
    "kernel_threads",
    "load_torch_state",
    "recurrence",
    "to_torch_state",
]
