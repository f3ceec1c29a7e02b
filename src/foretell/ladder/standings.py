"""How rungs stand: results as they come in, rows in ladder order, each judged against the best baseline."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..tasks.interface import Task
from .trials import Outcome, Result, skill_against


@dataclass
class Climb:
    """What a climb came to.

    Attributes:
        rows: The leaderboard, in ladder order.
        results: Every rung that learned.
        reference: The baseline that models are judged against.
        best: The rung with the best validation score.
    """

    rows: list[dict[str, Any]] = field(default_factory=list)
    results: dict[str, Result] = field(default_factory=dict)
    reference: str = ""
    best: str = ""

    @property
    def chosen_on(self) -> str:
        """The windows on which reference and best were chosen, in words."""
        folds = {outcome.trial.fold for result in self.results.values() for outcome in result.outcomes}
        return "the first fold's validation" if len(folds) > 1 else "validation"


class Standings:
    """Rungs and what their trials came to, in whatever order these end.

    A rung's row is told as soon as all its trials are over; that of a model waits for the last baseline.

    Args:
        task: Whose rungs.
        counts: How many trials each rung has, in ladder order, baselines first.
        baselines: Those of them that others are judged against.
        told: Is called with each row, and with the reference once it is known.
    """

    def __init__(
        self,
        task: Task,
        counts: Mapping[str, int],
        baselines: list[str],
        told: Callable[[dict[str, Any], str | None], None],
    ) -> None:
        self._task, self._counts, self._baselines, self._told = task, counts, baselines, told
        self._outcomes: dict[str, dict[int, Outcome]] = {name: {} for name in counts}
        self._results: dict[str, Result] = {}
        self._rows: dict[str, dict[str, Any]] = {}
        self._reference = ""
        self._waiting: list[str] = []  # models that were done before the last baseline

    def has(self, name: str, number: int) -> bool:
        """Whether a trial of a rung is over."""
        return number in self._outcomes[name]

    def before(self, name: str) -> dict[str, Result]:
        """What the rungs before another came to."""
        order = list(self._counts)
        return {own: self._results[own] for own in order[: order.index(name)] if own in self._results}

    def add(self, name: str, number: int, outcome: Outcome) -> None:
        """A trial of a rung is over."""
        self._outcomes[name][number] = outcome
        if len(self._outcomes[name]) < self._counts[name]:
            return
        self._results[name] = Result(name, [own for _, own in sorted(self._outcomes[name].items())])
        self._rows[name] = self._row(self._results[name])
        if name not in self._baselines:
            self._waiting.append(name)
        elif set(self._baselines) <= set(self._rows):
            self._reference = self._best(self._baselines)
            for own in self._baselines:
                self._judge(own)
        if name in self._baselines:
            self._told(self._rows[name], self._reference or None)
        while self._reference and self._waiting:
            model = self._waiting.pop(0)
            self._judge(model)
            self._told(self._rows[model], self._reference)

    def climb(self) -> Climb:
        """What all of it came to."""
        rows = [self._rows[name] for name in self._counts]
        results = {name: self._results[name] for name in self._counts}
        return Climb(rows, results, self._reference, self._best(list(results)))

    def _best(self, names: list[str]) -> str:
        return min(names, key=lambda name: self._results[name].score(self._task.measure.score))

    def _judge(self, name: str) -> None:
        skill = skill_against(self._results[name], self._results[self._reference])
        self._rows[name] |= {"skill": skill.document(), "verdict": skill.verdict}

    def _row(self, result: Result) -> dict[str, Any]:
        first = result.kept(self._task.measure.score).fitted
        return {
            "rung": result.rung,
            "kind": self._task.rungs[result.rung].kind,
            "split": {span: result.metrics(span) for span in ("validation", "test")},
            "skill": None,
            "verdict": "unclear",
            "seconds": round(sum(outcome.seconds for outcome in result.outcomes), 3),
            "parameters": first.parameters,
            "run": None,
            "note": first.note,
        }
