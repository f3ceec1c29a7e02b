"""Finding a learning rate: a short training in which it grows from step to step (Smith 2017).

"Cyclical Learning Rates for Training Neural Networks": where it is too small nothing is learned, where it is too
large the loss climbs; a tenth of the highest rate at which it was as good as least is a good one.
"""

import json
import math
from collections.abc import Callable
from copy import deepcopy
from dataclasses import asdict
from pathlib import Path

import torch
from torch import Tensor, nn

from ..config import TrainingSection
from .carrying import Carrying
from .curves import RangeTest, keep_rate, kept_rate
from .group import Group
from .losses import Loss
from .optimisers import make_optimiser
from .sampling import Order
from .seeds import seeded

LOWEST, HIGHEST, STEPS = 1e-6, 1.0, 120
_MEMORY = 0.9  # of the running mean of losses
_AS_GOOD = 0.02  # of the least loss
_CLIMBED = 4.0  # times the least loss: the test has seen enough


def rate_for(find: Callable[[], RangeTest], seed: int, folder: Path, group: Group) -> RangeTest:
    """The learning rate that a range test finds, or found when the run was begun; of several processes the first asks.

    Args:
        find: The test.
        seed: Of what it draws.
        folder: The run's own, where it is kept.
        group: Who trains together.
    """
    found = kept_rate(folder) if group.leads else None
    if group.leads and found is None:
        with seeded(seed):
            found = find()
    found = RangeTest(**json.loads(group.first(json.dumps(asdict(found)).encode() if found else b"")))
    keep_rate(folder, found)
    return found


def find_rate(
    network: nn.Module,
    batch: Callable[..., tuple[tuple[Tensor, ...], Tensor]],
    loss_function: Loss,
    sampler: Order,
    section: TrainingSection,
    device: torch.device,
) -> RangeTest:
    """Tries rates from a millionth to one on a copy of a network.

    Args:
        network: As it is before training; left as it is.
        batch: Gives the inputs and targets of some examples.
        loss_function: Of outputs and targets.
        sampler: The order of the examples.
        section: The optimiser, and how gradients are clipped.
        device: Where to train.
    """
    trial = deepcopy(network).to(device).train()
    optimiser = make_optimiser(section, trial.parameters(), LOWEST)
    rates, losses, mean, least = [], [], 0.0, math.inf
    carrying = Carrying()
    epoch, batches = 0, sampler.epoch(0)
    for step in range(STEPS):
        if step and step % sampler.steps == 0:
            epoch += 1
            batches = sampler.epoch(epoch)
            carrying.forget()
        rate = LOWEST * (HIGHEST / LOWEST) ** (step / (STEPS - 1))
        for group in optimiser.param_groups:
            group["lr"] = rate
        inputs, targets = batch(batches[step % sampler.steps])
        optimiser.zero_grad()
        loss = loss_function(carrying.run(trial, (part.to(device) for part in inputs)), targets.to(device))
        carrying.advance()
        torch.autograd.backward(loss)
        if section.clip:
            nn.utils.clip_grad_norm_(trial.parameters(), section.clip)
        value = loss.item()
        if not math.isfinite(value):
            break
        optimiser.step()
        mean = _MEMORY * mean + (1 - _MEMORY) * value
        smooth = mean / (1 - _MEMORY ** (step + 1))
        rates.append(rate)
        losses.append(smooth)
        least = min(least, smooth)
        if smooth > _CLIMBED * least:
            break
    # The highest rate as good as the best one: on a network that has learned before, low rates change nothing.
    limit = min(losses, default=0.0) * (1 + _AS_GOOD)
    good = [rate for rate, loss in zip(rates, losses, strict=True) if loss <= limit]
    chosen = max(good[-1] / 10, LOWEST) if good else LOWEST
    return RangeTest(rates, losses, float(f"{chosen:.2g}"))
