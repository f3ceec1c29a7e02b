"""The health of labelled texts as one document: what there is, and whether training could start."""

from typing import Any

import numpy as np

from ..config import TextSection, TextSpanSection
from ..errors import InputError
from .corpora import SPANS, Texts, read_texts, share_out


def health_of_texts(source: object, section: TextSection, sharing: TextSpanSection, seed: int = 0) -> dict[str, Any]:
    """Everything worth knowing about texts before training on them.

    Args:
        source: As :func:`~foretell.data.corpora.read_texts` takes it.
        section: Where texts and labels stand.
        sharing: How they are shared out to spans.
        seed: Of those that are drawn for a span.

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


def _problem(error: InputError) -> dict[str, Any]:
    return {"severity": "error", "message": error.message, **error.details}
