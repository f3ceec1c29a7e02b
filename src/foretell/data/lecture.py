"""The lectures' own windows (``--align lecture``), as their generator's listing draws them.

Two things differ from the listing or from our rule, both on purpose. Training anchors obey the timeline slide
(its 1-based τ runs from 1,441 to 199,856, rows 1,440 to 199,855 counted from 0), so that no training target
leaves the training span, which the listing overshoots by ``delay``. Validation and test windows are the
listing's: the last few targets of validation reach past its border, and where the listing's step count asks
for more batches than fit, its generator starts again, so that the first batch is scored twice.
"""

import numpy as np

from ..axes import AnchorArray
from ..errors import DataError
from .spans import Spans
from .tables import Table
from .windows import Anchors, WindowShape


def lecture_anchors(table: Table, shape: WindowShape, spans: Spans, batch_size: int) -> Anchors:
    """Training anchors to draw from at random, and the listing's validation and test anchors in order.

    Args:
        table: The rows, as they came.
        shape: What a window reads; its one lead is the listing's ``delay``.
        spans: Rows of training, validation and test.
        batch_size: Windows of a batch, which the listing's step counts depend on.

    Raises:
        DataError: A span has no full batch.
    """
    _, train_end, validation_end, end = spans.borders
    delay = shape.leads[1]
    anchors = {
        "train": np.arange(shape.lookback, train_end - delay),
        "validation": _listing(
            train_end + 1, min(validation_end, table.rows - delay), validation_end, shape.lookback, batch_size
        ),
        "test": _listing(validation_end + 1, min(end, table.rows - delay - 1), end, shape.lookback, batch_size),
    }
    absent = np.isnan(table.take(table.targets)).any(axis=1)
    kept = {name: rows[~absent[rows + delay]] for name, rows in anchors.items()}
    for name, rows in kept.items():
        if len(rows) == 0:
            raise DataError(
                f"{table.source}: the {name} span has no full batch of {batch_size} windows with "
                f"lookback {shape.lookback} "
                f"and ahead {delay}; choose other spans or a smaller batch",
                file=table.source,
                span=name,
            )
    return Anchors(kept, {"target_missing": sum(len(anchors[name]) - len(kept[name]) for name in anchors)})


def _listing(min_index: int, max_index: int, end: int, lookback: int, batch_size: int) -> AnchorArray:
    """The anchors of the listing's generator without shuffling, over its number of steps."""
    steps = (end - min_index - lookback) // batch_size
    first = min_index + lookback
    before_wrap = max(1, -(-(max_index - batch_size - first) // batch_size))
    if steps < 1 or first + batch_size >= max_index:
        return np.empty(0, np.int64)
    batches = np.arange(steps) % before_wrap
    return (first + batches[:, None] * batch_size + np.arange(batch_size)).reshape(-1)
