"""The algebra of what a dream makes large."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from foretell.dreaming import Backbone, Objective, channel, layer, neuron, towards
from foretell.dreaming.ascent import slope_of
from foretell.dreaming.objectives import Towards
from foretell.dreaming.tiles import Here
from foretell.errors import ConfigurationError

from .made_pictures import made_picture, small_network, tensor

SEEN = {
    "a": torch.randn(1, 4, 6, 8),
    "b": torch.randn(1, 3, 5, 5),
    "tokens": torch.randn(1, 9, 7),
    "classes": torch.randn(1, 5),
}
numbers = st.floats(-3, 3).filter(lambda number: abs(number) > 1e-3)


def value(objective: Objective) -> float:
    return float(objective.value(SEEN, Here()))


@given(numbers, numbers)
def test_sums_differences_and_multiples_are_those_of_the_values(one: float, other: float) -> None:
    left, right = layer("a"), channel("b", 2)
    expected = one * value(left) - other * value(right)
    assert value(one * left - right * other) == pytest.approx(expected, rel=1e-4, abs=1e-5)
    assert value(-(left * one) / other) == pytest.approx(-one * value(left) / other, rel=1e-4, abs=1e-5)
    assert value(sum([right, left], left)) == pytest.approx(2 * value(left) + value(right), rel=1e-4)


def test_what_each_term_is() -> None:
    assert value(layer("a")) == pytest.approx(float(SEEN["a"].square().mean()))
    assert value(channel("a", 3)) == pytest.approx(float(SEEN["a"][0, 3].mean()))
    assert value(channel("tokens", 6)) == pytest.approx(float(SEEN["tokens"][0, :, 6].mean()))
    assert value(channel("classes", 4)) == pytest.approx(float(SEEN["classes"][0, 4]))
    assert value(neuron("a", 1)) == pytest.approx(float(SEEN["a"][0, 1, 3, 4]))
    assert value(neuron("a", 1, 0.99, 0.0)) == pytest.approx(float(SEEN["a"][0, 1, 5, 0]))


def test_a_neuron_speaks_only_in_the_tile_that_holds_its_place() -> None:
    here = Here(top=0.5, left=0.75, height=0.5, width=0.5)
    assert float(neuron("a", 0, 0.25, 0.9).value(SEEN, here)) == 0
    inside = float(neuron("a", 0, 0.75, 0.0).value(SEEN, here))  # around the ring: half of the tile to the right
    assert inside == pytest.approx(float(SEEN["a"][0, 0, 3, 4]) * 4)


def test_an_objective_reads_like_its_formula() -> None:
    assert str(-2 * layer("a") + channel("b", 1) / 4) == "-2 * layer(a) + 0.25 * channel(b, 1)"
    assert str(towards("somewhere/guide.jpg", "a")) == "towards(guide.jpg, a)"
    assert (layer("a") + channel("b", 1) + layer("a")).names == ("a", "b")


@pytest.mark.parametrize("wrong", [lambda: layer("a") + 1, lambda: layer("a") * layer("b"), lambda: layer("a") - "b"])
def test_what_is_no_objective_is_refused(wrong: object) -> None:
    with pytest.raises(TypeError):
        wrong()  # type: ignore[operator]


@pytest.mark.parametrize(
    ("objective", "told"),
    [
        (channel("0", 8), "0 has 8 channels, from 0 to 7; found 8"),
        (channel("0", -1), "found -1"),
        (neuron("2", 6), "2 has 6 channels"),
        (neuron("2", 1, 1.0, 0.5), "shares of the picture"),
        (layer("9"), 'no layer "9"'),
        (neuron("4", 1), "a neuron lies in a layer of maps: channels, rows, columns; 4 says"),
    ],
)
def test_what_does_not_fit_a_network_is_told(objective: Objective, told: str) -> None:
    with pytest.raises(ConfigurationError, match=told):
        network = small_network().append(nn.Flatten()).append(nn.Flatten())
        objective.bound(Backbone(network, (0.0,) * 3, (1.0,) * 3, "made"))


def test_a_guide_draws_a_picture_towards_what_is_in_it() -> None:
    """Each place moves towards the guide's place that is most like it, as found by looking at all of them."""
    backbone = Backbone(small_network(), (0.0,) * 3, (1.0,) * 3)
    guide, picture = made_picture(40, 50, seed=1), tensor(made_picture(48, 60))
    objective = towards(guide, "2").bound(backbone)
    ours, slope = slope_of(picture, backbone, objective, Here())
    own = backbone.activations(picture, ["2"])["2"][0].flatten(1).T
    theirs = backbone.activations(tensor(guide), ["2"])["2"][0].flatten(1).T
    assert ours == pytest.approx(float((own @ theirs.T).max(dim=1).values.mean()), rel=1e-4)
    after, _ = slope_of((picture + 1e-3 * slope / slope.abs().mean()).clamp(0, 1), backbone, objective, Here())
    assert after > ours


def test_a_guide_with_many_places_is_looked_at_here_and_there() -> None:
    backbone = Backbone(small_network(), (0.0,) * 3, (1.0,) * 3)
    objective = towards(np.full((200, 300, 3), 0.5, np.float32), "0").bound(backbone)
    ((_, term),) = objective.terms
    assert isinstance(term, Towards)
    assert term.seen is not None
    assert len(term.seen) <= 4096


def test_a_guide_needs_a_network() -> None:
    with pytest.raises(ConfigurationError, match="bind it first"):
        towards("guide.jpg", "a").value(SEEN, Here())
