"""Recurrent layers made for tests, and all that one call of them gives: outputs, final states and every gradient."""

import functools
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

import pytest
import torch
from torch import Tensor

from foretell import nn
from foretell.nn.kernels.memory import SHELF
from foretell.nn.recurrent import Recurrent

KINDS: dict[str, Callable[..., Recurrent]] = {
    "rnn": nn.RNN,
    "rnn relu": functools.partial(nn.RNN, activation="relu"),
    "lstm": nn.LSTM,
    "lstm relu": functools.partial(nn.LSTM, activation="relu"),
    "gru": nn.GRU,
    "gru relu": functools.partial(nn.GRU, activation="relu"),
    "gru before": functools.partial(nn.GRU, reset="before"),
    "gru before relu": functools.partial(nn.GRU, activation="relu", reset="before"),
}
TANH = [kind for kind in KINDS if "relu" not in kind]
Layer = TypeVar("Layer", bound=torch.nn.Module)
TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-10}


@pytest.fixture(autouse=True, scope="module")
def one_thread_of_torchs() -> Iterator[None]:
    """Torch's threads wait for each other longer than these small layers take; kernels get threads where they matter."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def make(kind: str, features: int, units: int, dtype: torch.dtype = torch.float32, **options: Any) -> Any:
    """A layer whose biases are not zero, so that a bias in the wrong place is seen."""
    return with_biases(KINDS[kind](features, units, **options).to(dtype))


def make_both(kind: str, features: int, units: int, dtype: torch.dtype = torch.float32, **options: Any) -> Any:
    """The same in both directions."""
    return with_biases(nn.Bidirectional(KINDS[kind](features, units, **options)).to(dtype))


def with_biases(layer: Layer) -> Layer:
    """A layer, its biases changed."""
    with torch.no_grad():
        for name, parameter in layer.named_parameters():
            if "bias" in name:
                parameter.add_(torch.randn_like(parameter), alpha=0.3)
    return layer


def made_states(layer: Recurrent | nn.Bidirectional, batch: int) -> list[Tensor]:
    """An initial state, none of it zero: every part of every direction, each (layer, batch, unit)."""
    ahead: Any = layer.ahead if isinstance(layer, nn.Bidirectional) else layer
    count = ahead.cell.parts * (2 if isinstance(layer, nn.Bidirectional) else 1)
    dtype = ahead.cells[0].input_weights.dtype
    return [torch.randn(ahead.layers, batch, ahead.units, dtype=dtype) for _ in range(count)]


def as_state(layer: Recurrent | nn.Bidirectional, parts: list[Tensor]) -> Any:
    """The state as a layer takes it."""
    if isinstance(layer, nn.Bidirectional):
        half = len(parts) // 2
        return as_state(layer.ahead, parts[:half]), as_state(layer.back, parts[half:])
    return parts[0] if len(parts) == 1 else tuple(parts)


def flat(state: Any) -> list[Tensor]:
    """The tensors of a state, however deep."""
    return [state] if isinstance(state, Tensor) else [tensor for part in state for tensor in flat(part)]


def loss_of(tensors: Iterable[Tensor]) -> Any:
    """A sum in which every number has a weight of its own, always the same."""
    total = torch.zeros((), dtype=torch.float64)
    generator = torch.Generator().manual_seed(11)
    for tensor in tensors:
        weights = torch.randn(tensor.shape, generator=generator, dtype=torch.float64)
        total = total + (tensor * weights).sum()
    return total


def leaf(tensor: Tensor) -> Any:
    """The same numbers, as something to derive by."""
    return tensor.detach().clone().requires_grad_()


def results(
    layer: Any, way: str, inputs: Tensor, state: list[Tensor] | None = None, seed: int = 5, **call: Any
) -> dict[str, Tensor]:
    """Outputs, final states, and the gradients of the inputs, the initial states and all weights."""
    inputs = leaf(inputs)
    before = None if state is None else [leaf(part) for part in state]
    torch.manual_seed(seed)  # the same masks are drawn
    with nn.recurrence(way):
        outputs, final = layer(inputs, None if before is None else as_state(layer, before), return_state=True, **call)
    found = {"outputs": outputs} | {f"final {place}": part for place, part in enumerate(flat(final))}
    by = {"inputs": inputs} | {f"state {place}": part for place, part in enumerate(before or [])}
    by |= dict(layer.named_parameters())
    gradients = torch.autograd.grad(loss_of(found.values()), list(by.values()), materialize_grads=True)
    found |= {f"gradient of {name}": value for name, value in zip(by, gradients, strict=True)}
    return {name: value.detach() for name, value in found.items()}


def assert_close(found: dict[str, Tensor], expected: dict[str, Tensor], tolerance: float | None = None) -> None:
    """Each tensor within a tolerance: of one, or of its largest number where that is larger."""
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert found[name].shape == value.shape, name
        assert found[name].dtype == value.dtype, name
        assert bool(found[name].isfinite().all()), f"{name} is not finite"
        if value.numel():
            largest = (found[name] - value).abs().max().item()
            limit = (tolerance or TOLERANCE[value.dtype]) * max(1.0, value.abs().max().item())
            assert largest <= limit, f"{name} is off by {largest:.3g}, more than {limit:.3g}"


def assert_same_bytes(found: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    """Each tensor equal to the last bit."""
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert found[name].shape == value.shape, name
        assert found[name].contiguous().numpy().tobytes() == value.contiguous().numpy().tobytes(), name


def spoil_unused_memory() -> None:
    """Fills the buffers that the next call borrows with what is no number: nothing may depend on what is in them."""
    for buffers in SHELF._unused.values():
        for buffer in buffers:
            buffer.fill(255)
