"""Bits per character of a model on some text."""

from collections.abc import Iterable

import numpy as np
from jaxtyping import Float64

from ...data.storage import TokenArray
from ...data.tokenizer import UNKNOWN, Tokenizer
from ...evaluation.uncertainty import intervals_over_time
from ..interface import Evaluation
from .models import Model, Nats

PASSAGE = 100  # characters, whose bits are summed to one error
BLOCK = 5  # passages of a bootstrap block: what is hard to foresee comes in stretches


def bits_of(model: Model, tokenizer: Tokenizer, tokens: TokenArray, known: int) -> Float64[np.ndarray, " asked"]:
    """The bits that each token takes; an unknown one also those that tell which character it is.

    Args:
        model: What says what comes next.
        tokenizer: What the text was cut with.
        tokens: The text.
        known: How many at its beginning are only read.
    """
    bits = model.nats(tokens, known) / np.log(2)
    return np.where(tokens[known:] == UNKNOWN, bits + tokenizer.surprise, bits) if tokenizer.has_unknown else bits


def nats_of(model: Model, stretches: Iterable[tuple[TokenArray, int]]) -> Nats:
    """The surprise at each token of some stretches of a text, in nats.

    Args:
        model: What says what comes next.
        stretches: Their tokens, and how many at the beginning of each are only read.
    """
    return np.concatenate([model.nats(tokens, known) for tokens, known in stretches])


def evaluation_of(model: Model, tokenizer: Tokenizer, stretches: Iterable[tuple[TokenArray, int]]) -> Evaluation:
    """How a model did on a text: bits per character, whatever it is cut into.

    Args:
        model: What says what comes next.
        tokenizer: What the text was cut with.
        stretches: Its tokens, or those of stretches of it, and how many at the beginning of each are only read.
    """
    found = [(bits_of(model, tokenizer, tokens, known), tokens[known:]) for tokens, known in stretches]
    bits, asked = np.concatenate([own for own, _ in found]), np.concatenate([own for _, own in found])
    letters = tokenizer.letters[asked]
    begins = letters.cumsum() - letters  # the character at which each token begins
    characters = int(letters.sum())
    passages = np.bincount(np.minimum(begins, max(0, characters - 1)) // PASSAGE, bits)
    metrics = {
        "bits_per_character": float(bits.sum() / max(1, characters)),
        "unit": "bits",
        "bits_per_token": float(bits.mean()),
        "perplexity": float(2 ** bits.mean()),
        "count": characters,
        "tokens": len(bits),
        "unknown": int((asked == UNKNOWN).sum()) if tokenizer.has_unknown else 0,
    }
    places = np.arange(len(passages))
    sizes = np.full(len(passages), float(PASSAGE))
    sizes[-1:] = characters - PASSAGE * (len(passages) - 1)
    ends = intervals_over_time({"bits_per_character": passages}, places, BLOCK, weights=sizes)
    if ends:
        metrics["intervals"] = {name: {"low": low, "high": high} for name, (low, high) in ends.items()}
    return Evaluation(metrics, passages, places, BLOCK, bits)
