"""Batches by tokens, batches in parts, the Transformer's schedule, and weights that are averaged over epochs."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from foretell.config import TrainingSection
from foretell.errors import UnsafeFileError
from foretell.tasks.interface import Silent
from foretell.training.averaging import Averaging
from foretell.training.carrying import Carrying
from foretell.training.loop import train
from foretell.training.losses import LOSSES
from foretell.training.optimisers import make_optimiser
from foretell.training.sampling import TokenSampler
from foretell.training.schedules import learning_rate

from .test_training import Line, fit

Lengths = st.lists(st.tuples(st.integers(1, 30), st.integers(1, 30)), min_size=1, max_size=120)


@given(Lengths, st.integers(30, 200), st.integers(1, 50), st.integers(0, 5))
def test_every_pair_comes_once_in_batches_of_so_many_tokens(
    lengths: list[tuple[int, int]], tokens: int, size: int, epoch: int
) -> None:
    sampler = TokenSampler(np.array(lengths), tokens, size, None, seed=3)
    batches = sampler.epoch(epoch)
    assert len(batches) == sampler.steps
    assert sorted(np.concatenate(batches).tolist()) == list(range(len(lengths)))
    for batch in batches:
        longest = np.array(lengths)[batch].max()
        assert len(batch) <= size
        assert longest * len(batch) <= tokens or len(batch) == 1
    for one, two in zip(batches, sampler.epoch(epoch), strict=True):
        np.testing.assert_array_equal(one, two)


def test_little_is_filled_up_and_each_epoch_is_another() -> None:
    generator = np.random.default_rng(0)
    sources = generator.integers(5, 30, 3000)
    lengths = np.stack([sources, np.clip(sources + generator.integers(-2, 3, 3000), 1, None)], 1)
    sampler = TokenSampler(lengths, 1000, 500, None, seed=0)
    own = sum(len(batch) * lengths[batch].max(axis=0) for batch in sampler.epoch(0))
    assert (lengths.sum(axis=0) / own > 0.93).all()
    first, second = ([sorted(batch.tolist()) for batch in sampler.epoch(number)] for number in (0, 1))
    assert sorted(first) != sorted(second)
    assert TokenSampler(lengths, 1000, 500, None, seed=1).epoch(0)[0].tolist() != sampler.epoch(0)[0].tolist()


def test_an_epoch_may_have_more_or_fewer_steps() -> None:
    lengths = np.full((40, 2), 5)
    for steps in (3, 25):
        batches = TokenSampler(lengths, 20, 4, steps, seed=0).epoch(2)
        assert len(batches) == steps


def test_the_schedule_is_the_papers() -> None:
    """Vaswani et al. 2017, equation 3: width^-0.5 · min(step^-0.5, step · warm-up^-1.5), steps counted from one."""
    width, warmup = 512, 4000
    section = TrainingSection(schedule="inverse-sqrt", warmup_steps=warmup)
    highest = 1 / math.sqrt(width * warmup)
    for step in (1, 2, 100, 3999, 4000, 4001, 16_000, 100_000):
        formula = width**-0.5 * min(step**-0.5, step * warmup**-1.5)
        assert learning_rate(section, highest, step - 1, 1_000_000) == pytest.approx(formula, rel=1e-12)
    assert highest == pytest.approx(6.987712e-4, rel=1e-6)  # as it was when it was written
    assert learning_rate(section, highest, 99_999, 1_000_000) == pytest.approx(1.397542e-4, rel=1e-6)


def test_adam_is_the_papers() -> None:
    weight = nn.Parameter(torch.tensor([1.0, -2.0]))
    optimiser = make_optimiser(TrainingSection(optimiser="adam"), [weight], 0.01)
    expected, mean, square = weight.detach().double().clone(), torch.zeros(2).double(), torch.zeros(2).double()
    for step in range(1, 6):
        weight.grad = torch.tensor([0.3, -1e-4]) * step
        optimiser.step()
        gradient = weight.grad.double()
        mean, square = 0.9 * mean + 0.1 * gradient, 0.98 * square + 0.02 * gradient**2
        expected -= 0.01 * (mean / (1 - 0.9**step)) / ((square / (1 - 0.98**step)).sqrt() + 1e-9)
    torch.testing.assert_close(weight.detach().double(), expected, atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("parts", [2, 3, 16, 100])
def test_a_batch_in_parts_teaches_the_same(tmp_path: Path, parts: int) -> None:
    whole, result = fit(tmp_path / "whole", optimiser="adamw")
    pieces, other = fit(tmp_path / "pieces", optimiser="adamw", accumulate=parts)
    for one, two in zip(whole.parameters(), pieces.parameters(), strict=True):
        torch.testing.assert_close(one, two, atol=1e-5, rtol=1e-5)
    for one, two in zip(result.history, other.history, strict=True):
        assert one["train"]["loss"] == pytest.approx(two["train"]["loss"], rel=1e-4)


def test_states_are_carried_by_rows() -> None:
    def model(inputs: torch.Tensor, *state: torch.Tensor) -> Any:
        before = state[0] if state else torch.zeros(len(inputs))
        return inputs + before, (before + inputs,)

    whole, parts = Carrying(), Carrying()
    for batch in torch.arange(12.0).view(3, 4):
        expected = whole.run(model, [batch])
        whole.advance()
        found = [parts.run(model, [batch[rows]], rows) for rows in (slice(0, 3), slice(3, 4))]
        parts.advance()
        torch.testing.assert_close(torch.cat(found), expected)
        torch.testing.assert_close(parts.state[0], whole.state[0])


def test_the_mean_is_of_the_last_epochs(tmp_path: Path) -> None:
    network, averaging = nn.Linear(1, 1), Averaging(tmp_path, 3)
    weights = []
    for epoch in range(1, 6):
        nn.init.constant_(network.weight, float(epoch**2))
        averaging.add(epoch, network)
        with averaging.worn(epoch, network):
            weights.append(network.weight.item())
        assert network.weight.item() == epoch**2
    assert weights == pytest.approx([1, 2.5, 14 / 3, 29 / 3, 50 / 3])
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        f"epoch-{number:05d}.safetensors" for number in (3, 4, 5)
    ]
    (tmp_path / "epoch-00004.safetensors").write_bytes(b"nothing")
    with pytest.raises(UnsafeFileError, match="is damaged"), averaging.worn(5, network):
        pass
    Averaging(tmp_path, 3).add(4, nn.Linear(2, 1))
    with pytest.raises(UnsafeFileError, match="another network"), averaging.worn(5, network):
        pass


def test_one_epoch_is_no_mean_and_leaves_no_file(tmp_path: Path) -> None:
    network, averaging = nn.Linear(1, 1), Averaging(tmp_path, 1)
    averaging.add(1, network)
    with averaging.worn(1, network):
        pass
    assert not list(tmp_path.iterdir())


def test_training_keeps_the_mean_that_validation_chose(tmp_path: Path) -> None:
    options: dict[str, Any] = {"epochs": 6, "patience": 0, "optimiser": "adamw"}
    plain, _ = fit(tmp_path / "plain", **options)
    mean, result = fit(tmp_path / "mean", **options, average_last=2)
    assert result.best_epoch == 6
    ends = [Averaging(tmp_path / "mean" / "checkpoint", 1)]
    with ends[0].worn(6, mean):
        pass
    last, before = (fit(tmp_path / str(epochs), **{**options, "epochs": epochs})[0] for epochs in (6, 5))
    torch.testing.assert_close(last.state_dict(), plain.state_dict())
    expected = (last.state_dict()["weight"] + before.state_dict()["weight"]) / 2
    torch.testing.assert_close(mean.state_dict()["weight"], expected)


def test_a_stopped_training_goes_on_with_the_same_mean(tmp_path: Path) -> None:
    class StoppedError(Exception):
        pass

    class Stopping(Silent):
        def step(self, epoch: int, step: int, steps: int, loss: float) -> None:
            if (epoch, step) == (4, 2):
                raise StoppedError

    options: dict[str, Any] = {"epochs": 6, "average_last": 3, "accumulate": 2, "checkpoint_seconds": 0.0}
    expected, whole = fit(tmp_path / "whole", **options)
    section = TrainingSection(**{"batch_size": 16, "learning_rate": 0.05, **options})
    from foretell.training.sampling import Sampler
    from foretell.training.seeds import seeded

    with seeded(3):
        network = nn.Linear(1, 1)
    sampler = Sampler(64, section.batch_size, section.steps_per_epoch, section.seed)
    with pytest.raises(StoppedError):
        train(network, Line(), LOSSES[section.loss], sampler, section, tmp_path / "stopped", Stopping())
    found, resumed = fit(tmp_path / "stopped", **options)
    for name, weight in expected.state_dict().items():
        assert torch.equal(weight, found.state_dict()[name])
    assert [own["validation"] for own in whole.history] == [own["validation"] for own in resumed.history]
