"""Thousands of trainings and answers in one process hold no more memory, objects, files, threads or children than the first few."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ..distributed.starting import surroundings
from .amounts import LONG, Figures

pytest.importorskip("lightgbm", reason="boosted trees need foretell[trees]")
pytest.importorskip("sklearn", reason="linear baselines of texts need foretell[classify]")
pytest.importorskip("fastapi", reason="services need foretell[serve]")
if not sys.platform.startswith("linux"):
    pytest.skip("what a process holds is read from Linux's /proc", allow_module_level=True)

# Rounds after the warm-up: in CI, where what shares most of its way with others is left out, and under make trust, where
# trainings add up to 10,000.
ROUNDS = {
    "forecast": (3, 2000),
    "trees": (0, 1000),
    "classify": (0, 1500),
    "linear": (0, 500),
    "generate": (0, 1500),
    "translate": (3, 1000),
    "recall": (0, 1000),
    "dream": (0, 500),
    "store": (3, 500),
    "estimators": (6, 1000),
    "kernels": (20, 4000),
    "loads": (0, 1000),
    "service": (3, 500),
    "broken": (3, 12),  # which leaks on purpose, so that it is seen that leaks are seen
}
SAMPLES = 3, 12
# Bytes that memory may grow by in a round. A few rounds still fill caches; over thousands a leak shows.
GROWTH = 300_000, 1024
OBJECTS = 200, 20  # that Python's collector may see more of in a round; they show a leak long before memory does
PATIENCE = 14_400.0 if LONG else 400.0


def test_the_same_work_again_and_again_holds_no_more_than_at_first(tmp_path: Path, figures: Figures) -> None:
    for name in ("work", "scratch"):
        (tmp_path / name).mkdir()
    tried = {kind: rounds[LONG] for kind, rounds in ROUNDS.items() if rounds[LONG]}
    asked = "".join(json.dumps([kind, rounds, SAMPLES[LONG]]) + "\n" for kind, rounds in tried.items())
    done = subprocess.run(
        [sys.executable, "-m", "tests.trust.leaking"],
        input=asked,
        cwd=tmp_path / "work",
        env=surroundings(TMPDIR=str(tmp_path / "scratch")),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    slopes, wrong = {}, []
    for kind, line in zip(tried, done.stdout.splitlines(), strict=True):
        found = json.loads(line)
        # What is held at the end may not be more than after the warm-up; threads of a pool may begin late, once.
        for what, room in (("files", 0), ("children", 0), ("left", 0), ("threads", 2)):
            if found[-1][what] > found[0][what] + room:
                wrong.append(f"{kind}: {what} {[own[what] for own in found]}")
        # What leaks grows all along, while an allocator takes another piece of memory now and then. So of many
        # stretches the median counts, and of a few the one that grew least.
        typical = np.median if LONG else np.min
        rounds = np.diff([own["round"] for own in found])
        growth = {
            what: float(typical(np.diff([own[what] for own in found]) / rounds)) for what in ("memory", "objects")
        }
        slopes[kind] = growth["memory"]
        if growth["objects"] > OBJECTS[LONG]:
            wrong.append(f"{kind}: objects {[own['objects'] for own in found]}")
        if growth["memory"] > GROWTH[LONG]:
            wrong.append(f"{kind}: {slopes[kind]:,.0f} bytes a round {[own['memory'] for own in found]}")
    told = [line.partition(" ")[0] + line.partition(" ")[2].partition(" ")[0] for line in wrong if line[:6] == "broken"]
    assert told == [
        "broken:files",
        "broken:left",
        "broken:threads",
        "broken:objects",
        f"broken:{slopes['broken']:,.0f}",
    ], wrong
    others = [line for line in wrong if not line.startswith("broken")]
    assert not others, "\n".join(others)
    figures(rounds=sum(tried.values()), **{f"{kind}_bytes": round(own) for kind, own in slopes.items()})
