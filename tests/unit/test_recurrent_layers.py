"""Recurrent layers as their users meet them: dropout, states, directions, weights, errors, and the way that is chosen."""

import copy
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jaxtyping
import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from foretell import nn
from foretell.errors import ConfigurationError
from foretell.nn.recurrent import MERGES

from .made_layers import (
    KINDS,
    TANH,
    assert_same_bytes,
    flat,
    made_states,
    make,
    make_both,
    one_thread_of_torchs,  # noqa: F401 (for every test here)
    results,
)

UNCHECKED: Any = nn  # what a type checker would refuse, users may still write


def seen_through(layer: Any, inputs: float, state: float) -> Any:
    """A layer whose states show its masks: matrices of ones on the diagonal, times a number."""
    with torch.no_grad():
        for cell in layer.cells:
            cell.input_weights.copy_(inputs * torch.eye(*cell.input_weights.shape))
            cell.state_weights.copy_(state * torch.eye(cell.units))
            cell.bias.zero_()
    return layer


def masks_on_inputs(**options: Any) -> Any:
    """(sequence, step, feature): what the inputs of a call were multiplied by."""
    layer = seen_through(nn.RNN(50, 50, activation="relu", return_sequences=True, **options), 1.0, 0.0)
    return layer(torch.ones(20, 6, 50)).detach()


@pytest.mark.parametrize("share", [0.2, 0.5])
def test_the_inputs_mask_is_one_for_a_sequence(share: float) -> None:
    torch.manual_seed(1)
    masks = masks_on_inputs(dropout=share)
    assert (masks == masks[:, :1]).all(), "a mask changed within a sequence"
    assert sorted(masks.unique().tolist()) == pytest.approx([0, 1 / (1 - share)])
    assert (masks == 0).float().mean().item() == pytest.approx(share, abs=0.06)
    assert len(masks[:, 0].unique(dim=0)) == 20, "sequences share a mask"
    assert not torch.equal(masks_on_inputs(dropout=share), masks), "two calls share masks"


def test_the_naive_mask_changes_at_each_step() -> None:
    torch.manual_seed(1)
    masks = masks_on_inputs(dropout=0.5, mask="step")
    assert len(masks.flatten(0, 1).unique(dim=0)) == 20 * 6
    assert (masks == 0).float().mean().item() == pytest.approx(0.5, abs=0.03)


def test_the_states_mask_is_one_for_a_sequence() -> None:
    torch.manual_seed(1)
    shares = {}
    for mask in ("sequence", "step"):
        layer = nn.RNN(1, 50, activation="relu", return_sequences=True, recurrent_dropout=0.5, mask=mask)
        states = seen_through(layer, 0.0, 1.0)(torch.zeros(20, 6, 1), torch.ones(1, 20, 50)).detach()
        alive = states > 0
        if mask == "sequence":
            assert (alive == alive[:, :1]).all(), "what is dropped once is dropped throughout"
            assert torch.equal(states, alive * 2.0 ** torch.arange(1, 7)[:, None]), (
                "what is kept grows to make up for it"
            )
        shares[mask] = alive.float().mean((0, 2))
    assert shares["sequence"].tolist() == pytest.approx([0.5] * 6, abs=0.06)
    assert shares["step"].tolist() == pytest.approx([0.5**step for step in range(1, 7)], abs=0.06)


def test_each_layer_and_each_direction_has_a_mask_of_its_own() -> None:
    torch.manual_seed(1)
    layer = seen_through(nn.RNN(50, 50, activation="relu", layers=2, dropout=0.5), 1.0, 0.0)
    assert sorted(layer(torch.ones(20, 6, 50)).unique().tolist()) == [0, 4]
    both = nn.Bidirectional(nn.RNN(50, 50, activation="relu", dropout=0.5), merge="sum")
    for one in (both.ahead, both.back):
        seen_through(one, 1.0, 0.0)
    assert sorted(both(torch.ones(20, 6, 50)).unique().tolist()) == [0, 2, 4]


@pytest.mark.parametrize("kind", TANH)
def test_there_is_no_dropout_in_prediction(kind: str) -> None:
    torch.manual_seed(1)
    layer = make(kind, 5, 9, dropout=0.5, recurrent_dropout=0.5)
    plain = KINDS[kind](5, 9)
    plain.load_state_dict(layer.state_dict())
    inputs = torch.randn(3, 4, 5)
    assert not torch.equal(layer(inputs), plain(inputs))
    generator = torch.get_rng_state()
    assert torch.equal(layer.eval()(inputs), plain(inputs))
    assert torch.equal(torch.get_rng_state(), generator), "a mask was drawn"


@pytest.mark.parametrize("sequences", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_stepping_is_reading_the_whole(kind: str, sequences: bool) -> None:
    torch.manual_seed(1)
    layer, inputs = make(kind, 5, 9, layers=2, return_sequences=sequences), torch.randn(3, 7, 5)
    whole, final = layer(inputs, return_state=True)
    state: Any = None
    for step in range(7):
        outputs, state = layer.step(inputs[:, step], state)
        assert outputs.shape == (3, 9)
        if sequences:
            assert torch.equal(outputs, whole[:, step])
    assert torch.equal(outputs, whole[:, -1] if sequences else whole)
    assert all(torch.equal(one, two) for one, two in zip(flat(state), flat(final), strict=True))


@pytest.mark.parametrize("kind", KINDS)
def test_two_halves_are_the_whole(kind: str) -> None:
    torch.manual_seed(1)
    layer, inputs = make(kind, 5, 9, layers=3, return_sequences=True), torch.randn(3, 7, 5)
    whole, final = layer(inputs, return_state=True)
    first, state = layer(inputs[:, :4], return_state=True)
    second, state = layer(inputs[:, 4:], state, return_state=True)
    assert torch.equal(torch.cat([first, second], 1), whole)
    assert all(torch.equal(one, two) for one, two in zip(flat(state), flat(final), strict=True))


@pytest.mark.parametrize(
    ("kind", "way"),
    [(kind, way) for kind in TANH for way in ("fused", "loop", "torch") if (kind, way) != ("gru before", "torch")],
)
def test_shapes(kind: str, way: str) -> None:
    inputs = torch.randn(3, 7, 5)
    with nn.recurrence(way):
        for sequences, shape in ((False, (3, 9)), (True, (3, 7, 9))):
            layer = make(kind, 5, 9, layers=2, return_sequences=sequences)
            assert layer(inputs).shape == shape
            outputs, final = layer(inputs, return_state=True)
            assert outputs.shape == shape
            assert [part.shape for part in flat(final)] == [(2, 3, 9)] * layer.cell.parts
            assert torch.equal(outputs[:, -1] if sequences else outputs, flat(final)[0][-1])
            assert layer.width == 9


@pytest.mark.parametrize("kind", KINDS)
def test_reversed_is_reading_the_mirror_image(kind: str) -> None:
    torch.manual_seed(1)
    layer, inputs = make(kind, 5, 9, layers=2, return_sequences=True), torch.randn(3, 7, 5)
    back = KINDS[kind](5, 9, layers=2, return_sequences=True, reversed=True)
    back.load_state_dict(layer.state_dict())
    outputs, final = layer(inputs.flip(1), return_state=True)
    found, found_final = back(inputs, return_state=True)
    assert torch.equal(found, outputs.flip(1)), "states stand at the steps that were read"
    assert all(torch.equal(one, two) for one, two in zip(flat(found_final), flat(final), strict=True))
    assert torch.equal(found[:, 0], flat(found_final)[0][-1])
    lengths = [7, 2, 4]  # each sequence is read from its own end
    found = back(inputs, lengths=lengths)
    for row, length in enumerate(lengths):
        expected = layer(inputs[row : row + 1, :length].flip(1)).flip(1)[0]
        torch.testing.assert_close(found[row, :length], expected, atol=1e-6, rtol=0)
        assert not found[row, length:].any()


@pytest.mark.parametrize("sequences", [False, True])
@pytest.mark.parametrize("merge", MERGES)
def test_directions_are_merged(merge: str, sequences: bool) -> None:
    torch.manual_seed(1)
    layer: Any = nn.Bidirectional(make("lstm", 5, 9, return_sequences=sequences), merge)
    inputs, lengths = torch.randn(3, 7, 5), [7, 0, 3]
    ahead, ahead_state = layer.ahead(inputs, lengths=lengths, return_state=True)
    back, back_state = layer.back(inputs, lengths=lengths, return_state=True)
    expected = {
        "concatenate": torch.cat([ahead, back], -1),
        "sum": ahead + back,
        "mean": 0.5 * ahead + 0.5 * back,
        "product": ahead * back,
    }
    found, state = layer(inputs, lengths=lengths, return_state=True)
    torch.testing.assert_close(found, expected[merge], atol=1e-7, rtol=0)
    assert found.shape[-1] == layer.width
    assert all(torch.equal(one, two) for one, two in zip(flat(state), flat((ahead_state, back_state)), strict=True))
    assert not torch.equal(layer.ahead.cells[0].input_weights, layer.back.cells[0].input_weights), (
        "no weights of its own"
    )
    assert (layer.ahead.reversed, layer.back.reversed) == (False, True)


def test_the_twin_has_every_option() -> None:
    layer = nn.GRU(
        5,
        9,
        layers=2,
        activation="relu",
        dropout=0.1,
        recurrent_dropout=0.2,
        mask="step",
        return_sequences=True,
        reset="before",
    )
    assert repr(layer.twin().twin()) == repr(layer)
    assert repr(layer.twin()) == repr(layer).replace("return_sequences=True", "return_sequences=True, reversed=True")
    assert [cell.reset for cell in layer.twin().cells] == ["before"] * 2


def test_the_twin_computes_in_the_same_type() -> None:
    layer = nn.Bidirectional(nn.GRU(5, 9).double())
    assert {parameter.dtype for parameter in layer.parameters()} == {torch.float64}


@pytest.mark.parametrize("kind", TANH)
@pytest.mark.parametrize(("features", "units"), [(40, 30), (1, 1), (3, 64)])
def test_initial_weights_are_kerass(kind: str, features: int, units: int) -> None:
    torch.manual_seed(1)
    cell: Any = KINDS[kind](features, units).cells[0]
    bound = (6 / (features + units)) ** 0.5
    for inputs, state in zip(cell.input_weights.split(units, 1), cell.state_weights.split(units, 1), strict=True):
        assert inputs.abs().max() <= bound
        assert features == 1 or inputs.abs().max() > 0.95 * bound
        assert features == 1 or inputs.std().item() == pytest.approx(bound / 3**0.5, rel=0.1)
        torch.testing.assert_close(state.T @ state, torch.eye(units), atol=1e-5, rtol=0)
    expected = torch.zeros(len(cell.bias))
    if kind == "lstm":
        expected[units : 2 * units] = 1
    assert torch.equal(cell.bias, expected)
    if kind == "gru":
        assert not cell.candidate_bias.any()
    assert (getattr(cell, "candidate_bias", None) is not None) == (kind == "gru")


@pytest.mark.parametrize("kind", TANH)
def test_a_cell_may_begin_anew(kind: str) -> None:
    torch.manual_seed(1)
    cell: Any = KINDS[kind](5, 9).cells[0]
    fresh = copy.deepcopy(cell)
    with torch.no_grad():
        for parameter in cell.parameters():
            parameter.fill_(7.0)
    for one in (cell, fresh):
        torch.manual_seed(2)
        one.reset_parameters()
    for (name, value), expected in zip(cell.named_parameters(), fresh.parameters(), strict=True):
        assert torch.equal(value, expected), name


def test_names_of_weights_stay() -> None:
    assert list(nn.GRU(3, 5, layers=2).state_dict()) == [
        f"cells.{layer}.{name}"
        for layer in range(2)
        for name in ("input_weights", "state_weights", "bias", "candidate_bias")
    ]
    assert list(nn.Bidirectional(nn.LSTM(3, 5)).state_dict()) == [
        f"{side}.cells.0.{name}" for side in ("ahead", "back") for name in ("input_weights", "state_weights", "bias")
    ]


@pytest.mark.parametrize("kind", TANH)
def test_a_layer_can_be_copied_and_stored_without_a_pickle(kind: str, tmp_path: Path) -> None:
    torch.manual_seed(1)
    layer, inputs = make_both(kind, 5, 9, layers=2), torch.randn(3, 4, 5)
    state = made_states(layer, 3)
    expected = results(layer, "fused", inputs, state)
    layer(inputs).sum().backward()  # a layer that was used is copied as well
    twin = copy.deepcopy(layer)
    save_file(layer.state_dict(), tmp_path / "layer.safetensors")
    stored = nn.Bidirectional(KINDS[kind](5, 9, layers=2))
    stored.load_state_dict(load_file(tmp_path / "layer.safetensors"))
    for one in (twin, stored):
        assert_same_bytes(results(one, "fused", inputs, state), expected)
    with torch.no_grad():
        twin.ahead.cells[0].bias.add_(1)
    assert_same_bytes(results(layer, "fused", inputs, state), expected)


@pytest.mark.parametrize("mixed", [False, True])
def test_layers_learn_among_others(mixed: bool) -> None:
    """The mean of the first three steps' numbers, remembered over five more."""
    torch.manual_seed(1)
    layers = [nn.GRU(1, 12, return_sequences=True, dropout=0.01), nn.LSTM(12, 8)] if mixed else [nn.GRU(1, 8)]
    network = torch.nn.Sequential(*layers, torch.nn.Linear(8, 1))
    inputs = torch.randn(64, 8, 1)
    targets = inputs[:, :3].mean(1)
    optimiser = torch.optim.Adam(network.parameters(), lr=0.02)
    losses = []
    for _ in range(100):
        loss = (network(inputs) - targets).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.3 * losses[0]


@pytest.fixture
def as_users() -> Iterator[None]:
    """Without the checks of types and shapes that the tests add: what a user is told."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


def called(layer: Any, *arguments: Any, **options: Any) -> Callable[[], Any]:
    return lambda: layer(*arguments, **options)


GRU, LSTM, ZEROS = nn.GRU(3, 5, layers=2), nn.LSTM(3, 5), torch.zeros(2, 4, 3)
WRONG: list[tuple[Callable[[], Any], str]] = [
    (lambda: nn.GRU(3, 5, layers=0), "layers must be a whole number, 1 or more; it is 0"),
    (lambda: nn.GRU(3, 0), "units must be a whole number, 1 or more; it is 0"),
    (lambda: nn.LSTM(-1, 5), "features must be a whole number, 1 or more; it is -1"),
    (lambda: nn.RNNCell(3, 0), "units must be a whole number, 1 or more; it is 0"),
    (lambda: nn.GRU(3, 5, dropout=1.0), "dropout must be at least 0 and below 1; it is 1.0"),
    (lambda: nn.GRU(3, 5, recurrent_dropout=-0.1), "recurrent_dropout must be at least 0 and below 1; it is -0.1"),
    (lambda: nn.GRU(3, 5, dropout=float("nan")), "dropout must be at least 0 and below 1; it is nan"),
    (lambda: UNCHECKED.GRU(3, 5, mask="row"), 'mask must be "sequence" or "step"; it is \'row\''),
    (lambda: UNCHECKED.GRU(3, 5, num_layers=2), 'GRU has no option "num_layers"; did you mean "layers"?'),
    (lambda: UNCHECKED.RNN(3, 5, reset="before"), 'RNN has no option "reset"; did you mean "reversed"?'),
    (lambda: UNCHECKED.GRU(3, 5, dropout=None), "dropout must be at least 0 and below 1; it is None"),
    (lambda: UNCHECKED.GRU(3, 5, layers=1.5), "layers must be a whole number, 1 or more; it is 1.5"),
    (lambda: UNCHECKED.GRU(3.5, 5), "features must be a whole number, 1 or more; it is 3.5"),
    (
        lambda: UNCHECKED.Bidirectional(torch.nn.LSTM(3, 5)),
        "layer must be an RNN, LSTM or GRU of foretell.nn; found LSTM",
    ),
    (called(GRU, [1.0]), "inputs must be a tensor of the shape (batch, time, 3); found list"),
    (lambda: UNCHECKED.RNN(3, 5, activation="elu"), 'the activation must be "tanh" or "relu"; it is \'elu\''),
    (lambda: nn.GRU(3, 5, reset="never"), 'reset must be "after" or "before"; it is \'never\''),
    (
        lambda: nn.Bidirectional(nn.GRU(3, 5), "max"),
        "merge must be one of concatenate, sum, mean, product; it is 'max'",
    ),
    (called(GRU, torch.zeros(4, 3)), "inputs must have the shape (batch, time, 3); they have (4, 3)"),
    (called(GRU, torch.zeros(2, 4, 5)), "inputs must have the shape (batch, time, 3); they have (2, 4, 5)"),
    (
        called(GRU, ZEROS, torch.zeros(1, 2, 5)),
        "the state must be a tensor of the shape (2, 2, 5) (layer, batch, unit); found (1, 2, 5)",
    ),
    (
        called(GRU, ZEROS, (torch.zeros(2, 2, 5),) * 2),
        "the state must be a tensor of the shape (2, 2, 5) (layer, batch, unit); found (2, 2, 5) and (2, 2, 5)",
    ),
    (
        called(LSTM, ZEROS, torch.zeros(1, 2, 5)),
        "the state must be a pair of tensors of the shape (1, 2, 5) (layer, batch, unit); found (1, 2, 5)",
    ),
    (
        called(GRU, ZEROS, lengths=[5, 4]),
        "lengths must be one whole number from 0 to 4 for each of 2 sequences; found [5, 4]",
    ),
    (
        called(GRU, ZEROS, lengths=[-1, 4]),
        "lengths must be one whole number from 0 to 4 for each of 2 sequences; found [-1, 4]",
    ),
    (
        called(GRU, ZEROS, lengths=[4]),
        "lengths must be one whole number from 0 to 4 for each of 2 sequences; found [4]",
    ),
    (called(GRU, ZEROS, lengths=3), "lengths must be one whole number from 0 to 4 for each of 2 sequences; found 3"),
    (
        called(GRU, ZEROS, lengths=[2.7, 1]),
        "lengths must be one whole number from 0 to 4 for each of 2 sequences; found [2.7",
    ),
    (
        lambda: nn.recurrence("fusd").__enter__(),
        'there is no way "fusd" to compute a recurrent layer; did you mean "fused"?',
    ),
]


@pytest.mark.usefixtures("as_users")
@pytest.mark.parametrize(("wrong", "message"), WRONG, ids=[message for _, message in WRONG])
def test_an_error_says_what_its_rule_and_what_was_found(wrong: Callable[[], Any], message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        wrong()
    assert caught.value.message.startswith(message)
    assert caught.value.exit_code == 3


def test_lengths_that_may_not_be_written_to_are_taken() -> None:
    lengths = np.array([4, 1])
    lengths.flags.writeable = False  # as columns of Arrow and Polars are
    assert torch.equal(GRU(ZEROS, lengths=lengths), GRU(ZEROS, lengths=[4, 1]))
