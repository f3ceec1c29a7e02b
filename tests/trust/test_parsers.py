"""Mutated files of every kind: read, or refused in one sentence, and nothing else; quickly, and in little memory.

A failing case is told by kind and number: ``python -m tests.trust.parsing png:17`` reads it again.
"""

import json
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from . import parsing
from .amounts import Figures, much
from .watching import Child

CASES = much(20_000, 1_000_000)
HANGING = 20.0  # seconds after which a case counts as one that never ends


def through(stretches: list[str], folder: Path) -> tuple[list[dict[str, Any]], list[str]]:
    """What came of stretches, in one process; where a case ends it, another one goes on after that case."""
    found, failures = [], []
    for attempt in count():
        if not stretches:
            return found, failures
        child = Child("tests.trust.parsing", stretches, folder / f"at{attempt}")
        for line in child.lines(HANGING):
            found.append(json.loads(line))
            stretches = stretches[1:]
        if stretches:
            name, _, last = stretches[0].split(":")
            died = child.at
            failures.append(f"{name}:{died}: it ended the process with {child.code}, or never came to an end")
            assert len(failures) < 10, failures
            stretches = [f"{name}:{max(died, 0) + 1}:{last}", *stretches[1:]]
    raise AssertionError


def test_mutated_files_are_read_or_refused(tmp_path: Path, figures: Figures) -> None:
    (shares,), _ = through_kinds(tmp_path)
    whole = sum(shares.values())
    stretches = [f"{name}:0:{max(1, CASES * share // whole)}" for name, share in shares.items()]
    found, failures = through(stretches, tmp_path)
    failures += [failure for own in found for failure in own["failures"]]
    assert not failures, "\n".join(failures[:50])
    cases = sum(own["read"] + own["refused"] for own in found)
    assert {own["kind"] for own in found if own["read"]} == set(shares), "of each kind some are still readable"
    assert {own["kind"] for own in found if own["refused"]} == set(shares)
    assert cases >= 0.99 * CASES
    figures(
        cases=cases,
        kinds=len(found),
        read=sum(own["read"] for own in found),
        refused=sum(own["refused"] for own in found),
        slowest_seconds=round(max(own["slowest"] for own in found), 2),
        most_megabytes=round(max(own["largest"] for own in found) / 2**20),
        processor_seconds=round(sum(own["seconds"] for own in found)),
    )


def through_kinds(folder: Path) -> tuple[list[dict[str, int]], int]:
    """The kinds, and how many of a thousand cases are of each."""
    child = Child("tests.trust.parsing", [], folder / "kinds")
    found = [json.loads(line) for line in child.lines(120)]
    return found, child.code


def test_sound_files_are_read(tmp_path: Path) -> None:
    """Else a reader that refuses everything would pass."""
    for name, kind in parsing.kinds(tmp_path).items():
        for seed in kind.seeds:
            path = tmp_path / f"sound{kind.suffix}"
            path.write_bytes(seed)
            kind.read(path)
            assert path.exists(), name


def test_a_case_is_the_same_each_time() -> None:
    kind = parsing.Kind([b"a,b\n1,2\n", b"{}"], ".csv", lambda path: None)
    assert [kind.mutated("csv", number) for number in range(50)] == [
        kind.mutated("csv", number) for number in range(50)
    ]
    assert len({kind.mutated("csv", number) for number in range(200)}) > 100


def test_what_is_wrong_is_seen(tmp_path: Path) -> None:
    """A reader that fails otherwise, holds much, or takes long, fails."""

    def failing(path: Path) -> object:
        raise KeyError(path.read_bytes()[:1])

    kinds = {
        "failing": parsing.Kind([b"abc"], ".a", failing),
        "greedy": parsing.Kind([b"abc"], ".a", lambda path: bytearray(400 * 2**20).find(b"x")),
    }
    for name in kinds:
        told = parsing.run(kinds, name, 0, 2, tmp_path, lambda number: None)
        assert len(told["failures"]) == 2, name


@pytest.mark.parametrize("how", ["abort", "sleep"])
def test_what_dies_or_hangs_is_seen(how: str, tmp_path: Path) -> None:
    child = Child("tests.trust.dying", [how], tmp_path / "at")
    assert list(child.lines(1.0)) == []
    assert (child.at, child.code < 0) == (17, True)
