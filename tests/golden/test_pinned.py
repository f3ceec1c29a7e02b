"""Numbers that must not change by themselves: the built-in data, and networks against their equations."""

import numpy as np
import pytest
import torch

import foretell as ft
from foretell.nn import GRU, PerceptronNetwork, RecurrentNetwork
from foretell.training.seeds import seeded


@pytest.mark.parametrize(
    ("rung", "validation", "test"),
    [
        # Persistence was also worked out with joins in Polars, apart from all code of ours.
        ("persistence", 2.55842986, 4.02738610),
        ("seasonal", 2.55842986, 4.02738610),
        ("climatology", 3.83689362, 9.44064490),
        ("ridge", 2.51856570, 3.98198333),
    ],
)
def test_baselines_on_the_built_in_weather(rung: str, validation: float, test: float) -> None:
    forecaster = ft.Forecaster(
        rung, "temperature (degC)", "48h", "1h", "24h", series="station", timezone="America/New_York"
    )
    forecaster.fit("nyc-weather")
    assert forecaster.counts_ == {"train": 18089, "validation": 3885, "test": 3929}
    assert forecaster.metrics_["validation"]["mae"] == pytest.approx(validation, abs=1e-6)
    assert forecaster.metrics_["test"]["mae"] == pytest.approx(test, abs=1e-6)


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def test_the_gru_is_its_equations() -> None:
    """r, z and candidate as torch and cuDNN have them: the reset acts on the recurrent product."""
    with seeded(5):
        layer = GRU(3, 4)
        network = RecurrentNetwork(layer, leads=2, targets=1).double()
        inputs = torch.randn(6, 7, 3, dtype=torch.float64)
    weights = {name: value.detach().numpy() for name, value in layer.each[0].named_parameters()}
    w, u, b = (np.split(weights[name], 3, axis=-1) for name in ("input_weights", "state_weights", "bias"))
    state = np.zeros((6, 4))
    for x in inputs.numpy().transpose(1, 0, 2):
        reset = sigmoid(x @ w[0] + state @ u[0] + b[0])
        update = sigmoid(x @ w[1] + state @ u[1] + b[1])
        candidate = np.tanh(x @ w[2] + b[2] + reset * (state @ u[2] + weights["candidate_bias"]))
        state = (1 - update) * candidate + update * state
    assert isinstance(network.head, torch.nn.Linear)
    expected = state @ network.head.weight.detach().numpy().T + network.head.bias.detach().numpy()
    np.testing.assert_allclose(network(inputs).detach().numpy()[:, :, 0], expected, atol=1e-12)


def test_the_perceptron_is_its_equations() -> None:
    with seeded(5):
        network = PerceptronNetwork(7, 3, 4, leads=1, targets=2).double()
        inputs = torch.randn(6, 7, 3, dtype=torch.float64)
    parts = {name: value.detach().numpy() for name, value in network.named_parameters()}
    hidden = np.maximum(inputs.numpy().reshape(6, 21) @ parts["hidden.weight"].T + parts["hidden.bias"], 0)
    expected = (hidden @ parts["head.weight"].T + parts["head.bias"]).reshape(6, 1, 2)
    np.testing.assert_allclose(network(inputs).detach().numpy(), expected, atol=1e-12)


def test_initial_weights_are_keras_s() -> None:
    with seeded(0):
        layer = GRU(14, 32)
        network = RecurrentNetwork(layer, 1, 1)
    weights = dict(layer.each[0].named_parameters())
    for gate in weights["state_weights"].detach().chunk(3, -1):
        torch.testing.assert_close(gate @ gate.T, torch.eye(32), atol=1e-5, rtol=0)
    limit = (6 / (14 + 32)) ** 0.5
    assert 0.9 * limit < float(weights["input_weights"].detach().abs().max()) <= limit
    assert not weights["bias"].any()
    assert not weights["candidate_bias"].any()
    assert isinstance(network.head, torch.nn.Linear)
    assert not network.head.bias.any()
