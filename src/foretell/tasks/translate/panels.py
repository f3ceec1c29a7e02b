"""What the report shows of a translator: what it says, how length matters, what it looks at, what it learned from."""

from collections.abc import Mapping
from typing import cast

import numpy as np

from ...data.joint import SPECIAL, JointVocabulary
from ...data.pairs import SPANS
from ...evaluation.panels import Figure, Grid, Item, Line, Number, Panel
from ..interface import Evaluation
from .attention import attention_panels
from .judging import Looked
from .learned import LearnedTranslator
from .models import Asked, NetworkModel
from .prepare import PreparedPairs

SHOWN = 12  # translations
_MAPPED = 24  # most tokens of a text whose attention is shown
_FREQUENT = 30  # tokens


def translate_panels(
    prepared: PreparedPairs,
    learned: Mapping[str, LearnedTranslator],
    kept: str,
    evaluations: Mapping[str, Evaluation],
    reference: str,
) -> list[Panel]:
    """The panels of figures, translations, lengths, attention and pairs.

    Args:
        prepared: The pairs.
        learned: All rungs.
        kept: The rung to look at.
        evaluations: The test evaluation of each rung.
        reference: The baseline to show beside it.
    """
    return [
        _protocols(evaluations),
        _translations(kept, evaluations, reference),
        _by_length(learned, evaluations),
        *_attention(learned[kept], cast(Looked, evaluations[kept].details)),
        _pairs(prepared),
    ]


def _protocols(evaluations: Mapping[str, Evaluation]) -> Panel:
    rows: list[list[str | Number]] = []
    for rung, own in evaluations.items():
        metrics = own.metrics
        interval = f"{metrics['bleu_low']:.2f} to {metrics['bleu_high']:.2f}"
        figures = [round(metrics[name], 2) for name in ("bleu", "bleu_papers", "chrf")]
        rows.append([rung, figures[0], interval, figures[1], figures[2], round(100 * metrics["exact"], 2)])
    metrics = next(iter(evaluations.values())).metrics
    told = (
        f"BLEU is sacrebleu's {metrics['bleu_signature']}; that of papers {metrics['papers_signature']}; chrF "
        f"{metrics['chrf_signature']}. Translations are looked for with a beam of {metrics['beam']}."
    )
    header = ["rung", "BLEU", "95 % interval", "BLEU of papers", "chrF", "exact, %"]
    return Panel("BLEU and chrF on test", told, [Grid("Figures", header, rows)])


def _translations(kept: str, evaluations: Mapping[str, Evaluation], reference: str) -> Panel:
    looked, beside = (cast(Looked, evaluations[name].details) for name in (kept, reference))
    places = np.unique(np.linspace(0, len(looked.said) - 1, SHOWN).round().astype(int))
    rows: list[list[str | Number]] = [
        [looked.sources[place], looked.wanted[place], looked.said[place], beside.said[place]] for place in places
    ]
    header = ["source", "what it should be", kept, reference]
    return Panel("Translations", "Some pairs of test, from the first to the last.", [Grid("Pairs", header, rows)])


def _by_length(learned: Mapping[str, LearnedTranslator], evaluations: Mapping[str, Evaluation]) -> Panel:
    items: list[Item] = []
    for name, title, label, scale in (("exact", "Exactly right", "%", 100.0), ("chrf", "chrF", "chrF", 1.0)):
        lines = []
        for rung in learned:
            bins = evaluations[rung].metrics["by_length"]
            middle: list[Number | str] = [f"{own['from']} to {own['to']}" for own in bins]
            lines.append(Line(rung, middle, [scale * own[name] for own in bins]))
        items.append(Figure("lines", title, "tokens of the source", label, lines))
    prose = "How good translations of short and of long sources are: without attention, one state has to hold all."
    return Panel("By length of the source", prose, items, side_by_side=True)


def _attention(learned: LearnedTranslator, looked: Looked) -> list[Panel]:
    """The maps of a test source of usual length, where the kept rung attends."""
    model = learned.model
    if not isinstance(model, NetworkModel):
        return []
    short = np.flatnonzero(looked.lengths <= min(_MAPPED, int(np.median(looked.lengths))))
    if not len(short) or "cross" not in model.look(np.array([4], np.int32), [4]):
        return []
    text = looked.sources[int(short[looked.lengths[short].argmax()])]
    search = learned.configuration.search
    panels = attention_panels(
        model, learned.vocabulary, text, Asked(search.beam, search.length_penalty, learned.longest)
    )
    return panels[:1]  # all of it is shown by foretell translate --attention


def _pairs(prepared: PreparedPairs) -> Panel:
    lengths = [
        Line(side, [], [float(own) for own in file.lengths[prepared.of_span("train")]])
        for side, file in (("sources", prepared.sources), ("targets", prepared.targets))
    ]
    counts: list[list[str | Number]] = [[span, prepared.counts[span]] for span in SPANS]
    counts += [[f"dropped, {reason}", number] for reason, number in prepared.dropped.items() if number]
    items: list[Item] = [
        Grid("Pairs", ["span", "pairs"], counts),
        Figure("histogram", "Lengths of training", "tokens", "texts", lengths),
        Grid("The most frequent tokens", ["token", "number"], _frequent(prepared.vocabulary)),
    ]
    return Panel("What was read", " ".join(f"{message}." for message in prepared.messages[:1]), items)


def _frequent(vocabulary: JointVocabulary) -> list[list[str | Number]]:
    tokens = vocabulary.tokens[len(SPECIAL) : len(SPECIAL) + _FREQUENT]
    return [[token.replace(" ", "␣"), len(SPECIAL) + place] for place, token in enumerate(tokens)]
