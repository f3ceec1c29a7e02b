"""Makes the pictures of docs/dream.md with the commands that stand there: ``python tools/make_dreams.py [FOLDER OF PHOTOS]``.

A picture of all layers, side by side, is made from Python. It takes about four minutes on two cores.
"""

import subprocess
import sys
from pathlib import Path

from PIL import Image

import foretell as ft
from foretell.tasks.dream.builtin import GOOD_FOR
from foretell.tasks.dream.noise import laid_out

ROOT = Path(__file__).parent.parent
TARGET = ROOT / "docs" / "dream"
COMMANDS = [
    "dream coffee.png -o lines.jpg --mood lines",
    "dream coffee.png -o eyes.jpg --mood eyes",
    "dream coffee.png -o faces.jpg --mood faces",
    "dream coffee.png -o flowers.jpg --mood flowers",
    "dream --grid 16 --channel _blocks.10:96 --size 160 -o filters.jpg",
    "dream coffee.png --guide chelsea.png --layers _blocks.8 -o guided.jpg",
    "dream small.png --film zoom.webp --zoom 40 --fps 12",
]


def main(arguments: list[str]) -> None:
    """Makes all of them."""
    photos = Path(arguments[0]) if arguments else ROOT.parent / "shared" / "data" / "dream"
    TARGET.mkdir(exist_ok=True)
    with Image.open(photos / "coffee.png") as photo:
        photo.convert("RGB").resize((300, 200)).save(TARGET / "small.png")
        part = photo.convert("RGB").crop((330, 60, 550, 280))
    for command in COMMANDS:
        words = [str(photos / word) if word in ("coffee.png", "chelsea.png") else word for word in command.split()]
        print(f"foretell {command}", flush=True)  # noqa: T201
        subprocess.run([sys.executable, "-m", "foretell", *words, "--quiet"], cwd=TARGET, check=True)  # noqa: S603
    names = [name for name in GOOD_FOR if name != "_fc"]
    dreams = [ft.Dreamer(layers=name).dream(part).picture.bytes_array() for name in names]
    laid_out(dreams, names).save(TARGET / "layers.jpg", quality=90)
    (TARGET / "small.png").unlink()


if __name__ == "__main__":
    main(sys.argv[1:])
