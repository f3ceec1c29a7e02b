"""How much memory a training on many short texts takes: ``python -m benchmarks.reviews.memory [TEXTS ...]``.

Made texts of 20 words in Parquet files; a process of its own trains an LSTM for 50 steps beside the baselines, and the
anonymous memory that it holds (RssAnon, Linux alone) is looked at five times a second.
"""

import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

COUNTS = (250_000, 1_000_000)
WORDS, LENGTH, AT_ONCE = 30_000, 20, 50_000


def write_texts(path: Path, count: int) -> None:
    """Texts whose words are as unevenly frequent as those of a language; one word of each tells its label."""
    generator = np.random.default_rng(0)
    words = np.array([f"w{number}" for number in range(WORDS)])
    schema = pa.schema([("text", pa.string()), ("label", pa.int64())])
    with pq.ParquetWriter(path, schema) as writer:
        for start in range(0, count, AT_ONCE):
            size = min(AT_ONCE, count - start)
            labels = generator.integers(0, 2, size)
            drawn = np.minimum(generator.zipf(1.3, (size, LENGTH)) - 1, WORDS - 101)
            drawn[:, 0] = WORDS - 100 + 50 * labels + generator.integers(0, 50, size)
            texts = [" ".join(row) for row in words[drawn]]
            writer.write_table(pa.table({"text": texts, "label": labels}, schema))


def peak(path: Path, rung: str, folder: str) -> tuple[float, float]:
    """The most anonymous memory of a training, in MB, and its seconds."""
    command = [sys.executable, "-m", "foretell", "train", "classify", str(path), "--rung", rung, "--runs-dir", folder]
    started, most = time.perf_counter(), 0
    process = subprocess.Popen(
        [*command, "--epochs", "1", "--steps-per-epoch", "50", "--quiet"], stdout=subprocess.DEVNULL
    )
    status = Path(f"/proc/{process.pid}/status")
    while process.poll() is None:
        found = re.search(r"RssAnon:\s+(\d+)", status.read_text()) if status.exists() else None
        most = max(most, int(found[1]) if found else 0)
        time.sleep(0.2)
    return most / 1024, time.perf_counter() - started


def main() -> None:
    """Measures and prints."""
    counts = [int(argument) for argument in sys.argv[1:]] or COUNTS
    with tempfile.TemporaryDirectory() as folder:
        for count in counts:
            path = Path(folder) / f"{count}.parquet"
            write_texts(path, count)
            for rung in ("lstm",):
                memory, seconds = peak(path, rung, folder)
                print(f"{count:,} texts, {rung}: at most {memory:,.0f} MB, {seconds:.0f} s", flush=True)


if __name__ == "__main__":
    main()
