"""What the report shows of a generator: what it writes, where it was surprised, what it learned from."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np

from ...data.streams import spread_stretches
from ...data.tokenizer import Tokenizer
from ...evaluation.novelty import Known
from ...evaluation.panels import Figure, Grid, Item, Line, Number, Panel, Passage, Passages
from ..interface import Evaluation
from .learned import LearnedGenerator
from .prepare import SPANS, PreparedCorpus
from .samples import history_samples, samples_panel, write_samples

SHOWN = 1500  # characters of a text whose surprise is shown
SURPRISE = "Green: foreseen. Red: surprising. The blue line below a token shows how many bits it took."
_WIDEST = 8.0  # bits at which a letter is shaded as strongly as can be
_FREQUENT = 30  # tokens


def generate_panels(
    prepared: PreparedCorpus,
    learned: Mapping[str, LearnedGenerator],
    kept: str,
    evaluations: dict[str, Evaluation],
    reference: str,
) -> list[Panel]:
    """The panels of samples, of the test span and of the text.

    Args:
        prepared: The text.
        learned: All rungs; what networks wrote while they learned is shown of each.
        kept: The rung to look at.
        evaluations: The test evaluation of each rung.
        reference: The baseline to show beside it.
    """
    corpus, section = prepared.corpus, prepared.configuration.samples
    known = Known(corpus.beginning(0, corpus.characters), corpus.characters)
    panels = []
    for own in learned.values():
        earlier = history_samples(own.history, section)
        if earlier:
            told = f"What {own.rung} wrote after some of its epochs, from the same beginnings at several temperatures."
            panels.append(samples_panel(f"Samples of {own.rung} after chosen epochs", told, earlier, known))
    samples = [("", own) for own in write_samples(learned[kept].model, prepared, prepared.seed)]
    prose = f"What {kept} writes, as it is kept: the same beginning, at several temperatures."
    chosen = [name for name in dict.fromkeys((reference, kept)) if name in evaluations]
    tokens, bits = prepared.tokens["test"], evaluations[kept].details
    # Of the first stretch that was judged, with as many tokens as its letters may have bytes.
    some = slice(min(spread_stretches(len(tokens), prepared.configuration.evaluation.judged)[0][1], 4 * SHOWN))
    passage = surprise_passage(prepared.tokenizer, prepared.text("test"), tokens[some], bits[some])
    surprise = Passages("Surprise", [passage], SURPRISE)
    return [
        *panels,
        samples_panel("Samples", prose, samples, known),
        Panel(
            "Where it is surprised",
            f"The beginning of the test span, and how surprising {kept} found each of its tokens.",
            [surprise, *_by_place(chosen, evaluations)],
        ),
        _corpus(prepared),
    ]


def surprise_passage(tokenizer: Tokenizer, text: str, tokens: np.ndarray, bits: np.ndarray) -> Passage:
    """The beginning of a text, its tokens shaded by their surprise.

    Args:
        tokenizer: What it was cut with.
        text: It.
        tokens: Its tokens.
        bits: How many each took.
    """
    # From the text itself, which also has the letters that are no tokens.
    ends = tokenizer.letters[tokens].cumsum()
    shown = int(np.searchsorted(ends, SHOWN)) + 1
    borders = [0, *ends[:shown].tolist()]
    return shaded([text[start:end] for start, end in pairwise(borders)], bits[:shown].tolist(), "")


def shaded(
    pieces: list[str], bits: Sequence[float | None], heading: str, entropies: Sequence[float] | None = None
) -> Passage:
    """Pieces of a text shaded by how many bits each took: green ones few, red ones many.

    Args:
        pieces: The text.
        bits: How many each took; those of which that is not known are not shaded.
        heading: Above it.
        entropies: How open each was, as a line below it; as many bits as it took where None.
    """
    strengths = [0.0 if own is None else 1 - min(2.0, 4 * own / _WIDEST) for own in bits]
    lines = entropies if entropies is not None else [own or 0.0 for own in bits]
    return Passage(heading, pieces, strengths, [min(1.0, own / _WIDEST) for own in lines])


def _by_place(chosen: list[str], evaluations: dict[str, Evaluation]) -> list[Item]:
    """Bits per character along the test span, in a hundred stretches; nothing where it is a single passage."""
    lines = []
    for name in chosen:
        losses = evaluations[name].losses[:-1]  # the last passage may be shorter
        if not len(losses):
            return []
        parts = np.array_split(losses, min(100, len(losses)))
        middle: list[Number | str] = [float((number + 0.5) / len(parts)) for number in range(len(parts))]
        lines.append(Line(name, middle, [float(part.mean() / 100) for part in parts]))
    caption = "Each point is the mean of a stretch."
    return [Figure("lines", "Along the test span", "share of the span", "bits per character", lines, caption)]


def _corpus(prepared: PreparedCorpus) -> Panel:
    tokenizer, counts = prepared.tokenizer, prepared.cut.counts["train"]
    total = len(prepared.tokens["train"])
    spans: list[list[str | Number]] = [[span, prepared.counts[span], len(prepared.tokens[span])] for span in SPANS]
    first = np.argsort(-counts, kind="stable")[: min(_FREQUENT, np.count_nonzero(counts))].tolist()
    frequent: list[list[str | Number]] = [
        [repr(tokenizer.decode([token]))[1:-1].replace(" ", "␣"), int(counts[token]), f"{counts[token] / total:.2%}"]
        for token in first
    ]
    found: list[list[str | Number]] = [[sentence] for sentence in prepared.messages]
    return Panel(
        "Corpus",
        f"Its {tokenizer.kind} were learned on training text alone; test was read once.",
        [
            Grid("Spans", ["span", "characters", "tokens"], spans),
            Grid("Frequent tokens", ["token", "times", "share"], frequent),
            Grid("What was found in the text", ["finding"], found),
        ],
    )
