"""Makes the small pictures of what each layer of the built-in network likes, one below the other, for the page.

``python tools/make_layer_pictures.py`` takes about two minutes; each is dreamt over the same grey noise.
"""

from pathlib import Path

import numpy as np
from PIL import Image

import foretell as ft
from foretell.tasks.dream.builtin import GOOD_FOR

SIDE, SHOWN = 192, 96
TARGET = Path(__file__).parent.parent / "src" / "foretell" / "web" / "page" / "layers.webp"


def main() -> None:
    """Makes all of them."""
    names = [name for name in GOOD_FOR if name != "_fc"]
    sheet = Image.new("RGB", (SHOWN, SHOWN * len(names)))
    generator = np.random.default_rng(0)
    begin = (0.5 + generator.normal(0, 0.04, (SIDE, SIDE, 3))).clip(0, 1).astype(np.float32)
    for place, name in enumerate(names):
        dream = ft.Dreamer(layers=name, octaves=3, steps=16, decorrelate=True).dream(begin)
        sheet.paste(dream.image.resize((SHOWN, SHOWN)), (0, SHOWN * place))
        print(name, flush=True)  # noqa: T201
    sheet.save(TARGET, quality=45, method=6)


if __name__ == "__main__":
    main()
