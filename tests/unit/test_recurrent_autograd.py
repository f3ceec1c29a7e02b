"""The fused kernels among torch's tensors: views, types, empty batches, and what autograd promises."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from foretell import nn
from foretell.errors import ConfigurationError

from .made_layers import (
    TANH,
    as_state,
    assert_same_bytes,
    flat,
    leaf,
    loss_of,
    made_states,
    make,
    one_thread_of_torchs,  # noqa: F401 (for every test here)
    results,
    spoil_unused_memory,
)

VIEWS: dict[str, Callable[[Tensor], Tensor]] = {
    "time first": lambda made: made.transpose(0, 1).contiguous().transpose(0, 1),
    "every other feature": lambda made: made.repeat_interleave(2, -1)[..., ::2],
    "features first": lambda made: made.permute(2, 0, 1).contiguous().permute(1, 2, 0),
    "part of a larger one": lambda made: torch.nn.functional.pad(made, (3, 1, 2, 2, 1, 1))[1:-1, 2:-2, 3:-1],
}


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("kind", TANH)
def test_where_the_numbers_stand_in_memory_has_no_effect(kind: str, view: str) -> None:
    torch.manual_seed(1)
    layer = make(kind, 5, 9, return_sequences=True, layers=2)
    made, state = torch.randn(3, 4, 5), made_states(layer, 3)
    weights = torch.randn(3, 4, 9)

    def run(inputs: Tensor, before: list[Tensor], weights: Tensor) -> dict[str, Tensor]:
        inputs = inputs.detach().requires_grad_()
        outputs, final = layer(inputs, as_state(layer, before), return_state=True)
        loss = (outputs * weights).sum() + sum(part.square().sum() for part in flat(final))
        gradients = torch.autograd.grad(loss, [inputs, *layer.parameters()])
        return {str(place): tensor.detach() for place, tensor in enumerate([outputs, *flat(final), *gradients])}

    expected = run(made, state, weights)
    seen = VIEWS[view]
    assert torch.equal(seen(made), made)
    assert_same_bytes(run(seen(made), [seen(part) for part in state], seen(weights)), expected)


@pytest.mark.parametrize("kind", TANH)
def test_repeated_numbers_need_no_memory_of_their_own(kind: str) -> None:
    torch.manual_seed(1)
    layer = make(kind, 5, 9, return_sequences=True)
    for made in (
        torch.randn(1, 4, 5).expand(7, 4, 5),
        torch.randn(7, 1, 5).expand(7, 4, 5),
        torch.randn(()).expand(7, 4, 5),
    ):
        state = [part[:, :1].expand(1, 7, 9) for part in made_states(layer, 7)]
        found, expected = (
            layer(inputs, as_state(layer, before), return_state=True)
            for inputs, before in ((made, state), (made.contiguous(), [part.contiguous() for part in state]))
        )
        for one, two in zip(flat(found), flat(expected), strict=True):
            assert torch.equal(one, two)


def test_gradients_may_come_in_any_shape() -> None:
    """A sum's gradient is one number repeated; a part's is zero elsewhere; another order's is not in ours."""
    torch.manual_seed(1)
    layer, inputs = make("gru", 5, 9, torch.float64, return_sequences=True), torch.randn(3, 4, 5, dtype=torch.float64)
    losses: list[Callable[[Any], Any]] = [
        lambda outputs: outputs.sum(),
        lambda outputs: outputs[:, ::2, 1::3].sum(),
        lambda outputs: (outputs.transpose(0, 1) * torch.arange(3.0)[:, None]).cumsum(0).sum(),
        lambda outputs: outputs.mean(dim=-1).square().sum(),
        lambda outputs: outputs[1, 2, 3],
    ]
    for loss in losses:
        by = [leaf(inputs), *layer.parameters()]
        both = []
        for way in ("fused", "loop"):
            with nn.recurrence(way):
                both.append(torch.autograd.grad(loss(layer(by[0])), by))
        for one, two in zip(*both, strict=True):
            torch.testing.assert_close(one, two, atol=1e-12, rtol=1e-12)


@pytest.mark.parametrize("way", ["fused", "loop"])
@pytest.mark.parametrize(("batch", "time"), [(0, 3), (1, 0), (5, 0), (0, 0)])
@pytest.mark.parametrize("sequences", [False, True])
def test_nothing_to_read_gives_the_state_back(way: str, batch: int, time: int, sequences: bool) -> None:
    for kind in TANH:
        layer = make(kind, 5, 9, return_sequences=sequences, recurrent_dropout=0.2)
        state = made_states(layer, batch)
        found = results(layer, way, torch.randn(batch, time, 5), state)
        assert found["outputs"].shape == ((batch, time, 9) if sequences else (batch, 9))
        assert found["gradient of inputs"].shape == (batch, time, 5)
        for place, part in enumerate(state):
            assert torch.equal(found[f"final {place}"], part) or time
        for name, _ in layer.named_parameters():
            assert not found[f"gradient of {name}"].any()


@pytest.mark.parametrize("way", ["fused", "loop"])
def test_a_large_layer_takes_an_empty_batch(way: str) -> None:
    layer = make("lstm", 5, 400, return_sequences=True)
    assert results(layer, way, torch.randn(0, 3, 5))["outputs"].shape == (0, 3, 400)


@pytest.mark.parametrize("kind", TANH)
def test_predicting_gives_the_bytes_of_training(kind: str) -> None:
    torch.manual_seed(1)
    layer, inputs = make(kind, 5, 33, layers=2, return_sequences=True), torch.randn(17, 9, 5)
    trained = layer(inputs, lengths=list(range(10)) + [9] * 7, return_state=True)
    assert trained[0].requires_grad
    for mode in (torch.no_grad, torch.inference_mode):
        with mode():
            found = layer(inputs, lengths=list(range(10)) + [9] * 7, return_state=True)
        assert not found[0].requires_grad
        assert all(torch.equal(one, two) for one, two in zip(flat(found), flat(trained), strict=True))


@pytest.mark.parametrize("kind", TANH)
def test_only_what_learns_has_a_gradient(kind: str) -> None:
    torch.manual_seed(1)
    layer, inputs = make(kind, 5, 9), torch.randn(3, 4, 5)
    whole = results(layer, "fused", inputs)
    layer.requires_grad_(False)
    assert not layer(inputs).requires_grad
    by_inputs = leaf(inputs)
    outputs, final = layer(by_inputs, return_state=True)
    loss_of([outputs, *flat(final)]).backward()
    assert torch.equal(by_inputs.grad, whole["gradient of inputs"])
    assert all(parameter.grad is None for parameter in layer.parameters())


@pytest.mark.parametrize("kind", TANH)
def test_the_way_back_may_be_taken_twice_only_if_kept(kind: str) -> None:
    torch.manual_seed(1)
    layer = make(kind, 5, 9, recurrent_dropout=0.3)
    loss = layer(torch.randn(3, 4, 5)).square().sum()
    first = torch.autograd.grad(loss, list(layer.parameters()), retain_graph=True)
    layer(torch.randn(3, 4, 5)).square().sum().backward()  # another call between
    spoil_unused_memory()
    second = torch.autograd.grad(loss, list(layer.parameters()))
    assert all(torch.equal(one, two) for one, two in zip(first, second, strict=True))
    with pytest.raises(RuntimeError, match="second time"):
        loss.backward()


def test_gradients_of_gradients_are_refused_by_the_kernels_and_given_by_the_loop() -> None:
    layer, inputs = make("gru", 5, 9), leaf(torch.randn(3, 4, 5))
    with pytest.raises(ConfigurationError, match="first derivatives only; take others inside recurrence"):
        torch.autograd.grad(layer(inputs).sum(), [inputs], create_graph=True)  # from ones, which need no gradient
    with nn.recurrence("loop"):
        gradient: Any = torch.autograd.grad(layer(inputs).square().sum(), [inputs], create_graph=True)[0]
    gradient.sum().backward()
    assert inputs.grad is not None


@pytest.mark.parametrize("changed", ["inputs", "input_weights", "state_weights"])
def test_what_was_changed_before_the_way_back_is_refused(changed: str) -> None:
    layer, inputs = make("gru", 5, 9), torch.randn(3, 4, 5)
    loss = layer(inputs).sum()
    with torch.no_grad():
        (inputs if changed == "inputs" else getattr(layer.cells[0], changed)).add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


@pytest.mark.parametrize("way", ["fused", "loop"])
def test_lengths_may_be_changed_after_the_call(way: str) -> None:
    """A caller may fill the same tensor with the next batch's lengths before this batch goes back."""
    torch.manual_seed(1)
    layer, inputs = make("gru", 5, 9), torch.randn(3, 6, 5)
    expected = results(layer, way, inputs, lengths=[6, 2, 4])["gradient of inputs"]
    lengths, own = torch.tensor([6, 2, 4]), leaf(inputs)
    with nn.recurrence(way):
        outputs, final = layer(own, lengths=lengths, return_state=True)
        lengths.fill_(1)
        loss_of([outputs, final]).backward()
    torch.testing.assert_close(own.grad, expected)


@pytest.mark.parametrize("kind", TANH)
def test_other_types_of_numbers_are_taken(kind: str) -> None:
    torch.manual_seed(1)
    layer, inputs = make(kind, 5, 9), torch.randn(3, 4, 5)
    state = made_states(layer, 3)
    expected = results(layer, "fused", inputs, state, lengths=[3, 1, 4])
    for dtype in (torch.float64, torch.float32):
        found = results(
            layer, "fused", inputs.to(dtype), [part.to(dtype) for part in state], lengths=torch.tensor([3, 1, 4])
        )
        assert found["outputs"].dtype == torch.float32
        assert found["gradient of inputs"].dtype == dtype
        assert_same_bytes({name: value.float() for name, value in found.items()}, expected)


@pytest.mark.parametrize("lengths", [torch.tensor([3, 1, 4], dtype=torch.int32), torch.tensor([3, 0, 1, 0, 4, 0])[::2]])
def test_lengths_are_taken_in_many_forms(lengths: Tensor) -> None:
    torch.manual_seed(1)
    layer, inputs = make("rnn", 5, 9), torch.randn(3, 4, 5)
    expected = results(layer, "fused", inputs, lengths=[3, 1, 4])
    for form in (lengths, lengths.numpy(), lengths.tolist(), tuple(lengths.tolist())):
        assert_same_bytes(results(layer, "fused", inputs, lengths=form), expected)
