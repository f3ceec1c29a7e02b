"""Attention of single queries, as a step of decoding has them: one walk over keys, one over values."""

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..threads import share
from .compiling import DIGEST, is_ready, kernel, patience
from .functions import exp
from .plans import DTYPES, NOTHING
from .single import numbers_at
from .vectors import fma, full, lanes, load, load_some, store, store_some, sum_of_lanes

_ALONE = 500_000  # products of queries and keys, below which a second thread comes too late
_BYTES = np.empty(0, np.uint8)


def _make(digest: int) -> Any:
    @kernel
    def attend(like, bytes_, queries_at, keys_at, values_at, allowed_at, found_at, sizes, first, last):
        """softmax(qKᵀ/√d)V for some rows, each of one query in several heads.

        Args:
            like: An array of the numbers' type.
            bytes_: An array of bytes.
            queries_at: Where queries are, (row, head, own).
            keys_at: Where keys are, (source, head, place, own).
            values_at: Where values are, likewise.
            allowed_at: Where it is said whether a query may go to a place, a byte each; 0 where it may go to all.
            found_at: Where what is found goes, (row, head, own).
            sizes: Rows that share a source; heads; places; own numbers; numbers between one source, head and place and
                the next, of keys, then of values.
            first: The first row.
            last: The one after the last.
        """
        shared, heads, places, own = sizes[0], sizes[1], sizes[2], sizes[3]
        lane = lanes(like)
        whole = own // lane * lane
        scale = 1 / math.sqrt(own)
        numbers = last * heads * own
        queries, found = numbers_at(like, queries_at, numbers), numbers_at(like, found_at, numbers)
        keys, values = numbers_at(like, keys_at, 1), numbers_at(like, values_at, 1)
        allowed = numbers_at(bytes_, allowed_at, 1)
        weights = np.empty(places + lane, like.dtype)
        for row in range(first, last):
            source = row // shared
            for head in range(heads):
                at = (row * heads + head) * own
                key = source * sizes[4] + head * sizes[5]
                most = -np.inf
                for place in range(places):
                    sums = load_some(queries, at, 0)
                    for j in range(0, whole, lane):
                        sums = fma(load(queries, at + j), load(keys, key + j), sums)
                    if whole < own:
                        rest = own - whole
                        sums = fma(load_some(queries, at + whole, rest), load_some(keys, key + whole, rest), sums)
                    weights[place] = sum_of_lanes(sums) * scale
                    if allowed_at == 0 or allowed[source * places + place]:
                        most = max(most, weights[place])
                    key += sizes[6]
                total = 0.0
                for place in range(0, places, lane):
                    store(weights, place, exp(load(weights, place) - most))
                for place in range(places):
                    if allowed_at != 0 and not allowed[source * places + place]:
                        weights[place] = 0.0
                    total += weights[place]
                scaled = 1 / total if total > 0 else 0.0
                for j in range(0, own, lane):
                    count = min(lane, own - j)
                    sums = load_some(queries, at, 0)
                    value = source * sizes[7] + head * sizes[8] + j
                    for place in range(places):
                        sums = fma(full(sums, weights[place]), load_some(values, value, count), sums)
                        value += sizes[9]
                    store_some(found, at + j, sums * scaled, count)
        return digest

    return attend


_attend = _make(DIGEST)


def attend(queries: Tensor, keys: Tensor, values: Tensor, allowed: Tensor | None) -> Tensor | None:
    """What a few queries of each source find among its keys; None where the kernel cannot tell.

    Args:
        queries: (source, head, query, own).
        keys: (source, head, place, own).
        values: Likewise.
        allowed: Where attention may go, (source, 1, 1, place), the same for all queries; everywhere where None.
    """
    sources, heads, shared, own = queries.shape
    places = keys.shape[2]
    if not queries.dtype == keys.dtype == values.dtype or queries.dtype not in DTYPES or not places:
        return None
    if keys.stride(3) != 1 or values.stride(3) != 1:
        return None
    if allowed is not None and (allowed.shape != (sources, 1, 1, places) or not allowed.is_contiguous()):
        return None
    asking = queries.transpose(1, 2).contiguous()
    found = torch.empty_like(asking)
    sizes = np.array([shared, heads, places, own, *keys.stride()[:3], *values.stride()[:3]])
    at = [0 if own is None else own.data_ptr() for own in (asking, keys, values, allowed, found)]
    arguments = (NOTHING[DTYPES[queries.dtype]], _BYTES, *at, sizes)
    rows, key = sources * shared, ("attend", queries.dtype)
    if is_ready(key):
        share(lambda first, last: _attend(*arguments, first, last), rows, rows * heads * places * own < _ALONE)
    else:
        with patience(key):
            _attend(*arguments, 0, rows)
    return found.transpose(1, 2)
