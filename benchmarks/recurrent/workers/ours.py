"""Foretell's own layers."""

from collections.abc import Iterator

import numpy as np
import torch

from foretell import nn
from foretell.nn.threads import kernel_threads, usable_processors
from foretell.training.optimisers import RMSprop

from ..cases import DROPOUT, FEATURES, LEARNING_RATE, RECURRENT_DROPOUT, Case, single_step, training_arrays
from ..serving import Variant, serve


def network(case: Case, dropout: bool) -> torch.nn.Sequential:
    """The layers of a case and a head on the last output."""
    layers: list[torch.nn.Module] = []
    features = FEATURES
    for place, layer in enumerate(case.layers):
        kind = nn.GRU if layer.kind == "GRU" else nn.LSTM
        one = kind(
            features,
            layer.units,
            activation=layer.activation,
            dropout=DROPOUT if dropout else 0.0,
            recurrent_dropout=RECURRENT_DROPOUT if dropout else 0.0,
            return_sequences=place + 1 < len(case.layers),
        )
        layers.append(nn.Bidirectional(one, merge="concatenate") if case.bidirectional else one)
        features = layer.units * (1 + case.bidirectional)
    return torch.nn.Sequential(*layers, torch.nn.Linear(features, 1))


def training(case: Case, dropout: bool) -> Variant:
    """Forward, backward, RMSprop."""
    model = network(case, dropout)
    optimiser = RMSprop(model.parameters(), lr=LEARNING_RATE)
    inputs, targets = (torch.from_numpy(array) for array in training_arrays())

    def step() -> float:
        optimiser.zero_grad()
        loss = (model(inputs) - targets).abs().mean()
        loss.backward()
        optimiser.step()
        return loss.item()

    return Variant("kernels on all processors, torch on one, as training does", step)


def stepping(case: Case) -> Variant:
    """Single steps in a row, each with the state of the one before."""
    layer = nn.LSTM(FEATURES, case.layers[0].units).eval()
    inputs = torch.from_numpy(single_step())

    def step() -> float:
        with torch.inference_mode():
            outputs, state = layer.step(inputs)
            for _ in range(case.calls - 1):
                outputs, state = layer.step(inputs, state)
        return float(outputs[0, 0])

    return Variant("layer.step", step)


def variants(case: Case, dropout: bool) -> Iterator[Variant]:
    """One way, that of Foretell's own training loop."""
    yield stepping(case) if case.calls else training(case, dropout)


if __name__ == "__main__":
    torch.manual_seed(0)
    torch.set_num_threads(1)  # its threads go on spinning for milliseconds after each operation
    with kernel_threads(usable_processors()):
        serve({"torch": torch.__version__, "numpy": np.__version__}, variants)
