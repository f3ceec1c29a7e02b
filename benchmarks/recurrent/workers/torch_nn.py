"""torch.nn's layers; where they have no dropout within the recurrence, the same equations as a loop in Python."""

from collections.abc import Callable, Iterator
from functools import partial

import torch
from torch import Tensor, nn

from ..cases import DROPOUT, FEATURES, LEARNING_RATE, RECURRENT_DROPOUT, Case, single_step, training_arrays
from ..serving import Variant, serve
from .plain_loop import PlainRecurrent

ALL_THREADS = torch.get_num_threads()
THREADS = {f"{count} thread{'s' if count > 1 else ''}": count for count in dict.fromkeys((ALL_THREADS, 1))}


class Fused(nn.Module):
    """nn.GRU or nn.LSTM, one after the other, and a head on the last output.

    nn.GRU knows no ReLU: where a case asks for it, this one computes tanh, which is no more work for it.

    Args:
        case: Which layers.
        batch_first: Whether inputs are (batch, time, feature) rather than (time, batch, feature).
    """

    def __init__(self, case: Case, batch_first: bool) -> None:
        super().__init__()
        self.layers = nn.ModuleList()
        features = FEATURES
        for layer in case.layers:
            kind = nn.GRU if layer.kind == "GRU" else nn.LSTM
            self.layers.append(kind(features, layer.units, batch_first=batch_first, bidirectional=case.bidirectional))
            features = layer.units * (1 + case.bidirectional)
        self.head = nn.Linear(features, 1)

    def forward(self, inputs: Tensor) -> Tensor:
        """From a batch to one value for each sequence."""
        for layer in self.layers:
            inputs, state = layer(inputs)
        hidden = state[0] if isinstance(state, tuple) else state
        return self.head(torch.cat(tuple(hidden), dim=-1))


class Looped(nn.Module):
    """The same with dropout on inputs and state, time-major."""

    def __init__(self, case: Case) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        features, directions = FEATURES, 1 + case.bidirectional
        for place, layer in enumerate(case.layers):
            last = place + 1 == len(case.layers)
            layers.append(PlainRecurrent(features, layer, directions, not last, DROPOUT, RECURRENT_DROPOUT))
            features = layer.units * directions
        self.layers = nn.Sequential(*layers, nn.Linear(features, 1))

    def forward(self, inputs: Tensor) -> Tensor:
        """From a batch to one value for each sequence."""
        return self.layers(inputs)


def training(name: str, model: nn.Module, time_major: bool, threads: int) -> Variant:
    """Forward, backward, RMSprop."""
    inputs, targets = (torch.from_numpy(array) for array in training_arrays())
    if time_major:
        inputs = inputs.transpose(0, 1).contiguous()
    optimiser = torch.optim.RMSprop(model.parameters(), lr=LEARNING_RATE, alpha=0.9, eps=1e-7)

    def step() -> float:
        optimiser.zero_grad()
        loss = (model(inputs) - targets).abs().mean()
        loss.backward()
        optimiser.step()
        return loss.item()

    return Variant(name, step, partial(torch.set_num_threads, threads))


def stepping(case: Case) -> Iterator[tuple[str, Callable[[], float]]]:
    """Single steps in a row, each with the state of the one before: as a cell, and as a layer over one step."""
    units = case.layers[0].units
    inputs = torch.from_numpy(single_step())
    cell, layer = nn.LSTMCell(FEATURES, units).eval(), nn.LSTM(FEATURES, units).eval()

    def by_cell() -> float:
        with torch.inference_mode():
            hidden, carry = cell(inputs)
            for _ in range(case.calls - 1):
                hidden, carry = cell(inputs, (hidden, carry))
        return float(hidden[0, 0])

    def by_layer() -> float:
        with torch.inference_mode():
            outputs, state = layer(inputs[None])
            for _ in range(case.calls - 1):
                outputs, state = layer(inputs[None], state)
        return float(outputs[0, 0, 0])

    yield "nn.LSTMCell", by_cell
    yield "nn.LSTM", by_layer


def variants(case: Case, dropout: bool) -> Iterator[Variant]:
    """Both layouts, one thread and all; a loop in Python is time-major."""
    for words, threads in THREADS.items():
        if case.calls:
            for name, step in stepping(case):
                yield Variant(f"{name}, {words}", step, partial(torch.set_num_threads, threads))
        elif dropout:
            yield training(f"a loop in Python, {words}", Looped(case), True, threads)
        else:
            for name, time_major in (("time-major", True), ("batch_first", False)):
                yield training(f"{name}, {words}", Fused(case, not time_major), time_major, threads)


if __name__ == "__main__":
    torch.manual_seed(0)
    # Before any thread starts: threads inherit it. TensorFlow and XLA do so by themselves.
    torch.set_flush_denormal(True)
    serve({"torch": torch.__version__}, variants)
