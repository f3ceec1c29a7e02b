"""The loop and its parts: optimisers against their equations, sampling, schedules, checkpoints, divergence."""

import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from foretell.config import TrainingSection
from foretell.errors import ConfigurationError, DivergedError, StorageError, UnsafeFileError
from foretell.tasks.interface import Silent
from foretell.training.carrying import Carrying
from foretell.training.checkpoints import Position, load_checkpoint, save_checkpoint
from foretell.training.loop import train
from foretell.training.losses import LOSSES
from foretell.training.optimisers import RMSprop, make_optimiser
from foretell.training.sampling import Sampler
from foretell.training.schedules import learning_rate
from foretell.training.seeds import seeded


class Line:
    """Examples of y = 2x + 1, the first of which may be spoilt."""

    def __init__(self, count: int = 64, spoilt: float = 0.0) -> None:
        generator = torch.Generator().manual_seed(0)
        self.inputs = torch.randn(count, 1, generator=generator)
        self.targets = 2 * self.inputs + 1 + spoilt

    def batch(self, positions: np.ndarray) -> tuple[tuple[Tensor, ...], Tensor]:
        rows = torch.from_numpy(positions)
        return (self.inputs[rows],), self.targets[rows]

    def validate(self, network: Any, loss: Any, device: torch.device, group: Any) -> dict[str, float]:
        return {"loss": loss(network(self.inputs), self.targets).item()}


def fit(
    folder: Path, examples: Line | None = None, seconds: float | None = None, **options: Any
) -> tuple[nn.Module, Any]:
    section = TrainingSection(**{"epochs": 3, "batch_size": 16, "learning_rate": 0.05, **options})
    with seeded(3):
        network = nn.Linear(1, 1)
    sampler = Sampler(64, section.batch_size, section.steps_per_epoch, section.seed)
    return network, train(
        network, examples or Line(), LOSSES[section.loss], sampler, section, folder, Silent(), seconds
    )


def test_rmsprop_is_keras_with_epsilon_under_the_root() -> None:
    # Two steps of Keras's RMSprop written out: v = .9 v + .1 g², w -= rate g / sqrt(v + 1e-7).
    gradients = np.array([[0.5, -1e-4], [-0.25, 2e-4]])
    weight = nn.Parameter(torch.tensor([1.0, 1.0], dtype=torch.float64))
    optimiser = RMSprop([weight])
    expected, square = np.ones(2), np.zeros(2)
    for gradient in gradients:
        weight.grad = torch.tensor(gradient)
        optimiser.step()
        square = 0.9 * square + 0.1 * gradient**2
        expected -= 1e-3 * gradient / np.sqrt(square + 1e-7)
    np.testing.assert_allclose(weight.detach().numpy(), expected, rtol=1e-12)
    # Pinned, worked out by hand, so that both sides of the comparison above cannot err alike.
    assert weight.detach().tolist() == pytest.approx([0.9983121, 0.9996972], abs=1e-7)
    theirs = torch.optim.RMSprop([nn.Parameter(torch.zeros(1))], lr=1e-3, alpha=0.9, eps=1e-7)
    theirs.param_groups[0]["params"][0].grad = torch.tensor([-1e-4])
    theirs.step()
    ours = nn.Parameter(torch.zeros(1))
    ours.grad = torch.tensor([-1e-4])
    RMSprop([ours]).step()
    assert theirs.param_groups[0]["params"][0].item() > 5 * ours.item() > 0


def test_rmsprop_returns_what_its_closure_computes() -> None:
    weight = nn.Parameter(torch.ones(1))
    optimiser = RMSprop([weight])

    def closure() -> float:
        weight.grad = 2 * weight.detach()
        return weight.square().sum().item()

    assert optimiser.step(closure) == 1.0
    assert weight.item() < 1.0


def test_adamw_is_torchs() -> None:
    section = TrainingSection(optimiser="adamw", weight_decay=0.1)
    optimiser = make_optimiser(section, [nn.Parameter(torch.zeros(1))], 0.1)
    assert isinstance(optimiser, torch.optim.AdamW)
    assert optimiser.defaults["weight_decay"] == 0.1


@given(st.integers(1, 300), st.integers(1, 64), st.integers(0, 5))
def test_an_epoch_visits_every_example_once(examples: int, batch: int, epoch: int) -> None:
    sampler = Sampler(examples, batch, None, seed=4)
    batches = sampler.epoch(epoch)
    assert len(batches) == sampler.steps
    assert sorted(np.concatenate(batches)) == list(range(examples))
    assert all((one == other).all() for one, other in zip(batches, sampler.epoch(epoch), strict=True))


@given(st.integers(1, 50), st.integers(1, 20), st.integers(1, 30))
def test_steps_per_epoch_draws_evenly(examples: int, batch: int, steps: int) -> None:
    batches = Sampler(examples, batch, steps, seed=4).epoch(0)
    counts = np.bincount(np.concatenate(batches), minlength=examples)
    assert [len(rows) for rows in batches] == [batch] * steps
    assert counts.max() - counts.min() <= 1


def test_orders_differ_between_epochs_and_seeds() -> None:
    def order(seed: int, epoch: int) -> list[int]:
        return [int(row) for row in Sampler(100, 100, None, seed).epoch(epoch)[0]]

    assert order(0, 0) != order(0, 1)
    assert order(0, 0) != order(1, 0)


def test_the_lectures_draws_are_independent_and_within_range() -> None:
    rows = np.concatenate(Sampler(50, 128, 20, seed=1, replace=True).epoch(0))
    assert rows.min() == 0
    assert rows.max() == 49
    assert np.bincount(rows).std() > 3, "independent draws are uneven"


def test_schedules() -> None:
    cosine = TrainingSection(schedule="cosine", warmup_steps=10)
    assert learning_rate(cosine, 1.0, 0, 110) == pytest.approx(0.1)
    assert learning_rate(cosine, 1.0, 10, 110) == pytest.approx(1.0)
    assert learning_rate(cosine, 1.0, 60, 110) == pytest.approx(0.5)
    assert learning_rate(cosine, 1.0, 110, 110) == pytest.approx(0.0, abs=1e-12)
    assert learning_rate(TrainingSection(), 0.3, 99, 100) == 0.3


def test_the_best_epoch_is_kept_and_training_stops_early(tmp_path: Path) -> None:
    network, result = fit(tmp_path, epochs=60, learning_rate=0.3, patience=3)
    losses = [record["validation"]["loss"] for record in result.history]
    assert result.stopped_early
    assert len(losses) == result.best_epoch + 3
    assert losses[result.best_epoch - 1] == min(losses)
    with torch.inference_mode():
        kept = (network(Line().inputs) - Line().targets).abs().mean().item()
    assert kept == pytest.approx(min(losses), rel=1e-6)
    assert [json.loads(line)["epoch"] for line in (tmp_path / "metrics.jsonl").read_text().splitlines()] == list(
        range(1, len(losses) + 1)
    )


@pytest.mark.parametrize("options", [{"loss": "mse"}, {"precision": "64"}, {"optimiser": "adamw"}, {"clip": 0.0}])
def test_every_option_learns(tmp_path: Path, options: dict[str, Any]) -> None:
    _, result = fit(tmp_path, epochs=30, patience=0, **options)
    assert result.history[-1]["validation"]["loss"] < 0.3 * result.history[0]["validation"]["loss"]


def test_the_same_seed_gives_the_same_weights_and_another_seed_does_not(tmp_path: Path) -> None:
    def weights(folder: str, seed: int) -> list[float]:
        network, _ = fit(tmp_path / folder, seed=seed)
        return [value.item() for value in network.parameters()]

    (first, again, other) = weights("a", 1), weights("b", 1), weights("c", 2)
    assert first == again
    assert first != other


@pytest.mark.parametrize("spoilt", [math.nan, math.inf])
def test_a_loss_that_is_no_number_stops_with_its_step_and_keeps_the_checkpoint(tmp_path: Path, spoilt: float) -> None:
    fit(tmp_path, epochs=1)
    before = (tmp_path / "checkpoint" / "state.safetensors").read_bytes()
    with pytest.raises(DivergedError, match=r"at step 5 \(epoch 2\).*last good checkpoint is kept") as caught:
        fit(tmp_path, Line(spoilt=spoilt), epochs=2)
    assert caught.value.exit_code == 1
    assert caught.value.details["step"] == 5
    assert (tmp_path / "checkpoint" / "state.safetensors").read_bytes() == before


def test_weights_that_are_no_numbers_never_replace_a_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(DivergedError, match="weights must be finite"):
        fit(tmp_path, epochs=1, steps_per_epoch=1, learning_rate=3e38)
    assert not (tmp_path / "checkpoint" / "state.safetensors").exists()


def test_an_absent_device_is_told(tmp_path: Path) -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a CUDA device here")
    with pytest.raises(ConfigurationError, match="--device cuda cannot be used here"):
        fit(tmp_path, device="cuda")


def test_a_checkpoint_gives_everything_back(tmp_path: Path) -> None:
    network = nn.Linear(3, 2)
    optimiser = torch.optim.AdamW(network.parameters())
    network(torch.ones(1, 3)).sum().backward()
    optimiser.step()
    history = [{"epoch": number, "train": {"loss": 1.0}, "validation": {"loss": 1.5}} for number in (1, 2)]
    position = Position(2, 5, 1.25, history, 1, 0.125, 3.5)
    best = {"weight": torch.ones(2, 3), "bias": torch.ones(2)}
    generator = torch.get_rng_state()
    carrying = Carrying((torch.full((2, 3), 7.0),))
    save_checkpoint(tmp_path, position, network, optimiser, best, carrying)
    torch.rand(3)
    other = nn.Linear(3, 2)
    fresh = torch.optim.AdamW(other.parameters())
    carried = Carrying()
    loaded = load_checkpoint(tmp_path, other, fresh, carried)
    assert [part.tolist() for part in carried.state] == [[[7.0] * 3] * 2]
    assert loaded is not None
    assert loaded[0] == position
    assert loaded[1]["weight"].tolist() == [[1] * 3] * 2
    assert all((one == two).all() for one, two in zip(network.parameters(), other.parameters(), strict=True))
    for one, two in zip(optimiser.state.values(), fresh.state.values(), strict=True):
        assert all(torch.equal(one[key], two[key]) for key in one)
    assert torch.equal(torch.get_rng_state(), generator)


def test_a_damaged_checkpoint_is_refused(tmp_path: Path) -> None:
    fit(tmp_path, epochs=1)
    file = tmp_path / "checkpoint" / "state.safetensors"
    file.write_bytes(file.read_bytes()[:-20])
    with pytest.raises(UnsafeFileError, match="damaged"):
        fit(tmp_path, epochs=2)


def test_no_checkpoint_is_no_error(tmp_path: Path) -> None:
    network = nn.Linear(1, 1)
    assert load_checkpoint(tmp_path, network, torch.optim.SGD(network.parameters()), Carrying()) is None


def test_a_full_disk_is_told_and_the_old_checkpoint_stays(tmp_path: Path) -> None:
    # A limit on the size of files makes the system refuse to write, as a full disk does.
    script = f"""
import resource, signal, sys
import torch
from pathlib import Path
from torch import nn
from foretell.errors import StorageError
from foretell.training.carrying import Carrying
from foretell.training.checkpoints import Position, save_checkpoint
folder = Path({str(tmp_path)!r})
network = nn.Linear(4, 4)
best = {{name: weight.clone() for name, weight in network.state_dict().items()}}
optimiser = torch.optim.SGD(network.parameters())
history = [{{"epoch": number, "train": {{"loss": 1.0}}, "validation": {{"loss": 1.0}}}} for number in (1, 2)]
save_checkpoint(folder, Position(epoch=1, history=history[:1]), network, optimiser, best, Carrying())
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
try:
    save_checkpoint(folder, Position(epoch=2, history=history), network, optimiser, best, Carrying())
except StorageError as error:
    print(error.message)
    sys.exit(error.exit_code)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == StorageError.exit_code == 1, done.stderr
    assert "could not be written" in done.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["state.safetensors"], "something half-written was left"
    loaded = load_checkpoint(tmp_path, network := nn.Linear(4, 4), torch.optim.SGD(network.parameters()), Carrying())
    assert loaded is not None
    assert loaded[0].epoch == 1
