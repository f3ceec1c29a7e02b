"""Boosted trees as plain arrays: they can be checked before they are used, and a few lines walk down them.

LightGBM's own text is not read back: its parser ends the process when a number in the text is wrong.
"""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int32

from ..numbers import usable
from .threads import share
from .ways import numba_problem

_KINDS = {name: np.dtype(np.float64) for name in ("threshold", "value")} | {"missing_left": np.dtype(np.bool_)}
_BLOCK = 4096  # rows of a thread's stretch


@dataclass(frozen=True)
class Forest:
    """Trees whose answers are added up.

    Inner nodes and leaves of all trees stand one after the other. A child at or above zero is an inner node of the same
    tree, one below zero is the leaf -child - 1.

    Attributes:
        size: Leaves of each tree.
        feature: Which number of a row each inner node looks at.
        threshold: A row whose number is at most this goes left; infinity asks whether the number is there.
        missing_left: Whether a row without the number goes left.
        left: The left child of each inner node.
        right: The right one.
        value: What each leaf says.
    """

    size: Int32[np.ndarray, " tree"]
    feature: Int32[np.ndarray, " node"]
    threshold: Float64[np.ndarray, " node"]
    missing_left: Bool[np.ndarray, " node"]
    left: Int32[np.ndarray, " node"]
    right: Int32[np.ndarray, " node"]
    value: Float64[np.ndarray, " leaf"]

    def predict(self, rows: Float32[np.ndarray, "row feature"]) -> Float64[np.ndarray, " row"]:
        """The sum of what all trees say of each row.

        Args:
            rows: NaN where a number is missing.
        """
        if numba_problem():
            return walk_slowly(self, rows)
        from .kernels.forest import walk

        out, rows = np.zeros(len(rows)), np.ascontiguousarray(rows)
        arrays = (self.size, self.feature, self.threshold, self.missing_left, self.left, self.right, self.value)

        def work(first: int, last: int) -> None:
            walk(rows, first * _BLOCK, min(last * _BLOCK, len(rows)), *arrays, out)

        share(work, -(-len(rows) // _BLOCK), alone=False)
        return out

    def arrays(self) -> dict[str, np.ndarray]:
        """The arrays by name."""
        return {name: getattr(self, name) for name in asdict(self)}

    @classmethod
    def restore(cls, arrays: dict[str, np.ndarray], features: int) -> "Forest":
        """Trees from arrays that are not trusted.

        Args:
            arrays: As :meth:`arrays` gives them.
            features: Numbers of a row.

        Raises:
            ValueError: They are no trees over such rows.
        """
        found = {}
        for name in cls.__dataclass_fields__:
            kind, array = _KINDS.get(name, np.dtype(np.int32)), arrays[name]
            fits = array.ndim == 1 and array.dtype.kind == kind.kind
            if not fits or (kind.kind == "i" and array.size and np.abs(array).max() > 2**31 - 1):
                raise ValueError(f"the {name} of trees is a row of {kind.name}")
            found[name] = array.astype(kind)
        forest = cls(**found)
        _check(forest, features)
        return forest


def _check(forest: Forest, features: int) -> None:
    """Checks that every walk ends: children stand after their parents, and each node and leaf has one parent."""
    size = forest.size.astype(np.int64)
    if not (size >= 1).all():
        raise ValueError("every tree has a leaf")
    inner, leaves = int((size - 1).sum()), int(size.sum())
    nodes = (forest.feature, forest.threshold, forest.missing_left, forest.left, forest.right)
    if any(array.shape != (inner,) for array in nodes) or forest.value.shape != (leaves,):
        raise ValueError(f"trees of {leaves} leaves have {inner} inner nodes")
    if not usable(forest.value) or np.isnan(forest.threshold).any():
        raise ValueError("leaves hold finite numbers, thresholds numbers")
    if inner and not (forest.feature.min() >= 0 and forest.feature.max() < features):
        raise ValueError(f"trees look at one of {features} numbers")
    own = np.concatenate([np.arange(count - 1) for count in size]) if inner else np.zeros(0, np.int64)
    last = np.repeat(size - 1, size - 1)
    for children in (forest.left, forest.right):
        ordered = np.where(children >= 0, (children > own) & (children < last), -children.astype(np.int64) - 1 <= last)
        if not ordered.all():
            raise ValueError("a child stands after its parent, in the same tree")
    begins = np.concatenate([[0], np.cumsum(2 * size - 1)])[:-1]
    tree = np.tile(np.repeat(np.arange(len(size)), size - 1), 2)
    children = np.concatenate([forest.left, forest.right]).astype(np.int64)
    places = begins[tree] + np.where(children >= 0, children, size[tree] - 1 + (-children - 1))
    parents = np.bincount(places, minlength=int((2 * size - 1).sum()))
    parents[begins] += 1
    if not (parents == 1).all():
        raise ValueError("each node and each leaf has one parent")


def walk_slowly(forest: Forest, rows: Float32[np.ndarray, "row feature"]) -> Float64[np.ndarray, " row"]:
    """What :meth:`Forest.predict` gives, tree by tree with whole arrays: the oracle, and the way without numba."""
    out = np.zeros(len(rows))
    node = leaf = 0
    for count in forest.size.tolist():
        place = np.full(len(rows), 0 if count > 1 else -1)
        while (going := np.flatnonzero(place >= 0)).size:
            at = node + place[going]
            numbers = rows[going, forest.feature[at]].astype(np.float64)
            goes_left = np.where(np.isnan(numbers), forest.missing_left[at], numbers <= forest.threshold[at])
            place[going] = np.where(goes_left, forest.left[at], forest.right[at])
        out += forest.value[leaf - place - 1]
        node += count - 1
        leaf += count
    return out


def forest_of(text: str) -> Forest:
    """The trees of a LightGBM model, from its text as it was made just now.

    Args:
        text: As ``Booster.model_to_string`` gives it, of a model without categorical columns.
    """
    blocks = [_fields(block) for block in text[: text.index("end of trees")].split("\nTree=")[1:]]

    split = [block for block in blocks if "left_child" in block]  # a tree of one leaf has no inner nodes

    def joined(name: str, kind: Any, trees: list[dict[str, str]] = split) -> np.ndarray:
        parts = [np.array(block[name].split(), kind) for block in trees]
        return np.concatenate(parts) if parts else np.zeros(0, kind)

    decisions, thresholds = joined("decision_type", np.int32), joined("threshold", np.float64)
    return Forest(
        size=np.array([int(block["num_leaves"]) for block in blocks], np.int32),
        feature=joined("split_feature", np.int32),
        threshold=thresholds,
        # Bits 2 and 3 say what is missing: where it is NaN, bit 1 says where that goes; else NaN is read as zero.
        missing_left=np.where(decisions & 8, (decisions & 2) != 0, thresholds >= 0),
        left=joined("left_child", np.int32),
        right=joined("right_child", np.int32),
        value=joined("leaf_value", np.float64, blocks),
    )


def _fields(block: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in block.split("\n") if "=" in line)
