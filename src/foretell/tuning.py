"""Tune: a rung's options searched with Optuna, bad trials given up early, everything kept in the run's folder.

Options are proposed by a tree-structured Parzen estimator (Bergstra et al. 2011), a trial whose validation loss is
worse than the median of earlier ones at the same epoch is given up, and the best is chosen on validation; test is
read once, for it alone. What mattered is told by PED-ANOVA (Watanabe et al. 2023).
"""

import math
import re
import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from .config import TaskConfiguration
from .errors import DivergedError, InputError, MissingError, RunError, UsageError, nearest
from .evaluation.panels import Figure, Grid, Item, Line, Number, Panel
from .ladder import LadderWatcher, Plan, climb, conclude
from .ladder.trials import trials_of
from .tasks import baselines_and
from .tasks.interface import Attempt, Prepared, Task
from .tasks.rung import Choices, Range, Span

if TYPE_CHECKING:
    import optuna

JOURNAL, TRIALS = "study.jsonl", "trials"
BEFORE_PRUNING = 5  # trials that are always carried out to the end
_SPAN = re.compile(r"(?P<low>[^.].*?)\.\.(?P<high>[^:]+)(?P<log>:log)?")


@runtime_checkable
class TuningWatcher(LadderWatcher, Protocol):
    """Someone who is told how a search goes."""

    def trial(self, number: int, values: Mapping[str, Any]) -> None:
        """A trial begins."""
        ...

    def tried(self, number: int, outcome: str, best: bool) -> None:
        """A trial is over."""
        ...


@dataclass(frozen=True)
class Search:
    """What is searched.

    Attributes:
        rung: Whose options.
        spans: What each of them may be, by its dotted name.
        trials: How many are tried.
        build: Makes the configuration for some values.
    """

    rung: str
    spans: dict[str, Span]
    trials: int
    build: Callable[[Mapping[str, object]], TaskConfiguration]


def search_space(task: Task, rung: str, named: Mapping[str, str], fixed: Iterable[str] = ()) -> dict[str, Span]:
    """What the options of a rung may be: what the user says, else what the rung suggests for those that are open.

    Args:
        task: Whose rung.
        rung: Its name.
        named: Spans by option, as from ``--search``: ``8..128:log``, ``0..0.5``, or ``24,48,96``.
        fixed: Options that have a value of the user's, and keep it.

    Raises:
        UsageError: There is no such option, or a span is none.
    """
    known = {name: section for section, name, _ in task.configuration.options()}
    spans: dict[str, Span] = {}
    for path, text in named.items():
        section, _, name = path.rpartition(".")
        if name not in known or section not in ("", known[name]):
            raise UsageError(f'--search names "{path}", which is no option; {nearest(name, known)}', option=path)
        if known[name] not in task.configuration.searched or name in task.configuration.judging:
            told = "which says what is judged or how it is computed, not how a model is made"
            raise UsageError(f"--search cannot vary {known[name]}.{name}, {told}", option=path)
        spans[f"{known[name]}.{name}"] = read_span(path, text)
    if not spans:
        kept = set(fixed)
        spans = {f"{known[name]}.{name}": span for name, span in task.rungs[rung].search.items() if name not in kept}
    if not spans:
        raise UsageError(f"{rung} has no options left to search; name some: --search network.units=8..128", rung=rung)
    return spans


def shapes(task: Task, path: str) -> bool:
    """Whether an option, by its dotted name, says what is read of the data."""
    return path.partition(".")[0] in task.configuration.shaping


def read_span(option: str, text: str) -> Span:
    """What a user says that an option may be.

    Raises:
        UsageError: The text is no span.

    >>> read_span("units", "8..128:log")
    Range(low=8, high=128, log=True)
    >>> read_span("lookback", "1d, 2d")
    Choices(values=('1d', '2d'))
    """
    match = _SPAN.fullmatch(text.strip())
    if match is None:
        values = tuple(part.strip() for part in text.split(",") if part.strip())
        if len(set(values)) < 2:
            raise UsageError(f'--search {option} needs a range (8..128, 8..128:log) or several values; found "{text}"')
        return Choices(values)
    try:
        ends = [float(match[name]) for name in ("low", "high")]
    except ValueError:
        raise UsageError(f'--search {option}: the ends of a range are numbers; found "{text}"') from None
    if not ends[0] < ends[1] or not all(map(math.isfinite, ends)) or (match["log"] and ends[0] <= 0):
        raise UsageError(f'--search {option}: a range rises, and a logarithmic one begins above zero; found "{text}"')
    whole = all(re.fullmatch(r"-?\d+", match[name].strip()) for name in ("low", "high"))
    low, high = (int(end) if whole else end for end in ends)
    return Range(low, high, bool(match["log"]))


def check_spans(task: Task, source: Any, search: Search, first: Prepared) -> None:
    """Checks that both ends of each range and a value between, and each choice, make a model, before a run begins.

    What says what is read of the data (lookback and stride, say) must fit together with some of the others' values.

    Raises:
        InputError: One does not fit its option, or the data.
        UsageError: The rung does not read an option.
    """
    prepared_for = _Prepared(task, source, search, first)
    examples = {
        path: span.values if isinstance(span, Choices) else span.examples for path, span in search.spans.items()
    }
    shaping = {path: values for path, values in examples.items() if shapes(task, path)}
    for path, values in examples.items():
        others = {other: known for other, known in shaping.items() if other != path and path in shaping}
        for value in values:
            together = ({path: value, **dict(zip(others, chosen, strict=True))} for chosen in product(*others.values()))
            if path.rpartition(".")[2] in _first_that_fits(prepared_for, together).idle:
                raise UsageError(f"--search {path}: {search.rung} has no use for that option", option=path)


def tune(
    task: Task, source: Any, search: Search, first: Prepared, folder: Path, title: str, watcher: TuningWatcher
) -> dict[str, Any]:
    """Searches a rung's options; leaves the study, the best model, the leaderboard and the report in the folder.

    A search that was stopped goes on: finished trials stay, the one under way begins again.

    Args:
        task: Whose rung.
        source: The data, as :meth:`~foretell.tasks.interface.Task.prepare` takes them.
        search: What is searched.
        first: The data, prepared for the configuration without any of the values.
        folder: The run's folder.
        title: Heading of the report.
        watcher: Is told how it goes.

    Returns:
        The leaderboard: every baseline, and the rung with the best options.

    Raises:
        RunError: No trial came to its end.
    """
    study = _study(folder, first.seed)
    prepared_for = _Prepared(task, source, search, first)
    for number in range(len(_finished(study)), search.trials):
        trial = study.ask()
        values = {path: _proposed(trial, path, span) for path, span in search.spans.items()}
        watcher.trial(number + 1, values)
        home = folder / TRIALS / f"{trial.number:03d}"
        home.mkdir(parents=True, exist_ok=True)
        outcome = _tried(task, partial(prepared_for, values), search.rung, trial, home, watcher)
        study.tell(trial, *outcome)
        best = bool(_complete(study)) and study.best_trial.number == trial.number
        watcher.tried(number + 1, "given up" if outcome[0] is None else f"{outcome[0]:.4g}", best)
        if not best:
            shutil.rmtree(home / "checkpoint", ignore_errors=True)
    if not _complete(study):
        why = f"in all of {search.trials} its values did not fit together, or its loss was no number"
        raise RunError(f"no trial of {search.rung} came to its end: {why}")
    best_trial = study.best_trial
    prepared = prepared_for(dict(best_trial.params))
    home = folder / TRIALS / f"{best_trial.number:03d}"
    plan = Plan(baselines_and(task.name, search.rung), trials_of(task, prepared, 1), lambda _: home, keeps=False)
    result = climb(task, plan, watcher)
    next(row for row in result.rows if row["rung"] == search.rung)["run"] = str(folder)
    told = _told(study)
    panels = _panels(task, study, told, search)
    return conclude(task, prepared, result, folder, search.rung, title, {"tuning": told}, panels)


def _first_that_fits(prepared_for: "_Prepared", candidates: Iterable[Mapping[str, Any]]) -> Prepared:
    """The data for the first values that fit together; the last one's error where none do."""
    problem: InputError | None = None
    for values in candidates:
        try:
            return prepared_for(values)
        except InputError as error:
            problem = error
    raise problem or RunError("there is nothing to search")


class _Prepared:
    """The data for some values, prepared anew only where they change what is read of them."""

    def __init__(self, task: Task, source: Any, search: Search, first: Prepared) -> None:
        self.task, self.source, self.search = task, source, search
        self.known: dict[tuple[object, ...], Prepared] = {(): first} if not self._named({}) else {}

    def __call__(self, values: Mapping[str, Any]) -> Prepared:
        configuration = self.search.build(values)
        key = self._named(values)
        if key not in self.known:
            self.known = {key: self.task.prepare(self.source, configuration)}
        return self.task.reconfigured(self.known[key], configuration)

    def _named(self, values: Mapping[str, Any]) -> tuple[object, ...]:
        return tuple(values.get(path) for path in self.search.spans if shapes(self.task, path))


class _Reporter:
    """Tells Optuna of each epoch, and gives a trial up where it says so."""

    def __init__(self, trial: "optuna.Trial", watcher: TuningWatcher) -> None:
        self.own, self.watcher = trial, watcher

    def step(self, epoch: int, step: int, steps: int, loss: float) -> None:
        """A step is done."""
        self.watcher.step(epoch, step, steps, loss)

    def epoch(self, record: dict[str, Any], epochs: int) -> None:
        """An epoch is done."""
        import optuna

        self.watcher.epoch(record, epochs)
        self.own.report(record["validation"]["loss"], record["epoch"])
        if self.own.should_prune():
            raise optuna.TrialPruned


def _tried(
    task: Task, prepare: Callable[[], Prepared], rung: str, trial: "optuna.Trial", home: Path, watcher: TuningWatcher
) -> tuple[float | None, "optuna.trial.TrialState"]:
    """The validation score of a trial; none where it was given up, its values do not fit, or its loss was no number."""
    import optuna

    try:
        prepared = prepare()
    except InputError:
        return None, optuna.trial.TrialState.PRUNED
    try:
        fitted = task.fit(prepared, rung, Attempt(home, _Reporter(trial, watcher)))
    except (optuna.TrialPruned, DivergedError):
        return None, optuna.trial.TrialState.PRUNED
    score = task.evaluate(prepared, fitted, "validation").metrics[task.measure.score]
    return float(score), optuna.trial.TrialState.COMPLETE


def _study(folder: Path, seed: int) -> "optuna.Study":
    """The study of a run's folder; trials that were under way as it was stopped are proposed again."""
    try:
        import optuna
        from optuna.storages import JournalStorage
        from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock
    except ImportError:
        raise MissingError("tuning needs Optuna: pip install 'foretell[tune]'", extra="tune") from None

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    path = str(folder / JOURNAL)
    storage = JournalStorage(JournalFileBackend(path, lock_obj=JournalFileOpenLock(path)))
    known = optuna.study.get_all_study_names(storage)
    done = len(optuna.load_study(study_name="tune", storage=storage).trials) if known else 0
    study = optuna.create_study(
        storage=storage,
        study_name="tune",
        load_if_exists=True,
        sampler=optuna.samplers.TPESampler(seed=seed + done),
        pruner=optuna.pruners.MedianPruner(n_startup_trials=BEFORE_PRUNING, n_warmup_steps=1),
    )
    for trial in study.get_trials(states=(optuna.trial.TrialState.RUNNING,)):
        study.tell(trial.number, state=optuna.trial.TrialState.FAIL)
        study.enqueue_trial(trial.params)
    return study


def _proposed(trial: "optuna.Trial", path: str, span: Span) -> Any:
    if isinstance(span, Choices):
        return trial.suggest_categorical(path, span.values)
    if isinstance(span.low, int) and isinstance(span.high, int):
        return trial.suggest_int(path, span.low, span.high, log=span.log)
    return trial.suggest_float(path, span.low, span.high, log=span.log)


def _finished(study: "optuna.Study") -> list[Any]:
    from optuna.trial import TrialState

    return study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED))


def _complete(study: "optuna.Study") -> list[Any]:
    from optuna.trial import TrialState

    return study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))


def _told(study: "optuna.Study") -> dict[str, Any]:
    """What a search came to, as a JSON object."""
    import optuna

    complete, finished = _complete(study), _finished(study)
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
    complete = _complete(study)
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
    for trial in _finished(study):
        given = [_shown(trial.params.get(path)) for path in search.spans]
        given_up = trial not in complete  # its value is that of the epoch at which it was given up
        rows.append([trial.number + 1, *given, trial.value, "given up" if given_up else ""])
    found = ", ".join(f"{path} {_shown(value)}" for path, value in told["best"].items())
    prose = f"{told['trials']} trials, {told['given_up']} of them given up early; the best on validation: {found}."
    grid = Grid("Trials", ["trial", *search.spans, label, ""], rows)
    return [Panel("Search", prose, [*figures, grid])]


def _shown(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
