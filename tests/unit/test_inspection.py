"""Gradients through time and recurrent matrices, against what can be computed in another way."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from foretell.evaluation import gradients as through_time
from foretell.evaluation.gradients import StateGradients, state_gradients
from foretell.evaluation.panels import Figure, Line
from foretell.evaluation.weights import recurrent_matrices, weights_of
from foretell.inspection import Inspected, lead, panels
from foretell.nn import GRU, LSTM, RNN, Bidirectional, PerceptronNetwork, RecurrentNetwork
from foretell.nn.recurrent import Recurrent
from foretell.report.figures import draw
from foretell.report.page import write_page
from foretell.report.pictures import save_picture
from foretell.training.losses import LOSSES
from foretell.training.seeds import seeded

MAE, MSE = LOSSES["mae"], LOSSES["mse"]


def windows(count: int, steps: int, features: int = 3) -> tuple[Tensor, Tensor]:
    with seeded(1):
        return torch.randn(count, steps, features), 5 + torch.rand(count, 1, 1)


def network(layer: Any, seed: int = 0) -> Any:
    """A network of some layers as it is loaded from a model folder."""
    with seeded(seed):
        return RecurrentNetwork(layer, 1, 1).requires_grad_(False).eval()


def matrix(units: int, largest: float) -> Tensor:
    with seeded(2):
        drawn = torch.randn(units, units, dtype=torch.float64)
    return (drawn * (largest / torch.linalg.eigvals(drawn).abs().max())).float()


@pytest.mark.parametrize("largest", [0.8, 1.25])
def test_a_network_at_rest_multiplies_by_its_matrix(largest: float) -> None:
    """Without inputs the state stays zero, where tanh is a line: each step back multiplies by U transposed, no more."""
    resting = network(RNN(3, 6))
    cell = resting.recurrent.cells[0]
    cell.state_weights.copy_(matrix(6, largest))
    cell.bias.zero_()
    inputs, targets = torch.zeros(5, 30, 3), torch.ones(5, 1, 1)
    loss, (found,) = state_gradients(resting, (inputs,), targets, MAE)
    assert loss == pytest.approx(1 - resting.head.bias.item())
    gradient = resting.head.weight[0].double().numpy()
    weights = cell.state_weights.double().numpy()
    for norm in found.norms:
        assert norm == pytest.approx(np.linalg.norm(gradient))
        gradient = gradient @ weights.T
    # As the slides say: the largest eigenvalue above one, the gradient explodes; below one, it vanishes.
    (only,) = recurrent_matrices(resting)
    assert only.eigenvalue == pytest.approx(largest)
    assert found.norms[-1] / found.norms[-2] == pytest.approx(largest, rel=0.2)
    assert (found.ratio or 0) > 1 if largest > 1 else (found.ratio or 1) < 0.01


@pytest.mark.parametrize("layer", [RNN(3, 4), GRU(3, 4), GRU(3, 4, reset="before"), LSTM(3, 4)], ids=str)
def test_gradients_are_those_by_an_initial_state(layer: Recurrent) -> None:
    """The fastest kernels, begun in the middle with a state of their own, give the same gradient by that state."""
    watched = network(layer)
    inputs, targets = windows(6, 12)
    _, found = state_gradients(watched, (inputs,), targets, MSE)
    precise = network(layer).double()
    for back in (1, 5, 11):
        kept = 12 - back
        _, state = precise.recurrent(inputs[:, :kept].double(), return_state=True)
        parts = state if isinstance(state, tuple) else (state,)
        begun = [part.detach().requires_grad_(True) for part in parts]
        outputs = precise.head(
            precise.recurrent(inputs[:, kept:].double(), tuple(begun) if len(begun) > 1 else begun[0])
        )
        loss = MSE(outputs.unflatten(1, (1, 1)), targets.double()) * 6
        gradient = torch.autograd.grad(loss, begun)[0][0]
        assert found[0].norms[back] == pytest.approx(gradient.norm(dim=-1).mean().item(), rel=1e-6)


def test_the_cell_of_an_lstm_counts_all_its_ways_on() -> None:
    """What is added to the cell reaches the loss through the next cell and through the state that leaves at once."""
    watched = network(LSTM(3, 4))
    inputs, targets = windows(3, 7)
    _, (_, found) = state_gradients(watched, (inputs,), targets, MSE)
    assert found.part == "cell"
    cell, head = watched.recurrent.cells[0].double(), watched.head.double()
    added = [torch.zeros(3, 4, dtype=torch.float64, requires_grad=True) for _ in range(7)]
    h = c = torch.zeros(3, 4, dtype=torch.float64)
    for step in range(7):
        i, f, g, o = cell.project(inputs[:, step].double()).add(h @ cell.state_weights).chunk(4, -1)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh() + added[step]
        h = o.sigmoid() * c.tanh()
    expected = torch.autograd.grad(MSE(head(h)[:, None], targets.double()) * 3, added[::-1])
    assert found.norms.tolist() == pytest.approx([gradient.norm(dim=-1).mean().item() for gradient in expected])


@pytest.mark.parametrize("held", [1, 4 * 3 * 5 * 4, 10**6])
def test_a_window_counts_alone_and_chunks_change_nothing(held: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(through_time, "HELD", held)
    watched = network(GRU(3, 4))
    inputs, targets = windows(11, 5)
    loss, (together,) = state_gradients(watched, (inputs,), targets, MSE)
    alone = [state_gradients(watched, (inputs[at : at + 1],), targets[at : at + 1], MSE) for at in range(len(inputs))]
    assert together.norms == pytest.approx(np.mean([found.norms for _, (found,) in alone], axis=0))
    assert loss == pytest.approx(np.mean([own for own, _ in alone]))


def test_the_network_stays_as_it_was() -> None:
    watched = network(GRU(3, 4, dropout=0.5, recurrent_dropout=0.5)).train()
    before = {name: tensor.clone() for name, tensor in watched.state_dict().items()}
    inputs, targets = windows(4, 5)
    first, second = (state_gradients(watched, (inputs,), targets, MSE) for _ in range(2))
    assert first[0] == second[0], "dropout is for training"
    assert all(torch.equal(tensor, before[name]) for name, tensor in watched.state_dict().items())
    assert watched.training
    assert not any(weights.requires_grad or weights.dtype != torch.float32 for weights in watched.parameters())


def inspected(looked_into: nn.Module, loss: Any = MSE) -> Inspected:
    inputs, targets = windows(4, 5)
    mean, gradients = state_gradients(looked_into, (inputs,), targets, loss)
    matrices = recurrent_matrices(looked_into)
    return Inspected("own", "none", Path("m"), "all", 4, mean, gradients, matrices, weights_of(looked_into))


def test_every_layer_and_direction_has_a_line() -> None:
    cases: list[tuple[nn.Module, list[str]]] = [
        (RNN(3, 4), ["own"]),
        (LSTM(3, 4), ["own state", "own cell"]),
        (GRU(3, 4, layers=2), ["own layer 1", "own layer 2"]),
        (GRU(3, 4, reversed=True), ["own backwards"]),
        (Bidirectional(RNN(3, 4)), ["own forwards", "own backwards"]),
        (
            Bidirectional(RNN(3, 4, layers=2)),
            ["own layer 1 forwards", "own layer 2 forwards", "own layer 1 backwards", "own layer 2 backwards"],
        ),
    ]
    for layer, names in cases:
        seen = inspected(network(layer))
        assert [seen.line(gradients) for gradients in seen.gradients] == names
        assert all((gradients.norms > 0).all() and len(gradients.norms) == 5 for gradients in seen.gradients)
        assert {gradients.module for gradients in seen.gradients} == {one.module for one in seen.matrices}
    # The upper layer's last state is what the head reads; the lower one is read by the upper one alone.
    two = inspected(network(GRU(3, 4, layers=2)))
    assert two.gradients[0].norms[0] < two.gradients[1].norms[0]
    assert inspected(PerceptronNetwork(5, 3, 4, 1, 1)).gradients == []


def test_zero_gradients_can_be_drawn(tmp_path: Path) -> None:
    still = inspected(network(LSTM(3, 4)), lambda outputs, targets: (outputs * 0).mean())
    assert [gradients.words for gradients in still.gradients] == ["zero at the end"] * 2
    assert [gradients.ratio for gradients in still.gradients] == [None, None]
    assert "own cell zero at the end" in lead([still])
    shown = panels([still])
    (figure,) = [item for item in shown[0].items if isinstance(item, Figure)]
    assert [set(line.y) for line in figure.lines] == [{None}, {None}]
    write_page(tmp_path / "page.html", "zeros", "", shown)
    save_picture(tmp_path / "picture.png", [figure])
    assert (tmp_path / "picture.png").read_bytes().startswith(b"\x89PNG")


def test_what_becomes_of_a_gradient() -> None:
    def of(*norms: float) -> StateGradients:
        return StateGradients("", 1, False, "state", np.array(norms))

    fading, growing = of(1.0, 0.5, 0.009, 0.02), of(0.0625, 3.0, 6.5)
    assert (fading.fades_after, fading.grows_after, fading.words) == (2, None, "fades to 1 % after 2 steps")
    assert (growing.fades_after, growing.grows_after, growing.ratio) == (None, 2, 104.0)
    assert of(1.0, 0.001).words == "fades to 1 % after 1 step"
    assert of(1.0, 1.1).words == "still 110 % after 1 step"
    assert of(1.0).words == "one step only"
    assert of(np.inf, 1.0).words == "beyond all numbers at the end"
    assert of(1.0, np.inf).ratio is None
    assert of(1.0, np.inf).words == "grows 100-fold after 1 step"
    assert of(0.0, 0.0).fades_after is None


def set_blocks(layer: Recurrent, *blocks: Tensor) -> None:
    cell: Any = layer.cells[0]
    with torch.no_grad():
        cell.state_weights.copy_(torch.cat(blocks, 1))


def test_matrices_that_are_known() -> None:
    turn = torch.tensor([[np.cos(0.3), np.sin(0.3)], [-np.sin(0.3), np.cos(0.3)]]).float()
    stretch, shear = torch.diag(torch.tensor([0.5, -3.0])), torch.tensor([[1.0, 4.0], [0.0, 1.0]])
    rnn, gru, lstm = RNN(1, 2), GRU(1, 2), LSTM(1, 2)
    set_blocks(rnn, turn)
    set_blocks(gru, turn, stretch, shear)
    set_blocks(lstm, stretch, turn, torch.zeros(2, 2), shear)
    (only,) = recurrent_matrices(rnn)
    assert (only.module, only.gate, only.units) == ("cells.0", "state", 2)
    assert (only.eigenvalue, only.singular_value) == pytest.approx((1, 1))
    sheared = np.sqrt(9 + 4 * np.sqrt(5))  # of [[1, 4], [0, 1]]
    found = [(one.gate, one.eigenvalue, one.singular_value) for one in recurrent_matrices(gru)]
    assert [name for name, *_ in found] == ["reset", "update", "candidate"]
    assert np.array([values for _, *values in found]) == pytest.approx(
        np.array([[1, 1], [3, 3], [1, sheared]]), rel=1e-5
    )
    found = [(one.gate, one.eigenvalue, one.singular_value) for one in recurrent_matrices(lstm)]
    assert [name for name, *_ in found] == ["input", "forget", "candidate", "output"]
    assert np.array([values for _, *values in found]) == pytest.approx(
        np.array([[3, 3], [1, 1], [0, 0], [1, sheared]]), rel=1e-5
    )


def test_matrices_as_numpy_measures_them() -> None:
    layer = network(LSTM(3, 7)).recurrent
    layer.cells[0].state_weights.copy_(torch.cat([matrix(7, 0.5 + gate) for gate in range(4)], 1))
    for gate, one in enumerate(recurrent_matrices(layer)):
        block = layer.cells[0].state_weights[:, 7 * gate : 7 * gate + 7].double().numpy()
        assert one.eigenvalue == pytest.approx(np.abs(np.linalg.eigvals(block)).max())
        assert one.singular_value == pytest.approx(np.linalg.svd(block)[1].max())


def test_weights_are_all_listed() -> None:
    listed = weights_of(network(GRU(3, 4)))
    assert {one.name: one.count for one in listed} == {
        "recurrent.cells.0.input_weights": 36,
        "recurrent.cells.0.state_weights": 48,
        "recurrent.cells.0.bias": 12,
        "recurrent.cells.0.candidate_bias": 4,
        "head.weight": 4,
        "head.bias": 1,
    }
    # Three orthogonal blocks of four units.
    assert next(one.norm for one in listed if one.name.endswith("state_weights")) == pytest.approx(np.sqrt(12))


def test_an_axis_can_be_logarithmic() -> None:
    lines = [Line("a", [0, 1], [1.0, None])]
    assert draw(Figure("lines", "t", "x", "y", lines, log=True)).layout.yaxis.type == "log"
    assert draw(Figure("lines", "t", "x", "y", lines)).layout.yaxis.type is None
