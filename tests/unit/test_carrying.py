"""A state that is carried from batch to batch: by hand, through epochs, and through every kind of interruption."""

import json
from collections.abc import Callable, Iterable
from copy import deepcopy
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors import safe_open
from torch import Tensor

from foretell import nn
from foretell.config import TrainingSection
from foretell.data.streams import pieces
from foretell.nn import DecoderBody, Forgetful, LanguageNetwork, RecurrentBody
from foretell.training.carrying import Carrying
from foretell.training.loop import TrainingResult, train
from foretell.training.losses import LOSSES
from foretell.training.rates import STEPS, find_rate
from foretell.training.sampling import StreamSampler
from foretell.training.seeds import seeded

from .made_layers import one_thread_of_torchs  # noqa: F401 (for every test here)

TOKENS, STREAMS, LENGTH = 7, 3, 4
EPOCHS, EVERY = 3, 5  # steps of an epoch
TEXT = np.random.default_rng(0).integers(0, TOKENS, STREAMS * LENGTH * EVERY + 2).astype(np.int32)
LOSS = LOSSES["cross-entropy"]
Stop = tuple[str, int, int]  # what is under way, the epoch and the step, both from one on


class StoppedHereError(Exception):
    """What ends a training in these tests."""


class Told:
    """A watcher that notes what it is told, and stops a training once at each of some moments."""

    def __init__(self, stops: Iterable[Stop] = ()) -> None:
        self.losses: dict[tuple[int, int], float] = {}
        self.epochs: list[int] = []
        self.stops = set(stops)

    def step(self, epoch: int, step: int, steps: int, loss: float) -> None:
        self.losses[epoch, step] = loss
        self.pass_by("step", epoch, step)

    def epoch(self, record: dict[str, Any], epochs: int) -> None:
        self.epochs.append(record["epoch"])
        self.pass_by("epoch", record["epoch"])

    def pass_by(self, what: str, epoch: int, step: int = 0) -> None:
        if (what, epoch, step) in self.stops:
            self.stops.remove((what, epoch, step))
            raise StoppedHereError(f"{what} {epoch} {step}")


class Text:
    """Examples of a text in streams; looks at a network after each epoch and notes that it did."""

    def __init__(self, told: Told) -> None:
        self.told, self.validated, self.looked = told, 0, list[int]()

    def batch(self, positions: np.ndarray) -> tuple[tuple[Tensor, ...], Tensor]:
        inputs, targets = pieces(TEXT, positions, LENGTH)
        return (torch.from_numpy(inputs),), torch.from_numpy(targets)

    def validate(self, network: Any, loss: Any, device: torch.device, group: Any) -> dict[str, float]:
        whole = torch.from_numpy(TEXT[None, :40].astype(np.int64))
        found = loss(network(whole[:, :-1])[0], whole[:, 1:]).item()
        self.validated += 1
        self.told.pass_by("validation", len(self.looked) + 1)
        return {"loss": found}

    def shown(self, network: torch.nn.Module, epoch: int) -> dict[str, Any]:
        assert not network.training
        assert torch.is_inference_mode_enabled()
        self.told.pass_by("look", epoch)
        self.looked.append(epoch)
        scores = network(torch.zeros(1, 3, dtype=torch.int64))[0]
        return {"likeliest": scores[0].argmax(-1).tolist()}


def lstm(dropout: float = 0.3) -> LanguageNetwork:
    layers = [
        nn.LSTM(5, 6, return_sequences=True, dropout=dropout, recurrent_dropout=dropout),
        nn.LSTM(6, 6, return_sequences=True),
    ]
    return LanguageNetwork(TOKENS, 5, RecurrentBody(layers), dropout)


def transformer() -> LanguageNetwork:
    return LanguageNetwork(TOKENS, 8, DecoderBody(8, 2, 12, 2, 6, dropout=0.2), tied=True)


NETWORKS: dict[str, Callable[[], LanguageNetwork]] = {"lstm": lstm, "transformer": transformer}


def section_of(**options: Any) -> TrainingSection:
    plain = {
        "loss": "cross-entropy",
        "optimiser": "adamw",
        "schedule": "cosine",
        "learning_rate": 0.02,
        "epochs": EPOCHS,
        "batch_size": STREAMS,
        "patience": 0,
        "threads": 1,
        "kernel": "loop",
        "checkpoint_seconds": 0.0,
    }
    return TrainingSection(**{**plain, **options})


def order(seed: int = 0, steps: int | None = None) -> StreamSampler:
    return StreamSampler(len(TEXT), STREAMS, LENGTH, steps, seed)


def fit(
    folder: Path,
    network: torch.nn.Module,
    told: Told | None = None,
    text: Text | None = None,
    seconds: float | None = None,
    **options: Any,
) -> TrainingResult:
    told = told or Told()
    section = section_of(**options)
    return train(network, text or Text(told), LOSS, order(section.seed), section, folder, told, seconds)


def fresh(rung: str) -> LanguageNetwork:
    with seeded(3):
        return NETWORKS[rung]()


def without_clock(history: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{key: value for key, value in record.items() if key not in ("seconds", "per_second")} for record in history]


def kept_curve(folder: Path) -> list[dict[str, Any]]:
    return without_clock([json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()])


def assert_same(network: torch.nn.Module, other: torch.nn.Module) -> None:
    """The same weights to the last bit."""
    for (name, weight), (_, expected) in zip(network.state_dict().items(), other.state_dict().items(), strict=True):
        assert weight.numpy().tobytes() == expected.numpy().tobytes(), name


# What is carried


class Unjudged(Text):
    """The same for networks that give no state back: nothing is validated, nothing shown."""

    def validate(self, network: Any, loss: Any, device: Any, group: Any) -> dict[str, float]:
        return {"loss": 1.0}

    def shown(self, network: Any, epoch: int) -> dict[str, Any]:
        return {}


class Counting(torch.nn.Module):
    """Says how often it was called since its state was forgotten, which it carries; notes it for all its copies."""

    calls: ClassVar[list[int]] = []

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(TOKENS))

    def forward(self, tokens: Tensor, *state: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        before = state[0] if state else torch.zeros(len(tokens))
        if self.training:
            Counting.calls.append(int(before[0]))
            assert not before.requires_grad, "a gradient would go back beyond the batch"
        return self.weight.expand(*tokens.shape, TOKENS), (before + 1 + 0 * self.weight.sum(),)


def test_a_state_is_carried_without_its_gradient_until_it_is_forgotten() -> None:
    network, carrying, tokens = lstm(dropout=0.0), Carrying(), torch.randint(TOKENS, (2, 6))
    whole, _ = network(tokens)
    first = carrying.run(network, [tokens[:, :2]])
    carrying.advance()
    second = carrying.run(network, iter([tokens[:, 2:]]))
    carrying.advance()
    torch.testing.assert_close(torch.cat([first, second], 1), whole, atol=1e-6, rtol=0)
    assert first.requires_grad
    assert not any(part.requires_grad for part in carrying.state)
    carrying.forget()
    assert carrying.state == ()
    torch.testing.assert_close(carrying.run(network, [tokens]), whole, atol=1e-6, rtol=0)


def test_a_network_that_gives_no_state_back_carries_none() -> None:
    network, carrying, tokens = lstm(dropout=0.0), Carrying(), torch.randint(TOKENS, (2, 6))
    for _ in range(2):
        torch.testing.assert_close(carrying.run(Forgetful(network), [tokens]), network(tokens)[0])
        assert carrying.state == ()


def test_a_state_is_carried_inside_an_epoch_and_forgotten_at_its_beginning(tmp_path: Path) -> None:
    Counting.calls.clear()
    fit(tmp_path, Counting(), epochs=3)
    assert Counting.calls == [*range(EVERY)] * 3


def test_a_state_is_carried_over_an_interruption_inside_an_epoch_alone(tmp_path: Path) -> None:
    Counting.calls.clear()
    told = Told([("step", 1, 3), ("step", 2, 1), ("epoch", 2, 0)])
    for _ in range(3):
        with pytest.raises(StoppedHereError):
            fit(tmp_path, Counting(), told)
    fit(tmp_path, Counting(), told)
    # The third step of the first epoch and the first of the second are taken twice.
    assert Counting.calls == [0, 1, 2, 2, 3, 4, 0, 0, 1, 2, 3, 4, 0, 1, 2, 3, 4]


@given(
    streams=st.integers(1, 6),
    length=st.integers(1, 9),
    more=st.integers(0, 200),
    steps=st.none() | st.integers(1, 30),
    epoch=st.integers(0, 5),
)
def test_the_pieces_of_a_stream_follow_each_other(
    streams: int, length: int, more: int, steps: int | None, epoch: int
) -> None:
    tokens = streams * length + more
    text, sampler = np.arange(tokens, dtype=np.int32), StreamSampler(tokens, streams, length, steps, seed=4)
    batches = sampler.epoch(epoch)
    assert len(batches) == sampler.steps == (steps or tokens // streams // length)
    before = None
    for batch in batches:
        assert batch.shape == (streams,)
        inputs, targets = pieces(text, batch, length)
        np.testing.assert_array_equal(targets, (inputs + 1) % tokens)
        if before is not None:
            np.testing.assert_array_equal(inputs[:, 0], before[:, -1])
        before = targets
    if steps is None:
        read = np.concatenate([pieces(text, batch, length)[0] for batch in batches])
        assert len(np.unique(read)) == read.size, "something is read twice in an epoch"
        assert read.size > tokens - streams * (length + 1)


def test_streams_begin_elsewhere_in_each_epoch_and_with_each_seed() -> None:
    starts = {tuple(order(seed, 2).epoch(epoch)[0].tolist()) for seed in range(3) for epoch in range(4)}
    assert len(starts) > 8
    assert order(1).epoch(2)[1].tolist() == order(1).epoch(2)[1].tolist()


# By hand


@pytest.mark.parametrize("kernel", ["loop", "auto"])
def test_the_losses_of_an_unrolled_training_are_those_by_hand(tmp_path: Path, kernel: str) -> None:
    """Keras's RMSprop, written out; the state goes on inside an epoch, its gradient does not."""
    with seeded(5):
        network = lstm(dropout=0.0)
    own, rate = deepcopy(network), 0.01
    weights = list(own.parameters())
    squares, expected = [torch.zeros_like(weight) for weight in weights], []
    for epoch in range(2):
        state: tuple[Tensor, ...] = tuple(torch.zeros(STREAMS, 6) for _ in range(4))
        for starts in order().epoch(epoch):
            places = (starts[:, None] + np.arange(LENGTH + 1)) % len(TEXT)
            some = torch.from_numpy(TEXT[places].astype(np.int64))
            scores, after = own(some[:, :-1], *state)
            likely = scores.softmax(-1).gather(-1, some[:, 1:, None])
            loss = -likely.log().mean()
            for weight, square, slope in zip(weights, squares, torch.autograd.grad(loss, weights), strict=True):
                square.mul_(0.9).add_(0.1 * slope**2)
                weight.data -= rate * slope / (square + 1e-7).sqrt()
            state = tuple(part.detach() for part in after)
            expected.append(loss.item())
    told = Told()
    result = fit(
        tmp_path, network, told, optimiser="rmsprop", schedule="constant", learning_rate=rate, clip=0, epochs=2,
        kernel=kernel,
    )  # fmt: skip
    assert list(told.losses) == [(epoch, step) for epoch in (1, 2) for step in range(1, EVERY + 1)]
    np.testing.assert_allclose(list(told.losses.values()), expected, atol=1e-5)
    for epoch, record in enumerate(result.history):
        assert record["train"]["loss"] == pytest.approx(
            np.mean(expected[epoch * EVERY : (epoch + 1) * EVERY]), abs=1e-5
        )


def test_what_is_carried_matters_to_what_is_learned(tmp_path: Path) -> None:
    """The first step of an epoch does not depend on it, all others do."""
    losses = []
    for name, wrap in (("carried", lambda network: network), ("forgotten", Forgetful)):
        with seeded(5):
            network = lstm(dropout=0.0)
        told = Told()
        fit(tmp_path / name, wrap(network), told, Unjudged(told), epochs=1)
        losses.append(list(told.losses.values()))
    assert losses[0][0] == losses[1][0]
    assert losses[0][1] != losses[1][1]


# Interruptions

STOPS: dict[str, list[Stop]] = {
    "at the first step": [("step", 1, 1)],
    "in the middle": [("step", 2, 3)],
    "at the last step of an epoch": [("step", 1, EVERY), ("step", 3, EVERY)],
    "at every step": [("step", epoch, step) for epoch in range(1, EPOCHS + 1) for step in range(1, EVERY + 1)],
    "between epochs": [("epoch", epoch, 0) for epoch in range(1, EPOCHS + 1)],
    "while it is validated": [("validation", 1, 0)],
    "while it is looked at": [("look", 2, 0)],
    "here and there": [("step", 1, 2), ("epoch", 1, 0), ("step", 2, 1), ("step", 2, 4), ("look", 3, 0)],
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[LanguageNetwork, TrainingResult, Told, Path]]:
    """Trainings without an interruption."""
    found = {}
    for rung in NETWORKS:
        folder, network, told = tmp_path_factory.mktemp(rung), fresh(rung), Told()
        found[rung] = (network, fit(folder, network, told, checkpoint_seconds=1e6), told, folder)
    return found


@pytest.mark.parametrize(
    ("stops", "checkpoint_seconds"),
    [*((stops, 0.0) for stops in STOPS), ("in the middle", 1e6), ("here and there", 1e6)],
)
@pytest.mark.parametrize("rung", NETWORKS)
def test_a_training_that_was_interrupted_ends_bit_equal(
    tmp_path: Path, whole: Any, rung: str, stops: str, checkpoint_seconds: float
) -> None:
    """Whether checkpoints were written inside epochs or not; each loss is that of the same step without."""
    network, result, told, folder = whole[rung]
    stopping = Told(STOPS[stops])
    for _ in STOPS[stops]:
        with pytest.raises(StoppedHereError):
            fit(tmp_path, fresh(rung), stopping, checkpoint_seconds=checkpoint_seconds)
    resumed = fresh(rung)
    again = fit(tmp_path, resumed, stopping, checkpoint_seconds=checkpoint_seconds)
    assert_same(resumed, network)
    assert without_clock(again.history) == without_clock(result.history)
    assert (again.best_epoch, again.stopped_early, again.cut) == (result.best_epoch, False, None)
    assert kept_curve(tmp_path) == kept_curve(folder) == without_clock(result.history)
    assert stopping.losses == told.losses


def test_what_is_carried_stands_in_a_checkpoint(tmp_path: Path) -> None:
    for rung in NETWORKS:
        folder, network = tmp_path / rung, fresh(rung)
        with pytest.raises(StoppedHereError):
            fit(folder, network, Told([("step", 2, 4)]))
        with safe_open(folder / "checkpoint" / "state.safetensors", "pt") as stored:
            position = json.loads(stored.metadata()["position"])
            carried = {name: stored.get_tensor(name) for name in stored.keys() if name.startswith("carried/")}  # noqa: SIM118
        assert (position["epoch"], position["step"]) == (1, 3)
        assert list(carried) == [f"carried/{number}" for number in range(len(network.begin(STREAMS)))]
        for part, before in zip(carried.values(), network.begin(STREAMS), strict=True):
            assert (part.shape, part.dtype) == (before.shape, before.dtype)
            assert bool((part != before).any())


@pytest.mark.parametrize("rung", NETWORKS)
def test_a_training_that_was_cut_is_over_and_stays_so(tmp_path: Path, whole: Any, rung: str) -> None:
    """It is interrupted in its second epoch, goes on for one step more, is validated, and ends."""
    _, _, told, _ = whole[rung]
    cut = Told([("step", 2, 3)])
    with pytest.raises(StoppedHereError):
        fit(tmp_path, fresh(rung), cut)
    network = fresh(rung)
    result = fit(tmp_path, network, cut, seconds=0.0)
    assert result.cut == pytest.approx((EVERY + 3) / EVERY)
    assert not result.stopped_early
    assert [record["epoch"] for record in result.history] == [1, 2]
    assert cut.losses == {key: loss for key, loss in told.losses.items() if key <= (2, 3)}
    second = [cut.losses[2, step] for step in (1, 2, 3)]
    assert result.history[1]["train"]["loss"] == pytest.approx(np.mean(second), abs=1e-12)
    for seconds in (0.0, None, 100.0):
        again, silent = fresh(rung), Told()
        after = fit(tmp_path, again, silent, seconds=seconds)
        assert (silent.losses, silent.epochs) == ({}, [])
        assert_same(again, network)
        assert (after.history, after.cut, after.best_epoch) == (result.history, result.cut, result.best_epoch)


def test_a_training_that_was_cut_at_once_ends_with_its_first_step(tmp_path: Path) -> None:
    result = fit(tmp_path, fresh("lstm"), seconds=0.0)
    assert result.cut == pytest.approx(1 / EVERY)
    assert (len(result.history), result.best_epoch) == (1, 1)


# What is seen of a network


def test_what_is_seen_stands_in_the_record_of_the_epoch(tmp_path: Path) -> None:
    told = Told()
    examples, network = Text(told), fresh("lstm")
    result = fit(tmp_path, network, told, examples)
    assert examples.looked == [1, 2, 3]
    for record in (*result.history, *kept_curve(tmp_path)):
        assert len(record["likeliest"]) == 3
    assert list(result.history[0])[-1] == "seconds", "the clock counts looking too"


@pytest.mark.parametrize(
    ("stop", "again"),
    [
        (("step", 2, 3), [2, 3]),
        (("epoch", 1, 0), [2, 3]),
        (("epoch", 2, 0), [3]),
        (("epoch", 3, 0), []),
        (("look", 2, 0), [2, 3]),
    ],
)
def test_what_was_seen_is_not_asked_for_again(tmp_path: Path, whole: Any, stop: Stop, again: list[int]) -> None:
    told = Told([stop])
    with pytest.raises(StoppedHereError):
        fit(tmp_path, fresh("lstm"), told)
    examples = Text(told)
    result = fit(tmp_path, fresh("lstm"), told, examples)
    assert examples.looked == again
    assert examples.validated == len(again)
    assert without_clock(result.history) == without_clock(whole["lstm"][1].history)


# The search for a learning rate


def test_the_search_for_a_rate_carries_a_state_and_forgets_it_as_training_does() -> None:
    Counting.calls.clear()
    text = Text(Told())
    find_rate(Counting(), text.batch, LOSS, order(), section_of(), torch.device("cpu"))
    assert Counting.calls == [step % EVERY for step in range(STEPS)]


@pytest.mark.parametrize("rung", NETWORKS)
def test_a_rate_is_found_for_a_network_that_carries_a_state(rung: str) -> None:
    network, text = fresh(rung), Text(Told())
    with seeded(0), nn.recurrence("loop"):
        found = find_rate(network, text.batch, LOSS, order(), section_of(), torch.device("cpu"))
    assert_same(network, fresh(rung))
    assert 1e-6 <= found.chosen <= 0.3
    assert len(found.rates) == len(found.losses) > 60
    assert min(found.losses) < found.losses[0] - 0.05


def test_a_training_whose_rate_was_found_goes_on_with_it(tmp_path: Path) -> None:
    network, resumed, told = fresh("lstm"), fresh("lstm"), Told([("step", 1, 2)])
    result = fit(tmp_path / "whole", network, learning_rate="auto")
    with pytest.raises(StoppedHereError):
        fit(tmp_path / "stopped", fresh("lstm"), told, learning_rate="auto")
    again = fit(tmp_path / "stopped", resumed, told, learning_rate="auto")
    assert again.rates == result.rates is not None
    assert_same(resumed, network)
    assert without_clock(again.history) == without_clock(result.history)
