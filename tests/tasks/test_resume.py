"""A run that is killed at any moment loses at most one interval and ends with the very same weights."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from safetensors import safe_open

from .killing import train_tiny

KILLS = 20
PATIENCE_SECONDS = 120.0


def curve(folder: Path) -> list[dict[str, Any]]:
    """The learning curve without its clock."""
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    return [
        {key: value for key, value in json.loads(line).items() if key not in ("seconds", "per_second")}
        for line in lines
    ]


def progress(folder: Path) -> tuple[int, int]:
    """Epoch and step of the checkpoint, which must be whole; (0, 0) before there is one."""
    file = folder / "checkpoint" / "state.safetensors"
    if not file.exists():
        return 0, 0
    with safe_open(file, "pt") as stored:
        position = json.loads(stored.metadata()["position"])
    return position["epoch"], position["step"]


@pytest.mark.parametrize(("rung", "optimiser"), [("gru", "rmsprop"), ("mlp", "adamw")])
def test_a_run_killed_at_random_moments_ends_bit_equal(
    processes: Any, hourly_csv: Path, tmp_path: Path, rung: str, optimiser: str
) -> None:
    whole = tmp_path / "whole"
    process = processes.Process(target=train_tiny, args=(str(hourly_csv), str(whole), rung, optimiser))
    started = time.monotonic()
    process.start()
    process.join(PATIENCE_SECONDS)
    duration = time.monotonic() - started
    assert process.exitcode == 0
    expected = (whole / "final.safetensors").read_bytes()

    generator = random.Random(7)
    kills, run, finished = 0, 0, 0
    while kills < KILLS // 2 or not finished:
        folder = tmp_path / f"run-{run}"
        process = processes.Process(target=train_tiny, args=(str(hourly_csv), str(folder), rung, optimiser))
        before = progress(folder)
        process.start()
        if kills < KILLS // 2:
            time.sleep(generator.uniform(0.0, duration * 0.6))
            with suppress(ProcessLookupError):  # it may have come to its end just now
                os.kill(process.pid, signal.SIGKILL)
        process.join(PATIENCE_SECONDS)
        if process.exitcode == -signal.SIGKILL:
            kills += 1
            assert progress(folder) >= before, "a checkpoint went back"
            continue
        assert process.exitcode == 0
        assert (folder / "final.safetensors").read_bytes() == expected
        assert curve(folder) == curve(whole)
        finished += 1
        run += 1


def test_a_comparison_that_is_killed_goes_on_to_the_same_models(hourly_csv: Path, tmp_path: Path) -> None:
    options = ["--target", "T (degC)", "--lookback", "12", "--ahead", "3", "--units", "4", "--rungs", "ridge,mlp,gru"]
    options += ["--epochs", "40", "--patience", "0", "--threads", "1", "--checkpoint-seconds", "0", "--quiet"]
    command = [sys.executable, "-m", "foretell", "compare"]
    begun = [*command, "forecast", str(hourly_csv), *options, "--runs-dir", str(tmp_path), "--name"]
    subprocess.run([*begun, "whole"], check=True, capture_output=True, timeout=PATIENCE_SECONDS)
    killed = subprocess.Popen([*begun, "killed"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    folder, end = tmp_path / "killed", time.monotonic() + PATIENCE_SECONDS
    while not (folder / "gru" / "metrics.jsonl").exists() or not (folder / "gru" / "metrics.jsonl").read_text():
        assert time.monotonic() < end
        assert killed.poll() is None, "it ended before it could be killed"
        time.sleep(0.005)
    killed.kill()
    assert killed.wait() == -signal.SIGKILL
    assert not (folder / "gru" / "model").exists(), "in the middle of the network's training"
    done = (folder / "mlp" / "checkpoint" / "state.safetensors").stat().st_mtime_ns
    resumed = [*command, "--resume", str(folder), "--quiet"]
    subprocess.run(resumed, check=True, capture_output=True, timeout=PATIENCE_SECONDS)
    assert (folder / "mlp" / "checkpoint" / "state.safetensors").stat().st_mtime_ns == done, "not trained again"
    for rung in ("mlp", "gru"):
        weights = [tmp_path / run / rung / "model" / "weights.safetensors" for run in ("whole", "killed")]
        assert weights[0].read_bytes() == weights[1].read_bytes()
        assert curve(tmp_path / "whole" / rung) == curve(folder / rung)
    board = json.loads((folder / "leaderboard.json").read_text())
    took = {row["rung"]: row["seconds"] for row in board["rows"]}
    last = json.loads((folder / "gru" / "metrics.jsonl").read_text().splitlines()[-1])
    assert took["gru"] >= last["seconds"], "what came before the kill counts too"
