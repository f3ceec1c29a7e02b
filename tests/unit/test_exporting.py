"""Encoders and decoders for other programs: the same numbers in onnxruntime, and in CTranslate2."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from foretell.errors import ConfigurationError
from foretell.exporting.onnx_graph import Graph
from foretell.exporting.pairs import to_ctranslate2, to_onnx
from foretell.nn import (
    GRU,
    LSTM,
    RNN,
    AdditiveAttention,
    Bidirectional,
    EncoderDecoder,
    MultiplicativeAttention,
    RecurrentPair,
    TransformerPair,
)

from .made_layers import with_biases

TOKENS = 30
NAMES = ["[padding]", "[unknown]", "[begin]", "[end]", *(f"t{number}" for number in range(TOKENS - 4))]
LAYERS: dict[str, Any] = {
    "lstm": lambda features: LSTM(features, 5, return_sequences=True),
    "lstm relu": lambda features: LSTM(features, 5, return_sequences=True, activation="relu"),
    "gru": lambda features: GRU(features, 5, return_sequences=True),
    "gru before": lambda features: GRU(features, 5, return_sequences=True, reset="before"),
    "gru relu": lambda features: GRU(features, 5, return_sequences=True, activation="relu"),
    "rnn": lambda features: RNN(features, 5, return_sequences=True),
}


def session(path: Path) -> Any:
    return pytest.importorskip("onnxruntime").InferenceSession(str(path), providers=["CPUExecutionProvider"])


@pytest.mark.parametrize("both", [False, True])
@pytest.mark.parametrize("kind", list(LAYERS))
def test_a_recurrent_layer_is_one_node(kind: str, both: bool, tmp_path: Path) -> None:
    torch.manual_seed(1)
    layer: Any = with_biases(Bidirectional(LAYERS[kind](3)) if both else LAYERS[kind](3))
    graph = Graph("layer")
    read = graph.input("read", ["batch", "time", 3])
    lengths = graph.add("Cast", graph.input("lengths", ["batch"], "whole"), to=6)
    steps, ends = graph.recurrent(read, layer, lengths)
    graph.output("steps", steps, ["batch", "time", 10 if both else 5])
    graph.output("end", ends[0], [2 if both else 1, "batch", 5])
    graph.save(tmp_path / "layer.onnx")
    kinds = [node.op_type for node in graph.nodes]
    assert kinds.count(kind.split()[0].upper()) == 1
    for time in (1, 6):  # whatever the length
        inputs, sizes = torch.randn(3, time, 3), torch.tensor([time, max(1, time // 2), 1])
        found = session(tmp_path / "layer.onnx").run(None, {"read": inputs.numpy(), "lengths": sizes.numpy()})
        with torch.no_grad():
            expected, state = layer(inputs, lengths=sizes, return_state=True)
        np.testing.assert_allclose(found[0], expected.numpy(), atol=1e-5)
        states = state if both else (state,)
        last = torch.cat([own[0] if isinstance(own, tuple) else own for own in states])
        np.testing.assert_allclose(found[1], last.numpy(), atol=1e-5)


def recurrent(kind: Any, attention: str, layers: int) -> EncoderDecoder:
    torch.manual_seed(0)
    encoder = [Bidirectional(kind(8 if number == 0 else 12, 6, return_sequences=True)) for number in range(layers)]
    decoder = [kind(8 if number == 0 else 7, 7, return_sequences=True) for number in range(layers)]
    asks: Any = {"additive": AdditiveAttention(7, 12, 5), "multiplicative": MultiplicativeAttention(7, 12)}
    made = EncoderDecoder(TOKENS, 8, RecurrentPair(encoder, decoder, asks.get(attention)), 0)
    return with_biases(made).eval().requires_grad_(False)


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize(
    ("kind", "attention"), [(LSTM, ""), (GRU, "additive"), (LSTM, "multiplicative"), (GRU, "multiplicative")]
)
def test_recurrent_pairs_say_the_same_in_onnxruntime(kind: Any, attention: str, layers: int, tmp_path: Path) -> None:
    made = recurrent(kind, attention, layers)
    assert to_onnx(made, tmp_path) == ["encoder.onnx", "decoder.onnx"]
    source, written, lengths = (
        torch.randint(4, TOKENS, (3, 7)),
        torch.randint(4, TOKENS, (3, 5)),
        torch.tensor([7, 4, 1]),
    )
    expected = made(source, lengths, written).numpy()
    encoder, decoder = session(tmp_path / "encoder.onnx"), session(tmp_path / "decoder.onnx")
    names = [entry.name for entry in encoder.get_outputs()]
    memory = dict(zip(names, encoder.run(None, {"source": source.numpy(), "lengths": lengths.numpy()}), strict=True))
    states = [entry for entry in decoder.get_inputs() if entry.name.startswith("state_")]
    parts = np.split(memory["first"], len(states), axis=1)
    asked = {**memory, "lengths": lengths.numpy()}
    wanted = {entry.name for entry in decoder.get_inputs()}
    asked = {name: own for name, own in asked.items() if name in wanted}
    begun = {entry.name: part for entry, part in zip(states, parts, strict=True)}
    whole = decoder.run(None, {"tokens": written.numpy(), **begun, **asked})[0]
    np.testing.assert_allclose(whole, expected, atol=1e-5)
    for place in range(5):  # and token by token
        begun = {entry.name: part for entry, part in zip(states, parts, strict=True)}
        scores, *parts = decoder.run(None, {"tokens": written[:, place : place + 1].numpy(), **begun, **asked})
        np.testing.assert_allclose(scores[:, 0], expected[:, place], atol=1e-5)


@pytest.mark.parametrize("places", [0, 64])
@pytest.mark.parametrize("norm", ["pre", "post"])
def test_transformers_say_the_same_in_ctranslate2(norm: Any, places: int, tmp_path: Path) -> None:
    ctranslate2 = pytest.importorskip("ctranslate2")
    torch.manual_seed(0)
    pair = TransformerPair(32, 4, 48, 2, norm=norm, places=places)
    made = with_biases(EncoderDecoder(TOKENS, 32, pair, 0)).eval().requires_grad_(False)
    files = to_ctranslate2(made, NAMES, NAMES[1:4], tmp_path)
    assert "model.bin" in files
    translator = ctranslate2.Translator(str(tmp_path), device="cpu")
    source, target = torch.randint(4, TOKENS, (1, 9)), torch.randint(4, TOKENS, (1, 6))
    (result,) = translator.score_batch(
        [[NAMES[number] for number in source[0]]], [[NAMES[number] for number in target[0]]]
    )
    read = torch.cat([source, torch.tensor([[3]])], 1)
    written = torch.cat([torch.tensor([[2]]), target], 1)
    asked = torch.cat([target, torch.tensor([[3]])], 1)
    likely = made(read, torch.tensor([10]), written).log_softmax(-1).gather(2, asked[..., None])[0, :, 0]
    np.testing.assert_allclose(result.log_probs, likely.numpy(), atol=1e-4)


def test_each_goes_where_it_can(tmp_path: Path) -> None:
    transformer = EncoderDecoder(TOKENS, 16, TransformerPair(16, 2, 16, 1), 0)
    with pytest.raises(ConfigurationError, match="a Transformer goes --to ctranslate2"):
        to_onnx(transformer, tmp_path)
    with pytest.raises(ConfigurationError, match="a recurrent network goes --to onnx"):
        to_ctranslate2(recurrent(GRU, "additive", 1), NAMES, NAMES[1:4], tmp_path)
    with pytest.raises(ConfigurationError, match=r"single recurrent layers, .* found 2 layers"):
        Graph("none").recurrent("read", GRU(3, 5, layers=2))
    with pytest.raises(ConfigurationError, match="read backwards first"):
        Graph("none").recurrent("read", Bidirectional(GRU(3, 5, reversed=True)))
