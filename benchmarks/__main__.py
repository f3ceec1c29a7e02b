"""Runs every benchmark, prints one table, and writes it to docs/benchmarks.md and benchmarks/results.json.

Parts that are named (``python -m benchmarks reviews``) are run alone, and only printed.
"""

import json
import platform
import sys
from dataclasses import asdict
from datetime import date
from importlib.metadata import version
from pathlib import Path

from . import dreaming, generation, lecture, reading, reviews, serving, startup, translation, windows
from .measure import Row, machine, shown

HERE = Path(__file__).parent
PARTS = {
    "startup": startup,
    "reading": reading,
    "windows": windows,
    "serving": serving,
    "reviews": reviews,
    "generation": generation,
    "translation": translation,
    "dreaming": dreaming,
    "lecture": lecture,
}


def table(measured: list[Row]) -> str:
    """The rows as Markdown."""
    lines = [
        "| what | whose | median | a second | spread | ratio | goal | |",
        "| --- | --- | ---: | ---: | ---: | ---: | --- | --- |",
    ]
    for row in measured:
        met = "" if row.met is None else "met" if row.met else "MISSED"
        lines.append(
            f"| {row.what} | {row.contestant} | {shown(row.seconds)} | {row.rate} | "
            f"{row.spread:.0%} | {row.ratio:.2f} | {row.goal} | {met} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Measures, prints, writes."""
    named = sys.argv[1:] or list(PARTS)
    measured = [row for name in named for row in PARTS[name].measure()]
    versions = ", ".join(f"{name} {version(name)}" for name in ("torch", "polars", "numpy"))
    head = f"{date.today()}, {machine()}, Python {platform.python_version()}, {versions}"
    body = table(measured)
    print(f"{head}\n\n{body}")
    if named != list(PARTS):
        return
    (HERE / "results.json").write_text(
        json.dumps({"head": head, "rows": [asdict(row) for row in measured]}, indent=1) + "\n"
    )
    (HERE.parent / "docs" / "benchmarks.md").write_text(
        "# Benchmarks\n\nMade by `make bench`. Contestants take turns; times are medians, the spread is the distance "
        "between the quartiles, and a ratio is the time of the first contestant over this one's (where the goal names "
        "the generator, that of the lectures' generator). Half of copying means copying from the table, where windows "
        f"come from too; within the cache nothing has to be fetched.\n\n{head}\n\n{body}\n"
    )


if __name__ == "__main__":
    main()
