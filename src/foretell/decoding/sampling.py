"""Drawing what comes next, token by token.

Whatever is drawn for a text depends on the seed, on what it begins with and on how many before it begin alike, not on
others beside it, as far as a model's scores do not (a product's last bit may).
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64

from ..numbers import require_numbers
from ..stopping import heed
from .steps import Prompt, Scores, Steps, Tokens, log_softmax

_AT_ONCE = 1024  # random numbers of a text
_COLDEST = 1e-20


@dataclass(frozen=True)
class Sampling:
    """How the next token is drawn.

    Attributes:
        temperature: What scores are divided by: below one the likely becomes likelier, above one less so; zero always
            takes the likeliest.
        top_k: How many of the likeliest are drawn from; None for all.
        top_p: Share of probability that those which are drawn from make up, the likeliest first (Holtzman et al., "The
            Curious Case of Neural Text Degeneration", 2020).
        min_p: Least probability, as a share of the likeliest one's (Nguyen et al., "Turning Up the Heat", 2024).
        repetition_penalty: What the logarithm of the probability of a token that was written is multiplied by (Keskar
            et al., "CTRL", 2019).
        never: Tokens that are not drawn.

    >>> Sampling(temperature=1.0, top_k=2).probabilities(np.log([[0.5, 0.25, 0.25]])).round(3).tolist()
    [[0.667, 0.333, 0.0]]
    """

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float = 1.0
    min_p: float = 0.0
    repetition_penalty: float = 1.0
    never: tuple[int, ...] = ()

    def probabilities(self, scores: Scores, written: Bool[np.ndarray, "batch token"] | None = None) -> Scores:
        """What is drawn from.

        Args:
            scores: A model's.
            written: Which tokens each text holds already.
        """
        likely = self.weights(scores, written)
        return likely / likely.sum(axis=1, keepdims=True)

    def weights(self, scores: Scores, written: Bool[np.ndarray, "batch token"] | None = None) -> Scores:
        """The same up to a factor of each text.

        Args:
            scores: A model's.
            written: Which tokens each text holds already.
        """
        scores = np.array(scores)  # 32 bits draw as well as 64
        if self.never:
            scores[:, list(self.never)] = -np.inf
        if self.repetition_penalty != 1 and written is not None:
            scores = log_softmax(scores)
            scores = np.where(written, scores * self.repetition_penalty, scores)
        if self.temperature == 0:
            likely = np.zeros_like(scores)
            likely[np.arange(len(scores)), scores.argmax(axis=1)] = 1
            return likely
        # Lower ones would pass what 32 bits can hold, and leave nothing but the likeliest all the same.
        likely = np.exp((scores - scores.max(axis=1, keepdims=True)) / max(self.temperature, _COLDEST))
        if self.top_k is not None and self.top_k < likely.shape[1]:
            # Of several that are as likely as the last one the first are taken.
            likely *= _ranks(likely) < self.top_k
        if self.top_p < 1:
            order = np.argsort(-likely, axis=1, kind="stable")
            ordered = np.take_along_axis(likely, order, 1)
            sums = ordered.cumsum(axis=1)
            enough = self.top_p * sums[:, -1:]
            kept = np.pad(sums[:, :-1] < enough, ((0, 0), (1, 0)), constant_values=True)
            np.put_along_axis(likely, order, np.where(kept, ordered, 0), 1)
        if self.min_p > 0:
            likely[likely < self.min_p * likely.max(axis=1, keepdims=True)] = 0
        return likely


@dataclass(frozen=True)
class Drawn:
    """One step of several texts.

    Attributes:
        rows: Which texts these are, by number.
        tokens: What was drawn for each.
        scores: What the model said of every token, before anything was done to it.
    """

    rows: Tokens
    tokens: Tokens
    scores: Scores


def sample(
    model: Steps,
    prompts: Sequence[Prompt],
    sampling: Sampling,
    length: int,
    seed: int,
    ended: Callable[[Tokens, Tokens], Bool[np.ndarray, " batch"]] | None = None,
    *,
    alike: bool = False,
) -> Iterator[Drawn]:
    """Draws token after token.

    Args:
        model: What says what may come next.
        prompts: What each text begins with.
        sampling: How a token is drawn.
        length: Most tokens of a text.
        seed: Where what is drawn comes from.
        ended: Given the numbers of texts and the token that each was given, says which of them end with it.
        alike: Whether texts that begin alike go on alike.
    """
    rows = np.arange(len(prompts))
    draws = _generators(prompts, seed, alike=alike)
    scores, state = model.begin(prompts)
    written = None
    if sampling.repetition_penalty != 1:
        written = np.zeros(scores.shape, bool)
        for row, prompt in enumerate(prompts):
            written[row, prompt] = True
    numbers = np.zeros((len(prompts), 0))
    for step in range(length):
        heed()
        require_numbers(scores.max(axis=1))
        if step % _AT_ONCE == 0:
            numbers = np.stack([draw.random(_AT_ONCE) for draw in draws])
        tokens = choose(sampling.weights(scores, written), numbers[rows, step % _AT_ONCE])
        yield Drawn(rows, tokens, scores)
        if written is not None:
            written[np.arange(len(rows)), tokens] = True
        if ended is not None and (done := ended(rows, tokens)).any():
            going = np.flatnonzero(~done)
            if not len(going):
                return
            rows, tokens, state = rows[going], tokens[going], model.chosen(state, going)
            written = None if written is None else written[going]
        if step + 1 < length:
            scores, state = model.step(tokens, state)


def _generators(prompts: Sequence[Prompt], seed: int, *, alike: bool) -> list[np.random.Generator]:
    """Where the random numbers of each text come from.

    Texts with the same numbers that come to the same letters at the same time would go on as one; so each beginning has
    its own.
    """
    before: Counter[bytes] = Counter()
    found = []
    for prompt in prompts:
        own = prompt.astype(np.int64)
        copy = 0 if alike else before[own.tobytes()]
        before[own.tobytes()] += 1
        # With its length, as zeros at the end would not be told apart.
        entropy = [seed, copy, len(own), *own.tolist()]
        found.append(np.random.Generator(np.random.Philox(np.random.SeedSequence(entropy))))
    return found


def choose(likely: Scores, numbers: Float64[np.ndarray, " batch"]) -> Tokens:
    """The token of each row at which the sum of probabilities passes a number between zero and one.

    Args:
        likely: Probabilities, up to a factor of each row.
        numbers: One for each.

    >>> choose(np.array([[0.25, 0.0, 0.75]]), np.array([0.25])).tolist()
    [2]
    """
    sums = likely.cumsum(axis=1)
    # Always below the sum of all, however the product is rounded.
    asked = np.minimum(numbers * sums[:, -1], np.nextafter(sums[:, -1], 0)).astype(sums.dtype)
    return (sums > asked[:, None]).argmax(axis=1)


def _ranks(likely: Scores) -> Int64[np.ndarray, "batch token"]:
    """How many are likelier than each, or as likely and before it."""
    ranks = np.empty(likely.shape, np.int64)
    order = np.argsort(-likely, axis=1, kind="stable")
    np.put_along_axis(ranks, order, np.broadcast_to(np.arange(likely.shape[1]), likely.shape), 1)
    return ranks
