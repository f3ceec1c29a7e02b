"""How the peak of memory grows with the picture: ``python -m benchmarks.dreaming.memory [SIDE ...]``.

Each side is a process of its own that reads a PNG, dreams over it with the built-in network (mood faces, 2 octaves of
one step), and writes a PNG; its peak is what the system says of it at its end.
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from PIL import Image

from . import picture

SIDES = (1024, 4096)
CHILD = """
import resource, sys
from foretell.cli.main import main
try:
    main(["dream", sys.argv[1], "-o", sys.argv[2], "--quiet", "--octaves", "2", "--steps", "1"])
except SystemExit as stopped:
    if stopped.code:
        raise
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
"""


def peak(side: int, folder: Path) -> tuple[int, float]:
    """The most memory of a dream, in bytes, and its seconds.

    Args:
        side: Rows and columns of the picture.
        folder: For the pictures.
    """
    path = folder / f"{side}.png"
    Image.fromarray(picture().bytes_array()).resize((side, side)).save(path, compress_level=1)
    started = time.perf_counter()
    command = [sys.executable, "-c", CHILD, str(path), str(folder / "out.png")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return int(done.stdout.splitlines()[-1]), time.perf_counter() - started


def main() -> None:
    """Measures and prints."""
    sides = [int(argument) for argument in sys.argv[1:]] or SIDES
    with tempfile.TemporaryDirectory() as folder:
        first = 0
        for side in sides:
            most, seconds = peak(side, Path(folder))
            first = first or most
            images = (most - first) / (12 * side * side)
            print(f"{side}×{side}: {most / 1e6:,.0f} MB, {seconds:.0f} s, {images:.1f} float images above the first")


if __name__ == "__main__":
    main()
