"""Learns to write tunes and molecules from made corpora, and counts how many of those that it writes parse.

``python -m benchmarks.corpora [tunes] [molecules]``; ``--write FOLDER`` leaves the corpora there and learns nothing.
"""

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import foretell as ft
from foretell.tasks.generate.writing import Text

from .molecules import CHECKER, molecule_list, parses
from .tunes import faults, tune_book, tunes_of

TUNES, MOLECULES, WRITTEN, TEMPERATURE = 2000, 20_000, 500, 0.5


def tunes(path: Path) -> tuple[int, int]:
    """Tunes that were written, and how many of them are whole: a header, and bars of the metre's length."""
    path.write_text(tune_book(TUNES))
    generator = _learned(path)
    # Each begins where one begins, and ends before the next.
    found = _written(generator, ["X:"] * WRITTEN, length=1000, stop="\n\n")
    whole = [not faults(tune) for text in found for tune in tunes_of("X:" + text.text)[:1]]
    return len(whole), sum(whole)


def molecules(path: Path) -> tuple[int, int]:
    """Molecules that were written, and how many of them parse."""
    path.write_text(molecule_list(MOLECULES))
    found = _written(_learned(path), [""] * WRITTEN, length=200, stop="\n")
    return len(found), sum(parses(text.text) for text in found)


def _learned(path: Path) -> ft.Generator:
    started = time.perf_counter()
    generator = ft.Generator("lstm", units=256, epochs=20).fit(path)
    bits = generator.metrics_["test"]["bits_per_character"]
    print(f"{path.name}: {bits:.3f} bits per character on test, {time.perf_counter() - started:.0f} s")
    return generator


def _written(generator: ft.Generator, prompts: list[str], length: int, stop: str) -> list[Text]:
    learned: Any = generator.learned_
    found: list[Text] = learned.write(prompts, length=length, stop=stop, temperature=TEMPERATURE)
    return found


CORPORA: dict[str, tuple[str, Callable[[Path], tuple[int, int]], Callable[[], str]]] = {
    "tunes": ("tunes.abc", tunes, lambda: tune_book(TUNES)),
    "molecules": ("molecules.smi", molecules, lambda: molecule_list(MOLECULES)),
}


def main(asked: list[str]) -> None:
    """Learns, writes, counts."""
    if asked[:1] == ["--write"]:
        for file, _, make in CORPORA.values():
            (Path(asked[1]) / file).write_text(make())
        return
    with tempfile.TemporaryDirectory() as folder:
        for name in asked or CORPORA:
            file, count, _ = CORPORA[name]
            written, whole = count(Path(folder) / file)
            share = f"{whole} of {written}, {whole / written:.1%}"
            checker = CHECKER if name == "molecules" else "our own checker"
            print(f"{name}: of those that were written at temperature {TEMPERATURE} {share} parse, says {checker}")


if __name__ == "__main__":
    main(sys.argv[1:])
