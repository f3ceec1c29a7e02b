"""The glossary of axis names, and the array types that are written with them.

Tensors are annotated in place with the same names, so that reading a table never imports torch.

========  ===================================================================================
row       one time step of a table; the rows of all series stand one after the other
column    one named quantity of a table
time      one time step inside a window, oldest first
feature   one input of a network: a scaled column, or the mask that says where it was missing
batch     one window of a batch
window    one window of all those that are evaluated
lead      one forecast step: the distance in rows from the anchor to a target
target    one column to forecast
quantile  one of the quantiles that a forecast consists of; one alone where it is a single number
height    one row of a picture, the topmost first
width     one column of a picture, the leftmost first
colour    red, green or blue
channel   one of the numbers that a network's layer says of each place of a picture
========  ===================================================================================
"""

from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64, UInt8


@runtime_checkable
class ByRow(Protocol):
    """What is worked out of some rows when it is asked for, where not all of it is held in memory."""

    def __getitem__(self, rows: Any, /) -> np.ndarray:
        """The numbers of some rows, which a slice or an array of whole numbers names."""
        ...


TableArray = Float64[np.ndarray, "row column"]
FeatureArray = Float32[np.ndarray, "row feature"]
TargetArray = Float32[np.ndarray, "row target"]
MissingArray = Bool[np.ndarray, "row column"]
TimeArray = Int64[np.ndarray, " row"]
AnchorArray = Int64[np.ndarray, " window"]
ForecastArray = Float64[np.ndarray, "window lead target"]
QuantileArray = Float64[np.ndarray, "window lead target quantile"]
PixelArray = Float32[np.ndarray, "height width colour"]
AlphaArray = UInt8[np.ndarray, "height width"]

TrainingRows = Bool[np.ndarray, " row"] | ByRow
MissingRows = Bool[np.ndarray, "row column"] | ByRow

__all__ = [
    "AlphaArray",
    "AnchorArray",
    "ByRow",
    "FeatureArray",
    "ForecastArray",
    "MissingArray",
    "MissingRows",
    "PixelArray",
    "QuantileArray",
    "TableArray",
    "TargetArray",
    "TimeArray",
    "TrainingRows",
]
