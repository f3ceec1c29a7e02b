"""Walking down boosted trees: rows in blocks that stay in the cache while all trees look at them."""

import numpy as np

from .compiling import kernel

BLOCK = 256


@kernel
def walk(rows, first, last, size, feature, threshold, missing_left, left, right, value, out):
    """Adds what every tree says of the rows from one to another."""
    for start in range(first, last, BLOCK):
        stop = min(start + BLOCK, last)
        node, leaf = 0, 0
        for tree in range(size.shape[0]):
            for row in range(start, stop):
                place = 0 if size[tree] > 1 else -1
                while place >= 0:
                    number = rows[row, feature[node + place]]
                    at = node + place
                    goes_left = missing_left[at] if np.isnan(number) else number <= threshold[at]
                    place = left[at] if goes_left else right[at]
                out[row] += value[leaf - place - 1]
            node += size[tree] - 1
            leaf += size[tree]
