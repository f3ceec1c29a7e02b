"""Whether pairs can be learned from."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np

from ...data.faults.letters import tell_misread
from ...data.faults.pairs import Sides, in_the_wrong_language, misaligned
from ...data.pairs import SPANS, Pairs, read_pairs
from ...errors import InputError, counted
from ...evaluation.words import Parts
from ..health import Health
from .config import Configuration

_FAR = 4.0  # times that one side is longer than pairs usually are
_SHOWN = 3
_LOOKED_AT = 100_000  # pairs


def health(source: object, configuration: Configuration) -> Health:
    """What there is of pairs, and whether training could start.

    Args:
        source: Where they are.
        configuration: How they are read and shared out.
    """
    from .prepare import LEAST, SHORTEST, spans_of, texts_of

    try:
        pairs = read_pairs(source, configuration.pairs)
        spans, doubled = spans_of(pairs, configuration)
    except InputError as error:
        name = ", ".join(map(str, source)) if isinstance(source, tuple) else str(source)
        problem = {"severity": "error", "message": error.message, **error.details}
        return Health({"source": name, "pairs": None, "findings": [problem], "healthy": False}, "", (), {}, "pairs")
    counts = {span: int((spans == number).sum()) for number, span in enumerate(SPANS)}
    texts = texts_of(pairs, np.arange(len(pairs)))
    sizes = [np.array([len(text) for text in side]) for side in texts]
    findings = [_finding("note", note) for note in pairs.notes] + _findings(pairs, texts, sizes, doubled)
    enough = counts["train"] >= LEAST and min(counts.values()) >= SHORTEST
    if not enough:
        told = (
            f"training needs {LEAST} pairs or more, validation and test {SHORTEST} each; give it more, or other --spans"
        )
        findings.append(_finding("error", told))
    document = {
        "source": pairs.source,
        "pairs": len(pairs),
        "empty": pairs.empty,
        "languages": list(pairs.languages),
        "characters": {"sources": int(sizes[0].sum()), "targets": int(sizes[1].sum())},
        "spans": counts,
        "findings": findings,
        "healthy": enough,
    }
    between = " to ".join(pairs.languages) + ", " if all(pairs.languages) else ""
    lead = (
        f"{pairs.source}: {between}{len(pairs):,} pairs, {np.median(sizes[0]):.0f} characters of a source and "
        f"{np.median(sizes[1]):.0f} of a target in the middle"
    )
    rows = [
        [side, f"{len(set(own)):,}", f"{int(size.max()):,}", f"{len(Counter(''.join(own))):,}"]
        for side, own, size in zip(("sources", "targets"), texts, sizes, strict=True)
    ]
    parts = Parts(["side", "different", "longest", "different characters"], rows, (1, 2, 3))
    return Health(document, lead, (parts,), counts, "pairs")


def _findings(
    pairs: Pairs, texts: tuple[list[str], list[str]], sizes: list[np.ndarray], doubled: int
) -> list[dict[str, Any]]:
    """What is unusual about pairs."""
    found = []
    if pairs.empty:
        told = f"{counted(pairs.empty, 'pair')} dropped, as a side is empty"
        found.append(_finding("note", f"{told}: {_shown(list(pairs.first_empty), pairs.empty)}"))
    if doubled:
        found.append(_finding("note", f"{doubled:,} pairs are dropped, as a later span holds them as well"))
    same = sum(source == target for source, target in zip(*texts, strict=True))
    if same > 0.02 * len(pairs):
        found.append(_finding("warning", f"{same:,} pairs have the same text on both sides"))
    ratio = np.log((sizes[1] + 1) / (sizes[0] + 1))
    far = np.flatnonzero(np.abs(ratio - np.median(ratio)) > np.log(_FAR))
    if len(far) > 0.002 * len(pairs) and len(pairs) > 100:
        shown = "; ".join(
            f"{pairs.place(own)}: {texts[0][own][:30]} → {texts[1][own][:30]}" for own in far[:_SHOWN].tolist()
        )
        told = (
            f"{len(far):,} pairs have a side much longer than usual, which hints at lines that do not belong together"
        )
        found.append(_finding("warning", f"{told}: {shown}"))
    for side, own in zip(("sources", "targets"), texts, strict=True):
        placed = ((text, pairs.place(number)) for number, text in enumerate(own))
        found += [_finding("warning", told) for told in tell_misread(placed, side)]
    return found + [_finding("warning", told) for told in _strangers(pairs, texts)]


def _strangers(pairs: Pairs, texts: tuple[list[str], list[str]]) -> Iterator[str]:
    """Pairs whose sides say different things, or stand on the wrong side."""
    sides = Sides(*(own[:_LOOKED_AT] for own in texts))
    if len(pairs) > _LOOKED_AT:
        yield f"of {len(pairs):,} pairs the first {_LOOKED_AT:,} were looked at for lines that do not belong together"
    for stretch in misaligned(sides):
        far = abs(stretch.shift)
        shifted = f", as if targets stood {counted(far, 'line')} too {'late' if stretch.shift > 0 else 'early'}"
        yield (
            f"sides do not belong together from {pairs.place(stretch.first)} to {pairs.place(stretch.last - 1)} "
            f"({counted(stretch.last - stretch.first, 'pair')}){shifted if far else ''}"
        )
    what = ("sides are exchanged", "sources are in the language of targets", "targets are in the language of sources")
    for told, numbers in zip(what, in_the_wrong_language(sides), strict=True):
        if numbers:
            shown = _shown([pairs.place(number) for number in numbers[:_SHOWN]], len(numbers))
            yield f"{told} in {counted(len(numbers), 'pair')}: {shown}"


def _shown(places: list[str], count: int) -> str:
    more = f"; and {count - len(places):,} more" if count > len(places) else ""
    return "; ".join(places) + more


def _finding(severity: str, message: str) -> dict[str, Any]:
    return {"severity": severity, "message": message}
