"""The fused kernels against the plain loop, whatever the shapes and options; and to the last bit against themselves."""

import dataclasses
from typing import Any, Literal

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from foretell import nn
from foretell.nn.recurrent import Recurrent
from foretell.nn.threads import kernel_threads

from .made_layers import (
    KINDS,
    as_state,
    assert_close,
    assert_same_bytes,
    flat,
    leaf,
    made_states,
    make,
    make_both,
    one_thread_of_torchs,  # noqa: F401 (for every test here)
    results,
    spoil_unused_memory,
)


@dataclasses.dataclass(frozen=True)
class Case:
    """One call of a recurrent layer."""

    kind: str
    dtype: torch.dtype
    batch: int
    time: int
    features: int
    units: int
    layers: int
    dropout: float
    recurrent_dropout: float
    mask: Literal["sequence", "step"]
    backwards: bool
    sequences: bool
    both: bool
    begun: bool
    lengths: list[int] | None
    seed: int

    def results(self, way: str) -> dict[str, Tensor]:
        """What the layer gives in one of the ways."""
        torch.manual_seed(self.seed)
        layer = (make_both if self.both else make)(
            self.kind,
            self.features,
            self.units,
            self.dtype,
            layers=self.layers,
            dropout=self.dropout,
            recurrent_dropout=self.recurrent_dropout,
            mask=self.mask,
            reversed=self.backwards,
            return_sequences=self.sequences,
        )
        inputs = torch.randn(self.batch, self.time, self.features, dtype=self.dtype)
        state = made_states(layer, self.batch) if self.begun else None
        return results(layer, way, inputs, state, lengths=self.lengths)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    batch, time = draw(st.integers(1, 19)), draw(st.integers(1, 7))
    lengths = st.none() | st.lists(st.integers(0, time), min_size=batch, max_size=batch)
    return Case(
        kind=draw(st.sampled_from(list(KINDS))),
        dtype=draw(st.sampled_from([torch.float32, torch.float64])),
        batch=batch,
        time=time,
        features=draw(st.sampled_from([1, 2, 3, 7, 8, 9, 15, 16, 17, 34])),
        units=draw(st.sampled_from([1, 2, 3, 7, 8, 9, 15, 16, 17, 24, 33, 49])),
        layers=draw(st.sampled_from([1, 1, 2, 3])),
        dropout=draw(st.sampled_from([0.0, 0.3])),
        recurrent_dropout=draw(st.sampled_from([0.0, 0.4])),
        mask=draw(st.sampled_from(["sequence", "step"])),
        backwards=draw(st.booleans()),
        sequences=draw(st.booleans()),
        both=draw(st.booleans()),
        begun=draw(st.booleans()),
        lengths=draw(lengths),
        seed=draw(st.integers(0, 1000)),
    )


@given(cases())
@settings(max_examples=250)
def test_the_kernels_are_the_loop(case: Case) -> None:
    found, expected = case.results("fused"), case.results("loop")
    if (
        "relu" in case.kind and case.dtype == torch.float32
    ):  # the last digit may decide on which side of the kink a sum lies
        found, expected = (
            {name: value for name, value in all_.items() if "gradient" not in name} for all_ in (found, expected)
        )
    assert_close(found, expected)


@given(cases())
def test_what_memory_held_before_has_no_effect(case: Case) -> None:
    first = case.results("fused")
    spoil_unused_memory()
    assert_same_bytes(case.results("fused"), first)


# So many weights that tiles go through time together, and fewer shares; batches that fill no whole tile.
LARGE = [("rnn", 450), ("lstm relu", 230), ("gru", 250), ("gru before", 270)]


@pytest.mark.parametrize(("kind", "units"), LARGE)
@pytest.mark.parametrize("backwards", [False, True])
def test_large_layers_are_the_loop(kind: str, units: int, backwards: bool) -> None:
    lengths = [3, 0, 1, 2, 3] * 7 + [1, 2]
    case = Case(
        kind, torch.float64, 37, 3, 5, units, 1, 0.2, 0.3, "step", backwards, True, False, True, lengths, seed=units
    )
    assert_close(case.results("fused"), case.results("loop"))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"dropout": 0.3, "recurrent_dropout": 0.4, "lengths": [3, 0, 2]},
        {"dropout": 0.3, "recurrent_dropout": 0.4, "mask": "step", "reversed": True, "lengths": [1, 3, 2]},
    ],
    ids=["plain", "masks", "steps"],
)
@pytest.mark.parametrize("units", [1, 3, 9, 17])
@pytest.mark.parametrize("kind", KINDS)
def test_gradients_are_those_of_small_changes(kind: str, units: int, options: dict[str, Any]) -> None:
    torch.manual_seed(units)
    call = dict(options)
    lengths = call.pop("lengths", None)
    layer = make(kind, 2, units, torch.float64, return_sequences=units < 17, **call)
    inputs, state = leaf(torch.randn(3, 3, 2, dtype=torch.float64)), [leaf(part) for part in made_states(layer, 3)]

    def outputs(inputs: Tensor, *_: Tensor) -> tuple[Tensor, ...]:
        torch.manual_seed(units)
        with nn.recurrence("fused"):
            found, final = layer(inputs, as_state(layer, state), lengths, return_state=True)
        return found, *flat(final)

    by = (inputs, *state, *layer.parameters())
    assert torch.autograd.gradcheck(outputs, by, atol=1e-7, rtol=1e-5, fast_mode=units > 1)


def alone_and_together(layer: Recurrent, inputs: Tensor, lengths: list[int] | None) -> None:
    """Holds each sequence of a batch against itself alone, to the last bit, its gradients too."""
    batch, time, _ = inputs.shape
    state = made_states(layer, batch)
    weights = torch.randn(batch, time, layer.units, dtype=inputs.dtype)

    def run(rows: slice, steps: int, lengths: list[int] | None) -> tuple[list[Tensor], list[Tensor]]:
        own = leaf(inputs[rows, :steps])
        before = [leaf(part[:, rows]) for part in state]
        outputs, final = layer(own, as_state(layer, before), lengths, return_state=True)
        loss = (outputs * weights[rows, :steps]).sum() + sum(part.square().sum() for part in flat(final))
        by_inputs, *by_state = torch.autograd.grad(loss, [own, *before])
        return [outputs.detach(), by_inputs], [*(part.detach() for part in flat(final)), *by_state]

    sequences, states = run(slice(None), time, lengths)
    for row in range(batch):
        steps = time if lengths is None else lengths[row]
        alone, state_alone = run(slice(row, row + 1), steps, None)
        for one, all_ in zip(alone, sequences, strict=True):
            assert not all_[row, steps:].any(), "something lies beyond the end"
            assert torch.equal(one[0], all_[row, :steps])
        for one, all_ in zip(state_alone, states, strict=True):
            assert torch.equal(one[:, 0], all_[:, row])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("lengths", [None, [9, 1, 4, 9, 2, 7, 3, 3, 5, 8, 1]])
def test_a_sequence_is_the_same_alone_and_in_a_batch(kind: str, dtype: torch.dtype, lengths: list[int] | None) -> None:
    torch.manual_seed(1)
    for backwards in (False, True):
        layer = make(kind, 7, 21, dtype, return_sequences=True, layers=2, reversed=backwards)
        alone_and_together(layer, torch.randn(11, 9, 7, dtype=dtype), lengths)


@pytest.mark.parametrize(("kind", "units"), LARGE)
def test_a_sequence_of_a_large_layer_is_the_same_alone(kind: str, units: int) -> None:
    torch.manual_seed(1)
    layer = make(kind, 7, units, torch.float64, return_sequences=True)
    alone_and_together(layer, torch.randn(19, 3, 7, dtype=torch.float64), [1, 2, 3] * 6 + [3])


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_call_gives_the_same_bytes_on_any_number_of_threads(kind: str) -> None:
    torch.manual_seed(1)
    layer = make(kind, 7, 33, recurrent_dropout=0.2, return_sequences=True)
    inputs, state = torch.randn(67, 40, 7), made_states(layer, 67)  # far more work than a thread's beginning
    lengths = torch.randint(0, 41, (67,))
    first = results(layer, "fused", inputs, state, lengths=lengths)
    for threads in (1, 2, 3, 20):
        with kernel_threads(threads):
            assert_same_bytes(results(layer, "fused", inputs, state, lengths=lengths), first)
    before = torch.get_num_threads()
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            assert_same_bytes(results(layer, "fused", inputs, state, lengths=lengths), first)
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize(("kind", "units"), LARGE)
def test_large_layers_give_the_same_bytes_on_any_number_of_threads(kind: str, units: int) -> None:
    torch.manual_seed(1)
    layer, inputs = make(kind, 7, units, torch.float64), torch.randn(37, 3, 7, dtype=torch.float64)
    first = results(layer, "fused", inputs)
    for threads in (1, 2):
        with kernel_threads(threads):
            assert_same_bytes(results(layer, "fused", inputs), first)
