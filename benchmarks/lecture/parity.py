"""The lectures' models at full size beside Keras: parameters, and outputs on the same weights.

Run with ``python -m benchmarks.lecture.parity``; Keras's part runs in its own environment.
"""

import subprocess
import tempfile
from pathlib import Path

import numpy as np
import torch
from tests.golden.keras_models import copied, redundant

from . import PEERS

STEPS, FEATURES, UNITS, BATCH = 240, 14, 32, 8


def table() -> str:
    """A row for each model, as Markdown."""
    lines = [
        "| model | Keras's parameters | ours | of two biases one | largest difference |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "keras.npz"
        sizes = [str(size) for size in (STEPS, FEATURES, UNITS, BATCH)]
        script = str(Path(__file__).parent / "keras_parity.py")
        subprocess.run([str(PEERS), script, str(path), *sizes], check=True, capture_output=True)
        stored = np.load(path)
        for rung in dict.fromkeys(name.partition("/")[0] for name in stored.files if name != "inputs"):
            count = sum(name.startswith(f"{rung}/") for name in stored.files) - 2
            network = copied(rung, STEPS, FEATURES, UNITS, [stored[f"{rung}/{number}"] for number in range(count)])
            with torch.inference_mode():
                outputs = network(torch.from_numpy(stored["inputs"]))[:, 0].numpy()
            expected = stored[f"{rung}/outputs"]
            ours = sum(weight.numel() for weight in network.parameters())
            difference = float((np.abs(outputs - expected) / np.maximum(1, np.abs(expected))).max())
            theirs = int(stored[f"{rung}/parameters"])
            lines.append(f"| `{rung}` | {theirs:,} | {ours:,} | {redundant(network):,} | {difference:.1e} |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table())
