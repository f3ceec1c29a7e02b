"""Convolutions against a plain loop, the lengths that they read and leave, and the sizes of the lectures' networks."""

from typing import Any, get_args

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from torch import nn

from foretell.errors import ConfigurationError
from foretell.nn import (
    GRU,
    LSTM,
    RNN,
    Bidirectional,
    ConvolutionNetwork,
    ConvolutionRecurrentNetwork,
    Convolutions,
    KnownAhead,
    PerceptronNetwork,
    RecurrentNetwork,
)
from foretell.nn.convolution import Padding, Pool, pooled, steps_needed
from foretell.nn.heads import dense

from .made_layers import one_thread_of_torchs, with_biases  # noqa: F401 (for every test here)

STEPS, FEATURES = 240, 14  # of the lectures: ten days of hours, all columns of the weather
POOLS, PADDINGS = get_args(Pool), get_args(Padding)


def size(network: nn.Module) -> int:
    return sum(weight.numel() for weight in network.parameters())


def plain_convolutions(convolutions: Convolutions, sequence: np.ndarray, pool_size: int) -> np.ndarray:
    """One sequence (time, feature), a patch and a filter at a time; zeros stand beyond the ends as Keras has them."""
    same, kernel_size = convolutions.padding == "same", convolutions.kernel_size
    for number, layer in enumerate(convolutions.layers):
        if number:
            groups = [sequence[start : start + pool_size] for start in range(0, len(sequence), pool_size)]
            groups = [group for group in groups if same or len(group) == pool_size]
            sequence = np.array([group.max(0) if convolutions.pool == "maximum" else group.mean(0) for group in groups])
        if same:
            sequence = np.pad(sequence, (((kernel_size - 1) // 2, kernel_size // 2), (0, 0)))
        assert isinstance(layer, nn.Conv1d)
        assert layer.bias is not None
        filters, biases = layer.weight.detach().double().numpy(), layer.bias.detach().double().numpy()
        places = len(sequence) - kernel_size + 1
        found = np.empty((places, len(filters)))
        for place in range(places):
            patch = sequence[place : place + kernel_size]
            for index, one in enumerate(filters):
                found[place, index] = max(0.0, (patch * one.T).sum() + biases[index])
        sequence = found
    return sequence


@given(
    filters=st.lists(st.integers(1, 4), min_size=1, max_size=3),
    kernel_size=st.integers(1, 5),
    pool_size=st.integers(1, 4),
    more=st.integers(0, 6),
    pool=st.sampled_from(POOLS),
    padding=st.sampled_from(PADDINGS),
)
def test_convolutions_are_a_plain_loop(
    filters: list[int], kernel_size: int, pool_size: int, more: int, pool: Pool, padding: Padding
) -> None:
    torch.manual_seed(len(filters) + more)
    layer = with_biases(
        Convolutions(3, filters, kernel_size=kernel_size, pool_size=pool_size, pool=pool, padding=padding)
    )
    steps = more + (1 if padding == "same" else steps_needed(len(filters), kernel_size, pool_size))
    inputs = torch.randn(2, steps, 3)
    with torch.no_grad():
        found = layer(inputs).numpy()
    for row in range(2):
        expected = plain_convolutions(layer, inputs[row].double().numpy(), pool_size)
        assert found[row].shape == expected.shape
        np.testing.assert_allclose(found[row], expected, atol=1e-5)


@given(
    layers=st.integers(1, 4),
    kernel_size=st.integers(1, 9),
    pool_size=st.integers(1, 6),
    steps=st.integers(1, 200),
    padding=st.sampled_from(PADDINGS),
)
def test_lengths_are_told_before_and_what_is_too_short_is_refused(
    layers: int, kernel_size: int, pool_size: int, steps: int, padding: Padding
) -> None:
    layer = Convolutions(1, (1,) * layers, kernel_size=kernel_size, pool_size=pool_size, padding=padding)
    needed = steps_needed(layers, kernel_size, pool_size)
    length = layer.length(steps)
    assert (length >= 1) == (padding == "same" or steps >= needed)
    if length >= 1:
        assert layer(torch.zeros(2, steps, 1)).shape == (2, length, 1)
    else:
        with pytest.raises(ConfigurationError, match=f"need {needed} steps; found {steps}$"):
            layer(torch.zeros(2, steps, 1))


@given(layers=st.integers(1, 4), kernel_size=st.integers(1, 9), pool_size=st.integers(1, 6))
def test_the_shortest_sequence_leaves_one_step(layers: int, kernel_size: int, pool_size: int) -> None:
    layer = Convolutions(1, (1,) * layers, kernel_size=kernel_size, pool_size=pool_size)
    needed = steps_needed(layers, kernel_size, pool_size)
    assert layer(torch.zeros(1, needed, 1)).shape[1] == 1
    assume(needed > 1)
    with pytest.raises(ConfigurationError, match="pooling"):
        layer(torch.zeros(1, needed - 1, 1))


def test_the_lectures_convolutions_leave_twenty_steps() -> None:
    layer = Convolutions(FEATURES, (32, 32, 32))
    assert [layer.length(steps) for steps in (STEPS, 61, 60)] == [20, 1, 0]
    assert Convolutions(FEATURES, (32, 32, 32), padding="same").length(STEPS) == 27


@pytest.mark.parametrize("pool", POOLS)
def test_global_pooling_takes_each_filter_over_all_places(pool: Pool) -> None:
    torch.manual_seed(1)
    sequences = torch.randn(2, 5, 3)
    expected = [
        [(max if pool == "maximum" else np.mean)(row[:, place].tolist()) for place in range(3)] for row in sequences
    ]
    torch.testing.assert_close(pooled(sequences, pool), torch.tensor(expected, dtype=torch.float32))


@pytest.mark.parametrize("head", [(), (5,)])
@pytest.mark.parametrize("pool", [*POOLS, None])
def test_convolutions_end_pooled_or_flat(pool: Pool | None, head: tuple[int, ...]) -> None:
    torch.manual_seed(2)
    convolutions = Convolutions(3, (4, 6), kernel_size=3, pool_size=2)
    network = ConvolutionNetwork(convolutions, 20, leads=2, targets=3, pool=pool, dropout=0.5, head=head).eval()
    windows = torch.randn(5, 20, 3)
    read = convolutions(windows)
    assert read.shape == (5, 7, 6)
    read = read.flatten(1) if pool is None else pooled(read, pool)
    torch.testing.assert_close(network(windows), network.head(read).view(5, 2, 3))
    width = 42 if pool is None else 6
    assert size(network.head) == size(dense(width, head, 6))
    assert not torch.equal(network.train()(windows), network(windows)), "nothing is dropped in training"


@pytest.mark.parametrize("both", [False, True])
def test_a_recurrent_layer_reads_what_convolutions_leave(both: bool) -> None:
    torch.manual_seed(3)
    convolutions, layer = Convolutions(3, (4, 6), kernel_size=3, pool_size=2), GRU(6, 7)
    recurrent = Bidirectional(layer) if both else layer
    network = ConvolutionRecurrentNetwork(convolutions, recurrent, leads=2, targets=3, head=(5,))
    windows = torch.randn(5, 20, 3)
    found = network(windows)
    assert found.shape == (5, 2, 3)
    torch.testing.assert_close(found, network.head(recurrent(convolutions(windows))).view(5, 2, 3))
    with pytest.raises(ConfigurationError, match="need 8 steps; found 7"):
        network(windows[:, :7])


def test_the_lectures_networks_have_their_sizes() -> None:
    """With all 14 columns of ten days of hours, and one number to forecast."""
    assert size(PerceptronNetwork(STEPS, FEATURES, 32, leads=1, targets=1)) == 107_585
    convolutions = Convolutions(FEATURES, (32, 32, 32))
    assert [size(layer) for layer in convolutions.layers] == [2_272, 5_152, 5_152]
    assert size(ConvolutionNetwork(convolutions, STEPS, 1, 1)) == 2_272 + 5_152 + 5_152 + 33
    flat = ConvolutionNetwork(Convolutions(FEATURES, (32, 32, 32)), STEPS, 1, 1, pool=None)
    assert size(flat) == 2_272 + 5_152 + 5_152 + 20 * 32 + 1
    # Three gates: weights of the inputs and of the state, a bias; and a second bias inside the candidate.
    gru = 3 * 32 * (32 + 32 + 1) + 32
    both = ConvolutionRecurrentNetwork(Convolutions(FEATURES, (32, 32)), GRU(32, 32), 1, 1)
    assert size(both) == 2_272 + 5_152 + gru + 33 == 13_729
    one = 3 * 32 * (FEATURES + 32 + 1) + 32
    assert size(RecurrentNetwork(GRU(FEATURES, 32), 1, 1)) == one + 33 == 4_577
    assert size(RecurrentNetwork(GRU(FEATURES, 32, reversed=True), 1, 1)) == 4_577
    assert size(RecurrentNetwork(Bidirectional(GRU(FEATURES, 32)), 1, 1)) == 2 * one + 65
    stacked = [GRU(FEATURES, 32, return_sequences=True), GRU(32, 64, activation="relu")]
    assert size(RecurrentNetwork(stacked, 1, 1)) == one + 3 * 64 * (32 + 64 + 1) + 64 + 65
    assert size(RecurrentNetwork(LSTM(FEATURES, 32), 1, 1)) == 4 * 32 * (FEATURES + 32 + 1) + 33
    assert size(RecurrentNetwork(RNN(FEATURES, 32), 1, 1)) == 32 * (FEATURES + 32 + 1) + 33


def test_a_flat_ending_of_windows_that_are_too_short_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="61 steps"):
        ConvolutionNetwork(Convolutions(3, (4, 4, 4)), 20, 1, 1, pool=None)


@pytest.mark.parametrize("hidden", [(), (64,), (64, 32, 5)])
def test_dense_layers_have_relu_between_them(hidden: tuple[int, ...]) -> None:
    torch.manual_seed(4)
    network, inputs = with_biases(dense(7, hidden, 3)), torch.randn(6, 7)
    expected = inputs.double().numpy()
    weights = [value.detach().double().numpy() for value in network.parameters()]
    layers = list(zip(weights[::2], weights[1::2], strict=True))
    assert [len(bias) for _, bias in layers] == [*hidden, 3]
    for number, (weight, bias) in enumerate(layers, 1):
        expected = expected @ weight.T + bias
        if number < len(layers):
            expected = np.maximum(expected, 0)
    np.testing.assert_allclose(network(inputs).detach().numpy(), expected, atol=1e-5)
    assert isinstance(network, nn.Sequential) == bool(hidden)


NETWORKS: dict[str, Any] = {
    "mlp": lambda head: PerceptronNetwork(20, 3, 8, 2, 4, head=head),
    "recurrent": lambda head: RecurrentNetwork([GRU(3, 8, return_sequences=True), GRU(8, 8)], 2, 4, head),
    "conv": lambda head: ConvolutionNetwork(Convolutions(3, (8,)), 20, 2, 4, head=head),
    "conv-gru": lambda head: ConvolutionRecurrentNetwork(Convolutions(3, (8,)), GRU(8, 8), 2, 4, head),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_further_dense_layers_stand_before_the_output(name: str) -> None:
    plain, deeper = NETWORKS[name](()), NETWORKS[name]((6, 5))
    assert deeper(torch.zeros(3, 20, 3)).shape == (3, 2, 4)
    assert size(plain.head) == 8 * 8 + 8
    assert size(deeper.head) == (8 * 6 + 6) + (6 * 5 + 5) + (5 * 8 + 8)
    assert size(deeper) - size(plain) == size(deeper.head) - size(plain.head)


def test_what_is_known_ahead_adds_a_function_of_it_the_same_for_each_lead() -> None:
    torch.manual_seed(5)
    window, known = torch.randn(6, 20, 3), torch.randn(6, 4, 5)
    plain = PerceptronNetwork(20, 3, 8, leads=4, targets=2)
    network = KnownAhead(plain, known=5, units=7, targets=2).requires_grad_(False)
    added = network(window, known) - plain(window)
    order = [2, 0, 3, 1]
    torch.testing.assert_close(network(window, known[:, order]) - plain(window), added[:, order], atol=1e-6, rtol=0)
    others = torch.randn(6, 20, 3)
    torch.testing.assert_close(network(others, known) - plain(others), added, atol=1e-6, rtol=0)
    changed = known.clone()
    changed[:, 1] = torch.randn(6, 5)
    moved = (network(window, changed) - plain(window) - added).abs().amax((0, 2))
    assert moved[1] > 1e-3
    assert moved[[0, 2, 3]].max() < 1e-6
    alike = network(window, known[:, :1].expand(6, 4, 5)) - plain(window)
    torch.testing.assert_close(alike, added[:, :1].expand(6, 4, 2), atol=1e-6, rtol=0)
    assert size(network) - size(plain) == (5 * 7 + 7) + (7 * 2 + 2)
