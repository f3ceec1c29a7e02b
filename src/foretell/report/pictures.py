"""The same figures as one PNG, for a paper or a slide: lines only, one below the other."""

import io
import math
import warnings
from pathlib import Path

import numpy as np

from ..evaluation.panels import Figure
from ..files import write_atomically
from .figures import COLOURS


def save_picture(path: Path, figures: list[Figure]) -> None:
    """Draws figures of lines into one picture.

    Args:
        path: The PNG to write.
        figures: What to draw.

    Raises:
        StorageError: It cannot be written.
    """
    from matplotlib.figure import Figure as Canvas

    canvas = Canvas(figsize=(11, 5.5 * len(figures)), layout="constrained")
    for place, figure in enumerate(figures, 1):
        axes = canvas.add_subplot(len(figures), 1, place)
        for number, line in enumerate(figure.lines):
            places = np.asarray(line.x)
            values = np.array([math.nan if value is None else value for value in line.y])
            axes.plot(places, values, label=line.name, color=COLOURS[number % len(COLOURS)], linewidth=1.8)
        if figure.log and any(value is not None for line in figure.lines for value in line.y):
            axes.set_yscale("log")
        axes.set_title(figure.title, parse_math=False)
        axes.set_xlabel(figure.x_label, parse_math=False)
        axes.set_ylabel(figure.y_label, parse_math=False)
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
        if len(figure.lines) > 1:
            axes.legend(frameon=False)
    stream = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a letter that the font lacks is drawn as a box
        canvas.savefig(stream, format="png", dpi=120)
    write_atomically(path, stream.getvalue())
