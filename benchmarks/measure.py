"""Fair races: contestants take turns, and medians of their times are compared."""

import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Row:
    """One measured claim.

    Attributes:
        what: What was measured, with its sizes.
        contestant: Whose time it is.
        seconds: Median time.
        spread: Distance between the quartiles, as a share of the median.
        ratio: Time of the reference over this time; above one is faster than the reference.
        goal: The goal in words, where there is one.
        met: Whether it was met.
        rate: How much is done in a second, where that is told.
    """

    what: str
    contestant: str
    seconds: float
    spread: float
    ratio: float
    goal: str = ""
    met: bool | None = None
    rate: str = ""


def race(contestants: Mapping[str, Callable[[], object]], repetitions: int, warm_up: int = 2) -> dict[str, list[float]]:
    """Times each contestant in turn, again and again, so that a busy moment of the machine hits all alike.

    Args:
        contestants: What to run, by name.
        repetitions: Turns for each.
        warm_up: Turns that do not count.
    """
    times: dict[str, list[float]] = {name: [] for name in contestants}
    for turn in range(repetitions + warm_up):
        for name, run in contestants.items():
            started = time.perf_counter()
            run()
            if turn >= warm_up:
                times[name].append(time.perf_counter() - started)
    return times


def rows(
    what: str,
    times: dict[str, list[float]],
    reference: str,
    goals: dict[str, tuple[str, Callable[[float, float], bool]]],
    done: tuple[int, str] | None = None,
) -> list[Row]:
    """The rows of a race.

    Args:
        what: What was measured.
        times: As :func:`race` gives them.
        reference: Whose time the ratios are against.
        goals: By contestant: the goal in words, and whether (seconds, ratio) meet it.
        done: How much each of them does in its time, and of what.
    """
    base = statistics.median(times[reference])
    made = []
    for name, own in times.items():
        middle = statistics.median(own)
        quarters = statistics.quantiles(own, n=4) if len(own) > 1 else [middle] * 3
        goal, test = goals.get(name, ("", None))
        met = test(middle, base / middle) if test else None
        rate = f"{done[0] / middle:,.0f} {done[1]}" if done else ""
        made.append(Row(what, name, middle, (quarters[2] - quarters[0]) / middle, base / middle, goal, met, rate))
    return made


def machine() -> str:
    """The processor, in a line."""
    info = Path("/proc/cpuinfo")
    names = (
        [line.partition(":")[2].strip() for line in info.read_text().splitlines() if line.startswith("model name")]
        if info.exists()
        else []
    )
    return f"{names[0] if names else platform.processor() or platform.machine()}, {os.cpu_count()} processors"


def shown(seconds: float) -> str:
    """A time in a unit that suits it."""
    for unit, size in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds * 1e6:.3g} µs"
