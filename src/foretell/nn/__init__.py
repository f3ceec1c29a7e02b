"""Networks and their parts: tensors in, tensors out. Nothing here knows of files, tables or tasks."""

from .attention import AdditiveAttention, MultiHeadAttention, MultiplicativeAttention
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
from .encoder_decoder import EncoderDecoder, RecurrentPair, TransformerPair
from .heads import ChangeFromLast, KnownAhead
from .initialisation import initialise
from .language import Forgetful, LanguageNetwork, RecurrentBody
from .networks import (
    ConvolutionNetwork,
    ConvolutionRecurrentNetwork,
    PerceptronNetwork,
    RecurrentNetwork,
    TransformerNetwork,
)
from .readers import AttentionReader, ConvolutionReader, ConvolutionRecurrentReader, MeanReader, RecurrentReader
from .recurrent import GRU, LSTM, RNN, Bidirectional
from .texts import TextNetwork
from .threads import kernel_threads
from .transformer import Decoder, DecoderBlock, Encoder, EncoderBlock
from .ways import recurrence

__all__ = [
    "GRU",
    "LSTM",
    "RNN",
    "AdditiveAttention",
    "AttentionReader",
    "Bidirectional",
    "ChangeFromLast",
    "ChannelNetwork",
    "ConvolutionNetwork",
    "ConvolutionReader",
    "ConvolutionRecurrentNetwork",
    "ConvolutionRecurrentReader",
    "Convolutions",
    "Decoder",
    "DecoderBlock",
    "DecoderBody",
    "Encoder",
    "EncoderBlock",
    "EncoderDecoder",
    "Forgetful",
    "GRUCell",
    "KnownAhead",
    "LSTMCell",
    "LanguageNetwork",
    "MeanReader",
    "MultiHeadAttention",
    "MultiplicativeAttention",
    "NgramEmbedding",
    "PatchTransformer",
    "Patches",
    "PerceptronNetwork",
    "RNNCell",
    "RecurrentBody",
    "RecurrentNetwork",
    "RecurrentPair",
    "RecurrentReader",
    "ReversibleNormalisation",
    "SegmentRecurrent",
    "TextNetwork",
    "TokenEmbedding",
    "TransformerNetwork",
    "TransformerPair",
    "TrendAndRemainder",
    "initialise",
    "kernel_threads",
    "load_torch_state",
    "recurrence",
    "to_torch_state",
]
