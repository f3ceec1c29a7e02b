"""Makes the pictures of docs/dream.md with the commands that stand there: ``python tools/make_dreams.py [PHOTOS]``.

A picture of all layers, side by side, is made from Python. It takes about four minutes on two cores.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

import foretell as ft
from foretell.tasks.dream.builtin import GOOD_FOR
from foretell.tasks.dream.noise import laid_out

ROOT = Path(__file__).parent.parent
TARGET = ROOT / "docs" / "dream"
COMMANDS = [
    "dream coffee.png -o lines.png --mood lines",
    "dream coffee.png -o eyes.png --mood eyes",
    "dream coffee.png -o faces.png --mood faces",
    "dream coffee.png -o flowers.png --mood flowers",
    "dream coffee.png -o guided.png --guide chelsea.png --layers _blocks.8",
    "dream --grid 16 --channel _blocks.10:96 --size 160 -o filters.png",
    "dream small.png --film zoom.webp --zoom 30 --fps 12",
]


def main(arguments: list[str]) -> None:
    """Makes all of them."""
    photos = Path(arguments[0]) if arguments else ROOT.parent / "shared" / "data" / "dream"
    TARGET.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder)
        for name in ("coffee.png", "chelsea.png"):
            shutil.copy(photos / name, made)
        with Image.open(photos / "coffee.png") as photo:
            photo.convert("RGB").resize((240, 160)).save(made / "small.png")
            part = photo.convert("RGB").crop((330, 60, 550, 280))
        for command in COMMANDS:
            print(f"foretell {command}", flush=True)  # noqa: T201
            words = [sys.executable, "-m", "foretell", *command.split(), "--quiet"]
            subprocess.run(words, cwd=made, check=True, stdout=subprocess.DEVNULL)  # noqa: S603
        names = [name for name in GOOD_FOR if name != "_fc"]
        dreams = [ft.Dreamer(layers=name).dream(part).picture.bytes_array() for name in names]
        laid_out(dreams, names).save(made / "layers.png")
        for path in sorted(made.glob("*.png")):
            if path.name not in ("small.png", "chelsea.png"):
                with Image.open(path) as picture:
                    picture.convert("RGB").save(TARGET / f"{path.stem}.jpg", quality=85)
        shutil.copy(made / "zoom.webp", TARGET)


if __name__ == "__main__":
    main(sys.argv[1:])
