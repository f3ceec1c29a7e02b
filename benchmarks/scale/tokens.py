"""Corpora larger than memory: ``python -m benchmarks.scale.tokens`` learns from one of 2 GB through a store.

It says how fast the first pass is, how much room the store takes, how much memory of their own (RssAnon) reading,
training and judging take, and how fast training is beside the same text in memory. Each is measured in a process of
its own.
"""

import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from datetime import date
from pathlib import Path
from typing import Any

from ..corpora.tunes import tune_book
from ..measure import machine

ROOT = Path(__file__).parents[2]
PROSE = Path(os.environ.get("FORETELL_SHARED", ROOT.parent / "shared")) / "data" / "generate" / "nietzsche.txt"
LARGE, BOTH, SMALL = 2000, 90, 9  # MB of the corpus, of one that also fits into memory, and of one a tenth as large
CHANGED, PASSAGE, VARIANTS = 0.1, 20_000, 20  # share of the words, characters, how often each is changed anew
TURNS = 3
OPTIONS = {"steps_per_epoch": 300, "epochs": 1, "threads": 1}


def make_corpus(path: Path, megabytes: int, seed: int = 0) -> None:
    """Writes passages of prose in any order, each in several variants with some of its words exchanged.

    Args:
        path: The file.
        megabytes: How large it becomes.
        seed: Of what is exchanged.
    """
    text = PROSE.read_text("utf-8") if PROSE.exists() else tune_book(1500)
    chance, words, written = random.Random(seed), text.split(" "), 0
    starts = range(0, len(text), PASSAGE)
    passages = [changed(text[start : start + PASSAGE], words, chance) for _ in range(VARIANTS) for start in starts]
    with path.open("wb") as stream:
        while written < megabytes * 1_000_000:
            written += stream.write(chance.choice(passages))


def changed(passage: str, words: list[str], chance: random.Random) -> bytes:
    """A passage, some of its words exchanged."""
    own = [chance.choice(words) if chance.random() < CHANGED else word for word in passage.split(" ")]
    return (" ".join(own) + "\n").encode()


def learn(path: Path, cache: Path, folder: Path, store: str, tokens: str, rung: str) -> dict[str, Any]:
    """Reads a corpus and learns from it; how long each took, and the most memory of its own until then."""
    from foretell.tasks.generate.config import Configuration
    from foretell.tasks.generate.task import task
    from foretell.tasks.interface import Attempt, Silent

    watched = Watched()
    options = {**OPTIONS, "store": store, "cache_dir": cache, "tokens": tokens}
    configuration = Configuration.build(options, environment={})
    idle = watched.most
    started = time.perf_counter()
    prepared = task.prepare(path, configuration)
    found: dict[str, Any] = {"seconds": time.perf_counter() - started, "idle": idle, "reading": watched.most}
    if rung:
        fitted = task.fit(prepared, rung, Attempt(folder, Silent()))
        task.evaluate(prepared, fitted, "test")
        pieces = fitted.history[-1]["per_second"] if fitted.history else 0
        found["rate"] = pieces * prepared.of_rung(task.rungs[rung].options).configuration.streams.unroll
    return {**found, "most": watched.most}


class Watched:
    """The most memory of its own that this process has had."""

    def __init__(self) -> None:
        self.most = self._now()
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        while True:
            self.most = max(self.most, self._now())
            time.sleep(0.005)

    def _now(self) -> float:
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon:")) / 1000


def learned(path: Path, home: Path, store: str, tokens: str = "characters", rung: str = "lstm") -> dict[str, Any]:
    """The same in a process of its own."""
    with tempfile.TemporaryDirectory(dir=home) as folder:
        own = [str(path), str(home / "cache"), folder, store, tokens, rung]
        command = [sys.executable, "-m", "benchmarks.scale.tokens", *own]
        done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def main() -> None:
    """Measures and prints."""
    from foretell.data import cache

    print(f"{date.today()}, {machine()}")
    with tempfile.TemporaryDirectory(prefix="foretell-scale-") as folder:
        home, paths = Path(folder), {}
        for size in (SMALL, BOTH, LARGE):
            paths[size] = home / f"{size}.txt"
            make_corpus(paths[size], size)
        for size, tokens in ((LARGE, "characters"), (BOTH, "characters"), (BOTH, "words"), (BOTH, "bpe")):
            cache.clear(home / "cache")
            first = learned(paths[size], home, "yes", tokens, "")
            again = learned(paths[size], home, "yes", tokens, "")
            room = sum(own.bytes for own in cache.listed(home / "cache")) / 1e6
            print(
                f"{size} MB in {tokens}: first pass {first['seconds']:.1f} s, {size / first['seconds']:.0f} MB/s, "
                f"{first['reading']:.0f} MB of memory; store {room:.0f} MB; opened again in {again['seconds']:.1f} s"
            )
        for size in (SMALL, BOTH, LARGE):
            for rung in ("lstm", "ngram"):
                found = learned(paths[size], home, "yes", rung=rung)
                print(
                    f"{size} MB through the store: {rung} learned and was judged in {found['most']:.0f} MB of memory "
                    f"({found['idle']:.0f} MB before anything was read)"
                )
        print(f"{BOTH} MB in memory: lstm learned and was judged in {learned(paths[BOTH], home, 'no')['most']:.0f} MB")
        rates: dict[str, list[float]] = {"yes": [], "no": []}
        for _ in range(TURNS):
            for store, own in rates.items():
                own.append(learned(paths[BOTH], home, store)["rate"])
        through, held = (statistics.median(own) for own in rates.values())
        print(f"{BOTH} MB, lstm: {through:,.0f} tokens/s through the store, {held:,.0f} in memory")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        path, cached, into, *rest = sys.argv[1:]
        print(json.dumps(learn(Path(path), Path(cached), Path(into), *rest)))
    else:
        main()
