"""What several trainings of one rung came to: the mean of their metrics, and the spread."""

from collections.abc import Sequence
from typing import Any

import numpy as np

SPREAD = "spread"


def mean_metrics(documents: Sequence[dict[str, Any]], *, summed: tuple[str, ...] = ()) -> dict[str, Any]:
    """The mean of every number of some metrics, as one document.

    Args:
        documents: The metrics of each training; nested ones alike.
        summed: Names of numbers that are added up: counts of different windows.

    >>> mean_metrics([{"mae": 1.0, "unit": "degC", "count": 10}, {"mae": 2.0, "unit": "degC", "count": 30}])
    {'mae': 1.5, 'unit': 'degC', 'count': 20}
    """
    if len(documents) == 1:
        return documents[0]
    first = documents[0]
    merged: dict[str, Any] = {}
    for name in first:
        values = [document.get(name) for document in documents]
        value = next((each for each in values if each is not None), None)
        if isinstance(value, dict):
            merged[name] = mean_metrics([each for each in values if isinstance(each, dict)], summed=summed)
        elif isinstance(value, list):
            rows = zip(*(each for each in values if isinstance(each, list)), strict=False)
            merged[name] = [mean_metrics(row, summed=summed) for row in rows]
        elif isinstance(value, int | float) and not isinstance(value, bool):
            known = [each for each in values if each is not None]
            total = sum(known) if name in summed else sum(known) / len(known)
            merged[name] = round(total) if isinstance(value, int) else total
        else:
            merged[name] = value
    return merged


def spread_of(documents: Sequence[dict[str, Any]]) -> dict[str, float]:
    """The standard deviation of each number over several trainings, those of nested documents left out.

    >>> spread_of([{"mae": 1.0, "count": 3}, {"mae": 3.0, "count": 3}])
    {'mae': 1.4142135623730951}
    """
    spread = {}
    for name, value in documents[0].items():
        values = [document.get(name) for document in documents]
        if isinstance(value, float) and all(isinstance(each, float) for each in values):
            spread[name] = float(np.std(np.array(values, np.float64), ddof=1))
    return spread
