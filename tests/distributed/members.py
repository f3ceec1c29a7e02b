"""What each process of a group does in these tests: ``torchrun ... -m tests.distributed.members FOLDER``."""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests import conftest  # noqa: F401 - shapes and types are checked here as well

# isort: split

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from foretell.config import TrainingSection
from foretell.errors import DivergedError
from foretell.tasks.interface import Silent
from foretell.training import loop
from foretell.training.group import Group, join
from foretell.training.losses import LOSSES
from foretell.training.sampling import Sampler, StreamSampler
from foretell.training.seeds import seeded

from ..unit.test_carrying import LENGTH, TEXT, Text, Told, lstm

RANK, SIZE = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))


class Stop(Silent):
    """A watcher that ends a training after a step."""

    def __init__(self, at: tuple[int, int] | None = None) -> None:
        self.at = at

    def step(self, epoch: int, step: int, steps: int, loss: float) -> None:
        if (epoch, step) == self.at:
            raise InterruptedError


class Line:
    """Examples of a plane; notes which of them it was asked for."""

    def __init__(self, count: int = 60) -> None:
        generator = torch.Generator().manual_seed(0)
        self.inputs = torch.randn(count, 3, generator=generator)
        self.targets = 2 * self.inputs.sum(1, keepdim=True) + 1
        self.asked: list[list[int]] = []

    def batch(self, positions: np.ndarray) -> tuple[tuple[Tensor, ...], Tensor]:
        self.asked.append(positions.tolist())
        rows = torch.from_numpy(positions)
        return (self.inputs[rows],), self.targets[rows]

    def validate(self, network: Any, loss: Any, device: torch.device, group: Group) -> dict[str, float]:
        own = group.share(len(self.inputs))
        total = 0.0
        if own.stop > own.start:
            total = loss(network(self.inputs[own]), self.targets[own]).item() * (own.stop - own.start)
        return {"loss": group.sums(total)[0] / len(self.inputs)}


class Rows(nn.Module):
    """A network with a vector for each example, of whose gradients only the rows that were read are there."""

    def __init__(self) -> None:
        super().__init__()
        self.weight, self.sparse = nn.Parameter(torch.randn(8, 1)), True

    def forward(self, inputs: Tensor) -> Tensor:
        rows = (inputs[:, 0] * 4).long().clamp(-4, 3) + 4
        return nn.functional.embedding(rows, self.weight, sparse=True)


def train(folder: Path, examples: Line, network: nn.Module | None = None, at: Any = None, **options: Any) -> Any:
    """A training; its network as well."""
    section = TrainingSection(
        **{"epochs": 3, "batch_size": 16, "learning_rate": 0.05, "device": "cpu", "devices": SIZE, **options}
    )
    with seeded(3):
        own = network or nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 1))
    folder.mkdir(parents=True, exist_ok=True)
    sampler = Sampler(len(examples.inputs), section.batch_size, section.steps_per_epoch, section.seed)
    return own, loop.train(own, examples, LOSSES[section.loss], sampler, section, folder, Stop(at))


def weights(network: nn.Module) -> list[float]:
    return [value for weight in network.parameters() for value in weight.detach().flatten().tolist()]


def talk(folder: Path) -> dict[str, Any]:
    """What processes tell each other."""
    group = join(TrainingSection(devices=SIZE))
    gradient = torch.sparse_coo_tensor(torch.tensor([[RANK, 2]]), torch.tensor([1.0, 3.0]), (4,))
    group.wait()
    return {
        "group": [group.rank, group.size, group.leads],
        "sums": group.sums(RANK + 1, 0.5, True),
        "first": [group.first(f"of {RANK}".encode()).decode(), group.first(b"").decode()],
        "gathered": [said.decode() for said in group.gathered(b"x" * RANK)],
        "nothing": [said.decode() for said in group.gathered(b"")],
        "average": group.average(gradient).to_dense().tolist(),
    }


def learn(folder: Path) -> dict[str, Any]:
    """Trainings of many kinds, and which examples this process was asked for."""
    kinds: dict[str, dict[str, Any]] = {
        "plain": {},
        "in parts": {"accumulate": 3},
        "averaged": {"average_last": 2},
        "one by one": {"batch_size": 1, "steps_per_epoch": 7},
        "auto": {"learning_rate": "auto"},
        "patient": {"epochs": 40, "learning_rate": 0.8, "patience": 2, "optimiser": "adamw"},
        "one thread": {"threads": 1},
    }
    told = {}
    for kind, options in kinds.items():
        examples = Line()
        network, result = train(folder / f"{RANK}-{kind}", examples, **options)
        told[kind] = {
            "asked": examples.asked,
            "losses": [record["validation"]["loss"] for record in result.history],
            "note": result.note,
            "weights": weights(network),
            "early": result.stopped_early,
        }
    with seeded(3):
        rows = nn.Sequential(Rows(), nn.Linear(1, 1))
    network, result = train(folder / f"{RANK}-sparse", Line(), rows, optimiser="lazy-adam", clip=0.0)
    told["sparse"] = {"losses": [own["validation"]["loss"] for own in result.history], "weights": weights(network)}
    return told


def stream(folder: Path) -> dict[str, Any]:
    """Trainings over one stream and over three, whole and stopped in the middle; one stream leaves a process idle."""
    told = {}
    for streams in (1, 3):
        section = TrainingSection(epochs=2, devices=SIZE, device="cpu", checkpoint_seconds=0.0)
        order = StreamSampler(len(TEXT), streams, LENGTH, 6, 1)

        def fit(home: Path, at: tuple[int, int] | None, section: TrainingSection = section, order: Any = order) -> Any:
            with seeded(5):
                network = lstm()
            home.mkdir(parents=True, exist_ok=True)
            loop.train(network, Text(Told()), LOSSES["cross-entropy"], order, section, home, Stop(at))
            return network

        whole = fit(folder / f"{RANK}-{streams}-whole", None)
        with pytest.raises(InterruptedError):
            fit(folder / f"{RANK}-{streams}-cut", (2, 3))
        file = folder / f"0-{streams}-cut" / "checkpoint" / "state.safetensors"
        rows = len(load_file(file)["carried/0"])
        again = fit(folder / f"{RANK}-{streams}-cut", None)
        told[str(streams)] = [rows, weights(whole), weights(again)]
    return told


def diverge(folder: Path) -> dict[str, Any]:
    """A training whose loss is no number in the share of the last process alone."""
    examples = Line()
    examples.targets[5] = float("nan")
    try:
        train(folder / str(RANK), examples, epochs=1)
    except DivergedError as error:
        return {"told": error.message}
    return {}


def shard(folder: Path) -> dict[str, Any]:
    """Trainings whose weights are sharded; here on the processor, which torch can do and Lightning does not offer."""
    if SIZE > 1:
        allow_shards_on_the_processor()
    told = {}
    for optimiser in ("rmsprop", "adamw"):
        options: dict[str, Any] = {
            "optimiser": optimiser,
            "average_last": 2,
            "accumulate": 2,
            "checkpoint_seconds": 0.0,
        }
        if SIZE > 1:
            options["strategy"] = "fsdp"
        try:
            train(folder / f"{RANK}-{optimiser}", Line(), at=(2, 3), **options)
        except InterruptedError:
            network, result = train(folder / f"{RANK}-{optimiser}", Line(), **options)
            told[optimiser] = {
                "losses": [own["validation"]["loss"] for own in result.history],
                "weights": weights(network),
            }
    return told


def allow_shards_on_the_processor() -> None:
    """Lifts what Lightning and we ask for, and tells torch which device it is."""
    import lightning_fabric.connector
    from torch.distributed import fsdp

    made: Callable[..., None] = fsdp.FullyShardedDataParallel.__init__

    def on_processor(self: Any, *arguments: Any, **options: Any) -> None:
        made(self, *arguments, **{**options, "device_id": torch.device("cpu"), "sync_module_states": False})

    fsdp.FullyShardedDataParallel.__init__ = on_processor  # type: ignore[method-assign]
    connector: Any = lightning_fabric.connector._Connector
    connector._check_strategy_and_fallback = lambda own: None
    ours: Any = loop
    ours.check_devices = lambda section: None


SCENARIOS = (talk, learn, stream, diverge, shard)

if __name__ == "__main__":
    home = Path(sys.argv[1])
    found = {scenario.__name__: scenario(home / scenario.__name__) for scenario in SCENARIOS}
    (home / f"{RANK}.json").write_text(json.dumps(found))
