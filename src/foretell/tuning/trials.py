"""Trials: values that Optuna proposes, as many at once as there is room for; its study lies in the run's folder."""

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from ..cluster.work import Failed, GivenUp, Result, Work
from ..errors import DivergedError, InputError, MissingError
from ..files import make_folder, write_atomically
from ..ladder import LadderWatcher
from ..ladder.following import Follower
from ..tasks.interface import Task
from ..tasks.rung import Choices, Span
from .spaces import Search, SearchedData

if TYPE_CHECKING:
    import optuna

JOURNAL, TRIALS = "study.jsonl", "trials"
BEFORE_PRUNING = 5  # trials that are always carried out to the end


@runtime_checkable
class TuningWatcher(LadderWatcher, Protocol):
    """Someone who is told how a search goes."""

    def trial(self, number: int, values: Mapping[str, Any]) -> None:
        """A trial begins."""
        ...

    def tried(self, number: int, outcome: str, best: bool) -> None:
        """A trial is over."""
        ...


@dataclass
class _Trial:
    """A trial that is under way.

    Attributes:
        own: Optuna's.
        number: Which one it is, counted from 1.
        reported: The last epoch that Optuna knows of.
        unwanted: Whether Optuna has given it up.
    """

    own: "optuna.Trial"
    number: int
    reported: int = 0
    unwanted: bool = False


class Trials:
    """The trials of a search: handed out as trainings, heard as they go, told to Optuna when they are over.

    Args:
        task: Whose rung.
        study: Optuna's.
        search: What is searched.
        data: The data for some values.
        folder: The run's folder.
        watcher: Is told how it goes.
        live_curves: Whether learning curves are to be written while trainings have no hold of their folders.
    """

    def __init__(
        self,
        task: Task,
        study: "optuna.Study",
        search: Search,
        data: SearchedData,
        folder: Path,
        watcher: TuningWatcher,
        *,
        live_curves: bool,
    ) -> None:
        self.task, self.study, self.search, self.data = task, study, search, data
        self.folder, self.watcher = folder / TRIALS, watcher
        self.follower = Follower(watcher, live_curves=live_curves)
        self._under_way: dict[str, _Trial] = {}

    def works(self) -> Iterator[Work]:
        """A training for each trial that is left; Optuna proposes its values when there is room for it."""
        for number in range(len(finished_trials(self.study)) + 1, self.search.trials + 1):
            trial = self.study.ask()
            values = {path: _proposed(trial, path, span) for path, span in self.search.spans.items()}
            self.watcher.trial(number, values)
            home = self.folder / f"{trial.number:03d}"
            make_folder(home)
            try:
                self.data(values)
            except InputError:
                self._conclude(_Trial(trial, number), None, home)
                continue
            work = Work(
                f"trial {number}",
                self.search.rung,
                self.data.shared(values),
                home,
                configuration=self.search.build(values),
                spans=("validation",),
                keeps_all=True,
            )
            self._under_way[work.name] = _Trial(trial, number)
            yield work

    def began(self, work: Work) -> None:
        """A trial's training begins."""
        self.follower.began(work)

    def step(self, work: Work, epoch: int, step: int, steps: int, loss: float) -> None:
        """A step is done."""
        self.follower.step(work, epoch, step, steps, loss)

    def epoch(self, work: Work, record: dict[str, Any], epochs: int) -> bool:
        """An epoch is done; Optuna says whether the trial goes on."""
        self.follower.epoch(work, record, epochs)
        trial = self._under_way[work.name]
        if record["epoch"] > trial.reported and not trial.unwanted:
            trial.own.report(record["validation"]["loss"], record["epoch"])
            trial.reported, trial.unwanted = record["epoch"], trial.own.should_prune()
        return not trial.unwanted

    def again(self, work: Work) -> None:
        """A trial's worker was lost."""
        self.follower.again(work)

    def ended(self, work: Work, result: Result) -> None:
        """A trial is over: it has a validation score, or was given up, or its loss was no number.

        Raises:
            Exception: What else its training failed of.
        """
        self.follower.ended(work, came_to_nothing=isinstance(result, Failed))
        trial, score = self._under_way.pop(work.name), None
        if not isinstance(result, Failed):
            score = float(result.evaluations["validation"].metrics[self.task.measure.score])
        elif not isinstance(result.error, GivenUp | DivergedError):
            raise result.error
        self._conclude(trial, score, work.folder)

    def _conclude(self, trial: _Trial, score: float | None, home: Path) -> None:
        from optuna.trial import TrialState

        self.study.tell(trial.own, score, TrialState.PRUNED if score is None else TrialState.COMPLETE)
        best = bool(complete_trials(self.study)) and self.study.best_trial.number == trial.own.number
        self.watcher.tried(trial.number, "given up" if score is None else f"{score:.4g}", best)
        if not best:
            shutil.rmtree(home / "checkpoint", ignore_errors=True)


def open_study(folder: Path, seed: int) -> "optuna.Study":
    """The study of a run's folder; trials that were under way as it was stopped are proposed again."""
    try:
        import optuna
        from optuna.storages import JournalStorage
        from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock
    except ImportError:
        raise MissingError("tuning needs Optuna: pip install 'foretell[tune]'", extra="tune") from None

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    path = str(folder / JOURNAL)
    _heal(folder / JOURNAL)
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


def _heal(journal: Path) -> None:
    """Takes away what a kill in the middle of a write left of a study: half a line, and a lock that nobody holds."""
    journal.with_name(f"{journal.name}.lock").unlink(missing_ok=True)
    content = journal.read_bytes() if journal.exists() else b""
    whole = content[: content.rfind(b"\n") + 1]
    if whole != content:
        write_atomically(journal, whole)


def _proposed(trial: "optuna.Trial", path: str, span: Span) -> Any:
    if isinstance(span, Choices):
        return trial.suggest_categorical(path, span.values)
    if isinstance(span.low, int) and isinstance(span.high, int):
        return trial.suggest_int(path, span.low, span.high, log=span.log)
    return trial.suggest_float(path, span.low, span.high, log=span.log)


def finished_trials(study: "optuna.Study") -> list[Any]:
    """The trials that are over."""
    from optuna.trial import TrialState

    return study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED))


def complete_trials(study: "optuna.Study") -> list[Any]:
    """Those of them that have a score."""
    from optuna.trial import TrialState

    return study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
