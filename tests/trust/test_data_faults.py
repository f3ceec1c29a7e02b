"""Faults that are put into sound data are named by ``foretell data check``; sound data are left alone."""

import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ..tasks.commands import Run
from .amounts import Figures, much
from .faulty import Fault, Sound, faults

NAMED = 0.95
_PLACE = re.compile(r"(?:row|line|pair) (\d[\d,]*)")


def is_named(fault: Fault, document: dict[str, Any]) -> bool:
    """Whether a finding that is no mere note on reading names the column, or a row, in which a fault lies."""
    for finding in document["findings"]:
        message = finding["message"]
        if finding.get("column") in fault.columns or any(f'"{column}"' in message for column in fault.columns):
            return True
        places = [int(place.replace(",", "")) for place in _PLACE.findall(message)]
        if any(abs(place - row) <= fault.off for place in places for row in fault.rows if not fault.columns):
            return True
    return False


@pytest.fixture(scope="module")
def sound() -> Sound:
    folder = Path(os.environ.get("FORETELL_SHARED", Path(__file__).parents[3] / "shared")) / "data"
    return Sound(folder if folder.is_dir() else None)


def test_faults_are_named_with_their_row_or_column(sound: Sound, run: Run, tmp_path: Path, figures: Figures) -> None:
    missed, count = [], 0
    for seed in range(much(1, 8)):
        for name, make in faults(sound).items():
            fault = make(tmp_path, np.random.default_rng([seed, *name.encode()]))
            found = run("data", "check", *fault.arguments, "--json")
            assert found.code in (0, 3), found.err
            count += 1
            if not is_named(fault, found.document):
                missed.append(f"{name}, seed {seed}: {fault.columns or fault.rows[:3]}")
    figures(faults=count, named=count - len(missed), missed="; ".join(missed))
    assert count - len(missed) >= NAMED * count, missed
