"""Runs every benchmark, prints one table, and writes it to docs/benchmarks.md and benchmarks/results.json.

Parts that are named (``python -m benchmarks reviews``) are run alone: their rows give way to the new ones, and the page
says when and where each part was measured. Contestants always take turns within their part.
"""

import json
import platform
import sys
from dataclasses import asdict
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

from . import dreaming, generation, lecture, reading, reviews, serving, startup, translation, windows
from .measure import Row, machine, shown

HERE = Path(__file__).parent
KEPT = HERE / "results.json"
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


def heads(parts: dict[str, dict[str, Any]]) -> str:
    """When and where each part was measured, in a line for each run."""
    names: dict[str, list[str]] = {}
    for name, part in parts.items():
        names.setdefault(part["head"], []).append(name)
    return "\n".join(f"- {', '.join(own)}: {head}" for head, own in names.items())


def main() -> None:
    """Measures, prints, writes."""
    kept: dict[str, dict[str, Any]] = json.loads(KEPT.read_text("utf-8"))
    versions = ", ".join(f"{name} {version(name)}" for name in ("torch", "polars", "numpy"))
    head = f"{date.today()}, {machine()}, Python {platform.python_version()}, {versions}"
    print(head)
    for name in sys.argv[1:] or PARTS:
        measured = PARTS[name].measure()
        print(f"\n{table(measured)}", flush=True)
        kept[name] = {"head": head, "rows": [asdict(row) for row in measured]}
    parts = {name: kept[name] for name in PARTS if name in kept}
    KEPT.write_text(json.dumps(parts, indent=1) + "\n", "utf-8")
    body = table([Row(**row) for part in parts.values() for row in part["rows"]])
    (HERE.parent / "docs" / "benchmarks.md").write_text(
        "# Benchmarks\n\nMade by `make bench`. Contestants take turns; times are medians, the spread is the distance "
        "between the quartiles, and a ratio is the time of the first contestant over this one's (where the goal names "
        "the generator, that of the lectures' generator). Half of copying means copying from the table, where windows "
        f"come from too; within the cache nothing has to be fetched.\n\n{heads(parts)}\n\n{body}\n",
        "utf-8",
    )


if __name__ == "__main__":
    main()
