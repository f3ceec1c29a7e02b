"""Recall: its sequences are a function of the seed, no span shares one, every answer is as frequent, and a folder restores."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from foretell.artefact import read_artefact, write_artefact
from foretell.errors import ConfigurationError, DataError, UnsafeFileError, UsageError
from foretell.predictor import load
from foretell.tasks import get_task
from foretell.tasks.interface import Attempt, Silent
from foretell.tasks.recall.config import Configuration
from foretell.tasks.recall.learned import LearnedRecall
from foretell.tasks.recall.sequences import answers, one_hot, prepare
from foretell.training.losses import LOSSES

task = get_task("recall")


def configuration(**options: Any) -> Configuration:
    small = {"training_sequences": 400, "validation_sequences": 80, "test_sequences": 80, "units": 8, "epochs": 2}
    return Configuration.build({**small, **options}, environment={})


@given(gap=st.integers(1, 30), symbols=st.integers(3, 20), seed=st.integers(0, 2**32 - 1))
def test_no_span_shares_a_sequence_and_the_seed_decides_all(gap: int, symbols: int, seed: int) -> None:
    options = configuration(gap=gap, symbols=symbols, seed=seed)
    try:
        prepared, other = prepare(options), prepare(configuration(gap=gap, symbols=symbols, seed=(seed + 1) % 2**32))
    except ConfigurationError:
        assert symbols ** (gap + 1) < 100
        return
    found = [{row.tobytes() for row in sequences} for sequences in prepared.sequences.values()]
    assert not (found[0] & found[1] or found[0] & found[2] or found[1] & found[2])
    assert prepared.counts == {"train": 400, "validation": 80, "test": 80}
    assert all(sequences.shape[1] == gap + 1 and sequences.max() < symbols for sequences in prepared.sequences.values())
    assert prepare(options).fingerprint == prepared.fingerprint
    assert other.fingerprint != prepared.fingerprint


@pytest.mark.parametrize("gap", [3, 50])
def test_every_symbol_is_asked_for_as_often(gap: int) -> None:
    for sequences in prepare(configuration(gap=gap)).sequences.values():
        counts = np.bincount(answers(sequences), minlength=8)
        assert counts.max() - counts.min() <= 1
        # What stands between is left to chance, and so is the order.
        assert len(np.unique(sequences[:, 1])) == 8
        assert (answers(sequences)[:8] != np.arange(8)).any()


def test_sequences_that_come_several_times_are_told() -> None:
    assert "the test span has only" in prepare(configuration(gap=2, symbols=4)).messages[-1]
    assert "the test span has only" not in prepare(configuration(gap=10)).messages[-1]


@pytest.mark.parametrize("gap", [1, 2])
def test_spans_that_ask_for_one_symbol_alone_are_refused(gap: int) -> None:
    for seed in range(5):
        try:
            prepared = prepare(configuration(gap=gap, symbols=2, seed=seed))
        except ConfigurationError:
            continue
        assert all(len(np.unique(answers(own))) == 2 for own in prepared.sequences.values())


def test_too_few_sequences_are_told() -> None:
    with pytest.raises(ConfigurationError, match="2 symbols and a gap of 1 make 4 sequences, too few"):
        prepare(configuration(gap=1, symbols=2, seed=1))


def test_the_network_reads_the_symbols_in_order() -> None:
    inputs = one_hot(np.array([[2, 0]], np.uint8), 3)
    assert inputs.tolist() == [[[0, 0, 1], [1, 0, 0]]]


def test_cross_entropy_is_the_surprise_at_the_true_class() -> None:
    outputs = torch.tensor([[[0.0, 0.0, np.log(2)]], [[0.0, 0.0, np.log(2)]]])
    loss = LOSSES["cross-entropy"](outputs, torch.tensor([[2], [0]]))
    assert loss.item() == pytest.approx((np.log(2) + np.log(4)) / 2)


def learned(tmp_path: Path, rung: str, **options: Any) -> tuple[Any, Any]:
    prepared = task.prepare(None, configuration(**options))
    return prepared, task.fit(prepared, rung, Attempt(tmp_path / rung, Silent()))


def test_chance_knows_one_symbol(tmp_path: Path) -> None:
    prepared, chance = learned(tmp_path, "chance")
    evaluation = task.evaluate(prepared, chance, "test")
    assert evaluation.metrics["error"] == pytest.approx(7 / 8)
    assert evaluation.metrics["accuracy"] == pytest.approx(1 / 8)
    assert set(evaluation.losses) == {0.0, 1.0}
    assert evaluation.losses.mean() == evaluation.metrics["error"]


def test_a_small_gap_is_learned_and_the_folder_answers_alike(tmp_path: Path) -> None:
    prepared, network = learned(
        tmp_path, "lstm", gap=3, training_sequences=4000, epochs=6, learning_rate=0.01, units=16
    )
    evaluation = task.evaluate(prepared, network, "test")
    assert evaluation.metrics["error"] < 0.1
    write_artefact(tmp_path / "model", network.artefact({"test": evaluation.metrics}))
    restored = load(tmp_path / "model")
    assert task.judge(restored.fitted, None) == {"span": "test", "metrics": evaluation.metrics}
    symbols = np.random.default_rng(0).integers(0, 8, 200)
    frame = restored.predict(pl.DataFrame({"symbol": symbols}))
    assert frame.columns == ["row", "symbol", "recalled", "probability"]
    assert frame["row"].to_list() == list(range(4, 201))
    assert frame["symbol"].to_list() == symbols[3:].tolist()
    assert (frame["recalled"].to_numpy() == symbols[:-3]).mean() > 0.9
    assert frame["probability"].is_between(1 / 8, 1).all()
    latest = restored.predict(pl.DataFrame({"symbol": symbols}), anchors="latest")
    assert latest.row(0) == pytest.approx(frame.row(-1))
    judged = task.judge(restored.fitted, pl.DataFrame({"symbol": symbols}))
    assert (judged["span"], judged["metrics"]["count"]) == ("all", 197)
    probe = task.probe(restored.fitted, None, 5)
    assert probe is not None
    assert (probe.inputs[0].shape, probe.targets.shape, probe.span) == ((5, 4, 8), (5, 1), "validation")


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        ({"symbols": [1, 2, 3]}, 'has no column "symbol"; did you mean "symbols"'),
        ({"symbol": [1, 2, 8]}, 'row 3, column "symbol": symbols are whole numbers from 0 to 7; found 8'),
        ({"symbol": [1.5, 2, 3]}, "found 1.5"),
        ({"symbol": [1, None, 3]}, "found None"),
        ({"symbol": ["a", "b", "c"]}, "found 'a'"),
        ({"symbol": [1, 2]}, "has 2 rows; a gap of 2 needs 3"),
    ],
)
def test_what_is_no_sequence_is_told(tmp_path: Path, frame: dict[str, list[Any]], message: str) -> None:
    _, chance = learned(tmp_path, "chance", gap=2)
    with pytest.raises(DataError, match=message):
        chance.predict(pl.DataFrame(frame, strict=False))


def test_usage_is_checked(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="makes its own data; leave DATA away"):
        task.prepare("weather.csv", configuration())
    _, chance = learned(tmp_path, "chance", gap=2)
    with pytest.raises(UsageError, match='"latest" or "all"'):
        chance.predict(pl.DataFrame({"symbol": [1, 2, 3]}), anchors="first")


@pytest.mark.parametrize(
    ("rung", "path", "value"),
    [
        ("rnn", ("rung",), "os.system"),
        ("rnn", ("rung",), "chance"),
        ("rnn", ("config", "recall", "symbols"), 9),
        ("rnn", ("config", "recall", "gap"), 0),
        ("rnn", ("config", "network", "units"), 10**9),
        ("rnn", ("config",), None),
        ("chance", ("rung",), "gru"),
        ("chance", ("config", "recall", "symbols"), 200),
    ],
)
def test_what_a_model_folder_claims_is_checked(tmp_path: Path, rung: str, path: tuple[str, ...], value: object) -> None:
    _, own = learned(tmp_path, rung, epochs=1)
    write_artefact(tmp_path / "model", own.artefact({}))
    artefact = read_artefact(tmp_path / "model")
    place = artefact.document
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    with pytest.raises(UnsafeFileError):
        LearnedRecall.restore(artefact)
