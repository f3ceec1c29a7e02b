"""Whether a text gets the same translation alone, beside six others, and in another order.

``python -m benchmarks.translation.company RUN TEXTS``, with a text on each line of TEXTS.
"""

import random
import sys
from pathlib import Path
from typing import Any

import foretell as ft


def main(run: str, texts: str) -> None:
    """Prints how many translations are the same, greedy and by the beam that the model was judged with."""
    model, lines = ft.load(run), Path(texts).read_text(encoding="utf-8").splitlines()
    order = random.Random(1).sample(range(len(lines)), len(lines))
    for name, options in (("greedy", {"greedy": True}), ("beam", {})):
        together = _translated(model, lines, len(lines), options)
        shuffled = dict(zip(order, _translated(model, [lines[i] for i in order], 7, options), strict=True))
        ways = {"alone": _translated(model, lines, 1, options), "in sevens": [shuffled[i] for i in range(len(lines))]}
        for way, found in ways.items():
            same = sum(one == other for one, other in zip(together, found, strict=True))
            print(f"{name}: {same:,} of {len(lines):,} are the same {way} as all at once")


def _translated(model: ft.Predictor, lines: list[str], beside: int, options: dict[str, Any]) -> list[str]:
    parts = [lines[first : first + beside] for first in range(0, len(lines), beside)]
    return [text for part in parts for text in model.predict(part, **options)["translation"]]


if __name__ == "__main__":
    main(*sys.argv[1:])
