"""Looking: what layers say, hooks that never stay, networks that stay as they are."""

import pytest
import torch
from torch import Tensor, nn

from foretell.dreaming import Backbone, layer
from foretell.dreaming.ascent import slope_of
from foretell.dreaming.tiles import Here
from foretell.errors import ConfigurationError

from .made_pictures import small_network

PLAIN = ((0.0,) * 3, (1.0,) * 3)
PIXELS = torch.rand(1, 3, 32, 32)


def hooks_of(module: nn.Module) -> int:
    return sum(len(own._forward_hooks) for own in module.modules())


class Inner(nn.Module):
    """A layer that is called twice, one in place, one that gives several things, and one without a gradient."""

    def __init__(self, fails: bool = False) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 4, 3)
        self.shared = nn.ReLU(inplace=True)
        self.second = nn.Conv2d(4, 4, 3)
        self.pair = Pair()
        self.choice = nn.Identity()
        self.unused = nn.Linear(2, 2)
        self.late = nn.Conv2d(4, 4, 1)
        self.fails = fails

    def forward(self, pixels: Tensor) -> Tensor:
        value = self.shared(self.second(self.shared(self.first(pixels))))
        value, _ = self.pair(value)
        self.choice(value.argmax(dim=1).float())
        if self.fails and pixels.shape[-1] == 33:
            raise ValueError("33 is too many")
        return self.late(value)


class Pair(nn.Module):
    def forward(self, value: Tensor) -> tuple[Tensor, str]:
        return value * 2, "words"


def test_layers_are_those_that_speak_in_the_order_in_which_they_do() -> None:
    backbone = Backbone(Inner(), *PLAIN)
    assert list(backbone.layers) == ["first", "second", "shared", "pair", "choice", "late"]
    assert backbone.layers["shared"].calls == 2
    assert backbone.layers["first"].shape == (4, 222, 222)
    assert not backbone.layers["choice"].reachable
    assert hooks_of(backbone.module) == 0


def test_what_a_layer_said_stays_whatever_follows_writes_into() -> None:
    network = Inner()
    seen = Backbone(network, *PLAIN).activations(PIXELS, ["first", "shared", "pair"])
    first = network.first(PIXELS)
    last = network.second(first.clone().relu()).relu()
    torch.testing.assert_close(seen["first"], first)
    torch.testing.assert_close(seen["shared"], last)  # its last call counts
    torch.testing.assert_close(seen["pair"], last * 2)
    assert (first < 0).any()


def test_a_look_ends_with_the_last_layer_that_is_asked_for() -> None:
    backbone = Backbone(small_network(), *PLAIN)
    called = []
    backbone.module[2].register_forward_hook(lambda *given: called.append(1))  # type: ignore[index]
    backbone.layers  # noqa: B018 - the first look at all of them
    called.clear()
    backbone.activations(PIXELS, ["0"])
    assert not called
    whole = small_network()
    torch.testing.assert_close(backbone.activations(PIXELS, ["2", "0"])["2"], whole(PIXELS))


def test_hooks_are_closed_after_a_look_and_after_a_failure() -> None:
    backbone = Backbone(Inner(fails=True), *PLAIN, name="made")
    slope_of(PIXELS, backbone, layer("pair"), Here())
    assert hooks_of(backbone.module) == 0
    with pytest.raises(ConfigurationError, match=r"made cannot read a picture of 33×33 pixels .33 is too many."):
        backbone.activations(torch.rand(1, 3, 33, 33), ["late"])
    assert hooks_of(backbone.module) == 0


def test_a_network_stays_as_it_was() -> None:
    network = Inner().train()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    slope_of(PIXELS, Backbone(network, *PLAIN), layer("late"), Here())
    assert network.training
    assert network.shared.inplace
    assert all(own.requires_grad and own.grad is None for own in network.parameters())
    assert hooks_of(network) == 0
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())


def test_dropout_and_normalisation_are_as_in_prediction() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Dropout(0.5)).train()
    backbone = Backbone(network, *PLAIN)
    first, second = (backbone.activations(PIXELS, ["2"])["2"] for _ in range(2))
    assert torch.equal(first, second)


def test_pixels_are_normalised_as_asked_for() -> None:
    network = small_network()
    mean, deviation = (0.1, 0.2, 0.3), (0.5, 0.6, 0.7)
    told = (PIXELS - torch.tensor(mean).view(1, 3, 1, 1)) / torch.tensor(deviation).view(1, 3, 1, 1)
    torch.testing.assert_close(Backbone(network, mean, deviation).activations(PIXELS, ["0"])["0"], network[0](told))
    told = (PIXELS - 0.5) / 0.25
    torch.testing.assert_close(
        Backbone(network, (0.5,) * 3, (0.25,) * 3).activations(PIXELS, ["0"])["0"], network[0](told)
    )


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("frist", 'did you mean "first"'),
        ("unused", 'no layer "unused"'),
        ("choice", "choice of made gives no gradient"),
    ],
)
def test_layers_that_cannot_be_dreamt_with_are_told(name: str, told: str) -> None:
    with pytest.raises(ConfigurationError, match=told):
        Backbone(Inner(), *PLAIN, name="made").require([name])


class Moody(nn.Module):
    """Says something of large pictures only."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 4, 3)
        self.second = nn.Conv2d(4, 4, 3)

    def forward(self, pixels: Tensor) -> Tensor:
        value: Tensor = self.first(pixels)
        return self.second(value) if pixels.shape[-1] > 100 else value


def test_a_layer_that_is_silent_at_some_size_is_told() -> None:
    backbone = Backbone(Moody(), *PLAIN, name="moody")
    with pytest.raises(ConfigurationError, match="second of moody says nothing of a picture of 32×32 pixels"):
        backbone.activations(PIXELS, ["second"])


def test_a_network_that_reads_no_pictures_is_told() -> None:
    with pytest.raises(ConfigurationError, match="cannot read a picture of 224×224"):
        Backbone(nn.Linear(7, 3), *PLAIN).require(["x"])


def test_the_slope_is_that_of_autograd_on_the_plain_network() -> None:
    network = small_network()
    pixels = PIXELS.clone().requires_grad_(True)
    (expected,) = torch.autograd.grad(network(pixels).square().mean(), pixels)
    value, slope = slope_of(PIXELS, Backbone(network, *PLAIN), layer("2"), Here())
    torch.testing.assert_close(slope, expected)
    assert value == pytest.approx(float(network(PIXELS).detach().square().mean()))


def test_a_fingerprint_tells_weights_apart() -> None:
    one, same, other = (Backbone(small_network(seed), *PLAIN).fingerprint for seed in (0, 0, 1))
    assert one == same != other
