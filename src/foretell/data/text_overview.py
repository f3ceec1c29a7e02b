"""The health of labelled texts as one document: what there is, and whether training could start."""

from collections.abc import Callable, Iterable
from itertools import islice
from typing import Any

import numpy as np
from jaxtyping import Int64

from ..config import TextSection, TextSpanSection
from ..errors import InputError, counted, nearest
from .corpora import SPANS, Texts, contradictions, read_texts, share_out
from .faults.letters import tell_misread

_SHOWN, _LONG = 3, 60  # places; letters of a label
_MOST = 100  # labels that are told
_RARE, _USUAL = 2, 50  # texts of a label that may be a slip, where the middle one has so many


def health_of_texts(
    source: object,
    section: TextSection,
    sharing: TextSpanSection,
    seed: int = 0,
    doubt: Callable[[Texts], Iterable[str]] = lambda texts: (),
) -> dict[str, Any]:
    """Everything worth knowing about texts before training on them.

    Args:
        source: As :func:`~foretell.data.corpora.read_texts` takes it.
        section: Where texts and labels stand.
        sharing: How they are shared out to spans.
        seed: Of those that are drawn for a span.
        doubt: What speaks against labels, a sentence each.

    Returns:
        Texts, labels, spans, lengths, findings, and ``healthy``: whether training can start.
    """
    try:
        texts = read_texts(source, section)
    except InputError as error:
        return {"source": str(source), "texts": None, "findings": [_problem(error)], "healthy": False}
    findings: list[dict[str, Any]] = [{"severity": "note", "message": note} for note in texts.notes]
    spans: dict[str, int] = {}
    try:
        corpus = share_out(texts, sharing, seed)
        findings += [{"severity": "note", "message": note} for note in corpus.notes]
        spans = {span: len(corpus.of(span)) for span in SPANS}
    except InputError as error:
        findings.append(_problem(error))
    findings += [_warning(sentence) for sentence in (*_faults(texts), *doubt(texts))]
    letters = np.diff(texts.texts.starts)
    return {
        "source": texts.source,
        "texts": len(texts.texts),
        "labels": _labels(texts),
        "spans": spans,
        "bytes": {"median": int(np.median(letters)), "longest": int(letters.max())},
        "findings": findings,
        "healthy": bool(spans),
    }


def _faults(texts: Texts) -> Iterable[str]:
    """What texts and labels say of themselves."""
    yield from tell_misread(
        ((texts.texts[number], texts.places[number]) for number in range(len(texts.texts))), "texts"
    )
    against = contradictions(texts)
    if against:
        shown = "; ".join(" and ".join(texts.places[number] for number in pair) for pair in against[:_SHOWN])
        more = f"; and {len(against) - _SHOWN:,} more" if len(against) > _SHOWN else ""
        yield f"the same text has other labels: {shown}{more}"
    if texts.targets.ndim == 1:
        slips = list(islice(_slips(texts, texts.targets), _MOST + 1))
        yield from slips[:_MOST]
        if len(slips) > _MOST:
            yield f"further labels look like another one's slip; the first {_MOST} are told"


def _slips(texts: Texts, targets: Int64[np.ndarray, " text"]) -> Iterable[str]:
    """Labels that look like another one's slip: the same but for its writing, or hardly ever there."""
    counts = np.bincount(targets, minlength=len(texts.labels))
    usual = float(np.median(counts))
    known: dict[str, int] = {}
    first = dict(zip(*(found.tolist() for found in np.unique(targets, return_index=True)), strict=True))
    others = [label for label, count in zip(texts.labels, counts, strict=True) if count >= _USUAL]
    for number in np.argsort(-counts, kind="stable").tolist():
        label = texts.labels[number]
        same = known.setdefault("".join(filter(str.isalnum, label.casefold())), number)
        place = texts.places[first[number]]
        if same != number:
            yield f'the labels "{texts.labels[same]}" and "{label}" differ in writing only; the latter first in {place}'
        elif counts[number] <= _RARE and usual >= _USUAL:
            own = label[:_LONG]
            yield f'the label "{own}" stands {counted(int(counts[number]), "time")}, in {place}; {nearest(own, others)}'


def _labels(texts: Texts) -> list[dict[str, Any]]:
    if texts.targets.ndim == 2:
        counts = texts.targets.sum(axis=0, dtype=np.int64)
    else:
        counts = np.bincount(texts.targets, minlength=len(texts.labels))
    total = len(texts.texts)
    return [
        {"label": label, "texts": int(count), "share": float(count / total)}
        for label, count in zip(texts.labels, counts, strict=True)
    ]


def _warning(message: str) -> dict[str, Any]:
    return {"severity": "warning", "message": message}


def _problem(error: InputError) -> dict[str, Any]:
    return {"severity": "error", "message": error.message, **error.details}
