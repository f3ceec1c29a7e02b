"""One row of the table: a case, without or with dropout, all contestants in turns."""

import math
import statistics
from dataclasses import dataclass

from ..measure import Row, rows
from .arithmetic import product_flops
from .cases import Case
from .contestants import OURS, PRODUCT, Worker
from .workers.product import FLOPS


@dataclass(frozen=True)
class Outcome:
    """How a race ended.

    Attributes:
        case: Its name.
        dropout: Whether there was dropout in every layer.
        rows: One for each contestant; ratios are against the fastest peer, the goal stands in our row.
        fastest_peer: Whose time the ratios are against; ours where no peer took part.
        variants: Which variant of each contestant took part.
        trials: Seconds of each variant when it was tried out.
        flops: Of the matrix products of a training step; 0 for a single step.
        product_speed: Floating-point operations a second of a large product, in turns with the contestants.
        limit_goal: At most so many times the limit, where that is a goal.
    """

    case: str
    dropout: bool
    rows: dict[str, Row]
    fastest_peer: str
    variants: dict[str, str]
    trials: dict[str, dict[str, float]]
    flops: int
    product_speed: float
    limit_goal: float | None

    @property
    def limit(self) -> float:
        """Seconds that the matrix products take at the speed of a large one."""
        return self.flops / self.product_speed

    @property
    def times_the_limit(self) -> float | None:
        """Our time over the limit."""
        return self.rows[OURS].seconds / self.limit if self.flops and OURS in self.rows else None


def fastest_processes(
    case: Case, dropout: bool, workers: list[Worker]
) -> tuple[dict[str, Worker], dict[str, str], dict[str, dict[str, float]]]:
    """By contestant: the process that is fastest at a case, the variant it keeps, the seconds of all variants."""
    chosen: dict[str, Worker] = {}
    variants: dict[str, str] = {}
    trials: dict[str, dict[str, float]] = {}
    for worker in workers:
        answer = worker.ask(case, dropout, steps=0)
        known = trials.setdefault(worker.name, {})
        mine = {name + worker.setting: seconds for name, seconds in answer.trials.items()}
        if not known or min(mine.values()) < min(known.values()):
            chosen[worker.name], variants[worker.name] = worker, answer.variant + worker.setting
        known.update(mine)
    return chosen, variants, trials


def race(case: Case, dropout: bool, workers: list[Worker]) -> Outcome:
    """Makes everyone ready, then lets everyone have turns until there are enough.

    Args:
        case: What is raced.
        dropout: Whether every layer has dropout.
        workers: All processes, that of the matrix product among them.
    """
    chosen, variants, trials = fastest_processes(case, dropout, workers)
    times: dict[str, list[float]] = {name: [] for name in chosen}
    calls = max(1, case.calls)
    for _ in range(case.turns):
        for name, worker in chosen.items():
            answer = worker.ask(case, dropout, 1 if name == PRODUCT.name else case.steps)
            if not math.isfinite(answer.loss):
                raise RuntimeError(f"{case.name}: the loss of {name} is {answer.loss}: its time means nothing")
            times[name] += [seconds / (1 if name == PRODUCT.name else calls) for seconds in answer.seconds]
    product = statistics.median(times.pop(PRODUCT.name))
    peers = {name: statistics.median(own) for name, own in times.items() if name != OURS}
    fastest_peer = min(peers, key=lambda name: peers[name]) if peers else OURS
    goal = case.goals[dropout]
    goals = {OURS: (f"≥ {goal:g}×", lambda _, ratio: ratio >= goal)} if peers else {}
    return Outcome(
        case.name,
        dropout,
        {row.contestant: row for row in rows(case.name, times, fastest_peer, goals)},
        fastest_peer,
        {name: words for name, words in variants.items() if name != PRODUCT.name},
        {name: seconds for name, seconds in trials.items() if name != PRODUCT.name},
        0 if case.calls else product_flops(case),
        FLOPS / product,
        case.limit,
    )
