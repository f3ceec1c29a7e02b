"""Single steps without gradients, which a kernel of their own takes, against the plain loop."""

import copy
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.utils import parametrize

from foretell import nn
from foretell.errors import ConfigurationError
from foretell.nn import ways
from foretell.nn.kernels import single, stepping

from .made_layers import KINDS, TOLERANCE, flat, leaf, make

BATCHES = (1, 3, 8, 9, 20, single.TOGETHER + 13)
SIZES = [(1, 1), (5, 9), (14, 33), (17, 16), (3, 128)]
ADD_ROWS: Any = single.add_rows  # numba gives it other arguments than its definition has
taken: list[int] = []


@pytest.fixture(autouse=True)
def counting(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Notes the batch of each step that the kernel took, so that no test compares the loop with itself."""
    taken.clear()
    take = stepping.one_step

    def noted(cells: Any, inputs: Tensor, state: Any, projected: bool = False) -> Any:
        found = take(cells, inputs, state, projected)
        taken.extend([] if found is None else [len(inputs)])
        return found

    monkeypatch.setattr(stepping, "one_step", noted)
    with torch.inference_mode():
        yield


def stepped(layer: Any, inputs: Tensor, state: Any = None) -> list[Tensor]:
    """The outputs of all steps, and the last state."""
    outputs = []
    for step in range(inputs.shape[1]):
        output, state = layer.step(inputs[:, step], state)
        outputs.append(output)
    return [torch.stack(outputs, 1), *flat(state)]


def by_the_loop(layer: Any, inputs: Tensor, state: Any = None) -> list[Tensor]:
    with nn.recurrence("loop"):
        return stepped(layer, inputs, state)


def assert_near(found: list[Tensor], expected: list[Tensor]) -> None:
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, atol=TOLERANCE[other.dtype], rtol=TOLERANCE[other.dtype])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("layers", [1, 3])
@pytest.mark.parametrize(("features", "units"), SIZES)
@pytest.mark.parametrize("kind", KINDS)
def test_a_step_is_the_loops(kind: str, features: int, units: int, layers: int, dtype: torch.dtype) -> None:
    torch.manual_seed(1)
    layer = make(kind, features, units, layers=layers).to(dtype)
    for batch in BATCHES:
        inputs = torch.randn(batch, 4, features, dtype=dtype)
        assert_near(stepped(layer, inputs), by_the_loop(layer, inputs))
    assert taken == [batch for batch in BATCHES for _ in range(4)]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("batch", [4, 21, single.TOGETHER + 10])
def test_a_sequence_steps_alone_as_in_a_batch(batch: int, kind: str) -> None:
    torch.manual_seed(1)
    layer, inputs = make(kind, 5, 33, layers=2), torch.randn(batch, 6, 5)
    outputs, *state = stepped(layer, inputs)
    rows = sorted({0, 3, batch // 2, batch - 2, batch - 1})
    for row in rows:
        alone, *own = stepped(layer, inputs[row : row + 1])
        assert torch.equal(alone[0], outputs[row])
        assert all(torch.equal(one[:, 0], other[:, row]) for one, other in zip(own, state, strict=True))
    assert len(taken) == (len(rows) + 1) * 6


@pytest.mark.parametrize("kind", ["gru", "lstm"])
def test_threads_share_sequences_and_change_nothing(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(1)
    layer, inputs = make(kind, 5, 33), torch.randn(45, 3, 5)
    stepped(layer, inputs)  # compiled
    alone = stepped(layer, inputs)
    monkeypatch.setattr(stepping, "_ALONE", 0)
    with nn.kernel_threads(3):
        shared = stepped(layer, inputs)
    assert all(torch.equal(one, other) for one, other in zip(alone, shared, strict=True))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("batch", [1, 2, 11])
def test_projected_inputs_step_as_the_inputs_do(batch: int, kind: str) -> None:
    torch.manual_seed(1)
    layer, inputs = make(kind, 5, 33, layers=2), torch.randn(batch, 5)
    _, before = layer.step(torch.randn(batch, 5))
    projected = layer.each[0].project(inputs)
    found, expected = layer.step_projected(projected, before), layer.step(inputs, before)
    assert_near([found[0], *flat(found[1])], [expected[0], *flat(expected[1])])
    with nn.recurrence("loop"):
        slowly = layer.step_projected(projected, before)
    assert_near([found[0], *flat(found[1])], [slowly[0], *flat(slowly[1])])
    assert taken == [batch] * 3


@pytest.mark.parametrize("kind", ["gru", "lstm"])
def test_arguments_may_lie_anywhere(kind: str) -> None:
    torch.manual_seed(1)
    layer = make(kind, 5, 9, layers=2)
    inputs, state = torch.randn(5, 3).t(), tuple(torch.randn(9, 3, 2).permute(2, 1, 0) for _ in range(layer.cell.parts))
    assert not inputs.is_contiguous()
    assert not state[0].is_contiguous()
    whole = state if len(state) > 1 else state[0]
    kept = [part.clone() for part in (inputs, *state)]
    _, found = layer.step(inputs, whole)
    assert taken == [3]
    with nn.recurrence("loop"):
        _, expected = layer.step(inputs, whole)
    assert_near(flat(found), flat(expected))
    assert all(torch.equal(part, before) for part, before in zip((inputs, *state), kept, strict=True)), "overwritten"


def changes() -> dict[str, Any]:
    """Ways in which weights change or move between two steps."""

    def other_memory(layer: Any) -> None:
        for weight in layer.parameters():
            weight.data = weight.data * 2

    def same_memory(layer: Any) -> None:
        for weight in layer.parameters():
            weight.mul_(2)

    def other_parameter(layer: Any) -> None:
        for cell in layer.cells:
            cell.state_weights = torch.nn.Parameter(cell.state_weights * 2)

    def other_layout(layer: Any) -> None:
        for cell in layer.cells:
            cell.state_weights.data = (cell.state_weights.data * 2).t().contiguous().t()

    def other_cells(layer: Any) -> None:
        layer.cells[1] = copy.deepcopy(layer.cells[0])
        layer.cells[1].bias.add_(1)

    def other_view(layer: Any) -> None:
        for cell in layer.cells:
            shape = cell.state_weights.shape
            cell.state_weights.data = cell.state_weights.data.as_strided(shape, (1, shape[0]))

    def other_activation(layer: Any) -> None:
        for cell in layer.cells:
            cell.activation = "relu"

    def other_order(layer: Any) -> None:
        for cell in layer.cells:
            bias = cell.bias * 2
            del cell.bias
            cell.bias = torch.nn.Parameter(bias)

    def computed_weights(layer: Any) -> None:
        for cell in layer.cells:
            parametrize.register_parametrization(cell, "input_weights", Doubled())

    def computed_for_a_while(layer: Any) -> None:
        computed_weights(layer)
        for cell in layer.cells:
            parametrize.remove_parametrizations(cell, "input_weights")

    def state_dictionary(layer: Any) -> None:
        layer.load_state_dict({name: weight * 2 for name, weight in layer.state_dict().items()})

    def there_and_back(layer: Any) -> None:
        layer.double()
        layer.step(torch.zeros(1, 5, dtype=torch.float64))
        layer.float()

    return {
        change.__name__: change
        for change in (
            *(other_memory, same_memory, other_parameter, other_layout, other_cells, other_view, other_activation),
            *(other_order, computed_weights, computed_for_a_while),
            *(state_dictionary, there_and_back),
        )
    }


@pytest.mark.parametrize("change", changes())
@pytest.mark.parametrize("kind", ["gru", "gru before", "lstm"])
def test_weights_may_change_and_move(kind: str, change: str) -> None:
    torch.manual_seed(1)
    with torch.inference_mode(mode=False), torch.no_grad():  # as weights that are still trained
        layer, inputs = make(kind, 5, 5, layers=2), torch.randn(1, 3, 5)
        first = stepped(layer, inputs)
        twin = copy.deepcopy(layer)
        assert all(torch.equal(one, other) for one, other in zip(stepped(twin, inputs), first, strict=True))
        changes()[change](layer)
        found = stepped(layer, inputs)
        assert_near(found, by_the_loop(layer, inputs))
        assert torch.equal(found[0], first[0]) is (change == "there_and_back")
        assert all(torch.equal(one, other) for one, other in zip(stepped(twin, inputs), first, strict=True)), "the twin"


class Doubled(torch.nn.Module):
    """What a parametrization computes."""

    def forward(self, weights: Tensor) -> Tensor:
        """Twice the weights."""
        return weights * 2


def test_what_no_kernel_knows_steps_by_the_loop() -> None:
    torch.manual_seed(1)
    layer, inputs = make("gru", 5, 9), torch.randn(1, 3, 5)
    half = copy.deepcopy(layer).to(torch.bfloat16)
    assert stepped(half, inputs.to(torch.bfloat16))[0].dtype == torch.bfloat16
    assert taken == []
    assert stepped(layer, inputs.double())[0].dtype == torch.float32, "as forward does"
    assert taken == []


def test_a_step_with_gradients_has_them() -> None:
    with torch.inference_mode(mode=False):
        layer, inputs = make("lstm", 5, 9), leaf(torch.randn(2, 5))
        output, _ = layer.step(inputs)
        output.sum().backward()
    assert taken == []
    assert inputs.grad is not None
    assert bool(inputs.grad.any())


def test_a_number_that_is_none_is_seen_and_stays_with_its_sequence() -> None:
    layer, inputs = make("lstm", 5, 33), torch.randn(3, 1, 5)
    inputs[1] = float("nan")
    outputs = stepped(layer, inputs)[0]
    assert taken == [3]
    assert outputs.isnan().flatten(1).all(1).tolist() == [False, True, False]
    assert outputs.isnan().flatten(1).any(1).tolist() == [False, True, False]


def test_a_state_on_another_device_is_told() -> None:
    layer = make("lstm", 5, 9)
    with pytest.raises(ConfigurationError, match="the state is on meta, the inputs are on cpu: move one"):
        layer.step(torch.zeros(1, 5), (torch.zeros(1, 1, 9, device="meta"),) * 2)


@pytest.mark.parametrize("count", [3, 4, 5])
def test_what_stands_beyond_some_sums_is_left_alone(count: int) -> None:
    sums, numbers = np.ones(64, np.float32), np.full(count, np.inf, np.float32)
    matrix = np.ones((count, 40), np.float32)
    ADD_ROWS(sums, 0, 33, numbers, 0, count, matrix.reshape(-1), 40, 2)
    assert np.isinf(sums[:33]).all()
    assert (sums[33:] == 1).all(), "infinite times nothing is no number"


def test_dropout_of_a_step_in_training_is_not_left_out() -> None:
    layer, inputs = make("gru", 5, 64, recurrent_dropout=0.5), torch.randn(1, 5)
    state = torch.randn(1, 1, 64)
    found = [layer.step(inputs, state)[0] for _ in range(2)]
    assert not torch.equal(*found)
    assert taken == []
    layer.eval()
    assert torch.equal(layer.step(inputs, state)[0], layer.step(inputs, state)[0])
    assert taken == [1, 1]


def test_a_step_is_watched_and_forced_like_a_sequence() -> None:
    layer, inputs = make("gru", 5, 9), torch.randn(1, 5)
    with ways.watching() as walks:
        layer.step(inputs)
    assert (len(walks), taken) == (1, [])
    with nn.recurrence("fused"):
        layer.step(inputs)
    assert taken == [1]


@pytest.mark.parametrize("flushing", [False, True])
def test_a_step_leaves_torchs_smallest_numbers_alone_and_flushes_its_own(flushing: bool) -> None:
    if not torch.set_flush_denormal(flushing):
        pytest.skip("this processor cannot flush denormal numbers")
    try:
        layer = make("rnn relu", 1, 1)
        for name, weight in layer.named_parameters():
            weight.fill_(1.0 if "input" in name else 0.0)
        output, _ = layer.step(torch.full((1, 1), 1e-39))
        assert bool((torch.tensor(1e-40) * 1 == 0).item()) is flushing
    finally:
        torch.set_flush_denormal(False)
    assert output.item() == 0.0
    assert taken == [1]


def test_layers_and_inputs_on_different_devices_are_told() -> None:
    layer = make("lstm", 5, 9).to("meta")
    for call, shape in ((layer.step, (1, 5)), (layer, (1, 3, 5))):
        with pytest.raises(ConfigurationError, match="the inputs are on cpu, the layer is on meta: move one"):
            call(torch.zeros(shape))


def test_a_layer_that_has_stepped_is_saved_without_what_kernels_keep() -> None:
    layer = make("lstm", 5, 9)
    before = set(vars(layer.cells[0]))
    layer.step(torch.zeros(1, 5))
    assert set(vars(layer.cells[0])) == before
