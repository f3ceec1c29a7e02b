"""Results in the kind of data frame that the user came with."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import narwhals as nw
import numpy as np
import polars as pl

from .tables import Table


def like(frame: pl.DataFrame, source: Any) -> Any:
    """A Polars frame as the kind of data frame that ``source`` is; Polars where it is none.

    Args:
        frame: A result.
        source: What the user gave: a path, a table, a list, or any data frame that narwhals knows.
    """
    if isinstance(source, str | Path | pl.DataFrame | Table | Sequence | np.ndarray):
        return frame
    backend = nw.from_native(source, eager_only=True, allow_series=True).implementation
    return nw.from_dict(frame.to_dict(as_series=True), backend=backend).to_native()
