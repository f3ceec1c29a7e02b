"""Boosted trees as a rung: one fit for all leads and targets, the lead being one of the numbers that trees look at.

Ke et al., "LightGBM: A Highly Efficient Gradient Boosting Decision Tree" (2017).
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float32

from ...axes import AnchorArray, QuantileArray
from ...errors import MissingError, UnsafeFileError
from ...nn.forest import Forest, forest_of
from ...training.sampling import evenly_spread
from ..interface import Attempt
from .config import Configuration
from .lags import LagRows, Picks
from .prepare import PreparedForecast, View

PREFIX = "trees/"
VALIDATION_ROWS = 60_000
MOST_VALUES = 20_000_000  # numbers of all training rows
PATIENCE = 30  # trees without a better validation loss
PREDICTED_ROWS = 200_000  # at once
YEARS = 2 * 365


@dataclass(frozen=True)
class TreesModel:
    """Trees that forecast windows.

    Attributes:
        forest: The trees.
        yearly: Whether they are told the day of the year.
        width: Numbers of a row.
    """

    forest: Forest
    yearly: bool
    width: int

    def predict(self, view: View, anchors: AnchorArray) -> QuantileArray:
        """What the trees say, added to where each forecast's change is counted from."""
        mean, deviation = view.history.mean, view.history.deviation
        leads, targets = view.shape.lead_count, mean.shape[1]
        forecasts = np.empty((len(anchors), leads, targets, 1))
        rows = LagRows(view, self.yearly)
        size = max(1, PREDICTED_ROWS // (leads * targets))
        for part in rows.chunks(anchors):
            for start in range(part.start, min(part.stop, len(anchors)), size):
                own = anchors[start : min(start + size, part.stop)]
                window, lead, target = (axis.reshape(-1) for axis in np.indices((len(own), leads, targets)))
                numbers, base = rows.of(own, Picks(window, lead + view.shape.leads[0], target))
                if numbers.shape[1] != self.width:
                    raise UnsafeFileError(f"the trees read {self.width} numbers; such windows have {numbers.shape[1]}")
                scaled = (base + self.forest.predict(numbers)).reshape(len(own), leads, targets)
                codes = view.table.codes_of(own)
                forecasts[start : start + len(own), ..., 0] = scaled * deviation[codes][:, None] + mean[codes][:, None]
        return forecasts

    def rows_needed(self, view: View) -> int:
        """A whole window."""
        return view.shape.rows_to_predict

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """The trees as arrays."""
        return {"yearly": self.yearly, "width": self.width}, {
            PREFIX + name: array for name, array in self.forest.arrays().items()
        }

    @property
    def parameters(self) -> int:
        """How many thresholds and leaves they have."""
        return self.forest.threshold.size + self.forest.value.size

    @classmethod
    def restore(cls, values: dict[str, Any], arrays: dict[str, np.ndarray]) -> "TreesModel":
        """The trees that a model folder holds.

        Args:
            values: As :meth:`state` gives them.
            arrays: Likewise.

        Raises:
            ValueError: They are no trees.
        """
        own = {name.removeprefix(PREFIX): array for name, array in arrays.items() if name.startswith(PREFIX)}
        width = int(values["width"])
        return cls(Forest.restore(own, width), bool(values["yearly"]), width)


def fit_trees(prepared: PreparedForecast, attempt: Attempt) -> tuple[TreesModel, str]:
    """Grows trees on training windows, as many as validation asks for.

    Args:
        prepared: The data, and the options.
        attempt: Who watches, the seed, and how much time there is.

    Returns:
        The model, and a note on it.

    Raises:
        MissingError: LightGBM is not installed.
    """
    lightgbm, started = _lightgbm(), time.monotonic()
    configuration, view = prepared.configuration, prepared.view
    seed = prepared.seed if attempt.seed is None else attempt.seed
    first, last = prepared.spans.training_ends
    rows = LagRows(view, (last - first) / 86_400e6 >= YEARS)
    most = min(configuration.trees.tree_rows, max(1000, MOST_VALUES // rows.width))
    generator = np.random.default_rng(seed)
    anchors = prepared.anchors.spans
    learned = _sampled(rows, anchors["train"], most, generator)
    judged = _sampled(rows, anchors["validation"], min(VALIDATION_ROWS, most), generator)
    parameters = _parameters(configuration, seed)
    training = lightgbm.Dataset(*learned, params=parameters, free_raw_data=False)
    validation = lightgbm.Dataset(*judged, reference=training, params=parameters, free_raw_data=False)
    watch = _Watch(attempt, configuration.trees.trees, started)
    stopping = lightgbm.early_stopping(PATIENCE, verbose=False)
    booster = lightgbm.train(
        parameters, training, configuration.trees.trees, valid_sets=[validation], callbacks=[watch, stopping]
    )
    kept = booster.best_iteration or booster.num_trees()
    note = f"{kept} trees, chosen on validation, from {len(learned[1])} windows and leads"
    if configuration.training.loss == "quantile":
        note += "; of the median alone, its intervals are those of validation"
    if watch.late:
        note += f"; cut after {booster.num_trees()} trees, its share of the time"
    return TreesModel(forest_of(booster.model_to_string(num_iteration=kept)), rows.yearly, learned[0].shape[1]), note


class _Watch:
    """Tells how trees grow, and stops them when their time is over."""

    before_iteration = False
    order = 10

    def __init__(self, attempt: Attempt, trees: int, started: float) -> None:
        self.attempt, self.trees = attempt, trees
        self.started, self.late = started, False

    def __call__(self, environment: Any) -> None:
        from lightgbm.callback import EarlyStopException

        results = environment.evaluation_result_list
        self.attempt.watcher.step(1, environment.iteration + 1, self.trees, float(results[0][2]))
        seconds = self.attempt.seconds
        if seconds is not None and time.monotonic() - self.started > seconds:
            self.late = True
            raise EarlyStopException(environment.iteration, results)


def _sampled(
    rows: LagRows, anchors: AnchorArray, most: int, generator: np.random.Generator
) -> tuple[Float32[np.ndarray, "row number"], Float32[np.ndarray, " row"]]:
    """The rows of so many windows, leads and targets, and the changes that came: evenly spread over the windows."""
    parts = list(_parts(rows, anchors[evenly_spread(len(anchors), most)], most, generator))
    return np.concatenate([numbers for numbers, _ in parts]), np.concatenate([changes for _, changes in parts])


def _parts(
    rows: LagRows, anchors: AnchorArray, most: int, generator: np.random.Generator
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    shape, targets = rows.view.shape, len(rows.view.scaling.targets)
    cells = shape.lead_count * targets
    each = min(cells, -(-most // len(anchors)))
    for part in rows.chunks(anchors):
        own = anchors[part]
        drawn = np.argsort(generator.random((len(own), cells)), axis=1)[:, :each] if each < cells else None
        cell = (np.tile(np.arange(cells), (len(own), 1)) if drawn is None else drawn).reshape(-1)
        lead, target = np.divmod(cell, targets)
        picks = Picks(np.repeat(np.arange(len(own)), each), lead + shape.leads[0], target)
        numbers, base = rows.of(own, picks)
        truths = rows.view.windows.targets_at(own).numpy()[picks.window, lead, target]
        yield numbers, truths - base


def _parameters(configuration: Configuration, seed: int) -> dict[str, Any]:
    section = configuration.trees
    squared = configuration.training.loss == "mse"
    return {
        "objective": "l2" if squared else "l1",
        "metric": "l2" if squared else "l1",
        "learning_rate": section.tree_rate,
        "num_leaves": section.leaves,
        "min_data_in_leaf": section.leaf_rows,
        "feature_fraction": section.column_share,
        "bagging_fraction": 0.7,
        "bagging_freq": 1,
        "lambda_l2": 1.0,
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": configuration.training.threads,
        "seed": seed,
        "verbosity": -1,
    }


def _lightgbm() -> Any:
    try:
        import lightgbm
    except ImportError:
        raise MissingError("boosted-trees needs LightGBM: pip install 'foretell[trees]'", extra="trees") from None
    return lightgbm
