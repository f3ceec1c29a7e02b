"""Networks that read each target's own past: trend and remainder, windows told relative to themselves, patches."""

import functools
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from foretell.nn import (
    GRU,
    Bidirectional,
    ChannelNetwork,
    Patches,
    PatchTransformer,
    ReversibleNormalisation,
    SegmentRecurrent,
    TrendAndRemainder,
)
from foretell.nn.channels import Normalisation

from .made_layers import one_thread_of_torchs  # noqa: F401 (for every test here)

STEPS, PATCH, STRIDE = 20, 6, 3
KINDS: list[Normalisation] = ["none", "last", "window"]


def trend(steps: int, outputs: int, normalise: Normalisation = "none", average: int = 5) -> TrendAndRemainder:
    return TrendAndRemainder(steps, outputs, average, normalise)


def transformer(steps: int, outputs: int, normalise: Normalisation = "window") -> PatchTransformer:
    patches = Patches(steps, PATCH, STRIDE)
    return PatchTransformer(
        patches, outputs, width=8, heads=2, feed_forward=16, layers=1, head=(12,), normalise=normalise
    )


def segments(
    steps: int, outputs: int, normalise: Normalisation = "last", recurrent: GRU | Bidirectional | None = None
) -> SegmentRecurrent:
    return SegmentRecurrent(Patches(steps, PATCH, PATCH), recurrent or GRU(7, 9), outputs, normalise=normalise)


CHANNELS: dict[str, Callable[..., nn.Module]] = {
    "trend": trend,
    "transformer": transformer,
    "segments": segments,
    "segments both ways": functools.partial(segments, recurrent=Bidirectional(GRU(7, 9))),
}
each_channel = pytest.mark.parametrize("channel", CHANNELS.values(), ids=CHANNELS)


def made(channel: Callable[..., nn.Module], leads: int, numbers: int = 1, steps: int = STEPS) -> ChannelNetwork:
    """A network in which no number is the same for all targets, leads or numbers."""
    network = ChannelNetwork(channel(steps, leads * numbers), leads, numbers).requires_grad_(False)
    for parameter in network.parameters():
        parameter.add_(torch.randn_like(parameter), alpha=0.2)
    return network


def plain_moving_average(series: np.ndarray, average: int) -> np.ndarray:
    """The mean of the steps around each step, one more after it than before where they are even; ends are repeated."""
    before, after = (average - 1) // 2, average // 2
    steps = len(series)
    return np.array(
        [
            np.mean([series[min(max(other, 0), steps - 1)] for other in range(step - before, step + after + 1)])
            for step in range(steps)
        ]
    )


@given(steps=st.integers(1, 40), average=st.integers(1, 50), seed=st.integers(0, 2**32))
def test_the_trend_is_a_moving_average_and_the_remainder_what_it_leaves(steps: int, average: int, seed: int) -> None:
    torch.manual_seed(seed)
    layer, series = trend(steps, steps, average=average).requires_grad_(False), torch.randn(2, steps)
    expected = np.array([plain_moving_average(row, average) for row in series.double().numpy()])
    for parameter in layer.parameters():
        parameter.zero_()
    layer.trend.weight.copy_(torch.eye(steps))
    np.testing.assert_allclose(layer(series).numpy(), expected, atol=1e-5)
    layer.trend.weight.zero_()
    layer.remainder.weight.copy_(torch.eye(steps))
    np.testing.assert_allclose(layer(series).numpy(), series.numpy() - expected, atol=1e-5)


def test_trend_and_remainder_start_from_the_mean_of_the_window() -> None:
    network = ChannelNetwork(trend(STEPS, 6), leads=3, numbers=2)
    for name, weight in network.named_parameters():
        assert torch.equal(weight, torch.full_like(weight, 1 / STEPS if "weight" in name else 0.0)), name
    windows = torch.randn(4, STEPS, 2)
    expected = windows.mean(1)[:, None].expand(4, 3, 2).repeat_interleave(2, 2)
    torch.testing.assert_close(network(windows), expected, atol=1e-5, rtol=0)


@given(
    kind=st.sampled_from(KINDS),
    steps=st.integers(1, 30),
    level=st.floats(-100, 100, width=32),
    spread=st.floats(0, 100, width=32),
)
def test_what_was_made_relative_is_put_back(kind: Normalisation, steps: int, level: float, spread: float) -> None:
    torch.manual_seed(steps)
    normalisation = ReversibleNormalisation(kind).double()
    if kind == "window":
        nn.init.constant_(normalisation.weight, 1.7)
        nn.init.constant_(normalisation.bias, -0.4)
    series = level + spread * torch.randn(3, steps, dtype=torch.float64)
    relative, scale = normalisation(series)
    assert relative.isfinite().all()
    torch.testing.assert_close(normalisation.reverse(relative, scale), series, atol=1e-8, rtol=0)


def test_a_window_is_told_relative_to_its_last_value_or_to_its_mean_and_deviation() -> None:
    torch.manual_seed(1)
    series = 5 + 3 * torch.randn(4, 30)
    assert torch.equal(ReversibleNormalisation("none")(series)[0], series)
    assert torch.equal(ReversibleNormalisation("last")(series)[0], series - series[:, -1:])
    expected = (series - series.mean(1, keepdim=True)) / series.std(1, correction=0, keepdim=True)
    torch.testing.assert_close(ReversibleNormalisation("window")(series)[0], expected, atol=1e-5, rtol=0)
    assert not list(ReversibleNormalisation("last").parameters())
    assert [value.item() for value in ReversibleNormalisation("window").parameters()] == [1, 0]


def test_a_window_that_stands_still_is_not_blown_up() -> None:
    series = torch.full((2, 9), 3.0, requires_grad=True)
    relative, _ = ReversibleNormalisation("window")(series)
    assert not relative.any()
    relative.sum().backward()
    assert series.grad is not None
    assert series.grad.isfinite().all()


@each_channel
@pytest.mark.parametrize("kind", KINDS)
def test_a_constant_that_is_added_to_a_window_is_added_to_its_forecast(
    channel: Callable[..., nn.Module], kind: Normalisation
) -> None:
    torch.manual_seed(2)
    network = made(functools.partial(channel, normalise=kind), leads=4)
    windows = torch.randn(3, STEPS, 2)
    follows = torch.allclose(network(windows + 7), network(windows) + 7, atol=1e-4)
    assert follows == (kind != "none")


@each_channel
def test_a_window_that_is_scaled_scales_its_forecast(channel: Callable[..., nn.Module]) -> None:
    torch.manual_seed(3)
    network = made(functools.partial(channel, normalise="window"), leads=4)
    windows = torch.randn(3, STEPS, 2)
    torch.testing.assert_close(network(20 * windows), 20 * network(windows), atol=1e-2, rtol=1e-3)


@given(steps=st.integers(1, 120), patch=st.integers(1, 150), stride=st.integers(1, 150))
def test_patches_cover_a_window_and_end_with_it(steps: int, patch: int, stride: int) -> None:
    patches = Patches(steps, patch, stride)
    seen = patches(torch.arange(float(steps)).repeat(2, 1))
    assert seen.shape == (2, patches.count, patches.patch)
    assert torch.equal(seen[0], seen[1])
    assert patches.patch == min(patch, steps)
    assert set(seen[0].unique().tolist()) == set(range(steps)), "a step is in no patch"
    assert seen[0, -1].tolist() == list(range(steps - patches.patch, steps))
    hops = (seen[0, 1:, -1] - seen[0, :-1, -1]).tolist()
    assert set(hops) <= {min(stride, patches.patch)}
    assert patches.missing < min(stride, patches.patch), "a patch of nothing but the first value"
    for place in range(1, patches.count):
        assert (seen[0, place].diff() == 1).all() or patches.missing > place * patches.stride


def test_the_first_value_is_repeated_where_patches_do_not_fill_a_window() -> None:
    seen = Patches(7, 4, 4)(torch.arange(7.0)[None])
    assert seen.tolist() == [[[0, 0, 1, 2], [3, 4, 5, 6]]]
    assert Patches(5, 16, 8)(torch.arange(5.0)[None]).tolist() == [[[0, 1, 2, 3, 4]]]
    assert Patches(8, 4, 2)(torch.arange(8.0)[None]).tolist() == [[[0, 1, 2, 3], [2, 3, 4, 5], [4, 5, 6, 7]]]


@each_channel
def test_each_target_is_forecast_from_its_own_past(channel: Callable[..., nn.Module]) -> None:
    torch.manual_seed(4)
    network, windows = made(channel, leads=4), torch.randn(3, STEPS, 5)
    whole = network(windows)
    assert whole.shape == (3, 4, 5)
    changed = windows.clone()
    changed[:, :, 2] = torch.randn(3, STEPS)
    others = [0, 1, 3, 4]
    found = network(changed)
    torch.testing.assert_close(found[:, :, others], whole[:, :, others], atol=1e-5, rtol=0)
    assert ((found - whole)[:, :, 2].abs() > 1e-4).any()
    for target in range(5):
        alone = network(windows[:, :, target : target + 1])
        torch.testing.assert_close(alone[:, :, 0], whole[:, :, target], atol=1e-5, rtol=0)


@each_channel
def test_targets_in_another_order_are_forecast_in_that_order(channel: Callable[..., nn.Module]) -> None:
    torch.manual_seed(5)
    network, windows, order = made(channel, leads=4), torch.randn(3, STEPS, 5), [3, 0, 4, 2, 1]
    torch.testing.assert_close(network(windows[:, :, order]), network(windows)[:, :, order], atol=1e-5, rtol=0)


class Told(nn.Module):
    """Forecasts that say where they belong: the window's first value, the lead, the number."""

    def __init__(self, leads: int, numbers: int) -> None:
        super().__init__()
        self.places = 10 * torch.arange(leads)[:, None] + torch.arange(numbers)

    def forward(self, series: Tensor) -> Tensor:
        return 100 * series[:, :1] + self.places.flatten()


def test_the_numbers_of_a_target_lie_side_by_side() -> None:
    """As the quantiles of one target, then those of the next; rows of a batch are not mixed up."""
    windows = torch.tensor([[[1.0, 2.0]] * 4, [[3.0, 4.0]] * 4])
    assert ChannelNetwork(Told(2, 3), leads=2, numbers=3)(windows).tolist() == [
        [[100, 101, 102, 200, 201, 202], [110, 111, 112, 210, 211, 212]],
        [[300, 301, 302, 400, 401, 402], [310, 311, 312, 410, 411, 412]],
    ]


@each_channel
def test_each_number_of_a_target_has_weights_of_its_own(channel: Callable[..., nn.Module]) -> None:
    torch.manual_seed(6)
    network, windows = made(channel, leads=4, numbers=3), torch.randn(3, STEPS, 2)
    found = network(windows)
    assert found.shape == (3, 4, 6)
    assert len(found[0].unique()) == 24
    alone = torch.cat([network(windows[:, :, target : target + 1]) for target in (0, 1)], 2)
    torch.testing.assert_close(found, alone, atol=1e-5, rtol=0)


@pytest.mark.parametrize("steps", [1, 5, 48, 336])
@each_channel
def test_windows_of_any_length_are_read(channel: Callable[..., nn.Module], steps: int) -> None:
    network = made(channel, leads=3, numbers=2, steps=steps)
    found = network(torch.randn(2, steps, 4))
    assert found.shape == (2, 3, 8)
    assert found.isfinite().all()


def test_the_weights_are_the_same_for_any_number_of_targets() -> None:
    """Trend: two dense layers. Segments: one, a GRU, one. Patches: one, positions, a block, two, a scale and a shift."""
    sizes = {
        name: sum(weight.numel() for weight in made(channel, 4).parameters()) for name, channel in CHANNELS.items()
    }
    assert sizes["trend"] == 2 * (STEPS * 4 + 4)
    assert sizes["segments"] == (PATCH * 7 + 7) + (3 * 9 * (7 + 9) + 4 * 9) + (9 * 4 + 4)
    assert sizes["segments both ways"] == (PATCH * 7 + 7) + 2 * (3 * 9 * (7 + 9) + 4 * 9) + (18 * 4 + 4)
    count = -(-(STEPS - PATCH) // STRIDE) + 1
    block = 4 * (8 * 8 + 8) + (8 * 16 + 16) + (16 * 8 + 8) + 4 * 8
    head = (count * 8 * 12 + 12) + (12 * 4 + 4)
    assert sizes["transformer"] == (PATCH * 8 + 8) + count * 8 + block + 2 * 8 + head + 2


def test_segments_are_read_in_time_and_what_is_dropped_is_of_the_last_state() -> None:
    torch.manual_seed(7)
    recurrent = GRU(7, 9)
    layer = SegmentRecurrent(Patches(STEPS, PATCH, PATCH), recurrent, 4, dropout=0.5)
    series = torch.randn(3, STEPS)
    assert not torch.equal(layer(series), layer(series))
    layer.eval()
    last = series[:, -1:]
    state = torch.zeros(3, 9)
    for segment in layer.patches(series - last).unbind(1):
        state, _ = recurrent.step(layer.embed(segment).relu(), state[None])
    torch.testing.assert_close(layer(series), layer.head(state) + last, atol=1e-5, rtol=0)
