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


def through(folder: Path) -> tuple[list[dict[str, Any]], list[str], int]:
    """What came of all cases, in one process; where a case ends it, another one goes on after that case."""
    found: list[dict[str, Any]] = []
    failures: list[str] = []
    left, kinds = [f"cases:{CASES}"], 0
    for attempt in count():
        child = Child("tests.trust.parsing", left, folder / f"at{attempt}")
        for line in child.lines(HANGING):
            if not kinds:
                left = json.loads(line)
                kinds = len(left)
                continue
            found.append(json.loads(line))
            left = left[1:]
        assert kinds, (folder / f"at{attempt}.err").read_text()[-2000:]
        if not left:
            return found, failures, kinds
        name, _, last = left[0].split(":")
        failures.append(f"{name}:{child.at}: it ended the process with {child.code}, or never came to an end")
        assert len(failures) < 10, failures
        left = [f"{name}:{max(child.at, 0) + 1}:{last}", *left[1:]]
    raise AssertionError


def test_mutated_files_are_read_or_refused(tmp_path: Path, figures: Figures) -> None:
    found, failures, kinds = through(tmp_path)
    failures += [failure for own in found for failure in own["failures"]]
    assert not failures, "\n".join(failures[:50])
    cases = sum(own["read"] + own["refused"] for own in found)
    assert len({own["kind"] for own in found if own["read"]}) == kinds, "of each kind some are still readable"
    assert len({own["kind"] for own in found if own["refused"]}) == kinds
    assert cases >= CASES
    figures(
        cases=cases,
        kinds=len(found),
        read=sum(own["read"] for own in found),
        refused=sum(own["refused"] for own in found),
        slowest_seconds=round(max(own["slowest"] for own in found), 2),
        most_megabytes=round(max(own["largest"] for own in found) / 2**20),
        processor_seconds=round(sum(own["seconds"] for own in found)),
    )


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
