"""A corpus of labelled texts: kept in a file, labels numbered, spans dealt out, duplicates between spans dropped."""

import hashlib
import math
from array import array
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np
from jaxtyping import Bool, Int64, UInt8, UInt64

from ..config import TextSection, TextSpanSection, entries
from ..errors import ConfigurationError, DataError, counted, nearest
from .labelled import LabelledText, Reading, read_labelled
from .storage import Spool, TextFile

SPANS = ("train", "validation", "test")
DROPPED = 3
_WHOLE, _FROM_TRAINING = (0.7, 0.15, 0.15), (0.8, 0.2)
_STREAM = 2**33  # of random numbers, that no training draws from
_MOST_LABELS = 1000  # beyond which there must be ten texts for each

Targets = Int64[np.ndarray, " text"] | UInt8[np.ndarray, "text label"]
"""The number of each text's label; or, with several labels a text, a one for each of them."""


@dataclass(frozen=True)
class Texts:
    """Texts with their labels.

    Attributes:
        source: What to call them.
        texts: The texts.
        places: Where each stands.
        labels: The names of the labels.
        targets: The label, or the labels, of each text.
        named: The span that the data name for each text; -1 where they name none.
        hashes: Two numbers that only equal texts share.
        notes: What was noticed.
        ordered: Whether their order says something, as that of a file's rows does.
        column: The column that they were read from, where they stood in a table.
    """

    source: str
    texts: TextFile
    places: TextFile
    labels: tuple[str, ...]
    targets: Targets
    named: Int64[np.ndarray, " text"]
    hashes: UInt64[np.ndarray, "text 2"]
    notes: list[str]
    ordered: bool
    column: str | None = None

    def truth(self, numbers: Int64[np.ndarray, " chosen"]) -> Bool[np.ndarray, "chosen label"]:
        """Which labels some texts have."""
        targets = self.targets[numbers]
        return targets > 0 if targets.ndim == 2 else np.arange(len(self.labels)) == targets[:, None]

    def among(self, seen: Int64[np.ndarray, " hash"]) -> Bool[np.ndarray, " text"]:
        """Which of the texts are among some others, by :meth:`Corpus.learned_from`."""
        return np.isin(self.hashes[:, 0].view(np.int64), seen)

    @property
    def fingerprint(self) -> str:
        """A hash of all texts, their labels, and the spans that they name."""
        parts = (self.hashes.tobytes(), self.targets.tobytes(), self.named.tobytes(), "\0".join(self.labels).encode())
        return hashlib.sha256(b"\0".join(parts)).hexdigest()


@dataclass(frozen=True)
class Corpus:
    """Texts that are shared out to training, validation and test.

    Attributes:
        texts: The texts.
        spans: The number of each text's span; :data:`DROPPED` where it has none.
        dropped: How many were dropped, by reason.
        notes: What was done, a sentence each.
    """

    texts: Texts
    spans: Int64[np.ndarray, " text"]
    dropped: dict[str, int]
    notes: list[str] = field(default_factory=list)

    @property
    def learned_from(self) -> Int64[np.ndarray, " hash"]:
        """A number for each text of training and validation, in order."""
        return np.unique(self.texts.hashes[self.spans < SPANS.index("test"), 0].view(np.int64))

    def without(self, seen: Int64[np.ndarray, " hash"]) -> "Corpus":
        """The same without texts of validation and test that a model has learned from.

        Raises:
            DataError: Nothing is left of a span.
        """
        old = self.texts.among(seen) & (self.spans > 0) & (self.spans < DROPPED)
        if not old.any():
            return self
        told = f"dropped, since the model learned from the same: {counted(int(old.sum()), 'text')}"
        corpus = replace(
            self,
            spans=np.where(old, DROPPED, self.spans),
            dropped={**self.dropped, "learned_from_before": int(old.sum())},
            notes=[*self.notes, f"{told} of validation and test"],
        )
        _must_be_learnable(corpus, known=True)
        return corpus

    def of(self, span: str) -> Int64[np.ndarray, " text"]:
        """The texts of a span, in the order of the data."""
        return np.flatnonzero(self.spans == SPANS.index(span))


def read_texts(source: object, section: TextSection, labels: Sequence[str] | None = None) -> Texts:
    """Texts and labels from any source.

    Args:
        source: A folder, an archive, a table's path, ``-``, or a data frame.
        section: Where texts and labels stand.
        labels: The labels that there may be; all that are found where None.

    Raises:
        DataError: It holds no labelled texts, or a label that there may not be.
    """
    reading = read_labelled(source, section)
    with closing(reading.texts), Spool() as texts, Spool() as places:
        return _kept(reading, section, labels, texts, places)


def _kept(reading: Reading, section: TextSection, labels: Sequence[str] | None, texts: Spool, places: Spool) -> Texts:
    """Texts as they come, written to files; what is held of each is a few numbers."""
    hashes = bytearray()
    starts, place_starts, named = array("q", [0]), array("q", [0]), array("q")
    numbers: dict[str, int] = {label: number for number, label in enumerate(labels or reading.labels)}
    found, counts = array("q"), array("q")
    for text in reading.texts:
        content = text.text.encode("utf-8", "surrogatepass")
        texts.write(content)
        places.write(text.place.encode("utf-8", "surrogatepass"))
        starts.append(texts.size)
        place_starts.append(places.size)
        hashes += hashlib.blake2b(content, digest_size=16).digest()
        named.append(SPANS.index(text.span) if text.span else -1)
        if labels is not None:
            _must_be_known(text, numbers)
        found.extend(numbers.setdefault(label, len(numbers)) for label in text.labels)
        counts.append(len(text.labels))
    if not counts:
        raise DataError(f"{reading.name} holds no texts with labels", file=reading.name)
    names = tuple(numbers) if labels is not None else tuple(sorted(numbers, key=_natural))
    place_of = {label: place for place, label in enumerate(names)}
    order = np.array([place_of[label] for label in numbers], np.int64)
    codes = order[np.array(found, np.int64)]
    return Texts(
        reading.name,
        TextFile(texts.seen(), np.array(starts, np.int64)),
        TextFile(places.seen(), np.array(place_starts, np.int64)),
        names,
        _several(codes, np.array(counts, np.int64), len(names)) if section.multi_label else codes,
        np.array(named, np.int64),
        np.frombuffer(bytes(hashes), np.uint64).reshape(-1, 2),
        reading.notes,
        reading.ordered,
        reading.column,
    )


def share_out(texts: Texts, section: TextSpanSection, seed: int, *, known: bool = False) -> Corpus:
    """Deals texts out to training, validation and test, and drops what would stand in two of them.

    Args:
        texts: The texts.
        section: How.
        seed: Where random choices come from.
        known: Whether labels were learned before, so that training need not hold all of them.

    Raises:
        DataError: A span would hold nothing, or training one label only.
        ConfigurationError: The shares make no sense.
    """
    named = texts.named.copy()
    notes: list[str] = []
    has = [bool((named == number).any()) for number in range(len(SPANS))]
    if any(has) and not has[0]:
        raise DataError(f"{texts.source} names texts for {SPANS[has.index(True)]}, but none for train")
    if has[0] and has[1] and not has[2]:
        named[named == 1] = 2
        notes.append("no texts are named for test: those for validation are used, and validation comes from training")
        has = [True, False, True]
    if all(has):
        if section.spans:
            raise ConfigurationError(f"{texts.source} names all spans itself; leave --spans away", option="spans")
        spans = named
    else:
        given = has[2]
        shares = _shares(section, _FROM_TRAINING if given else _WHOLE)
        own = np.flatnonzero(named == 0) if given else np.arange(len(named))
        spans = named
        for number, chosen in enumerate(_dealt(texts, own, shares, section.split, seed)):
            spans[chosen] = number
        alike = ", each label alike" if texts.targets.ndim == 1 else ""
        how = "the last ones" if section.split == "last" else f"drawn at random{alike}"
        what = "validation is a share of training" if given else "no spans are named"
        notes.append(f"{what}: {', '.join(f'{share:g}' for share in shares)}, {how}")
    spans, dropped = _without_duplicates(texts, spans, notes)
    corpus = Corpus(texts, spans, dropped, notes)
    _must_be_learnable(corpus, known=known)
    return corpus


def _several(
    codes: Int64[np.ndarray, " given"], counts: Int64[np.ndarray, " text"], labels: int
) -> UInt8[np.ndarray, "text label"]:
    """A one for each label of each text."""
    targets = np.zeros((len(counts), labels), np.uint8)
    targets[np.repeat(np.arange(len(counts)), counts), codes] = 1
    return targets


def _natural(label: str) -> tuple[int, float, str]:
    """Numbers by value, before words by letter."""
    try:
        value = float(label)
    except ValueError:
        value = math.nan
    return (1, 0.0, label) if math.isnan(value) else (0, value, label)


def _must_be_known(text: LabelledText, known: Iterable[str]) -> None:
    for label in text.labels:
        if label not in known:
            raise DataError(
                f'{text.place} has the label "{label}", which training never saw; {nearest(label, known)}', value=label
            )


def _shares(section: TextSpanSection, usual: tuple[float, ...]) -> tuple[float, ...]:
    if not section.spans:
        return usual
    texts = entries(section.spans)
    try:
        shares = tuple(float(text) for text in texts)
    except ValueError:
        shares = ()
    if len(shares) != len(usual) or not (min(shares) > 0 and abs(sum(shares) - 1) < 1e-6):
        what = "train, validation and test" if len(usual) == 3 else "train and validation, as the data name the test"
        example = ",".join(f"{share:g}" for share in usual)
        raise ConfigurationError(
            f"spans are {len(usual)} shares above zero that add up to 1, of {what}, such as {example}; "
            f"found {','.join(texts)}",
            option="spans",
        )
    return shares


def _dealt(
    texts: Texts, own: Int64[np.ndarray, " own"], shares: tuple[float, ...], split: str, seed: int
) -> list[Int64[np.ndarray, " part"]]:
    """Some texts in parts of given shares."""
    generator = np.random.Generator(np.random.Philox(key=[seed, _STREAM]))
    if split == "last":
        # A folder's order is that of its labels and names: it is shuffled first, as the decks' data set is.
        order = own if texts.ordered else generator.permutation(own)
        return _cut(order, shares)
    groups = [own]
    if texts.targets.ndim == 1:
        targets = texts.targets[own]
        ends = np.cumsum(np.bincount(targets, minlength=len(texts.labels)))
        groups = np.split(own[np.argsort(targets, kind="stable")], ends[:-1])
    parts = [_cut(generator.permutation(group), shares) for group in groups]
    return [np.sort(np.concatenate([part[number] for part in parts])) for number in range(len(shares))]


def _cut(order: Int64[np.ndarray, " own"], shares: tuple[float, ...]) -> list[Int64[np.ndarray, " part"]]:
    """An order cut from its end, so that what is too little to be shared stays in the first part."""
    sizes = [int(share * len(order) + 0.5) for share in shares[1:]]
    first = max(len(order) - sum(sizes), min(1, len(order)))
    bounds = np.minimum(first + np.cumsum([0, *sizes]), len(order))
    return [order[:first], *(order[start:end] for start, end in pairwise(bounds))]


def _without_duplicates(
    texts: Texts, spans: Int64[np.ndarray, " text"], notes: list[str]
) -> tuple[Int64[np.ndarray, " text"], dict[str, int]]:
    """The spans without texts that a later span holds as well."""
    group = _groups(texts.hashes)
    count = int(group.max()) + 1
    inside = [np.bincount(group[spans == number], minlength=count) > 0 for number in range(len(SPANS))]
    in_training = (spans == 0) & (inside[1] | inside[2])[group]
    in_validation = (spans == 1) & inside[2][group]
    dropped = {"also_in_validation_or_test": int(in_training.sum()), "also_in_test": int(in_validation.sum())}
    if dropped["also_in_validation_or_test"]:
        told = f"{counted(dropped['also_in_validation_or_test'], 'text')} of training"
        notes.append(f"dropped, since validation or test holds the same: {told}")
    if dropped["also_in_test"]:
        notes.append(f"dropped, since test holds the same: {counted(dropped['also_in_test'], 'text')} of validation")
    repeated = len(group) - count
    if repeated:
        contradicting = _contradicting(texts.targets, group, count)
        told = f"; {counted(contradicting, 'text')} among them with other labels" if contradicting else ""
        notes.append(f"exact duplicates: {counted(repeated, 'text')} in all{told}")
    spans = spans.copy()
    spans[in_training | in_validation] = DROPPED
    return spans, dropped


def contradictions(texts: Texts) -> list[tuple[int, int]]:
    """Equal texts with other labels: of each such text, the first two places that disagree."""
    group = _groups(texts.hashes)
    columns = texts.targets[:, None] if texts.targets.ndim == 1 else texts.targets
    first = np.full(int(group.max()) + 1, -1)
    found: dict[int, tuple[int, int]] = {}
    again = np.flatnonzero(np.bincount(group)[group] > 1)
    for number in again.tolist():
        own = int(group[number])
        if first[own] < 0:
            first[own] = number
        elif own not in found and (columns[number] != columns[first[own]]).any():
            found[own] = (int(first[own]), number)
    return sorted(found.values())


def _groups(hashes: UInt64[np.ndarray, "text 2"]) -> Int64[np.ndarray, " text"]:
    """The number of each text among different ones."""
    order = np.lexsort((hashes[:, 1], hashes[:, 0]))
    ordered = hashes[order]
    new = np.concatenate([[0], (ordered[1:] != ordered[:-1]).any(axis=1).cumsum()])
    group = np.empty(len(hashes), np.int64)
    group[order] = new
    return group


def _contradicting(targets: Targets, group: Int64[np.ndarray, " text"], count: int) -> int:
    """How many texts share their words with others that have other labels."""
    columns = targets[:, None] if targets.ndim == 1 else targets
    differs: Bool[np.ndarray, " group"] = np.zeros(count, bool)
    for column in columns.T:
        low, high = np.full(count, np.iinfo(np.int64).max), np.full(count, -1)
        np.minimum.at(low, group, column)
        np.maximum.at(high, group, column)
        differs |= low != high
    return int(differs[group].sum())


def _must_be_learnable(corpus: Corpus, *, known: bool) -> None:
    texts, labels = corpus.texts, corpus.texts.labels
    counts = {span: len(corpus.of(span)) for span in SPANS}
    if len(labels) > _MOST_LABELS and 10 * len(labels) > len(texts.texts):
        raise DataError(
            f"{texts.source} has {len(labels)} different labels over {len(texts.texts)} texts; a label is a class that "
            "many texts share; name the right column with --label",
            labels=len(labels),
        )
    if not labels:
        raise DataError(f"no text of {texts.source} has a label; there is nothing to learn")
    if len(labels) < 2 and texts.targets.ndim == 1:
        raise DataError(f'{texts.source} has one label only, "{labels[0]}"; there is nothing to tell apart')
    for span, count in counts.items():
        if not count:
            told = ", ".join(f"{number} {name}" for name, number in counts.items())
            gone = sum(corpus.dropped.values())
            why = "each label has too few of them, or --spans leaves none"
            if gone:
                why = f"{counted(gone, 'text')} were dropped, since another span or the model's training holds the same"
            raise DataError(f"the {span} span holds no texts ({told}): {why}")
    if known:
        return
    if texts.targets.ndim == 2:
        seen = texts.targets[corpus.of("train")].any(axis=0)
    else:
        seen = np.bincount(texts.targets[corpus.of("train")], minlength=len(labels)) > 0
        if seen.sum() < 2:
            only = labels[int(seen.argmax())]
            raise DataError(
                f'the train span of {texts.source} has one label only, "{only}"; where the rows are sorted by label, '
                "say --split random"
            )
    if not seen.all():
        label = int(np.flatnonzero(~seen)[0])
        if texts.targets.ndim == 2 and not texts.targets[:, label].any():
            raise DataError(
                f'no text of {texts.source} has the label "{labels[label]}", so that it cannot be learned; '
                "leave it out of --label",
                value=labels[label],
            )
        own = texts.targets[:, label] > 0 if texts.targets.ndim == 2 else texts.targets == label
        place = texts.places[int(np.flatnonzero(own)[0])]
        raise DataError(
            f'{place} has the label "{labels[label]}", which no text of the train span has; there are too few of them, '
            "or the spans are named so",
            value=labels[label],
        )
