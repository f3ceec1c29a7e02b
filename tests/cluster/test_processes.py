"""Trainings in processes of this machine: the same as here, whatever happens to the processes."""

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import torch

from foretell.cluster import elsewhere, travelling
from foretell.cluster.elsewhere import Elsewhere
from foretell.cluster.processes import Processes
from foretell.cluster.work import Failed, GivenUp, Here, Shared, Work, done_or_raise
from foretell.errors import ConfigurationError, DivergedError, RunError
from foretell.ladder import Plan, climb
from foretell.ladder.trials import trials_of
from foretell.tasks import NAMES, get_task
from foretell.tasks.interface import Silent

from ..tasks.commands import Run
from .made import (
    FORETELL,
    PATIENCE,
    RUNGS,
    SMALL,
    TRAINED,
    Deaf,
    options_of,
    plain,
    prepared_of,
    require_same,
    results,
    trained,
    wait_for,
)

LONG = {"epochs": 5000, "patience": 0, "checkpoint_seconds": 0.0}
RECALL = ["--epochs", "3", "--training-sequences", "300", "--validation-sequences", "64", "--test-sequences", "64"]


def children(parent: int) -> list[int]:
    """The processes that train for another."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            status, command = (folder / "status").read_text(), (folder / "cmdline").read_bytes()
        except OSError:
            continue
        if f"PPid:\t{parent}\n" in status and b"spawn_main" in command:
            found.append(int(folder.name))
    return found


@pytest.fixture(scope="module")
def crew() -> Iterator[Elsewhere]:
    """Two processes for all tests that leave them as they are."""
    processes = Processes(2, torch.get_num_threads())
    yield Elsewhere(processes)
    processes.close()
    assert not children(os.getpid())


@pytest.mark.parametrize("name", NAMES)
def test_rungs_of_every_task_come_back_as_they_are_here(
    name: str, crew: Elsewhere, hourly: pl.DataFrame, tmp_path: Path
) -> None:
    prepared = prepared_of(name, hourly)
    rungs = [TRAINED[name][0], TRAINED[name][-1]]
    here = trained(Here(), name, prepared, tmp_path / "here", rungs)
    there = trained(crew, name, prepared, tmp_path / "there", rungs)
    for rung in rungs:
        require_same(here[rung], there[rung])
    assert len(children(os.getpid())) <= 2, "processes that are there train again"


def test_errors_inside_come_back_as_themselves(crew: Elsewhere, hourly: pl.DataFrame, tmp_path: Path) -> None:
    shared = Shared([prepared_of("forecast", hourly)])
    configuration = options_of(shared).changed(
        {"training.learning_rate": 1e30, "training.optimiser": "adam", "training.clip": 0.0}
    )
    works = [
        Work("diverges", "mlp", shared, tmp_path / "a", configuration=configuration),
        Work("a bug", "no such rung", shared, tmp_path / "b"),
    ]
    found = results(crew, "forecast", works)
    diverged, bug = found["diverges"], found["a bug"]
    assert isinstance(diverged, Failed)
    assert isinstance(diverged.error, DivergedError)
    assert diverged.error.details["epoch"] == 1
    assert "--learning-rate" in diverged.error.message
    assert isinstance(bug, Failed)
    assert type(bug.error) is RuntimeError
    assert "no such rung" in str(bug.error)
    assert any("Traceback" in note for note in bug.error.__notes__), "where it was raised is told as well"


class Reluctant(Deaf):
    """Gives a training up after so many epochs."""

    def epoch(self, work: Work, record: dict[str, Any], epochs: int) -> bool:
        super().epoch(work, record, epochs)
        return record["epoch"] < 3


def test_a_training_that_nobody_wants_ends_before_its_time(
    crew: Elsewhere, hourly: pl.DataFrame, tmp_path: Path
) -> None:
    shared = Shared([prepared_of("recall", hourly)])
    configuration = options_of(shared).changed({f"training.{name}": value for name, value in LONG.items()})
    found = results(crew, "recall", [Work("long", "gru", shared, tmp_path, configuration=configuration)], Reluctant())
    result = found["long"]
    assert isinstance(result, Failed)
    assert isinstance(result.error, GivenUp)


def test_an_end_that_is_wanted_while_a_step_is_told_comes_with_the_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(travelling, "_SECONDS", -1.0)
    answers = iter([True, False, True, True])
    teller = travelling.Teller(lambda message: next(answers))
    teller.epoch({"epoch": 1}, 5)
    teller.step(2, 1, 3, 0.5)
    teller.step(2, 2, 3, 0.5)
    with pytest.raises(GivenUp):
        teller.epoch({"epoch": 2}, 5)


class Killer(Deaf):
    """Kills the process of a training as its second epoch is told, so many times."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self.times, self.spared = times, set(children(os.getpid()))

    def epoch(self, work: Work, record: dict[str, Any], epochs: int) -> bool:
        super().epoch(work, record, epochs)
        if len(self.repeated) < self.times and self.epochs[-2:-1] == [(work.name, record["epoch"] - 1)]:
            # Of a process that was killed what it had told before may still arrive.
            for victim in set(children(os.getpid())) - self.spared:
                os.kill(victim, signal.SIGKILL)
                self.spared.add(victim)
        return True


def test_a_process_that_is_killed_is_replaced_and_its_training_goes_on(hourly: pl.DataFrame, tmp_path: Path) -> None:
    shared = Shared([prepared_of("recall", hourly)])
    configuration = options_of(shared).changed({"training.epochs": 30, "training.patience": 0})
    here = Work("gru", "gru", shared, tmp_path / "here", configuration=configuration)
    there = Work("gru", "gru", shared, tmp_path / "there", configuration=configuration)
    whole = done_or_raise(results(Here(), "recall", [here])["gru"])
    processes, killer = Processes(1, torch.get_num_threads()), Killer(1)
    try:
        found = results(Elsewhere(processes), "recall", [there], killer)
    finally:
        processes.close()
    require_same(whole, done_or_raise(found["gru"]))
    assert (killer.begun, killer.repeated) == (["gru", "gru"], ["gru"])


def test_a_training_whose_processes_are_lost_again_and_again_is_told(
    hourly: pl.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(elsewhere, "RETRIES", 1)  # it takes seconds to begin a process
    shared = Shared([prepared_of("recall", hourly)])
    processes, listener, spared = Processes(1, torch.get_num_threads()), Deaf(), set(children(os.getpid()))

    class Deadly(Deaf):
        """Kills every process as soon as it begins."""

        def began(self, work: Work) -> None:
            listener.began(work)
            for victim in set(children(os.getpid())) - spared:
                os.kill(victim, signal.SIGKILL)

        def again(self, work: Work) -> None:
            listener.again(work)

    configuration = options_of(shared).changed({f"training.{name}": value for name, value in LONG.items()})
    work = Work("gru seed-1", "gru", shared, tmp_path, configuration=configuration)
    try:
        result = results(Elsewhere(processes), "recall", [work], Deadly())["gru seed-1"]
    finally:
        processes.close()
    assert isinstance(result, Failed)
    assert isinstance(result.error, RunError)
    assert result.error.details == {"rung": "gru", "trial": "gru seed-1"}
    assert "gru seed-1: its worker was lost 2 times (killed by signal 9)" in result.error.message
    assert listener.repeated == ["gru seed-1"]


def test_a_comparison_in_processes_equals_one_here(hourly_csv: Path, run: Run) -> None:
    arguments = ["compare", "forecast", hourly_csv, *SMALL, *RUNGS, "--folds", "2", "--epochs", "1"]
    here = run(*arguments, "--name", "here", "--json").document
    there = run(*arguments, "--on", "processes:2", "--name", "there", "--json").document
    assert plain(here) == plain(there)
    assert [row["rung"] for row in there["rows"]] == ["persistence", "ridge", "mlp", "ensemble"]
    assert len(there["folds"]) == 2
    for path in Path("runs/here").rglob("weights.safetensors"):
        assert path.read_bytes() == (Path("runs/there") / path.relative_to("runs/here")).read_bytes()
    assert Path("runs/there/mlp/fold-2-seed-1/checkpoint/state.safetensors").exists()
    assert not Path("runs/there/progress.json").exists()


class Board(Silent):
    """Watches a climb."""

    def rung(self, name: str) -> None:
        pass

    def row(self, row: dict[str, Any], reference: str | None) -> None:
        pass


def test_a_budget_is_shared_by_those_that_train_at_once(crew: Elsewhere, hourly: pl.DataFrame, tmp_path: Path) -> None:
    prepared, task = prepared_of("recall", hourly), get_task("recall")
    prepared = task.reconfigured(
        prepared, prepared.configuration.changed({f"training.{name}": value for name, value in LONG.items()})
    )
    plan = Plan(["chance", "gru", "lstm"], trials_of(task, prepared, 1), lambda name: tmp_path / name, budget=3.0)
    climbed = climb(task, plan, Board(), crew)
    for row in climbed.rows[1:]:
        assert "its share of the time" in row["note"]
        assert row["seconds"] > 2, "both have the same three seconds"


def test_a_search_in_processes_finds_what_one_here_finds(run: Run) -> None:
    # As long as values are drawn at random and nothing is given up, it does not matter which trial ends first.
    arguments = ["tune", "recall", *RECALL, "--rung", "gru", "--trials", "5", "--search", "units=4..16"]
    here = run(*arguments, "--name", "here", "--json").document
    there = run(*arguments, "--on", "processes:2", "--name", "there", "--json").document
    assert plain(here["rows"]) == plain(there["rows"])
    assert here["tuning"]["best"] == there["tuning"]["best"]
    assert there["tuning"]["trials"] == 5
    kept = [path.parent.name for path in Path("runs/there/trials").glob("*/checkpoint")]
    assert f"{there['tuning']['best_trial']:03d}" in kept


def test_ctrl_c_leaves_no_process_and_the_run_goes_on(hourly_csv: Path, tmp_path: Path, run: Run) -> None:
    options = [*SMALL, "--rungs", "persistence,mlp,gru", "--epochs", "30", "--patience", "0", "--runs-dir", tmp_path]
    arguments = ["compare", "forecast", hourly_csv, *options]
    whole = run(*arguments, "--name", "whole", "--json").document
    begun = subprocess.Popen(
        [*FORETELL, *map(str, arguments), "--name", "stopped", "--on", "processes:2"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        curves = [tmp_path / "stopped" / rung / "metrics.jsonl" for rung in ("mlp", "gru")]
        wait_for(lambda: begun.poll() is not None or any(curve.exists() and curve.read_text() for curve in curves))
        trainers = children(begun.pid)
        assert trainers
        os.killpg(begun.pid, signal.SIGINT)  # as a terminal does: all of them are told
        _, errors = begun.communicate(timeout=PATIENCE)
    finally:
        begun.kill()
    assert begun.returncode == 130
    assert errors.splitlines()[-1] == f"stopped; go on with: foretell compare --resume {tmp_path / 'stopped'}"
    assert "Traceback" not in errors
    assert not any(Path(f"/proc/{process}").exists() for process in trainers)
    resumed = run("compare", "--resume", tmp_path / "stopped", "--on", "here", "--json").document
    assert plain(resumed) == plain(whole)


def test_where_trainings_run_is_checked(hourly_csv: Path, run: Run) -> None:
    for wrong in ("there", "processes:0", "processes:many", "ray:4", "ray://head", "ray://:10001"):
        failed = run("compare", "forecast", hourly_csv, *SMALL, "--on", wrong)
        assert failed.code == 3
        assert "on from the option --on breaks its rule" in failed.err
        assert "ray://HOST:PORT" in failed.err
    assert run("train", "forecast", hourly_csv, *SMALL, "--rung", "mlp", "--on", "processes").code == 2
    for place, option, told in (
        ("here", "--training-cpus", "sets aside what trainings elsewhere need; found --on here; say --on processes or"),
        ("here", "--training-gpus", "say --on ray, or leave it away"),
        ("processes", "--training-gpus", "found --on processes; say --on ray"),
        ("processes", "--training-cpus", "for each training; this machine has "),
    ):
        count = "4096" if "cpus" in option else "1"
        failed = run("compare", "forecast", hourly_csv, *SMALL, "--on", place, option, count)
        assert failed.code == 3, failed.err
        assert told in failed.err
        assert not Path("runs").exists()


def test_no_worker_hears_an_interrupt(hourly: pl.DataFrame, tmp_path: Path) -> None:
    shared = Shared([prepared_of("recall", hourly)])
    processes, before = Processes(2, 1), set(children(os.getpid()))
    works = [Work(name, "rnn", shared, tmp_path / name) for name in ("one", "two")]
    try:
        for number, work in enumerate(works):
            processes.hand_over(number, "recall", work)
        processes.news()
        masks = [int(status_of(own, "SigBlk"), 16) for own in set(children(os.getpid())) - before if is_trainer(own)]
    finally:
        processes.close()
    assert len(masks) == 2 and all(mask & (1 << (signal.SIGINT - 1)) for mask in masks)


def is_trainer(process: int) -> bool:
    return "spawn_main" in Path(f"/proc/{process}/cmdline").read_text()


def status_of(process: int, name: str) -> str:
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return next(line.split()[1] for line in lines if line.startswith(f"{name}:"))


def test_a_client_of_the_service_does_not_say_where_trainings_run() -> None:
    from foretell.tasks import task_configuration
    from foretell.web.working import _require_allowed

    for name, value in {"on": "processes:64", "training_cpus": 8, "training_gpus": 1}.items():
        with pytest.raises(ConfigurationError, match=f"{name} is the server's to say"):
            _require_allowed(task_configuration("forecast"), {name: value})
