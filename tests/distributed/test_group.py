"""The parts that processes share, what they tell each other, and trainings by one and by two of them."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from foretell.config import TrainingSection
from foretell.errors import ConfigurationError
from foretell.nn.threads import usable_processors
from foretell.training.group import ALONE, Group, join, torchrun_line
from foretell.training.losses import LOSSES, MeanSurprise
from foretell.training.parts import parts_of
from foretell.training.placing import check_devices, strategy_of
from foretell.training.sampling import Sampler

from .members import learn, shard
from .starting import ROOT, TORCHRUN, carried_out


class Numbers:
    """Examples that are their own positions; each even one has a token that counts, each odd one two."""

    def batch(self, positions: np.ndarray) -> tuple[tuple[Tensor, ...], Tensor]:
        tokens = torch.from_numpy(np.stack([positions + 1, (positions + 1) * (positions % 2)], 1))
        return (torch.from_numpy(positions),), tokens


@given(st.integers(0, 40), st.integers(1, 9))
def test_shares_follow_each_other_and_are_alike(count: int, size: int) -> None:
    shares = [list(range(count))[Group(rank, size).share(count)] for rank in range(size)]
    assert [one for share in shares for one in share] == list(range(count))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


@given(st.integers(1, 50), st.integers(1, 20), st.integers(1, 5), st.integers(1, 4))
def test_every_example_of_an_epoch_is_dealt_out_once(examples: int, batch: int, size: int, accumulate: int) -> None:
    drawn = []
    for positions in Sampler(examples, batch, None, seed=1).epoch(0):
        shares, counts = [], set()
        for rank in range(size):
            parts, whole = parts_of(Numbers(), positions, accumulate, LOSSES["mae"], Group(rank, size))
            assert whole == len(positions)
            assert [part.last for part in parts] == [False] * (len(parts) - 1) + [True]
            shares += [part.share for part in parts]
            counts.add(len(parts))
            drawn += [int(own) for part in parts if part.share for own in part.inputs[0]]
        assert sum(shares) == pytest.approx(1)
        assert len(counts) == 1, "all go forward as often: those that share weights do so together"
    assert sorted(drawn) == list(range(examples))


def test_parts_of_one_process_count_by_what_counts_in_them() -> None:
    parts, whole = parts_of(Numbers(), np.arange(4), 2, MeanSurprise(0), ALONE)
    assert whole == 6
    assert [part.share for part in parts] == [0.5, 0.5]
    parts, whole = parts_of(Numbers(), np.array([1, 0, 2, 4]), 2, MeanSurprise(0), ALONE)
    assert [part.share for part in parts] == [3 / 5, 2 / 5]


# What stands in the way


def test_processes_that_were_not_asked_for_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigurationError, match=r"are 2 workers.*started none.*torchrun --nproc-per-node 2 PROGRAM"):
        join(TrainingSection(devices=2))
    for name, value in {"TORCHELASTIC_RUN_ID": "x", "WORLD_SIZE": "4", "LOCAL_WORLD_SIZE": "2"}.items():
        monkeypatch.setenv(name, value)
    for section in (TrainingSection(), TrainingSection(devices=4), TrainingSection(devices=1, nodes=4)):
        with pytest.raises(ConfigurationError, match="started 4, 2 on this machine; say --devices 2 --nodes 2"):
            join(section)


def test_one_process_is_a_group_without_others() -> None:
    assert join(TrainingSection()) == ALONE == Group(0, 1)
    assert (ALONE.sums(1, 0.5), ALONE.first(b"x"), ALONE.gathered(b"y")) == ((1, 0.5), b"x", [b"y"])
    assert torchrun_line(2, 3).startswith(
        "torchrun --nnodes 3 --node-rank NUMBER --master-addr HOST --master-port PORT --nproc"
    )


def test_devices_that_are_not_there_are_told() -> None:
    check_devices(TrainingSection(devices=7, device="cpu"))
    if torch.cuda.is_available():
        with pytest.raises(ConfigurationError, match="--devices 99 needs as many of cuda"):
            check_devices(TrainingSection(devices=99, device="cuda"))
        return
    with pytest.raises(ConfigurationError, match=r"--strategy fsdp shares weights between CUDA devices; .* is cpu"):
        check_devices(TrainingSection(devices=2, strategy="fsdp", device="cpu"))
    with pytest.raises(ConfigurationError, match="--device cuda cannot be used here"):
        check_devices(TrainingSection(devices=2, device="cuda"))


def test_processors_are_shared_by_the_processes_of_a_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    all_of_them = usable_processors()
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    assert usable_processors() == max(1, all_of_them // 2)
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "1000")
    assert usable_processors() == 1


def test_strategies_are_torchs_own() -> None:
    ddp, fsdp = (strategy_of(TrainingSection(devices=2, strategy=name)) for name in ("ddp", "fsdp"))
    assert (type(ddp).__name__, type(fsdp).__name__) == ("DDPStrategy", "FSDPStrategy")
    assert fsdp._state_dict_type == "full"
    assert fsdp._fsdp_kwargs["use_orig_params"]
    assert fsdp._fsdp_kwargs["sync_module_states"]
    assert ddp._timeout == fsdp._timeout


# Real processes


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What each of two processes came to."""
    home = tmp_path_factory.mktemp("both")
    arguments = ["--standalone", "--nproc-per-node", 2, "-m", "tests.distributed.members", home]
    code, _, errors = carried_out(*TORCHRUN, *arguments, cwd=ROOT)
    assert code == 0, errors
    return [json.loads((home / f"{rank}.json").read_text()) for rank in range(2)]


def test_processes_tell_each_other_the_same(both: list[dict[str, Any]]) -> None:
    first, second = (own["talk"] for own in both)
    assert [own.pop("group") for own in (first, second)] == [[0, 2, True], [1, 2, False]]
    assert first == second
    assert first["sums"] == [3, 1, 2]
    assert first["first"] == ["of 0", ""]
    assert first["gathered"] == ["", "x"]
    assert first["nothing"] == ["", ""]
    assert first["average"] == [0.5, 0.5, 3, 0]


def test_two_processes_learn_what_one_does(tmp_path: Path, both: list[dict[str, Any]]) -> None:
    alone = learn(tmp_path)
    first, second = (own["learn"] for own in both)
    for kind, told in alone.items():
        assert first[kind]["weights"] == second[kind]["weights"]
        assert first[kind]["weights"] == pytest.approx(told["weights"], abs=1e-4), kind
        assert first[kind]["losses"] == second[kind]["losses"]
        assert first[kind]["losses"] == pytest.approx(told["losses"], abs=1e-4), kind
    assert len(alone["patient"]["losses"]) < 40
    assert first["patient"]["early"]
    assert second["patient"]["early"]
    assert "learning rate" in first["auto"]["note"]
    for epoch in range(3):
        steps = slice(4 * epoch, 4 * epoch + 4)
        shares = [first["plain"]["asked"][steps], second["plain"]["asked"][steps]]
        assert [one + two for one, two in zip(*shares, strict=True)] == alone["plain"]["asked"][steps]
        drawn = [example for share in shares for batch in share for example in batch]
        assert sorted(drawn) == list(range(60)), "an example is drawn twice, or not at all"


def test_streams_go_on_where_they_were_also_beside_a_process_without_one(both: list[dict[str, Any]]) -> None:
    first, second = (own["stream"] for own in both)
    assert first == second
    for streams, (rows, whole, again) in first.items():
        assert rows == int(streams)
        assert whole == again


def test_all_processes_end_where_one_meets_no_number(both: list[dict[str, Any]]) -> None:
    first, second = (own["diverge"] for own in both)
    assert "the loss must be finite" in first["told"] == second["told"]


def test_sharded_weights_learn_stop_and_go_on_as_whole_ones_do(tmp_path: Path, both: list[dict[str, Any]]) -> None:
    alone = shard(tmp_path)
    first, second = (own["shard"] for own in both)
    assert first == second
    for optimiser, told in alone.items():
        assert first[optimiser]["losses"] == pytest.approx(told["losses"], abs=1e-4)
        assert first[optimiser]["weights"] == pytest.approx(told["weights"], abs=1e-4)
    assert list(alone) == ["rmsprop", "adamw"]
