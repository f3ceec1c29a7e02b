"""Recurrent layers with constant weights against the equations of the slides, written out in numpy, and numbers worked out once.

The weights are constant, as in Keras's own tests, so that a gate that took another one's weights would still be seen: the
matrices differ from gate to gate.
"""

from typing import Any

import numpy as np
import pytest
import torch

from foretell import nn

WAYS = ("fused", "loop")
INPUTS = np.array([[[0.5, -1.0], [1.5, 2.0], [-0.5, 0.25]], [[0.0, 1.0], [-2.0, 0.5], [1.0, 1.0]]])
FEATURES, UNITS = 2, 3
CANDIDATE_BIAS = np.array([0.2, -0.1, 0.3])


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def constants(gates: int) -> tuple[list[np.ndarray], list[np.ndarray], list[np.ndarray]]:
    """For each gate the matrix of the inputs, of the state, and the bias; each entry different."""

    def matrix(rows: int, offset: float, gate: int) -> np.ndarray:
        return offset + 0.1 * gate + 0.02 * np.arange(rows)[:, None] - 0.03 * np.arange(UNITS)

    inputs = [matrix(FEATURES, 0.3, gate) for gate in range(gates)]
    state = [matrix(UNITS, -0.2, gate) for gate in range(gates)]
    bias = [0.05 * (gate + 1) - 0.01 * np.arange(UNITS) for gate in range(gates)]
    return inputs, state, bias


def found(kind: Any, way: str, gates: int, **options: Any) -> list[np.ndarray]:
    """The states of a layer with those weights after each step."""
    layer = kind(FEATURES, UNITS, return_sequences=True, **options).double()
    inputs, state, bias = constants(gates)
    with torch.no_grad():
        layer.cells[0].input_weights.copy_(torch.from_numpy(np.concatenate(inputs, 1)))
        layer.cells[0].state_weights.copy_(torch.from_numpy(np.concatenate(state, 1)))
        layer.cells[0].bias.copy_(torch.from_numpy(np.concatenate(bias)))
        if getattr(layer.cells[0], "candidate_bias", None) is not None:
            layer.cells[0].candidate_bias.copy_(torch.from_numpy(CANDIDATE_BIAS))
    with nn.recurrence(way):
        return list(layer(torch.from_numpy(INPUTS)).detach().numpy().transpose(1, 0, 2))


ACTIVATIONS = [("tanh", np.tanh), ("relu", lambda x: np.maximum(x, 0))]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("activation", "f"), ACTIVATIONS)
def test_the_simple_layer_is_the_slides(way: str, activation: str, f: Any) -> None:
    """h = f(x W + h U + b)."""
    (w,), (u,), (b,) = constants(1)
    h = np.zeros((2, UNITS))
    for step, states in enumerate(found(nn.RNN, way, 1, activation=activation)):
        h = f(INPUTS[:, step] @ w + h @ u + b)
        np.testing.assert_allclose(states, h, rtol=0, atol=1e-14)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("activation", "f"), ACTIVATIONS)
def test_the_lstm_is_the_slides(way: str, activation: str, f: Any) -> None:
    """Forget, input, candidate, output; C = forget ∘ C + input ∘ candidate, h = output ∘ f(C)."""
    (w_i, w_f, w_c, w_o), (u_i, u_f, u_c, u_o), (b_i, b_f, b_c, b_o) = constants(4)
    h, c = np.zeros((2, UNITS)), np.zeros((2, UNITS))
    for step, states in enumerate(found(nn.LSTM, way, 4, activation=activation)):
        x = INPUTS[:, step]
        forget = sigmoid(x @ w_f + h @ u_f + b_f)
        entry = sigmoid(x @ w_i + h @ u_i + b_i)
        candidate = f(x @ w_c + h @ u_c + b_c)
        output = sigmoid(x @ w_o + h @ u_o + b_o)
        c = forget * c + entry * candidate
        h = output * f(c)
        np.testing.assert_allclose(states, h, rtol=0, atol=1e-14)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("activation", "f"), ACTIVATIONS)
def test_the_gru_that_resets_after_the_product(way: str, activation: str, f: Any) -> None:
    """cuDNN's, torch's and Keras's: the candidate is f(x W + b + r ∘ (h U + c)), and z keeps the old state."""
    (w_r, w_z, w_h), (u_r, u_z, u_h), (b_r, b_z, b_h) = constants(3)
    h = np.zeros((2, UNITS))
    for step, states in enumerate(found(nn.GRU, way, 3, activation=activation)):
        x = INPUTS[:, step]
        r = sigmoid(x @ w_r + h @ u_r + b_r)
        z = sigmoid(x @ w_z + h @ u_z + b_z)
        candidate = f(x @ w_h + b_h + r * (h @ u_h + CANDIDATE_BIAS))
        h = z * h + (1 - z) * candidate
        np.testing.assert_allclose(states, h, rtol=0, atol=1e-14)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("activation", "f"), ACTIVATIONS)
def test_the_gru_that_resets_before_the_product_is_the_slides_in_a_mirror(way: str, activation: str, f: Any) -> None:
    """The slides: h = (1 − z) ∘ h + z ∘ candidate. Their z is one minus ours: its weights have the other sign."""
    (w_r, w_z, w_h), (u_r, u_z, u_h), (b_r, b_z, b_h) = constants(3)
    theirs_w, theirs_u, theirs_b = -w_z, -u_z, -b_z
    h = np.zeros((2, UNITS))
    for step, states in enumerate(found(nn.GRU, way, 3, activation=activation, reset="before")):
        x = INPUTS[:, step]
        r = sigmoid(x @ w_r + h @ u_r + b_r)
        z = sigmoid(x @ theirs_w + h @ theirs_u + theirs_b)
        np.testing.assert_allclose(z, 1 - sigmoid(x @ w_z + h @ u_z + b_z), rtol=0, atol=1e-15)
        candidate = f(x @ w_h + (r * h) @ u_h + b_h)
        h = (1 - z) * h + z * candidate
        np.testing.assert_allclose(states, h, rtol=0, atol=1e-14)


@pytest.mark.parametrize("way", WAYS)
def test_a_mask_is_on_what_matrices_read(way: str) -> None:
    """Gal's: the state that is carried on is whole; the reset state is the masked one's."""
    for reset in ("after", "before"):
        torch.manual_seed(4)
        layer = nn.GRU(FEATURES, UNITS, recurrent_dropout=0.5, dropout=0.5, return_sequences=True, reset=reset).double()
        torch.manual_seed(5)
        on_inputs = torch.empty(2, 1, FEATURES, dtype=torch.float64).bernoulli_(0.5).numpy() / 0.5
        on_state = torch.empty(2, 1, UNITS, dtype=torch.float64).bernoulli_(0.5).numpy()[:, 0] / 0.5
        assert 0 < on_state.sum() < 2 * on_state.size, "a mask that masks nothing shows nothing"
        torch.manual_seed(5)
        with nn.recurrence(way):
            states = layer(torch.from_numpy(INPUTS)).detach().numpy()
        named = {name: np.split(value.detach().numpy(), 3, -1) for name, value in layer.cells[0].named_parameters()}
        (w_r, w_z, w_h), (u_r, u_z, u_h) = named["input_weights"], named["state_weights"]  # all biases are zero
        h = np.zeros((2, UNITS))
        for step in range(3):
            x, read = (INPUTS * on_inputs)[:, step], h * on_state
            r, z = sigmoid(x @ w_r + read @ u_r), sigmoid(x @ w_z + read @ u_z)
            candidate = np.tanh(x @ w_h + (r * (read @ u_h) if reset == "after" else (r * read) @ u_h))
            h = z * h + (1 - z) * candidate
            np.testing.assert_allclose(states[:, step], h, rtol=0, atol=1e-14)


PINNED: dict[str, tuple[Any, int, dict[str, Any], list[float]]] = {
    "rnn": (
        nn.RNN,
        1,
        {},
        [-0.42364678031503, -0.48262203997883, -0.53752303837933, 0.73671324580448, 0.72531195995829, 0.71349840392468],
    ),
    "rnn relu": (nn.RNN, 1, {"activation": "relu"}, [0.0, 0.0, 0.0, 0.67, 0.6, 0.53]),
    "lstm": (
        nn.LSTM,
        4,
        {},
        [0.18667894400726, 0.16246241892805, 0.1390122545117, 0.37039449802639, 0.34670186262579, 0.32213391006596],
    ),
    "gru": (
        nn.GRU,
        3,
        {},
        [0.143736416876, 0.04400786785733, 0.18382567940414, 0.08614118964331, 0.03340102887561, 0.14284991850448],
    ),
    "gru before": (
        nn.GRU,
        3,
        {"reset": "before"},
        [0.07403243118638, 0.07795450830723, 0.08181124518606, 0.0409582316347, 0.05592498088752, 0.06983402691619],
    ),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", PINNED)
def test_numbers_that_must_not_change(way: str, name: str) -> None:
    """So that the layers and the equations above cannot err alike."""
    kind, gates, options, expected = PINNED[name]
    assert found(kind, way, gates, **options)[-1].ravel().tolist() == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("way", WAYS)
def test_numbers_worked_out_by_hand(way: str) -> None:
    """One unit, every weight one half, an input of one: what a pocket calculator gives."""
    expected = {
        nn.RNN: 0.46211715726000973,  # tanh(1/2)
        nn.LSTM: 0.6224593312018546
        * np.tanh(0.6224593312018546 * 0.46211715726000973),  # σ(1/2) tanh(σ(1/2) tanh(1/2))
        nn.GRU: (1 - 0.6224593312018546) * 0.46211715726000973,  # (1 − σ(1/2)) tanh(1/2)
    }
    for kind, value in expected.items():
        layer = kind(1, 1).double()
        with torch.no_grad():
            for parameter in layer.parameters():
                parameter.fill_(0.5 if parameter.ndim == 2 else 0.0)
        with nn.recurrence(way):
            assert layer(torch.ones(1, 1, 1, dtype=torch.float64)).item() == pytest.approx(value, abs=1e-15)
