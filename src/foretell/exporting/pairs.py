"""Encoders and decoders in the formats of other programs: recurrent ones in ONNX, Transformers in CTranslate2's."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
from torch import nn

from ..errors import ConfigurationError, MissingError
from ..nn import EncoderDecoder, RecurrentPair, TransformerPair
from ..nn.attention import AdditiveAttention, MultiHeadAttention
from ..nn.positions import sinusoidal_positions
from ..nn.recurrent import Bidirectional
from .onnx_graph import SHORT, Graph

PLACES = 2048  # of sinusoidal positions that are written


def to_onnx(network: EncoderDecoder, folder: Path) -> list[str]:
    """Writes a recurrent encoder and its decoder, a graph each.

    ``encoder.onnx`` reads ``source`` (batch, place) and ``lengths`` (batch) and gives the memory: ``first``, and with
    attention ``read`` and ``keys``. ``decoder.onnx`` reads ``tokens`` (batch, place), a state in parts ``state_0`` ...
    and what attention asks, ``read``, ``keys`` and ``lengths``; it gives ``scores`` and the parts of the state after.
    The first state is ``first`` cut into its parts.

    Args:
        network: The network, as it predicts.
        folder: Where.

    Returns:
        The names of the files.

    Raises:
        ConfigurationError: It is no recurrent one.
        MissingError: ONNX is not installed.
    """
    pair = network.pair
    if not isinstance(pair, RecurrentPair):
        raise ConfigurationError("--to onnx is for recurrent networks; a Transformer goes --to ctranslate2")
    _encoder(network, pair).save(folder / "encoder.onnx")
    _decoder(network, pair).save(folder / "decoder.onnx")
    return ["encoder.onnx", "decoder.onnx"]


def _encoder(network: EncoderDecoder, pair: RecurrentPair) -> Graph:
    graph = Graph("encoder")
    source = graph.input("source", ["batch", "place"], "whole")
    lengths = graph.add("Cast", graph.input("lengths", ["batch"], "whole"), to=SHORT)
    read = _vectors(graph, network, source)
    ends: list[str] = []
    for layer in pair.encoder:
        read, ends = graph.recurrent(read, cast(Bidirectional, layer), lengths)
    units = cast(Bidirectional, pair.encoder[-1]).ahead.units
    batch_first = graph.add("Transpose", ends[0], perm=[1, 0, 2])
    last = graph.add("Reshape", batch_first, graph.constant(np.array([0, 2 * units])))
    first = graph.add("Tanh", graph.linear(last, pair.bridge))
    graph.output("first", first, ["batch", pair.bridge.out_features])
    if pair.attention is not None:
        graph.output("read", read, ["batch", "place", 2 * units])
        keys = graph.linear(read, pair.attention.key)
        graph.output("keys", keys, ["batch", "place", pair.attention.key.out_features])
    return graph


def _decoder(network: EncoderDecoder, pair: RecurrentPair) -> Graph:
    graph = Graph("decoder")
    outputs = _vectors(graph, network, graph.input("tokens", ["batch", "written"], "whole"))
    after: list[tuple[str, int]] = []
    for layer in pair.layers:
        parts = [graph.input(f"state_{len(after) + part}", ["batch", layer.units]) for part in range(layer.cell.parts)]
        outputs, ends = graph.recurrent(outputs, layer, state=parts)
        axis = graph.constant(np.array([0]))
        after += [(graph.add("Squeeze", end, axis), layer.units) for end in ends]
    if pair.attention is not None:
        outputs = _found(graph, pair, outputs)
    vectors = outputs if network.project is None else graph.linear(outputs, network.project)
    scores = graph.add("MatMul", vectors, graph.constant(network.embedding.t()))
    graph.output("scores", graph.add("Add", scores, graph.constant(network.bias)), ["batch", "written", network.tokens])
    for number, (part, units) in enumerate(after):
        graph.output(f"state_{number}_after", part, ["batch", units])
    return graph


def _vectors(graph: Graph, network: EncoderDecoder, tokens: str) -> str:
    table = graph.constant(network.embedding * network.width**0.5)
    return str(graph.add("Gather", table, tokens))


def _found(graph: Graph, pair: RecurrentPair, outputs: str) -> str:
    """What the decoder's states find, put beside them."""
    attention, combine = pair.attention, cast(nn.Linear, pair.combine)
    width, units = combine.in_features - pair.width, cast(Any, attention).key.out_features
    read = graph.input("read", ["batch", "place", width])
    keys = graph.input("keys", ["batch", "place", units])
    lengths = graph.input("lengths", ["batch"], "whole")
    if isinstance(attention, AdditiveAttention):
        asking = graph.add("Unsqueeze", graph.linear(outputs, attention.query), graph.constant(np.array([2])))
        asked = graph.add("Unsqueeze", keys, graph.constant(np.array([1])))
        fits = graph.linear(graph.add("Tanh", graph.add("Add", asking, asked)), attention.score)
        fits = graph.add("Squeeze", fits, graph.constant(np.array([3])))
    else:
        fits = graph.add("MatMul", outputs, graph.add("Transpose", keys, perm=[0, 2, 1]))
    # Padding is not looked at.
    size = graph.add("Slice", graph.add("Shape", keys), *_one(graph, 1))
    places = graph.add("Squeeze", size, graph.constant(np.array([0])))
    order = graph.add("Range", graph.constant(np.array(0)), places, graph.constant(np.array(1)))
    inside = graph.add("Less", order, graph.add("Unsqueeze", lengths, graph.constant(np.array([1]))))
    mask = graph.add("Unsqueeze", inside, graph.constant(np.array([1])))
    least = graph.constant(np.array(-np.inf, np.float32))
    weights = graph.add("Softmax", graph.add("Where", mask, fits, least), axis=-1)
    context = graph.add("MatMul", weights, read)
    return str(graph.add("Tanh", graph.linear(graph.add("Concat", context, outputs, axis=2), combine)))


def _one(graph: Graph, place: int) -> tuple[str, str]:
    """One entry of a shape."""
    return graph.constant(np.array([place])), graph.constant(np.array([place + 1]))


def to_ctranslate2(network: EncoderDecoder, tokens: Sequence[str], special: Sequence[str], folder: Path) -> list[str]:
    """Writes a Transformer as CTranslate2 reads it.

    Args:
        network: The network, as it predicts.
        tokens: All tokens, by number.
        special: Those that are unknown, that begin texts, and that end them.
        folder: Where.

    Returns:
        The names of the files.

    Raises:
        ConfigurationError: It is no Transformer.
        MissingError: CTranslate2 is not installed.
    """
    pair = network.pair
    if not isinstance(pair, TransformerPair):
        raise ConfigurationError("--to ctranslate2 is for Transformers; a recurrent network goes --to onnx")
    try:
        from ctranslate2.specs import TransformerSpec, common_spec
    except ImportError:
        told = "--to ctranslate2 needs ctranslate2: pip install 'foretell[export]'"
        raise MissingError(told, extra="export") from None
    encoder, decoder = pair.encoder, pair.decoder
    blocks = list(encoder.blocks)
    heads, pre = cast(Any, blocks[0]).attention.heads, cast(Any, blocks[0]).norm == "pre"
    gelu = isinstance(cast(Any, blocks[0]).dense[1], nn.GELU)
    activation = common_spec.Activation.GELU if gelu else common_spec.Activation.RELU
    spec = TransformerSpec.from_config((len(blocks), len(decoder.each)), heads, pre_norm=pre, activation=activation)
    _fill(spec, network, pair)
    if pre:
        _norm(spec.encoder.layer_norm, cast(nn.LayerNorm, encoder.norm))
        _norm(spec.decoder.layer_norm, cast(nn.LayerNorm, decoder.norm))
    spec.register_source_vocabulary(list(tokens))
    spec.register_target_vocabulary(list(tokens))
    unknown, begin, end = special
    spec.config.unk_token, spec.config.bos_token, spec.config.eos_token = unknown, begin, end
    spec.config.decoder_start_token, spec.config.add_source_eos = begin, True
    spec.config.layer_norm_epsilon = 1e-5
    spec.validate()
    spec.optimize()
    spec.save(str(folder))
    return sorted(path.name for path in folder.iterdir())


def _fill(spec: Any, network: EncoderDecoder, pair: TransformerPair) -> None:
    """The weights, each where CTranslate2 looks for it."""
    table = _array(network.embedding)
    spec.encoder.embeddings[0].weight = spec.decoder.embeddings.weight = table
    if pair.learned is None:
        positions = [sinusoidal_positions(PLACES, network.width).numpy()] * 2
    else:
        positions = [_array(own) for own in pair.learned]
    spec.encoder.position_encodings.encodings, spec.decoder.position_encodings.encodings = positions
    spec.decoder.projection.weight, spec.decoder.projection.bias = table, _array(network.bias)
    for layer, own in zip(spec.encoder.layer, pair.encoder.blocks, strict=True):
        block = cast(Any, own)
        _attention(layer.self_attention, block.attention, block.attention_norm, 1)
        _dense(layer.ffn, block)
    for layer, block in zip(spec.decoder.layer, pair.decoder.each, strict=True):
        _attention(layer.self_attention, block.attention, block.attention_norm, 1)
        _attention(layer.attention, block.memory_attention, block.memory_norm, 2)
        _dense(layer.ffn, block)


def _attention(spec: Any, attention: MultiHeadAttention, norm: nn.LayerNorm, parts: int) -> None:
    """Queries, keys and values in as many products as CTranslate2 makes of them, then what merges the heads."""
    layers = [attention.query, attention.key, attention.value]
    groups = [layers] if parts == 1 else [layers[:1], layers[1:]]
    for linear, group in zip(spec.linear, [*groups, [attention.merge]], strict=True):
        linear.weight = np.concatenate([_array(own.weight) for own in group])
        linear.bias = np.concatenate([_array(own.bias) for own in group])
    _norm(spec.layer_norm, norm)


def _dense(spec: Any, block: Any) -> None:
    for linear, own in ((spec.linear_0, block.dense[0]), (spec.linear_1, block.dense[2])):
        linear.weight, linear.bias = _array(own.weight), _array(own.bias)
    _norm(spec.layer_norm, block.dense_norm)


def _norm(spec: Any, norm: nn.LayerNorm) -> None:
    spec.gamma, spec.beta = _array(norm.weight), _array(norm.bias)


def _array(own: Any) -> np.ndarray:
    return np.ascontiguousarray(own.detach().numpy())
