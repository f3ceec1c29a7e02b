"""Finding a learning rate, what a training leaves to look at, and trainings that have little time or a head start."""

import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from foretell.config import TrainingSection
from foretell.errors import UnsafeFileError
from foretell.tasks.interface import Silent
from foretell.training.curves import CURVE, RATES, RangeTest, curve_of, keep_rate, kept_rate
from foretell.training.loop import TrainingResult, train
from foretell.training.losses import LOSSES
from foretell.training.rates import HIGHEST, LOWEST, STEPS, find_rate
from foretell.training.sampling import Sampler
from foretell.training.seeds import seeded, threads

CPU = torch.device("cpu")


class Line:
    """Examples of y = 2x + 1, in inputs and targets of any size."""

    def __init__(self, scale: float = 1.0) -> None:
        generator = torch.Generator().manual_seed(0)
        self.inputs = scale * torch.randn(64, 1, generator=generator)
        self.targets = 2 * self.inputs + 1
        self.validations = 0

    def batch(self, positions: np.ndarray) -> tuple[tuple[Tensor, ...], Tensor]:
        rows = torch.from_numpy(positions)
        return (self.inputs[rows],), self.targets[rows]

    def validate(self, network: Any, loss: Any, device: torch.device, group: Any) -> dict[str, float]:
        self.validations += 1
        return {"loss": loss(network(self.inputs), self.targets).item()}


def network_of(*layers: nn.Module) -> nn.Module:
    with seeded(3):
        return nn.Sequential(*layers, nn.Linear(1, 1))


def weights(network: nn.Module) -> list[float]:
    return [value for weight in network.state_dict().values() for value in weight.flatten().tolist()]


@contextmanager
def generator_untouched() -> Iterator[None]:
    before = torch.get_rng_state()
    yield
    assert torch.equal(torch.get_rng_state(), before)


def find(network: nn.Module, examples: Line | None = None, steps: int | None = None, **options: Any) -> RangeTest:
    section = TrainingSection(**{"batch_size": 16, **options})
    sampler = Sampler(64, 16, steps, section.seed)
    with threads(1):
        return find_rate(network, (examples or Line()).batch, LOSSES[section.loss], sampler, section, CPU)


def fit(
    folder: Path, network: nn.Module, examples: Line | None = None, **options: Any
) -> tuple[TrainingResult, nn.Module]:
    """Trains a network, with what the loop itself takes (seconds, warm) among the options."""
    place = {name: options.pop(name) for name in ("seconds", "warm") if name in options}
    section = TrainingSection(**{"epochs": 3, "batch_size": 16, "learning_rate": 0.05, **options})
    sampler = Sampler(64, 16, section.steps_per_epoch, section.seed)
    result = train(network, examples or Line(), LOSSES[section.loss], sampler, section, folder, Silent(), **place)
    return result, network


def test_the_range_test_grows_the_rate_until_the_loss_climbs() -> None:
    found = find(network_of(nn.Linear(1, 32), nn.Tanh(), nn.Linear(32, 1)), loss="mse")
    assert len(found.rates) == len(found.losses) < STEPS
    ratio = (HIGHEST / LOWEST) ** (1 / (STEPS - 1))
    assert found.rates == pytest.approx([LOWEST * ratio**step for step in range(len(found.rates))])
    least = min(found.losses)
    assert found.losses[-1] > 4 * least
    assert all(loss <= 4 * min(found.losses[: step + 1]) for step, loss in enumerate(found.losses[:-1]))
    assert LOWEST < found.chosen < HIGHEST
    good = [rate for rate, loss in zip(found.rates, found.losses, strict=True) if loss <= 1.02 * least]
    assert found.chosen == pytest.approx(good[-1] / 10, rel=0.05)


def test_losses_are_a_running_mean_from_the_first_step_on() -> None:
    class Steps:
        """Targets that the network cannot reach, as far away as the number of the step."""

        step = 0

        def batch(self, positions: np.ndarray) -> tuple[tuple[Tensor, ...], Tensor]:
            self.step += 1
            return (torch.zeros(16, 1),), torch.full((16, 1), float(self.step))

    network = network_of()
    last = next(reversed(list(network.children())))
    assert isinstance(last, nn.Linear)
    nn.init.zeros_(last.bias)
    section = TrainingSection(loss="mae")
    found = find_rate(network, Steps().batch, LOSSES["mae"], Sampler(64, 16, None, 0), section, CPU)
    assert found.losses[0] == pytest.approx(1)
    assert found.losses[1] == pytest.approx((0.9 * 0.1 * 1 + 0.1 * 2) / (1 - 0.9**2), rel=1e-4)
    assert found.losses[-1] > 4, "it climbs although no rate is too large"
    assert len(found.losses) < STEPS


def test_the_range_test_sees_the_examples_epoch_after_epoch() -> None:
    class Watched(Line):
        def batch(self, positions: np.ndarray) -> tuple[tuple[Tensor, ...], Tensor]:
            seen.append(positions.tolist())
            return super().batch(positions)

    seen: list[list[int]] = []
    find(network_of(), Watched(), seed=7)
    orders = [batch.tolist() for epoch in range(STEPS // 4) for batch in Sampler(64, 16, None, 7).epoch(epoch)]
    assert seen == orders[: len(seen)]
    assert len(seen) > 8


def test_the_range_test_is_the_same_each_time_and_leaves_no_trace() -> None:
    network = network_of(nn.BatchNorm1d(1))
    before, state = weights(network), deepcopy(network.state_dict())
    with generator_untouched():
        first, again, short = find(network), find(network), find(network, steps=1)
    assert first == again
    assert short != first
    assert weights(network) == before
    assert network.state_dict().keys() == state.keys()
    assert all(weight.grad is None for weight in network.parameters())
    assert find(network, seed=1) != first
    assert find(network, optimiser="adamw") != first


def test_a_loss_that_is_no_number_ends_the_range_test() -> None:
    far = find(network_of(), Line(scale=1e25), loss="mse")
    assert far == RangeTest([], [], LOWEST)
    assert all(map(math.isfinite, find(network_of(), Line(scale=1e6), loss="mse").losses))


def test_a_training_finds_its_rate_and_keeps_it(tmp_path: Path) -> None:
    """What a network drops as it learns is drawn from the seed: the search is repeatable, and training goes on after it."""
    with generator_untouched():
        result, network = fit(tmp_path / "a", network_of(nn.Dropout(0.2)), learning_rate="auto", epochs=2)
        again, other = fit(tmp_path / "b", network_of(nn.Dropout(0.2)), learning_rate="auto", epochs=2)
    assert result.rates is not None
    assert result.rates == again.rates == kept_rate(tmp_path / "a")
    assert weights(network) == weights(other)
    assert f"learning rate {result.rates.chosen:g} found" in result.note
    assert [record["learning_rate"] for record in result.history] == [result.rates.chosen] * 2
    given, same = fit(tmp_path / "c", network_of(nn.Dropout(0.2)), learning_rate=result.rates.chosen, epochs=2)
    assert weights(same) == weights(network), "the search leaves the training as it would have been"
    assert given.rates is None
    assert kept_rate(tmp_path / "c") is None


def test_a_rate_that_was_kept_is_not_searched_for_again(tmp_path: Path) -> None:
    keep_rate(tmp_path, RangeTest([0.1], [2.0], 0.0125))
    result, _ = fit(tmp_path, network_of(), learning_rate="auto", epochs=1)
    assert result.rates == RangeTest([0.1], [2.0], 0.0125)
    assert result.history[0]["learning_rate"] == 0.0125


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "{}",
        '{"rates": [], "losses": [], "chosen": 0.0}',
        '{"rates": [], "losses": [], "chosen": NaN}',
        '{"rates": [], "losses": [], "chosen": Infinity}',
        '{"rates": [], "losses": [], "chosen": "fast"}',
        '{"rates": [], "losses": [], "chosen": null}',
        '{"rates": [0.1], "losses": [], "chosen": 0.1}',
        '{"rates": [], "losses": [], "chosen": 0.1, "more": 1}',
    ],
)
def test_a_damaged_file_of_rates_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / RATES).write_text(text)
    with pytest.raises(UnsafeFileError, match=r"rates\.json is damaged") as caught:
        kept_rate(tmp_path)
    assert caught.value.exit_code == 5


def test_the_learning_curve_is_read_as_it_was_written(tmp_path: Path) -> None:
    assert curve_of(tmp_path) == []
    result, _ = fit(tmp_path, network_of())
    assert curve_of(tmp_path) == result.history
    assert [record["epoch"] for record in result.history] == [1, 2, 3]
    (tmp_path / CURVE).write_text(json.dumps({"epoch": 1}) + '\n{"epoch": ')
    with pytest.raises(UnsafeFileError, match=r"metrics\.jsonl is damaged"):
        curve_of(tmp_path)


def test_a_training_whose_time_is_over_ends_after_its_first_step(tmp_path: Path) -> None:
    network, examples = network_of(), Line()
    before = weights(network)
    result, _ = fit(tmp_path, network, examples, seconds=1e-9)
    assert [record["epoch"] for record in result.history] == [1]
    assert result.cut == 1 / 4
    assert not result.stopped_early
    assert result.best_epoch == 1
    assert "cut after 0.25 epochs" in result.note
    assert examples.validations == 1, "what it learned is judged all the same"
    assert weights(network) != before
    assert curve_of(tmp_path) == result.history


def test_a_training_that_has_time_is_not_cut(tmp_path: Path) -> None:
    result, network = fit(tmp_path / "a", network_of(), seconds=600.0)
    _, other = fit(tmp_path / "b", network_of())
    assert result.cut is None
    assert len(result.history) == 3
    assert weights(network) == weights(other)


def test_a_head_start_is_kept_where_training_makes_it_worse(tmp_path: Path) -> None:
    network = network_of()
    with torch.no_grad():
        for weight, value in zip(network.parameters(), (2.0, 1.001), strict=True):
            weight.fill_(value)
    before = weights(network)
    cold, _ = fit(tmp_path / "cold", deepcopy(network), learning_rate=0.5)
    assert cold.best_epoch > 0
    result, _ = fit(tmp_path / "warm", network, learning_rate=0.5, warm=True)
    assert weights(network) == before
    assert result.best_epoch == 0
    assert min(record["validation"]["loss"] for record in result.history) > 0.001
    assert "none, the weights it started from" in result.note
    again, resumed = fit(tmp_path / "warm", network_of(), learning_rate=0.5, warm=True, epochs=4)
    assert again.best_epoch == 0, "a training that is resumed remembers what it started from"
    assert weights(resumed) == before


def test_a_head_start_is_left_where_training_makes_it_better(tmp_path: Path) -> None:
    warm, network = fit(tmp_path / "warm", network_of(), warm=True)
    cold, other = fit(tmp_path / "cold", network_of())
    assert warm.best_epoch == cold.best_epoch > 0
    assert weights(network) == weights(other), "that it was judged first changes nothing"
