"""The command line on several devices: the same results, one voice, nothing left behind, and exact resuming."""

import json
import os
import re
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from benchmarks.corpora.tunes import tune_book
from safetensors.torch import load_file

from foretell.cli.main import main
from foretell.cli.progress import Teller, told
from foretell.data.builtin.dates import dates
from foretell.errors import ConfigurationError, LostError
from foretell.tasks import task_configuration, task_measure
from foretell.web.working import _require_allowed

from ..tasks.commands import Run
from ..tasks.made_texts import frame
from .starting import FORETELL, alive, awaited, begun, carried_out, curve, end, ended, position, surroundings, workers

TRAIN = ["--epochs", 2, "--units", 6, "--dropout", 0]
SAME = [*TRAIN, "--recurrent-dropout", 0]
GRU = ["--rung", "gru", "--target", "T (degC)", "--lookback", 24, "--ahead", 6, "--batch-size", 64, *TRAIN]
LSTM = ["--rung", "lstm", "--batch-size", 8, "--unroll", 20, "--embedding", 8, "--output-dropout", 0, *SAME]
LONG = ["--epochs", 100_000, "--patience", 0, "--checkpoint-seconds", 0]
needs_proc = pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="there is no /proc to find workers in")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, hourly_csv: Path) -> Path:
    """A folder with data of every kind."""
    folder = tmp_path_factory.mktemp("several")
    (folder / "hourly.csv").write_bytes(hourly_csv.read_bytes())
    (folder / "tunes.abc").write_text(tune_book(30))
    frame(120).write_csv(folder / "reviews.csv")
    days = pl.DataFrame([{"en": written, "iso": day} for written, day, _ in dates(200)])
    for language in ("en", "iso"):
        (folder / f"days.{language}").write_text("".join(f"{text}\n" for text in days[language]))
    return folder


TASKS: dict[str, list[Any]] = {
    "forecast": ["hourly.csv", *GRU],
    "classify": ["reviews.csv", "--rung", "bag", "--embedding", 8, "--batch-size", 33, *TRAIN],
    "generate": ["tunes.abc", *LSTM],
    "translate": [
        *("days.en", "days.iso", "--rung", "transformer-tiny", "--embedding", 16, "--layers", 1, "--heads", 2),
        *("--feed-forward", 24, "--batch-tokens", 400, "--tokens", "characters", "--beam", 1, "--epochs", 2),
        *("--units", 6, "--dropout", 0, "--warmup-steps", 5),
    ],
}


@pytest.mark.parametrize("task", TASKS)
def test_two_devices_validate_as_one(task: str, home: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(home)
    assert run("train", task, *TASKS[task], "--name", f"{task}-1").code == 0
    command = ["train", task, *TASKS[task], "--name", f"{task}-2", "--devices", 2, "--json"]
    code, out, errors = carried_out(*FORETELL, *command, cwd=home)
    assert code == 0, errors
    document = json.loads(out)
    assert document["run"] == f"runs/{task}-2"
    kept = [(home / "runs" / f"{task}-{count}") for count in (1, 2)]
    assert curve(kept[1]) == pytest.approx(curve(kept[0]), abs=1e-4)
    assert len(curve(kept[1])) == 2
    assert position(kept[1])["processes"] == 2
    assert [path.name for path in home.iterdir() if path.is_dir()] == ["runs"], "someone else wrote into this folder"


def printed(capfd: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    """What a command in this process comes to; its workers' words count as its own."""
    capfd.readouterr()
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit) as stopped:
        main([str(argument) for argument in arguments])
    assert signal.getsignal(signal.SIGTERM) is before
    return (int(stopped.value.code or 0), *capfd.readouterr())


def test_a_users_error_is_told_once(
    home: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(home)
    monkeypatch.setenv("PYTHONPATH", surroundings()["PYTHONPATH"])
    wrong = ["train", "forecast", "hourly.csv", "--rung", "gru", "--target", "$$nope", "--devices", 2]
    code, out, errors = printed(capfd, *wrong)
    assert (code, out) == (3, "")
    assert errors == 'Error: hourly.csv has no column "$$nope"; known are time, T (degC), p (mbar)\n'
    code, out, errors = printed(capfd, *wrong, "--json")
    assert (code, errors) == (3, "")
    assert json.loads(out)["error"] == {
        "code": "data",
        "message": 'hourly.csv has no column "$$nope"; known are time, T (degC), p (mbar)',
        "details": {"file": "hourly.csv", "column": "$$nope"},
    }


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (["--devices", 0], 3, "devices from the option --devices breaks its rule: it is greater than or equal to 1"),
        (["--nodes", 0], 3, "nodes from the option --nodes breaks its rule: it is greater than or equal to 1"),
        (["--devices", 2, "--strategy", "shared"], 2, "Invalid value for '--strategy'"),
        (["--devices", 2, "--strategy", "fsdp", "--device", "cpu"], 3, "the device here is cpu; say --strategy ddp"),
        (
            ["--nodes", 2],
            3,
            "torchrun --nnodes 2 --node-rank NUMBER --master-addr HOST --master-port PORT --nproc-per-node 1 -m",
        ),
    ],
)
def test_what_cannot_be_is_told(options: list[Any], code: int, words: str, home: Path, run: Run) -> None:
    result = run("train", "forecast", home / "hourly.csv", *GRU, *options)
    assert (result.code, result.out) == (code, "")
    assert words in result.err
    assert not Path("runs").exists()


@pytest.mark.parametrize("option", ["devices", "nodes", "strategy"])
def test_clients_of_the_page_start_no_processes(option: str) -> None:
    with pytest.raises(ConfigurationError, match=f"{option} is the server's to say"):
        _require_allowed(task_configuration("forecast"), {option: 2})


def test_standard_input_is_not_shared(run: Run) -> None:
    result = run("train", "forecast", "-", *GRU, "--devices", 2)
    assert result.code == 2
    assert "standard input can be read by one process alone" in result.err


def test_processes_that_contradict_the_options_are_told(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"TORCHELASTIC_RUN_ID": "x", "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2"}.items():
        monkeypatch.setenv(name, value)
    result = run("train", "forecast", "hourly.csv", *GRU)
    assert result.code == 3
    assert "torchrun started 2, 2 on this machine; say --devices 2 --nodes 1" in result.err


# What ends midway


@pytest.fixture(scope="module")
def whole(home: Path) -> Path:
    """A run of streams, with what networks drop, that nobody stopped."""
    command = [*FORETELL, "train", "generate", "tunes.abc", *LSTM, "--dropout", 0.3, "--epochs", 3, "--name", "whole"]
    code, _, errors = carried_out(*command, "--devices", 2, cwd=home)
    assert code == 0, errors
    return home / "runs" / "whole"


@needs_proc
def test_a_worker_that_is_killed_is_named_and_its_run_goes_on_exactly(
    home: Path, whole: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = [*FORETELL, "train", "generate", "tunes.abc", *LSTM, "--dropout", 0.3, "--epochs", 3, "--name", "cut"]
    process = begun(*command, "--devices", 2, "--checkpoint-seconds", 0, cwd=home)
    cut = home / "runs" / "cut"
    try:
        awaited(lambda: (position(cut)["epoch"], position(cut)["step"]) >= (1, 3))
        own = workers(process.pid)
        assert sorted(own) == [0, 1]
        os.kill(own[1], signal.SIGKILL)
        _, errors = process.communicate(timeout=30)
    finally:
        end(process)
    assert process.returncode == 1
    assert re.search(rf"^Error: worker 2 of 2 \(process {own[1]}\) was killed by signal 9 \(SIGKILL\)", errors, re.M)
    assert errors.rstrip().endswith("go on with: foretell train --resume runs/cut")
    assert not alive(own[0])
    assert position(cut)["epoch"] < 3, "it was over before it was killed"
    shutil.copytree(cut, home / "runs" / "cut-again")
    code, _, errors = carried_out(*FORETELL, "train", "--resume", "cut", cwd=home)
    assert code == 0, errors
    states = [load_file(run / "checkpoint" / "state.safetensors") for run in (whole, cut)]
    assert states[0].keys() == states[1].keys() >= {"generator/torch", "generator/torch/1", "carried/0"}
    assert [name for name, tensor in states[0].items() if not tensor.equal(states[1][name])] == []
    model = Path("model") / "weights.safetensors"
    assert (whole / model).read_bytes() == (cut / model).read_bytes()
    assert curve(whole) == curve(cut)
    monkeypatch.chdir(home)
    result = run("train", "--resume", "cut-again", "--devices", 1)
    assert result.code == 0, result.err
    assert "gone on with on 1 device after 2, what is dropped being drawn anew" in result.out
    again = home / "runs" / "cut-again"
    assert (len(curve(again)), position(again)["processes"]) == (3, 1)
    assert curve(again) == pytest.approx(curve(whole), abs=0.2)


@needs_proc
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_nothing_is_left_behind(number: signal.Signals, home: Path, tmp_path: Path) -> None:
    name = f"ended-by-{number}"
    process = begun(*FORETELL, "train", "forecast", "hourly.csv", *GRU, *LONG, "--devices", 2, "--name", name, cwd=home)
    try:
        awaited(lambda: position(home / "runs" / name)["step"])
        own = workers(process.pid)
        assert len(own) == 2
        private = [home for home in map(Path, environment(own[1], "TORCHELASTIC_ERROR_FILE")) if home]
        process.send_signal(number)
        code, _, errors = ended(process)
        awaited(lambda: not any(map(alive, own.values())), 30)
    finally:
        end(process)
    assert code == (130 if number == signal.SIGINT else -number)
    if number == signal.SIGINT:
        assert errors.endswith(f"stopped; go on with: foretell train --resume runs/{name}\n")
    awaited(lambda: not private[0].parents[3].exists(), 30)


@needs_proc
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_worker_that_is_asked_to_end_is_not_mistaken_for_another(number: signal.Signals, home: Path) -> None:
    name = f"asked-by-{number}"
    process = begun(*FORETELL, "train", "forecast", "hourly.csv", *GRU, *LONG, "--devices", 2, "--name", name, cwd=home)
    try:
        awaited(lambda: position(home / "runs" / name)["step"])
        own = workers(process.pid)
        os.kill(own[1], number)
        code, _, errors = ended(process)
    finally:
        end(process)
    assert errors.rstrip().endswith(f"go on with: foretell train --resume runs/{name}")
    if number == signal.SIGINT:
        assert (code, errors.splitlines()[-1].startswith("stopped; ")) == (130, True)
    else:
        assert code == 1
        assert "worker 1 of 2" not in errors, "it was the other one"
        assert re.search(rf"one of 2 workers was ended by signal 15|worker 2 of 2 \(process {own[1]}\)", errors)


def environment(process: int, name: str) -> Iterator[str]:
    """The values that a variable has in the environment of a process."""
    for entry in (Path("/proc") / str(process) / "environ").read_text().split("\0"):
        key, _, value = entry.partition("=")
        if key == name:
            yield value


def test_who_loses_another_worker_says_how_the_run_goes_on() -> None:
    teller = Teller(task_measure("forecast"), quiet=True, rows=False)
    with (
        pytest.raises(LostError, match="gone; go on with: foretell train --resume x"),
        told(teller, [], "foretell train --resume x"),
    ):
        raise LostError("gone")


# Other verbs


def test_a_comparison_goes_on_where_rungs_are_done(home: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those who follow find them too, or they would train what the first one does not."""
    monkeypatch.chdir(home)
    before = run(
        "compare", "forecast", "hourly.csv", "--rungs", "ridge,gru,dlinear", *GRU[2:], "--name", "climbed", "--json"
    )
    assert before.code == 0, before.err
    climbed = home / "runs" / "climbed"
    job = json.loads((climbed / "run.json").read_text()) | {"finished": None}
    (climbed / "run.json").write_text(json.dumps(job))
    shutil.rmtree(climbed / "dlinear")
    command = ["compare", "--resume", "climbed", "--devices", 2, "--json"]
    code, out, errors = carried_out(*FORETELL, *command, cwd=home)
    assert code == 0, errors
    for old, new in zip(before.document["rows"], json.loads(out)["rows"], strict=True):
        assert new["rung"] == old["rung"]
        assert new["split"]["test"]["mae"] == pytest.approx(old["split"]["test"]["mae"], abs=1e-3)
    assert position(climbed / "gru")["processes"] == 1
    assert position(climbed / "dlinear")["processes"] == 2
