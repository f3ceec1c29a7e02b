"""Every network of the ladder as its rung makes it: what it reads and gives, and that it can learn at all."""

import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from foretell.data.windows import WindowShape
from foretell.nn import ChangeFromLast, KnownAhead
from foretell.tasks.forecast.config import RUNGS, Configuration, ForecastNetwork
from foretell.tasks.forecast.rungs import ENSEMBLE, NETWORKS, TREES, NetworkShape, build_network, rung_note

from .made_layers import one_thread_of_torchs  # noqa: F401 (for every test here)

LEADS, WINDOWS, STEPS, COLUMNS = 2, 64, 24, 3
RATES = {"conv": 0.003, "transformer": 0.002}  # of Adam; 0.01 for the others
MOST_STEPS = 300  # three times what the slowest needs


def own_options(rung: str, **changes: Any) -> ForecastNetwork:
    """The options that a rung has where nobody names any, some of them changed."""
    return Configuration().of_rung(RUNGS[rung].options).network.model_copy(update=changes)


def made(rung: str, window: WindowShape, features: int, section: ForecastNetwork, **sizes: Any) -> nn.Module:
    """A rung's network for one target; where it reads each target's own past, all features are targets."""
    targets = features if NETWORKS[rung].own_past else 1
    torch.manual_seed(0)
    sizes["places"] = tuple(range(targets))
    return build_network(rung, NetworkShape(window, features, targets, **sizes), section)


def test_every_rung_that_learns_has_a_network() -> None:
    assert {*NETWORKS, ENSEMBLE, TREES} == {name for name, rung in RUNGS.items() if rung.kind == "model"}


@pytest.mark.parametrize("numbers", [1, 3])
@pytest.mark.parametrize("features", [1, 7])
@pytest.mark.parametrize("rung", NETWORKS)
def test_a_rungs_network_forecasts_each_lead_and_target(rung: str, features: int, numbers: int) -> None:
    network = made(rung, WindowShape(48, 1, (3, 6)), features, own_options(rung), numbers=numbers).eval()
    windows = torch.randn(5, 48, features)
    found = network(windows)
    assert found.shape == (5, 4, numbers * (features if NETWORKS[rung].own_past else 1))
    assert found.isfinite().all()
    torch.testing.assert_close(network(windows[3:4]), found[3:4], atol=1e-5, rtol=0)


@pytest.mark.parametrize("rung", NETWORKS)
def test_what_is_known_ahead_is_read_beside_the_window(rung: str) -> None:
    network = made(rung, WindowShape(48, 1, (1, 4)), 2, own_options(rung), known=5).eval()
    assert isinstance(network, KnownAhead)
    windows, known = torch.randn(3, 48, 2), torch.randn(3, 4, 5)
    found = network(windows, known)
    assert found.shape == (3, 4, 2 if NETWORKS[rung].own_past else 1)
    assert not torch.allclose(network(windows, -known), found)


@pytest.mark.parametrize("rung", NETWORKS)
def test_every_weight_of_a_rungs_network_has_a_gradient(rung: str) -> None:
    network = made(rung, WindowShape(96, 1, (1, 4)), 3, own_options(rung, dropout=0.0, recurrent_dropout=0.0))
    network(torch.randn(8, 96, 3)).square().sum().backward()
    for name, weight in network.named_parameters():
        assert weight.grad is not None, name
        assert weight.grad.isfinite().all(), name
        assert weight.grad.any(), f"{name} has no part in the forecast"


@pytest.mark.parametrize("numbers", [1, 3])
@pytest.mark.parametrize("rung", NETWORKS)
def test_a_change_is_counted_from_the_last_value_of_each_target(rung: str, numbers: int) -> None:
    """The same weights say the same change, wherever targets stand among the inputs."""
    own_past, window = NETWORKS[rung].own_past, WindowShape(48, 1, (1, 2))
    places = (0, 1, 2) if own_past else (2, 0)
    shape = NetworkShape(window, 3, len(places), numbers, places=places)
    level, change = (
        build_network(rung, shape, own_options(rung, aim=aim, normalise="none")).eval() for aim in ("level", "change")
    )
    assert isinstance(change, ChangeFromLast)
    change.network.load_state_dict(level.state_dict())
    inputs = torch.randn(4, 48, 3)
    last = inputs[:, -1, list(places)]
    expected = level(inputs).view(4, 2, len(places), numbers) + last[:, None, :, None]
    torch.testing.assert_close(change(inputs).view(expected.shape), expected)


def test_a_change_needs_the_last_value() -> None:
    shape = NetworkShape(WindowShape(4, 1, (1, 1)), 2, 1)
    section = own_options("gru-change")
    assert isinstance(build_network("gru-change", replace(shape, places=(1,)), section), ChangeFromLast)
    assert rung_note("gru-change", replace(shape, places=(1,)), section) == ""
    assert not isinstance(build_network("gru-change", shape, section), ChangeFromLast)
    assert "forecasts the level" in rung_note("gru-change", shape, section)


class Watched(ForecastNetwork):
    """Options that remember which of them were read."""

    def __getattribute__(self, name: str) -> Any:
        if name in ForecastNetwork.model_fields:
            SEEN.add(name)
        return super().__getattribute__(name)


SEEN: set[str] = set()


@pytest.mark.parametrize("rung", NETWORKS)
def test_a_rung_says_which_options_it_reads(rung: str) -> None:
    section = own_options(rung, direction="both", units=(8,), activation=("tanh",))
    watched = Watched.model_construct(**{name: getattr(section, name) for name in ForecastNetwork.model_fields})
    SEEN.clear()
    build_network(rung, NetworkShape(WindowShape(240, 1, (1, 1)), 3, 1, places=(0,)), watched)
    assert NETWORKS[rung].reads == SEEN


def waves(seed: int) -> Tensor:
    """(window, time, column): sums of three waves, each with a height and a beginning of its own."""
    generator = torch.Generator().manual_seed(seed)
    phases, heights = torch.rand(2, WINDOWS, 1, COLUMNS, 3, generator=generator)
    times = torch.arange(STEPS + LEADS)[:, None, None] / torch.tensor([24.0, 13.0, 7.0])
    series = ((0.5 + heights) * torch.sin(2 * math.pi * (times + phases))).sum(-1)
    return series / series.std()


@pytest.mark.parametrize("rung", NETWORKS)
def test_a_rungs_network_learns_some_windows_by_heart(rung: str) -> None:
    """How waves go on, where each target is read alone (one of these networks is linear); else of waves unrelated."""
    own_past = NETWORKS[rung].own_past
    windows = waves(seed=0)[:, :STEPS]
    targets = waves(seed=0)[:, STEPS:] if own_past else waves(seed=1)[:, STEPS:, :1]
    units = (32,) * len(own_options(rung).units)
    section = own_options(rung, dropout=0.0, recurrent_dropout=0.0, units=units)
    network = made(rung, WindowShape(STEPS, 1, (1, LEADS)), COLUMNS, section)
    optimiser = torch.optim.Adam(network.parameters(), RATES.get(rung, 0.01))
    errors = []
    for _ in range(MOST_STEPS):
        off = network(windows) - targets
        errors.append(off.abs().mean().item() / targets.std().item())
        if errors[-1] < 0.05:
            break
        optimiser.zero_grad()
        off.square().mean().backward()
        optimiser.step()
    assert errors[0] > 0.3
    assert errors[-1] < 0.05, f"{errors[-1]:.3f} after {len(errors)} steps"
