"""Races the recurrent layers, prints the tables, writes docs/benchmarks-recurrent.md and results.json.

``--only "GRU 32,LSTM 32"`` and ``--contestants foretell,torch`` are for a quick look: they print and write nothing.
"""

import argparse
import json
import platform
import sys
import time
from contextlib import ExitStack
from datetime import date
from pathlib import Path

from ..measure import machine
from .cases import CASES
from .contestants import CONTESTANTS, PRODUCT, ROOT, Worker
from .page import INTRODUCTION, document, tables
from .racing import Outcome, race

HERE = Path(__file__).parent


def chosen(text: str | None, known: list[str]) -> list[str]:
    """Names from a list with commas, all where nothing was asked for."""
    asked = known if text is None else [name.strip() for name in text.split(",")]
    if unknown := [name for name in asked if name not in known]:
        raise SystemExit(f"there is no {unknown[0]!r}; there are: {', '.join(known)}")
    return asked


def main() -> None:
    """Starts everyone, races, prints, writes."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.recurrent", description=__doc__)
    parser.add_argument("--only", metavar="CASES", help="names of cases, with commas between them")
    parser.add_argument("--contestants", metavar="NAMES", help="names of contestants, with commas between them")
    options = parser.parse_args()
    cases = chosen(options.only, [case.name for case in CASES])
    names = chosen(options.contestants, [contestant.name for contestant in CONTESTANTS])
    taking_part = [PRODUCT, *(contestant for contestant in CONTESTANTS if contestant.name in names)]

    started = time.monotonic()
    outcomes: list[Outcome] = []
    with ExitStack() as stack:
        processes = [Worker(contestant, setting) for contestant in taking_part for setting in contestant.settings]
        workers = [stack.enter_context(process) for process in processes]
        versions = {name: version for worker in workers for name, version in worker.versions.items()}
        for case in CASES:
            for dropout in (False, True)[: len(case.goals)] if case.name in cases else ():
                print(f"{time.monotonic() - started:4.0f} s: {case.name}, dropout {dropout}", file=sys.stderr)
                outcomes.append(race(case, dropout, workers))

    listed = ", ".join(f"{name} {version}" for name, version in versions.items())
    head = f"{date.today()}, {machine()}, Python {platform.python_version()}, {listed}"
    body = tables(outcomes)
    print(f"{head}\n\n{body}")
    print(f"{time.monotonic() - started:4.0f} s in all", file=sys.stderr)
    if options.only or options.contestants:
        return
    rows = [document(outcome) for outcome in outcomes]
    (HERE / "results.json").write_text(json.dumps({"head": head, "rows": rows}, indent=1) + "\n", "utf-8")
    (ROOT / "docs" / "benchmarks-recurrent.md").write_text(
        f"# Benchmarks of the recurrent layers\n\n{INTRODUCTION}\n{head}\n\n{body}\n", "utf-8"
    )


if __name__ == "__main__":
    main()
