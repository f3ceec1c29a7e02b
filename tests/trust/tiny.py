"""Tiny data of every task, and the commands that make tiny models of them."""

from pathlib import Path

import numpy as np
import polars as pl
from benchmarks.corpora.tunes import tune_book
from PIL import Image

from foretell.data.builtin.dates import dates

from ..tasks.made_texts import frame, reviews

ROWS = 400
FORECAST = ["forecast", "hourly.csv", "--target", "temperature", "--lookback", "12", "--ahead", "3"]
FORECAST += ["--units", "4", "--batch-size", "64", "--epochs", "2", "--trees", "8"]
CLASSIFY = ["classify", "reviews.csv", "--epochs", "2", "--units", "6", "--embedding", "8", "--batch-size", "16"]
GENERATE = ["generate", "tunes.abc", "--epochs", "1", "--units", "12", "--embedding", "12", "--feed-forward", "24"]
GENERATE += ["--heads", "2", "--layers", "1", "--batch-size", "8", "--unroll", "20", "--context", "16"]
GENERATE += ["--sample-length", "40"]
TRANSLATE = ["translate", "days.en", "days.iso", "--tokens", "characters", "--embedding", "16", "--units", "12"]
TRANSLATE += ["--layers", "1", "--heads", "2", "--feed-forward", "24", "--epochs", "1", "--batch-tokens", "800"]
TRANSLATE += ["--beam", "2", "--warmup-steps", "5"]
RECALL = ["recall", "--gap", "5", "--training-sequences", "400", "--validation-sequences", "80"]
RECALL += ["--test-sequences", "80", "--units", "8", "--epochs", "2"]
DREAM = ["dream", "photo.png", "--model", "tests.tasks.made_network:network", "--layers", "2", "--octaves", "2"]
DREAM += ["--steps", "3"]


def lay_out(folder: Path, turned: bool = False) -> None:
    """Writes a table, texts with labels, a corpus, pairs and a picture into a folder, always the same.

    Args:
        folder: Where; it need not be there.
        turned: Whether the files of a folder of texts are made in the opposite order.
    """
    folder.mkdir(parents=True, exist_ok=True)
    table(ROWS).write_csv(folder / "hourly.csv", datetime_format="%Y-%m-%d %H:%M:%S")
    frame(120).write_csv(folder / "reviews.csv")
    for place, (text, label) in sorted(enumerate(reviews(60)), reverse=turned):
        (folder / "texts" / label).mkdir(parents=True, exist_ok=True)
        (folder / "texts" / label / f"{place}.txt").write_text(text)
    (folder / "tunes.abc").write_text(tune_book(30))
    pairs = [(written, day) for written, day, _ in dates(150)]
    for place, language in enumerate(("en", "iso")):
        (folder / f"days.{language}").write_text("".join(f"{pair[place]}\n" for pair in pairs))
    shades = np.random.default_rng(0).integers(0, 256, (40, 48, 3), np.uint8)
    Image.fromarray(shades).save(folder / "photo.png")


def table(rows: int) -> pl.DataFrame:
    """Hours of a daily wave and of noise."""
    generator = np.random.default_rng(0)
    hours = np.arange(rows)
    wave = 10 + 5 * np.sin(2 * np.pi * hours / 24) + generator.normal(0, 0.3, rows)
    first = pl.datetime(2024, 1, 1)
    times = pl.datetime_range(first, first + pl.duration(hours=rows - 1), "1h", eager=True)
    return pl.DataFrame({"time": times, "temperature": wave.round(3), "noise": generator.normal(0, 1, rows).round(3)})
