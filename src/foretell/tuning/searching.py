"""Tune: a rung's options searched with Optuna, bad trials given up early, everything kept in the run's folder.

Options are proposed by a tree-structured Parzen estimator (Bergstra et al. 2011), a trial whose validation loss is
worse than the median of earlier ones at the same epoch is given up, and the best is chosen on validation; test is
read once, for it alone. What mattered is told by PED-ANOVA (Watanabe et al. 2023).
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..cluster.places import executor_of
from ..config import RunSection
from ..errors import RunError
from ..evaluation.panels import Figure, Grid, Item, Line, Number, Panel
from ..ladder import Plan, climb, conclude
from ..ladder.trials import trials_of
from ..tasks import baselines_and
from ..tasks.interface import Prepared, Task
from .spaces import Search, SearchedData
from .trials import TRIALS, Trials, TuningWatcher, complete_trials, finished_trials, open_study

if TYPE_CHECKING:
    import optuna


def tune(
    task: Task,
    source: Any,
    search: Search,
    first: Prepared,
    folder: Path,
    title: str,
    watcher: TuningWatcher,
    run: RunSection | None = None,
) -> dict[str, Any]:
    """Searches a rung's options; leaves the study, the best model, the leaderboard and the report in the folder.

    A search that was stopped goes on: finished trials stay, those under way begin again.

    Args:
        task: Whose rung.
        source: The data, as :meth:`~foretell.tasks.interface.Task.prepare` takes them.
        search: What is searched.
        first: The data, prepared for the configuration without any of the values.
        folder: The run's folder.
        title: Heading of the report.
        watcher: Is told how it goes.
        run: Where trials are carried out; here, one after the other, where None.

    Returns:
        The leaderboard: every baseline, and the rung with the best options.

    Raises:
        RunError: No trial came to its end.
    """
    study = open_study(folder, first.seed)
    data = SearchedData(task, source, search, first)
    with executor_of(run or RunSection()) as executor:
        trials = Trials(task, study, search, data, folder, watcher, live_curves=not executor.keeps_checkpoints)
        for work, result in executor.carry_out(task, trials.works(), trials):
            trials.ended(work, result)
    if not complete_trials(study):
        why = f"in all of {search.trials} its values did not fit together, or its loss was no number"
        raise RunError(f"no trial of {search.rung} came to its end: {why}")
    best_trial = study.best_trial
    prepared = data(dict(best_trial.params))
    home = folder / TRIALS / f"{best_trial.number:03d}"
    plan = Plan(baselines_and(task.name, search.rung), trials_of(task, prepared, 1), lambda _: home, keeps=False)
    judged = climb(task, plan, watcher)
    next(row for row in judged.rows if row["rung"] == search.rung)["run"] = str(folder)
    told = _told(study)
    panels = _panels(task, study, told, search)
    return conclude(task, prepared, judged, folder, search.rung, title, {"tuning": told}, panels)


def _told(study: "optuna.Study") -> dict[str, Any]:
    """What a search came to, as a JSON object."""
    import optuna

    complete, finished = complete_trials(study), finished_trials(study)
    importance: dict[str, float] = {}
    if len(complete) > 2 and len({trial.value for trial in complete}) > 1:
        evaluator = optuna.importance.PedAnovaImportanceEvaluator()
        importance = optuna.importance.get_param_importances(study, evaluator=evaluator)
    return {
        "trials": len(finished),
        "given_up": len(finished) - len(complete),
        "best": dict(study.best_trial.params),
        "best_trial": study.best_trial.number,
        "score": study.best_value,
        "importance": importance,
    }


def _panels(task: Task, study: "optuna.Study", told: dict[str, Any], search: Search) -> list[Panel]:
    complete = complete_trials(study)
    numbers: list[Number] = [trial.number + 1 for trial in complete]
    values = [float(trial.value) for trial in complete]
    best = [min(values[: place + 1]) for place in range(len(values))]
    label = f"validation, {task.measure.score}"
    figures: list[Item] = [
        Figure(
            "lines",
            "Trial by trial",
            "trial",
            label,
            [Line("trial", numbers, values), Line("best so far", numbers, best)],
        )
    ]
    if told["importance"]:
        names, shares = list(told["importance"]), list(told["importance"].values())
        caption = (
            "How much of what tells good trials from all trials each option explains; with few trials a hint only."
        )
        figures.append(
            Figure("bars", "Which options mattered", "", "share", [Line("importance", names, shares)], caption)
        )
    rows: list[list[str | Number]] = []
    for trial in finished_trials(study):
        given = [_shown(trial.params.get(path)) for path in search.spans]
        given_up = trial not in complete  # its value is that of the epoch at which it was given up
        rows.append([trial.number + 1, *given, trial.value, "given up" if given_up else ""])
    found = ", ".join(f"{path} {_shown(value)}" for path, value in told["best"].items())
    prose = f"{told['trials']} trials, {told['given_up']} of them given up early; the best on validation: {found}."
    grid = Grid("Trials", ["trial", *search.spans, label, ""], rows)
    return [Panel("Search", prose, [*figures, grid])]


def _shown(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
