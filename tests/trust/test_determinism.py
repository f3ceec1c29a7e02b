"""The same seed gives the same bytes, whatever process, folder, hash seed, clock zone, and order of files in a folder."""

import json
import time
from pathlib import Path

import pytest

from foretell.tasks import task_rungs

from . import tiny
from .amounts import LONG, Figures, much
from .carrying_out import begun, results
from .essence import essence, told

pytest.importorskip("lightgbm", reason="boosted trees need foretell[trees]")
pytest.importorskip("sklearn", reason="linear baselines of texts need foretell[classify]")
pytest.importorskip("optuna", reason="searching needs foretell[tune]")
LADDERS = {
    "forecast": tiny.FORECAST,
    "classify": tiny.CLASSIFY,
    "generate": tiny.GENERATE,
    "translate": tiny.TRANSLATE,
    "recall": tiny.RECALL,
}
SOME = {  # a rung of every kind; under make trust it is every rung
    "forecast": ["seasonal", "ridge", "gru-dropout", "boosted-trees"],
    "classify": ["nb-svm", "lstm"],
    "generate": ["ngram", "lstm"],
    "translate": ["dictionary", "gru-attention"],
    "recall": ["lstm"],
}
RECURRENT = ["rnn", "gru-bidirectional", "lstm"]  # whose sums the kernels make, the same on any number of threads
PATIENCE = 300.0  # seconds that one process may take, kernels compiled included


def rungs(task: str) -> list[str]:
    """The rungs that are tried."""
    return [name for name, rung in task_rungs(task).items() if not rung.large and (LONG or name in SOME[task])]


def asked(task: str, model: str) -> list[list[str]]:
    """Commands that ask a model."""
    if task == "forecast":
        return [["predict", model, "hourly.csv", "--anchors", "all", "--json"], ["evaluate", model, "--json"]]
    if task == "classify":
        return [["predict", model, "reviews.csv", "--json"]]
    if task == "generate":
        drawn = ["--temperature", "1.2", "--top-p", "0.9", "--n", "2", "--length", "60", "--seed", "3", "--json"]
        return [["generate", model, "--prompt", "X:1", *drawn]]
    if task == "translate":
        return [["translate", model, "March 4, 2021", "--beam", "3", "--json"]]
    return [["evaluate", model, "--json"]]


def everything(seed: int) -> list[list[str]]:
    """Every rung of every ladder, learned and asked; a search; a folder of texts; dreams."""
    done = []
    for task, options in LADDERS.items():
        chosen = ["--rungs", ",".join(rungs(task)), "--seed", str(seed)]
        done += [["compare", *options, *chosen, "--name", task, "--json"]]
        done += [command for rung in rungs(task) for command in asked(task, f"{task}/{rung}")]
    done += [
        ["tune", *tiny.FORECAST, "--rung", "gru", "--trials", "3", "--seed", str(seed), "--name", "tune", "--json"]
    ]
    gru = ["train", *tiny.FORECAST, "--rung", "gru", "--intervals", "0.8", "--json"]
    done += [[*gru, "--seeds", "2", "--seed", str(seed), "--name", "alone"], [*gru, "--seed", "77", "--name", "other"]]
    wide = ["train", *tiny.FORECAST, "--units", "32", "--batch-size", "256", "--json"]
    for rung in RECURRENT:
        done += [[*wide, "--rung", rung, "--threads", str(many), "--name", f"{rung}-{many}"] for many in (1, 2)]
    folder = ["compare", "classify", "texts", *tiny.CLASSIFY[2:], "--rungs", "nb-svm,bag", "--name", "folder", "--json"]
    dream = [*tiny.DREAM, "--seed", str(seed)]
    noise = ["dream", "--from-noise", "--size", "48", *tiny.DREAM[2:], "--seed", str(seed), "-o", "noise.png", "--json"]
    return [*done, folder, [*dream, "-o", "dream.png", "--json"], [*dream, "--film", "dream.webp", "--json"], noise]


def carried_out_twice(folder: Path, commands: list[list[str]]) -> list[dict[str, bytes]]:
    """The files, and what was printed, of the same commands in two processes that have little else in common."""
    homes = [folder / "one", folder / "a longer name" / "another"]
    differing = [
        {"PYTHONHASHSEED": "1", "TZ": "UTC", "LC_ALL": "C.UTF-8"},
        {"PYTHONHASHSEED": "2", "TZ": "Asia/Kathmandu", "LC_ALL": "C", "COLUMNS": "47"},
    ]
    processes = []
    for turned, (home, environment) in enumerate(zip(homes, differing, strict=True)):
        tiny.lay_out(home, turned=bool(turned))
        (home / f"scratch-{turned}").mkdir()
        scratch = str(home / f"scratch-{turned}")
        processes.append(begun(home, commands, TMPDIR=scratch, **environment))
    outcomes = [results(process, PATIENCE) for process in processes]
    found = []
    for turned, (home, ended) in enumerate(zip(homes, outcomes, strict=True)):
        assert len(ended) == len(commands)
        for command, result in zip(commands, ended, strict=True):
            assert result.code == 0, f"{command}: {result.err}"
        files = [path for path in sorted(home.rglob("*")) if path.is_file() and f"scratch-{turned}" not in path.parts]
        contents = {str(path.relative_to(home)): essence(path, home) for path in files}
        printed = {json.dumps(one): told(done.out, home) for one, done in zip(commands, ended, strict=True)}
        found.append(contents | printed)
    return found


def test_the_same_seed_gives_the_same_bytes_in_every_task_and_on_every_rung(tmp_path: Path, figures: Figures) -> None:
    compared = weights = 0
    begin = time.monotonic()
    for seed in range(much(1, 6)):
        one, other = carried_out_twice(tmp_path / str(seed), everything(seed))
        assert one.keys() == other.keys()
        assert [name for name in one if one[name] != other[name]] == []
        compared += len(one)
        weights += sum(name.endswith("model/weights.safetensors") for name in one)
        learned = {name for name in one if name.endswith("model/model.json")}
        wanted = {f"runs/{task}/{rung}/model/model.json" for task in LADDERS for rung in rungs(task)}
        assert wanted <= learned
        assert one["runs/alone/model/weights.safetensors"] != one["runs/other/model/weights.safetensors"]
        for rung in RECURRENT:
            assert one[f"runs/{rung}-1/model/weights.safetensors"] == one[f"runs/{rung}-2/model/weights.safetensors"]
        for needed in ("dream.png", "dream.webp", "noise.png", "runs/tune/model/weights.safetensors"):
            assert len(one[needed]) > 100
    figures(files=compared, weights=weights, seeds=much(1, 6), minutes=round((time.monotonic() - begin) / 60, 1))
