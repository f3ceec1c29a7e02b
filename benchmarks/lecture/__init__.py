"""The lectures' GRU from file to report, beside the Keras program of the slides as they write it."""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from ..example import write_csv
from ..measure import Row, rows

ROOT = Path(__file__).parents[2]
PEERS = ROOT / ".venv-peers" / "bin" / "python"
EPOCHS, TURNS = 5, 2
RECIPE = ["train", "--recipe", "lecture/jena-gru"]


def measure() -> list[Row]:
    """A quarter of the slides' epochs: 500 steps of 128 windows of 240 × 14, then all of validation.

    Ours also climbs the baselines, reads test and writes the report, once; theirs ends with the last epoch.
    """
    if not PEERS.exists():
        print("no Keras beside: run make bench, which installs it", file=sys.stderr)
        return []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "jena_climate_2009_2016.csv"
        write_csv(path)
        options = ["--epochs", str(EPOCHS), "--runs-dir", folder, "--json"]
        ours = [sys.executable, "-m", "foretell", *RECIPE, str(path), *options]
        theirs = [str(PEERS), str(Path(__file__).parent / "keras_program.py"), str(path), str(EPOCHS)]
        commands = {"the Keras program of the slides": theirs, "foretell": ours}
        times: dict[str, list[float]] = {name: [] for name in commands}
        for turn in range(TURNS):
            for name, command in commands.items():
                started = time.perf_counter()
                done = subprocess.run(command, capture_output=True, text=True, check=True)
                times[name].append(time.perf_counter() - started)
                print(f"turn {turn + 1}: {name} {times[name][-1]:.1f} s {_loss(done.stdout)}", file=sys.stderr)
    what = f"the lectures' GRU, file to report: {EPOCHS} epochs of 500 steps and validation, 420,551 rows"
    goals = {"foretell": ("5 × the Keras program", lambda _, ratio: ratio >= 5)}
    return rows(what, times, "the Keras program of the slides", goals)


def _loss(printed: str) -> str:
    """The validation error, to see that both do the same."""
    document = json.loads(printed[printed.index("{") :])
    if "rows" in document:
        return f"validation MAE {document['rows'][-1]['split']['validation']['mae_scaled']:.4f}"
    return f"validation MAE {document['validation']:.4f}"
