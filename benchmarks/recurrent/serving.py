"""The contestant's side of a race: builds a case when it is first asked for, keeps its fastest variant, times steps.

A line of JSON comes in, ``{"case": "GRU 32", "dropout": true, "steps": 3}``, and a line goes out with the seconds of
each step, the last loss and the variant that was kept. No steps means: make ready. Between two lines the process
sleeps.
"""

import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TextIO

from .cases import CASES, Case

# A step that takes longer than this needs no repetition before it counts, and is tried out once.
LONG = 0.5
# Seconds of steps at the start of a turn that do not count.
WARM = 0.15


@dataclass(frozen=True)
class Variant:
    """One way in which a contestant can run a case.

    Attributes:
        name: What is special about it.
        step: Does one step, waits for its end, and gives the loss.
        before: What has to be set before a turn, the number of threads for instance.
    """

    name: str
    step: Callable[[], float]
    before: Callable[[], object] = bool


def times_of(variant: Variant, steps: int) -> tuple[list[float], float]:
    """The seconds of each step, and the last loss."""
    seconds, loss = [], 0.0
    for _ in range(steps):
        started = time.perf_counter()
        loss = variant.step()
        seconds.append(time.perf_counter() - started)
    return seconds, loss


def warm(variant: Variant) -> None:
    """Steps that do not count: a training is a long row of steps, and others had the processors since."""
    until = time.perf_counter() + WARM
    while time.perf_counter() < until:
        variant.step()


def tried(variant: Variant) -> float:
    """How long a step of it takes once everything is compiled and warm."""
    variant.before()
    times_of(variant, 2)
    (first,), _ = times_of(variant, 1)
    return first if first > LONG else statistics.median([first, *times_of(variant, 4)[0]])


def fastest(variants: Iterator[Variant]) -> tuple[Variant, dict[str, float]]:
    """The fastest variant, and the seconds of all."""
    best: Variant | None = None
    seconds: dict[str, float] = {}
    for variant in variants:
        seconds[variant.name] = tried(variant)
        if best is None or seconds[variant.name] < seconds[best.name]:
            best = variant
    if best is None:
        raise ValueError("a contestant needs at least one variant of each case")
    return best, seconds


def answers_alone() -> TextIO:
    """The standard output for answers; whatever a library prints goes to standard error from now on."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    return answers


def serve(versions: Mapping[str, str], variants: Callable[[Case, bool], Iterator[Variant]]) -> None:
    """Answers until standard input ends.

    Args:
        versions: Of the libraries that matter; said once, at the start.
        variants: The ways to run a case, without or with dropout.
    """
    answers = answers_alone()
    print(json.dumps({"versions": versions}), file=answers, flush=True)
    cases = {case.name: case for case in CASES}
    kept_for: tuple[str, bool] | None = None
    for line in sys.stdin:
        request = json.loads(line)
        case, dropout = cases[request["case"]], request["dropout"]
        if kept_for != (case.name, dropout):
            best, trials = fastest(variants(case, dropout))
            kept_for = (case.name, dropout)
        best.before()
        if request["steps"]:
            warm(best)
        seconds, loss = times_of(best, request["steps"])
        answer = {"seconds": seconds, "loss": loss, "variant": best.name, "trials": trials}
        print(json.dumps(answer), file=answers, flush=True)
