"""Made reviews: words of feeling among others, so that a few texts are enough to learn from."""

from pathlib import Path

import numpy as np
import polars as pl

FEELING = {
    "pos": ("good", "great", "lovely", "fine", "superb", "moving"),
    "neg": ("bad", "awful", "dull", "poor", "boring", "weak"),
    "odd": ("strange", "weird", "queer", "curious", "peculiar", "uncanny"),
}
NOISE = 0.15  # of the texts feel otherwise than they are labelled, or not
OTHERS = ("the", "film", "was", "a", "story", "and", "actors", "in", "it", "scene", "music", "of", "we", "saw")


def reviews(count: int, labels: tuple[str, ...] = ("neg", "pos"), seed: int = 0) -> list[tuple[str, str]]:
    """Texts and their labels, as many of each."""
    generator = np.random.default_rng(seed)
    made = []
    for number in range(count):
        label = labels[number % len(labels)]
        words = list(generator.choice(OTHERS, generator.integers(3, 25)))
        felt = label if generator.random() > NOISE else str(generator.choice(labels))
        for _ in range(2):
            words.insert(int(generator.integers(0, len(words) + 1)), str(generator.choice(FEELING[felt])))
        made.append((" ".join(map(str, words)) + f" ({number})", label))
    return made


def frame(count: int, labels: tuple[str, ...] = ("neg", "pos"), seed: int = 0) -> pl.DataFrame:
    """The same as a table."""
    return pl.DataFrame(reviews(count, labels, seed), schema=["text", "label"], orient="row")


def folder(path: Path, count: int, spans: tuple[str, ...] = ("train", "test")) -> Path:
    """The same as a folder of folders."""
    for number, (text, label) in enumerate(reviews(count)):
        home = path / spans[number % 3 // 2] / label
        home.mkdir(parents=True, exist_ok=True)
        (home / f"{number}.txt").write_text(text, "utf-8")
    return path
