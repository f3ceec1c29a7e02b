"""Looking for the likeliest continuations, many prompts side by side; with a width of one, taking the likeliest token.

Each prompt is followed by itself: what is found for one does not depend on those beside it, as far as a model's scores
do not (a product's last bit may).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from ..nn.likeliest import likeliest
from ..numbers import require_numbers
from ..stopping import heed
from .steps import Prompt, Steps

_FULL = 0.8  # share of prompts that go on, above which those that are done stay beside them


@dataclass(frozen=True)
class Beam:
    """How continuations are looked for.

    Attributes:
        width: How many of each prompt are followed at once, and come back.
        length: Most tokens of each: for all prompts, or for each.
        penalty: Scores of those that ended are compared over ((5 + length) / 6) to this power, so that longer ones are
            not at a loss (Wu et al., "Google's Neural Machine Translation System", 2016, equation 14).
        end: The token with which a continuation ends, and which is none of its own; none ends where None.
        never: Tokens that none of them holds.
    """

    width: int
    length: int | Sequence[int]
    penalty: float = 0.0
    end: int | None = None
    never: tuple[int, ...] = ()

    def compared(self, score: float, length: int) -> float:
        """A score as it is compared with those of other lengths.

        >>> Beam(1, 10, penalty=1.0).compared(-3.0, 13)
        -1.0
        """
        return score / ((5 + length) / 6) ** self.penalty


@dataclass(frozen=True)
class Hypothesis:
    """A continuation, the logarithm of its probability, and that as it is compared."""

    tokens: tuple[int, ...]
    score: float
    compared: float


def beam_search(
    model: Steps, prompts: Sequence[Prompt], beam: Beam, ended: Callable[[tuple[int, ...]], bool] | None = None
) -> list[list[Hypothesis]]:
    """The likeliest continuations of each prompt that are found when so many are followed at once; the best first.

    One that has ended is followed no more, and stands beside those that go on; once as many have ended as are wanted,
    and none that goes on compares better, the prompt is done.

    Args:
        model: What says what may come next.
        prompts: What they continue.
        beam: How they are looked for.
        ended: Says of a continuation whether it ends with its last token, which is its own; none does where None.
    """
    lengths = np.broadcast_to(np.asarray(beam.length, np.int64), len(prompts))
    scores, state = model.begin(prompts)
    going = np.arange(len(prompts))  # the prompts that are not done
    found = np.zeros((len(prompts), 1, 0), np.int64)  # (prompt, continuation, token)
    sums = np.zeros((len(prompts), 1))
    done: list[list[Hypothesis]] = [[] for _ in prompts]
    for step in range(1, int(lengths.max(initial=0)) + 1):
        heed()
        last = lengths[going] == step
        total, parents, tokens = _best(torch.from_numpy(scores), sums, beam)
        require_numbers(total[total != -np.inf])
        ends = np.zeros(tokens.shape, bool) if beam.end is None else tokens == beam.end
        own = np.concatenate([np.take_along_axis(found, parents[..., None], 1), tokens[..., None]], 2)
        if ended is not None:
            ends |= np.array([[ended(tuple(one)) for one in each] for each in own.tolist()], bool).reshape(ends.shape)
        ends &= np.isfinite(total)
        _gather(done, going, own, total, ends, beam)
        rows, alive = _alive(ends, beam.width)
        found, sums = np.take_along_axis(own, alive[..., None], 1), np.take_along_axis(total, alive, 1)
        sums[~rows] = -np.inf
        finished = last | np.array(
            [_over(done[prompt], row, step, beam) for prompt, row in zip(going, sums, strict=True)]
        )
        for place in np.flatnonzero(last):
            for one, score in zip(found[place].tolist(), sums[place].tolist(), strict=True):
                if np.isfinite(score):
                    done[going[place]].append(Hypothesis(tuple(one), score, beam.compared(score, step)))
        sums[finished] = -np.inf
        left = np.flatnonzero(~finished)
        if not len(left):
            break
        if len(left) > _FULL * len(going):
            left = np.arange(len(going))  # a few that are done cost less than taking all others out
        width = scores.shape[0] // len(going)  # rows of a prompt, before this step
        before = left[:, None] * width + np.take_along_axis(parents, alive, 1)[left]
        going, found, sums = going[left], found[left], sums[left]
        scores, state = model.step(found[..., -1].ravel(), model.chosen(state, before.ravel()))
    return [sorted(own, key=lambda one: -one.compared)[: beam.width] for own in done]


def _best(
    scores: Float[Tensor, "row token"], sums: Float[np.ndarray, "prompt own"], beam: Beam
) -> tuple[Float[np.ndarray, "prompt some"], Int64[np.ndarray, "prompt some"], Int64[np.ndarray, "prompt some"]]:
    """The likeliest ways to go on from each prompt's continuations: their scores, from which, with which token.

    Twice as many as are followed, so that enough are left where as many end; of one, the likeliest alone.
    """
    wanted = 1 if beam.width == 1 else min(2 * beam.width, scores.shape[1])
    with torch.inference_mode():
        likely, tokens = likeliest(scores, wanted, beam.never)
    prompts, own = sums.shape
    total = sums[:, :, None] + likely.numpy().astype(np.float64).reshape(prompts, own, wanted)
    order = np.argsort(-total.reshape(prompts, -1), axis=1, kind="stable")[:, : 2 * beam.width]
    chosen = np.take_along_axis(tokens.numpy().reshape(prompts, -1), order, 1)
    return np.take_along_axis(total.reshape(prompts, -1), order, 1), order // wanted, chosen


def _gather(
    done: list[list[Hypothesis]],
    going: Int64[np.ndarray, " prompt"],
    own: Int64[np.ndarray, "prompt some token"],
    total: Float[np.ndarray, "prompt some"],
    ends: Bool[np.ndarray, "prompt some"],
    beam: Beam,
) -> None:
    """Puts those that ended, and are among the likeliest, with those of their prompt that ended before."""
    for place, rank in np.argwhere(ends[:, : beam.width]).tolist():
        tokens = tuple(own[place, rank].tolist())
        if beam.end is not None and tokens[-1] == beam.end:
            tokens = tokens[:-1]
        score = float(total[place, rank])
        done[going[place]].append(Hypothesis(tokens, score, beam.compared(score, own.shape[2])))


def _alive(
    ends: Bool[np.ndarray, "prompt some"], width: int
) -> tuple[Bool[np.ndarray, "prompt own"], Int64[np.ndarray, "prompt own"]]:
    """The likeliest that go on, by their ranks, and which of them there are: fewer may be left."""
    order = np.argsort(ends, axis=1, kind="stable")[:, :width]
    return ~np.take_along_axis(ends, order, 1), order


def _over(done: list[Hypothesis], sums: Float[np.ndarray, " own"], length: int, beam: Beam) -> bool:
    """Whether nothing better can be expected of a prompt."""
    best = float(sums.max())
    if not np.isfinite(best):
        return True
    if len(done) < beam.width:
        return False
    worst = sorted((one.compared for one in done), reverse=True)[beam.width - 1]
    return worst >= beam.compared(best, length)
