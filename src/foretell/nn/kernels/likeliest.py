"""The likeliest tokens of each row of scores, found and weighed while the row is in cache."""

import math
from typing import Any

import numpy as np
from numba import njit

from .compiling import DIGEST, kernel
from .functions import exp
from .vectors import any_above, at_least, full, highest_lane, lanes, load, load_some, sum_of_lanes


@njit
def _put(found, tokens, row, score, token):
    """Puts a token to those that were found, behind all whose scores are as high."""
    place = found.shape[1] - 1
    while place > 0 and score > found[row, place - 1]:
        found[row, place], tokens[row, place] = found[row, place - 1], tokens[row, place - 1]
        place -= 1
    found[row, place], tokens[row, place] = score, token


@njit
def _search(scores, at, first, last, never, found, tokens, row):
    """Finds those of some tokens that are above what was found so far; gives the least that was found then."""
    least = found[row, found.shape[1] - 1]
    for token in range(first, last):
        score = scores[at + token]
        if score > least:
            wanted = True
            for own in never:
                wanted = wanted and own != token
            if wanted:
                _put(found, tokens, row, score, token)
                least = found[row, found.shape[1] - 1]
    return least


def _make(digest: int) -> Any:
    @kernel
    def likeliest(scores, known, never, first, last, found, tokens, whole):
        """The highest scores of some rows, in order, their tokens, and the logarithm of the sum of all powers.

        Args:
            scores: A number for each token, row by row.
            known: How many tokens there are.
            never: Those that are not looked for; they count in the sum.
            first: The first row.
            last: The one after the last.
            found: Gets the highest scores, (row, some).
            tokens: Gets their tokens; of scores that are alike the first ones.
            whole: Gets the logarithms of the sums.
        """
        lane = lanes(scores)
        together = known // (4 * lane) * (4 * lane)
        for row in range(first, last):
            at = row * known
            found[row], tokens[row] = -np.inf, 0
            least = found[row, 0]
            nothing = load_some(scores, at, 0)
            highest = full(nothing, least)
            for token in range(0, together, 4 * lane):
                here = at + token
                left = at_least(load(scores, here), load(scores, here + lane))
                right = at_least(load(scores, here + 2 * lane), load(scores, here + 3 * lane))
                both = at_least(left, right)
                highest = at_least(highest, both)
                if any_above(both, least):
                    least = _search(scores, at, token, token + 4 * lane, never, found, tokens, row)
            _search(scores, at, together, known, never, found, tokens, row)
            most = highest_lane(highest)
            for token in range(together, known):
                most = max(most, scores[at + token])
            sums = nothing
            for token in range(0, together, lane):
                sums = sums + exp(load(scores, at + token) - most)
            total = sum_of_lanes(sums)
            for token in range(together, known):
                total += math.exp(scores[at + token] - most)
            whole[row, 0] = most + math.log(total)
        return digest

    return likeliest


likeliest = _make(DIGEST)
