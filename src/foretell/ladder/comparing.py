"""Compare and train: a whole ladder into one leaderboard, or one rung beside every baseline."""

from pathlib import Path
from typing import Any

from ..artefact import write_artefact
from ..cluster.places import executor_of
from ..config import RunSection
from ..tasks import baselines_and
from ..tasks.interface import Prepared, Start, Task
from .climbing import LadderWatcher, Plan, climb
from .concluding import conclude, metrics_of
from .recording import Recorder
from .trials import folder_of, trials_of


def compare(
    task: Task, prepared: Prepared, rungs: list[str], run: RunSection, folder: Path, title: str, watcher: LadderWatcher
) -> dict[str, Any]:
    """Climbs the ladder; leaves each rung's model, the best model, the leaderboard and the report in the folder.

    Rungs that the folder holds already, as it was stopped, are taken from there.

    Args:
        task: Whose ladder.
        prepared: The data.
        rungs: As :func:`~foretell.tasks.choose_rungs` gives them.
        run: How many seeds, how much time, and where.
        folder: The run's folder.
        title: Heading of the report.
        watcher: Is told how it goes.

    Returns:
        The leaderboard, as ``compare --json`` prints it.
    """
    trials = trials_of(task, prepared, run.seeds)
    recorder = Recorder(watcher, folder, rungs)
    plan = Plan(rungs, trials, lambda name: folder / name, budget=run.budget)
    with executor_of(run) as executor:
        result = climb(task, plan, recorder, executor)
    for row in result.rows:
        name = row["rung"]
        row["run"] = str(folder / name)
        kept = result.results[name].kept(task.measure.score)
        for home in {folder / name, folder_of(folder / name, kept.trial)}:
            write_artefact(home / "model", kept.fitted.artefact(metrics_of(result, name)), replace=True)
    document = conclude(task, prepared, result, folder, result.best, title)
    recorder.close()
    return document


def train_one(
    task: Task,
    prepared: Prepared,
    rung: str,
    run: RunSection,
    folder: Path,
    title: str,
    watcher: LadderWatcher,
    start: Start | None = None,
) -> dict[str, Any]:
    """Trains one rung in the run's own folder and judges it against every baseline.

    Args:
        task: Whose rung.
        prepared: The data.
        rung: Its name.
        run: How many seeds, and how much time.
        folder: The run's folder; training goes on from its checkpoint where it holds one.
        title: Heading of the report.
        watcher: Is told how it goes.
        start: A model whose weights it starts from.
    """
    trials = trials_of(task, prepared, run.seeds)
    plan = Plan(baselines_and(task.name, rung), trials, lambda _: folder, keeps=False, budget=run.budget, start=start)
    recorder = Recorder(watcher, folder, plan.rungs)
    result = climb(task, plan, recorder)
    next(row for row in result.rows if row["rung"] == rung)["run"] = str(folder)
    document = conclude(task, prepared, result, folder, rung, title)
    recorder.close()
    return document
