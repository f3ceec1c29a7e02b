"""Recurrent layers against torch.nn's with the same weights: outputs, states, every gradient, in each way that runs here."""

import copy
import functools
import re
import shutil
import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from foretell import nn
from foretell.errors import ConfigurationError
from foretell.nn.recurrent import Recurrent

from .made_layers import (
    TOLERANCE,
    assert_close,
    flat,
    leaf,
    loss_of,
    made_states,
    make,
    make_both,
    one_thread_of_torchs,  # noqa: F401 (for every test here)
    results,
)

THEIRS: dict[str, Callable[..., Any]] = {
    "rnn": torch.nn.RNN,
    "rnn relu": functools.partial(torch.nn.RNN, nonlinearity="relu"),
    "lstm": torch.nn.LSTM,
    "gru": torch.nn.GRU,
}
WAYS = ("fused", "loop", "torch")
# Batch, time, features, units, layers: smaller and larger than a register, and odd.
SIZES = [
    (1, 1, 1, 1, 1),
    (3, 2, 7, 5, 2),
    (17, 50, 7, 5, 1),
    (17, 1, 40, 5, 2),
    (3, 50, 1, 31, 3),
    (3, 50, 7, 33, 2),
    (17, 50, 40, 33, 1),
    (1, 50, 40, 130, 1),
    (17, 2, 7, 130, 2),
]


def torchs(
    layer: Any, theirs: Any, inputs: Tensor, state: list[Tensor], lengths: list[int] | None
) -> dict[str, Tensor]:
    """What torch's own layer gives with our layer's weights, named as :func:`results` names what ours gives."""
    theirs.load_state_dict(nn.to_torch_state(layer))
    directions = 2 if theirs.bidirectional else 1
    inputs, before = leaf(inputs), [leaf(part) for part in state]
    parts = [torch.cat(before[part :: len(before) // directions]) for part in range(len(before) // directions)]
    given: Any = inputs
    if lengths is not None:
        given = pack_padded_sequence(inputs, torch.tensor(lengths), batch_first=True, enforce_sorted=False)
    outputs, final = theirs(given, parts[0] if len(parts) == 1 else tuple(parts))
    if lengths is not None:
        outputs, _ = pad_packed_sequence(outputs, batch_first=True, total_length=inputs.shape[1])
    finals = [
        half for direction in range(directions) for half in (part.chunk(directions)[direction] for part in flat(final))
    ]
    found = {"outputs": outputs} | {f"final {place}": part for place, part in enumerate(finals)}
    by = {"inputs": inputs} | {f"state {place}": part for place, part in enumerate(before)}
    by |= dict(theirs.named_parameters())
    gradients = torch.autograd.grad(loss_of(found.values()), list(by.values()))
    found |= {f"gradient of {name}": value for name, value in zip(by, gradients, strict=True)}
    return {name: value.detach() for name, value in found.items()}


def with_their_names(layer: Any, found: dict[str, Tensor]) -> dict[str, Tensor]:
    """Our results with the gradients of the weights turned and named as the weights are on their way to torch."""
    others = dict(found)
    carrier = copy.deepcopy(layer)
    with torch.no_grad():
        for name, parameter in carrier.named_parameters():
            parameter.copy_(others.pop(f"gradient of {name}"))
    return others | {f"gradient of {name}": value for name, value in nn.to_torch_state(carrier).items()}


def compare(layer: Any, theirs: Any, way: str, inputs: Tensor, lengths: list[int] | None = None) -> None:
    """Holds ours against theirs; of torch's second biases only the candidate's of a GRU exists with us."""
    state = made_states(layer, len(inputs))
    call: Any = {} if lengths is None else {"lengths": lengths}
    found = with_their_names(layer, results(layer, way, inputs, state, **call))
    expected = torchs(layer, theirs, inputs, state, lengths)
    for name in [name for name in expected if name.startswith("gradient of bias_hh")]:
        gates = 2 * len(expected[name]) // 3 if isinstance(theirs, torch.nn.GRU) else len(expected[name])
        for values in (found, expected):
            values[name] = values[name][gates:]
    assert_close(found, expected)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", THEIRS)
@pytest.mark.parametrize(("batch", "time", "features", "units", "layers"), SIZES)
def test_layers_are_torchs(way: str, kind: str, batch: int, time: int, features: int, units: int, layers: int) -> None:
    torch.manual_seed(units)
    # At a kink the last digit decides which way the gradient goes: with many units some sum lies that near to it in float32.
    dtypes = (torch.float64,) if "relu" in kind and units > 5 else (torch.float32, torch.float64)
    for dtype in dtypes:
        layer = make(kind, features, units, dtype, layers=layers, return_sequences=True)
        theirs = THEIRS[kind](features, units, layers, batch_first=True).to(dtype)
        compare(layer, theirs, way, torch.randn(batch, time, features, dtype=dtype))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", THEIRS)
@pytest.mark.parametrize(("batch", "time", "features", "units"), [(3, 7, 5, 33), (17, 2, 40, 1)])
def test_both_directions_are_torchs(way: str, kind: str, batch: int, time: int, features: int, units: int) -> None:
    torch.manual_seed(units)
    for dtype in TOLERANCE:
        layer = make_both(kind, features, units, dtype, return_sequences=True)
        theirs = THEIRS[kind](features, units, batch_first=True, bidirectional=True).to(dtype)
        compare(layer, theirs, way, torch.randn(batch, time, features, dtype=dtype))


@pytest.mark.parametrize("way", ["fused", "loop"])
@pytest.mark.parametrize("kind", THEIRS)
@pytest.mark.parametrize("both", [False, True])
def test_lengths_are_torchs_packed_sequences(way: str, kind: str, both: bool) -> None:
    torch.manual_seed(3)
    lengths = [1, 9, 4, 4, 2, 9, 1, 8, 3, 5, 6]
    for dtype in TOLERANCE:
        layers = 1 if both else 2
        layer = (make_both if both else make)(kind, 7, 17, dtype, layers=layers, return_sequences=True)
        theirs = THEIRS[kind](7, 17, layers, batch_first=True, bidirectional=both).to(dtype)
        compare(layer, theirs, way, torch.randn(len(lengths), 9, 7, dtype=dtype), lengths)


@pytest.mark.parametrize("kind", THEIRS)
@pytest.mark.parametrize("options", [{"reversed": True}, {"dropout": 0.3}, {"return_sequences": False}])
def test_torchs_kernels_take_what_they_can(kind: str, options: dict[str, Any]) -> None:
    torch.manual_seed(7)
    layer = make(kind, 6, 9, torch.float64, layers=2, **{"return_sequences": True, **options})
    inputs, state = torch.randn(4, 5, 6, dtype=torch.float64), made_states(layer, 4)
    assert_close(results(layer, "torch", inputs, state), results(layer, "loop", inputs, state))


@pytest.mark.parametrize(
    ("kind", "options", "call", "lacking"),
    [
        ("gru", {"recurrent_dropout": 0.5}, {}, "they have no dropout of the state"),
        ("gru", {}, {"lengths": [2, 3]}, "they take lengths in another form"),
        ("gru before", {}, {}, "they reset after the product"),
        ("lstm relu", {}, {}, "they have no relu activation here"),
    ],
)
def test_torchs_kernels_say_what_they_lack(kind: str, options: Any, call: Any, lacking: str) -> None:
    with nn.recurrence("torch"), pytest.raises(ConfigurationError, match=lacking):
        make(kind, 3, 5, **options)(torch.zeros(2, 3, 3), **call)


@pytest.mark.skipif(
    not any(shutil.which(compiler) for compiler in ("c++", "g++", "clang++")),
    reason="torch.compile needs a C++ compiler",
)
def test_the_compiled_loop_is_the_loop() -> None:
    torch.manual_seed(9)
    layer = make("rnn", 3, 4, recurrent_dropout=0.4, return_sequences=True)
    inputs, state = torch.randn(2, 3, 3), made_states(layer, 2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's compiler calls what torch itself has deprecated
        found = results(layer, "compiled", inputs, state, lengths=[3, 1])
    assert_close(found, results(layer, "loop", inputs, state, lengths=[3, 1]))


def layers_to_convert() -> list[tuple[Recurrent | nn.Bidirectional, Any]]:
    layers: list[tuple[Recurrent | nn.Bidirectional, Any]] = [
        (make(kind, 3, 5, layers=2), THEIRS[kind](3, 5, 2, batch_first=True)) for kind in THEIRS
    ]
    both = [make_both(kind, 3, 5) for kind in THEIRS]
    theirs = [THEIRS[kind](3, 5, batch_first=True, bidirectional=True) for kind in THEIRS]
    return [*layers, *zip(both, theirs, strict=True)]


def test_weights_go_to_torch_and_come_back() -> None:
    for layer, theirs in layers_to_convert():
        state = nn.to_torch_state(layer)
        theirs.load_state_dict(state)  # strict: the same names and shapes
        other = copy.deepcopy(layer)
        with torch.no_grad():
            for parameter in other.parameters():
                parameter.fill_(9.0)
        nn.load_torch_state(other, theirs.state_dict())
        for (name, one), two in zip(layer.named_parameters(), other.parameters(), strict=True):
            assert torch.equal(one, two), name
        assert all(torch.equal(state[name], value) for name, value in nn.to_torch_state(other).items())


@pytest.mark.parametrize("bias", [True, False])
def test_torchs_weights_come_to_ours(bias: bool) -> None:
    torch.manual_seed(1)
    inputs = torch.randn(3, 4, 3)
    for kind, make_theirs in THEIRS.items():
        theirs = make_theirs(3, 5, 2, batch_first=True, bias=bias)
        layer = make(kind, 3, 5, layers=2, return_sequences=True)
        nn.load_torch_state(layer, theirs.state_dict())
        torch.testing.assert_close(layer(inputs), theirs(inputs)[0], atol=1e-6, rtol=0)


def test_a_converted_state_is_a_copy() -> None:
    layer = nn.GRU(3, 5)
    for value in nn.to_torch_state(layer).values():
        assert value.is_contiguous()
        assert not value.requires_grad
        value.fill_(7.0)
    assert not any((parameter == 7).any() for parameter in layer.parameters())


@pytest.mark.parametrize(
    ("layer", "state", "message"),
    [
        (
            nn.GRU(3, 5),
            torch.nn.LSTM(3, 5).state_dict(),
            "the state is of another layer than GRU: bias_hh_l0 should be (15,) and is (20,)",
        ),
        (
            nn.LSTM(3, 5),
            torch.nn.LSTM(3, 5, 2).state_dict(),
            "the state is of another layer than LSTM: bias_hh_l1 should be absent and is (20,)",
        ),
        (
            nn.RNN(3, 5, layers=2),
            torch.nn.RNN(3, 5).state_dict(),
            "the state is of another layer than RNN: bias_hh_l1 should be (5,) and is absent",
        ),
        (
            nn.RNN(3, 5),
            torch.nn.RNN(4, 5).state_dict(),
            "the state is of another layer than RNN: weight_ih_l0 should be (5, 3) and is (5, 4)",
        ),
        (
            nn.Bidirectional(nn.RNN(3, 5)),
            torch.nn.RNN(3, 5).state_dict(),
            "the state is of another layer than Bidirectional: bias_hh_l0_reverse should be (5,) and is absent",
        ),
        (
            nn.LSTM(3, 5),
            torch.nn.LSTM(3, 5, proj_size=2).state_dict(),
            "the state is of another layer than LSTM: weight_hh_l0 should be (20, 5) and is (20, 2)",
        ),
    ],
)
def test_a_state_of_another_layer_is_refused(layer: Any, state: dict[str, Tensor], message: str) -> None:
    before = copy.deepcopy(layer.state_dict())
    with pytest.raises(ConfigurationError, match=re.escape(message)):
        nn.load_torch_state(layer, state)
    assert all(torch.equal(value, before[name]) for name, value in layer.state_dict().items()), "something was changed"


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (nn.GRU(3, 5, reset="before"), 'torch.nn has no GRU with reset="before"'),
        (nn.Bidirectional(nn.GRU(3, 5, reset="before")), 'torch.nn has no GRU with reset="before"'),
        (nn.Bidirectional(nn.GRU(3, 5, layers=2)), "several layers in both directions have no counterpart"),
        (nn.LSTM(3, 5, activation="relu"), "torch.nn has no"),
        (nn.GRU(3, 5, activation="relu"), "torch.nn has no"),
    ],
)
def test_layers_that_torch_lacks_are_refused(layer: Any, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        nn.to_torch_state(layer)


def test_both_directions_begun_backwards_are_told_apart() -> None:
    """The layer that reads ahead is torch's first direction, whichever of the two was made first; or it is refused."""
    torch.manual_seed(2)
    layer = nn.Bidirectional(nn.GRU(3, 5, return_sequences=True, reversed=True))
    theirs = torch.nn.GRU(3, 5, batch_first=True, bidirectional=True)
    try:
        theirs.load_state_dict(nn.to_torch_state(layer))
    except ConfigurationError:
        return
    inputs = torch.randn(2, 4, 3)
    back, ahead = layer(inputs).chunk(2, -1)
    torch.testing.assert_close(torch.cat([ahead, back], -1), theirs(inputs)[0], atol=1e-6, rtol=0)


def test_parity_can_fail() -> None:
    """A gradient that is off by a part in ten thousand is seen."""
    layer = make("gru", 3, 5, return_sequences=True)
    found = results(layer, "loop", torch.randn(2, 4, 3), made_states(layer, 2))
    spoilt = dict(found) | {"gradient of inputs": found["gradient of inputs"] * 1.0001}
    with pytest.raises(AssertionError, match="gradient of inputs is off"):
        assert_close(spoilt, found)
