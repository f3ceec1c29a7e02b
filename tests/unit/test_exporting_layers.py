"""Layers in ONNX: each says what torch says, whatever its sizes; what has no graph is told."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from foretell.errors import ConfigurationError
from foretell.exporting.encoders import encoder
from foretell.exporting.layers import convolutions, dense, longest_of, mean_of, normalised, patches, recurrent
from foretell.exporting.onnx_graph import DOUBLE, SHORT, Graph
from foretell.exporting.windows import over_windows
from foretell.nn import Bidirectional, Convolutions
from foretell.nn.channels import Patches, ReversibleNormalisation
from foretell.nn.heads import dense as dense_layers
from foretell.nn.readers import inside
from foretell.nn.recurrent import MERGES
from foretell.nn.transformer import Encoder

from .made_layers import KINDS, with_biases

Write = Callable[[Graph, str], str]


def said(write: Write, read: Tensor, rank: int, **others: Tensor) -> np.ndarray:
    """What onnxruntime says of a graph with one input of single precision, and others of whole numbers."""
    runtime = pytest.importorskip("onnxruntime")
    graph = Graph("layer")
    own = graph.input("read", [f"axis_{axis}" for axis in range(read.ndim - 1)] + [read.shape[-1]])
    for name, other in others.items():
        graph.input(name, [f"{name}_{axis}" for axis in range(other.ndim)], "whole")
    found = graph.add("Cast", write(graph, own), to=DOUBLE)
    graph.output("said", str(found), [f"size_{axis}" for axis in range(rank)], "double")
    with tempfile.TemporaryDirectory() as folder:
        graph.save(Path(folder) / "layer.onnx", {"what": "a layer", "sizes": [1, 2]})
        session = runtime.InferenceSession(str(Path(folder) / "layer.onnx"))
    assert session.get_modelmeta().custom_metadata_map == {"what": "a layer", "sizes": "[1, 2]"}
    feed = {"read": read.numpy(), **{name: other.numpy() for name, other in others.items()}}
    (result,) = session.run(None, feed)
    return np.asarray(result)


def same(write: Write, layer: Any, read: Tensor, **others: Tensor) -> None:
    with torch.no_grad():
        expected = layer(read, *others.values())
    np.testing.assert_allclose(said(write, read, expected.ndim, **others), expected.numpy(), atol=1e-5)


@pytest.mark.parametrize("hidden", [(), (5,), (5, 3)])
def test_dense_layers(hidden: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    layers = with_biases(dense_layers(4, hidden, 2))
    same(lambda graph, own: dense(graph, own, layers), layers, torch.randn(3, 6, 4))
    gelu = nn.Sequential(nn.Linear(4, 5), nn.GELU(), nn.Linear(5, 2, bias=False))
    same(lambda graph, own: dense(graph, own, gelu), gelu, 3 * torch.randn(7, 4))


@pytest.mark.parametrize("kind", list(KINDS))
@pytest.mark.parametrize("every_step", [True, False])
@pytest.mark.parametrize("way", ["ahead", "back", *MERGES])
def test_recurrent_layers_are_read_as_torch_reads_them(kind: str, every_step: bool, way: str) -> None:
    torch.manual_seed(1)
    one = KINDS[kind](3, 5, return_sequences=every_step, reversed=way == "back")
    layer = with_biases(Bidirectional(one, way) if way in MERGES else one)
    graphs: list[Graph] = []

    def write(graph: Graph, own: str) -> str:
        graphs.append(graph)
        return recurrent(graph, own, layer, str(graph.add("Cast", "lengths", to=SHORT)))

    lengths = torch.tensor([6, 1, 4])
    same(write, lambda read, lengths: layer(read, lengths=lengths), torch.randn(3, 6, 3), lengths=lengths)
    assert [node.op_type for node in graphs[0].nodes].count(kind.split()[0].upper()) == 1


@settings(max_examples=40)
@given(
    st.integers(1, 20),
    st.integers(1, 5),
    st.integers(1, 4),
    st.integers(1, 3),
    st.sampled_from(["valid", "same"]),
    st.sampled_from(["maximum", "average"]),
)
def test_convolutions(steps: int, kernel: int, pool: int, layers: int, padding: Any, kind: Any) -> None:
    torch.manual_seed(2)
    sizes: dict[str, Any] = {"kernel_size": kernel, "pool_size": pool, "pool": kind, "padding": padding}
    made = with_biases(Convolutions(3, (4,) * layers, **sizes))
    assume(made.length(steps) >= 1)
    same(lambda graph, own: convolutions(graph, own, made), made, torch.randn(2, steps, 3))


@settings(max_examples=40)
@given(st.integers(1, 20), st.integers(1, 6))
def test_the_maximum_of_each_so_many_places(steps: int, size: int) -> None:
    read = torch.randn(2, steps, 3)
    found = said(lambda graph, own: longest_of(graph, own, size), read, 3)
    expected = [read[:, start : start + size].amax(1) for start in range(0, steps, size)]
    np.testing.assert_array_equal(found, torch.stack(expected, 1).numpy())


@settings(max_examples=40)
@given(st.integers(1, 20), st.integers(1, 8), st.integers(1, 8))
def test_patches(steps: int, patch: int, stride: int) -> None:
    layer = Patches(steps, patch, stride)
    read = torch.randn(3, steps)
    found = said(lambda graph, own: patches(graph, own, layer, steps), read, 3)
    np.testing.assert_array_equal(found, layer(read).numpy())


@pytest.mark.parametrize("kind", ["none", "last", "window"])
def test_windows_told_relative_to_themselves_and_back(kind: Any) -> None:
    layer = ReversibleNormalisation(kind)
    if kind == "window":
        layer.weight.data.fill_(1.7)
        layer.bias.data.fill_(-0.4)

    def write(graph: Graph, own: str) -> str:
        scaled, reverse = normalised(graph, own, layer)
        return reverse(str(graph.add("Relu", scaled)))

    def expected(series: Tensor) -> Tensor:
        scaled, scale = layer(series)
        return layer.reverse(scaled.relu(), scale)

    same(write, expected, 5 + torch.randn(4, 9))
    still = torch.full((1, 9), 3.25)  # a window that stands still is not blown up
    np.testing.assert_allclose(said(write, still, 2), expected(still).detach().numpy(), atol=1e-5)


@pytest.mark.parametrize("norm", ["pre", "post"])
@pytest.mark.parametrize("activation", ["gelu", "relu"])
@pytest.mark.parametrize("masked", [False, True])
def test_encoders(norm: Any, activation: str, masked: bool) -> None:
    torch.manual_seed(3)
    layer = with_biases(Encoder(8, 2, 11, 2, norm=norm, activation=activation)).eval()
    read, lengths = torch.randn(3, 5, 8), torch.tensor([5, 2, 1])
    allowed = inside(lengths, 5)[:, None]

    def write(graph: Graph, own: str) -> str:
        return encoder(graph, own, layer, str(graph.add("Cast", "mask", to=9)) if masked else "")

    others = {"mask": allowed[:, None].long()} if masked else {}
    same(write, lambda read, *mask: layer(read, allowed if mask else None), read, **others)


def test_the_mean_of_answers() -> None:
    def write(graph: Graph, own: str) -> str:
        wide = str(graph.add("Cast", own, to=DOUBLE))
        return mean_of(graph, [wide, str(graph.add("Mul", wide, wide)), wide])

    read = torch.tensor([[3.0, -1.0]])
    np.testing.assert_allclose(said(write, read, 2), [[(3 + 9 + 3) / 3, (-1 + 1 - 1) / 3]])


def test_what_has_no_graph_is_told() -> None:
    graph = Graph("none")
    with pytest.raises(ConfigurationError, match="no graph of Softmax among dense layers"):
        dense(graph, "own", nn.Sequential(nn.Linear(2, 2), nn.Softmax(-1)))
    with pytest.raises(ConfigurationError, match="no graph of Linear: it cannot go --to onnx"):
        over_windows(graph, nn.Linear(2, 2), "own", (3, 2))
