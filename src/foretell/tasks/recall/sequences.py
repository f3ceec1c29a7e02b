"""The sequences of recalling: random symbols, the first of which is the answer; a pure function of options and seed.

Which span a sequence belongs to is read from a hash of its symbols, so that no sequence of one span is ever in another:
half of them are for training, a quarter each for validation and test. Where there are enough, each span asks for every
symbol equally often.
"""

import hashlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float32, Int64, UInt8, UInt64

from ...errors import ConfigurationError
from .config import Configuration, RecallSection

Sequences = UInt8[np.ndarray, "sequence time"]
SPANS = ("train", "validation", "test")
_DRAWN = 4096  # sequences at a time
_STREAM = 2**32  # seeds are smaller: no stream of random numbers is also that of a training's order


@dataclass(frozen=True)
class PreparedRecall:
    """Sequences that every rung can learn from.

    Attributes:
        configuration: All options.
        sequences: Those of each span.
    """

    configuration: Configuration
    sequences: dict[str, Sequences]

    @property
    def counts(self) -> dict[str, int]:
        """How many sequences each span has."""
        return {span: len(sequences) for span, sequences in self.sequences.items()}

    @property
    def dropped(self) -> dict[str, int]:
        """None are."""
        return {}

    @cached_property
    def fingerprint(self) -> str:
        """A hash of all sequences."""
        return hashlib.sha256(b"".join(sequences.tobytes() for sequences in self.sequences.values())).hexdigest()

    @property
    def seed(self) -> int:
        """Where the random choices of a training on these sequences come from."""
        return self.configuration.training.seed

    @property
    def idle(self) -> tuple[str, ...]:
        """None: recurrent layers read all options that there are."""
        return ()

    @property
    def messages(self) -> list[str]:
        """What the sequences are."""
        section, seed, counts = self.configuration.recall, self.configuration.training.seed, self.counts
        what = f"{section.gap + 1} random symbols out of {section.symbols}, made from seed {seed}"
        distinct = len(np.unique(self.sequences["test"], axis=0))
        repeated = (
            f"the test span has only {distinct:,} different sequences: each counts several times, some symbols "
            "more often than others, and intervals are too narrow"
        )
        return [
            f"a sequence is {what}; the answer is the first, {section.gap} before the last",
            f"sequences: {counts['train']} train, {counts['validation']} validation, {counts['test']} test",
            *([repeated] if 2 * distinct < counts["test"] else []),
        ]


def prepare(configuration: Configuration) -> PreparedRecall:
    """Makes the sequences of all spans.

    Raises:
        ConfigurationError: There are too few different ones to go round.
    """
    section, seed = configuration.recall, configuration.training.seed
    wanted = (section.training_sequences, section.validation_sequences, section.test_sequences)
    weights = _generator(seed, len(SPANS)).integers(0, 2**64, section.gap + 1, dtype=np.uint64) | np.uint64(1)
    made = [_sequences(section, number, _generator(seed, number), wanted[number], weights) for number in range(3)]
    return PreparedRecall(configuration, dict(zip(SPANS, made, strict=True)))


def one_hot(sequences: Sequences, symbols: int) -> Float32[np.ndarray, "sequence time symbol"]:
    """The sequences as a network reads them."""
    return np.eye(symbols, dtype=np.float32)[sequences]


def answers(sequences: Sequences) -> Int64[np.ndarray, " sequence"]:
    """The symbol that each sequence asks for: its first."""
    return sequences[:, 0].astype(np.int64)


def span_of(sequences: Sequences, weights: UInt64[np.ndarray, " time"]) -> Int64[np.ndarray, " sequence"]:
    """The number of each sequence's span, from a hash of its symbols.

    Args:
        sequences: The sequences.
        weights: Of each place in the hash, odd.
    """
    mixed = sequences.astype(np.uint64) @ weights
    # Multiply and shift: the last steps of splitmix64 (Steele, Lea and Flood 2014).
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    quarters = ((mixed ^ (mixed >> np.uint64(31))) >> np.uint64(62)).astype(np.int64)
    return np.maximum(quarters - 1, 0)


def _sequences(
    section: RecallSection, span: int, generator: np.random.Generator, wanted: int, weights: UInt64[np.ndarray, " time"]
) -> Sequences:
    kept: list[Sequences] = []
    while sum(map(len, kept)) < 2 * wanted:
        drawn = generator.integers(0, section.symbols, (_DRAWN, section.gap + 1), dtype=np.uint8)
        own = drawn[span_of(drawn, weights) == span]
        if not len(own):
            raise _too_few(section)
        kept.append(own)
    pool = np.concatenate(kept)
    # The first of each symbol, then the second of each, and so on: as many of one as of another.
    asked = answers(pool)
    order = np.argsort(asked, kind="stable")
    place = np.empty(len(pool), np.int64)
    place[order] = np.arange(len(pool)) - np.searchsorted(asked[order], asked[order])
    chosen = pool[np.argsort(place, kind="stable")[:wanted]]
    if 2 * len(np.unique(answers(chosen))) <= section.symbols:
        raise _too_few(section)  # what is asked for hardly differs: there is nothing to recall
    return generator.permutation(chosen)


def _too_few(section: RecallSection) -> ConfigurationError:
    return ConfigurationError(
        f"{section.symbols} symbols and a gap of {section.gap} make {section.symbols ** (section.gap + 1)} "
        "sequences, too few for three spans that share none and ask for all symbols; ask for more "
        "--symbols or a longer --gap",
        symbols=section.symbols,
        gap=section.gap,
    )


def _generator(seed: int, stream: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(key=[_STREAM + seed, stream]))
