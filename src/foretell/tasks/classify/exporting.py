"""Classifiers in ONNX, what they read of texts, and whether onnxruntime says the same."""

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...data.batches import Reader
from ...data.storage import TokenArray
from ...exporting.session import Feed, comparable, session, timed
from ...files import write_atomically
from ..interface import Exported
from .graph import Layout, Part, graph_of, parts_with_ngrams
from .learned import VOCABULARY, LearnedClassifier
from .linear import known_columns
from .models import LinearModel, NetworkModel, by_length
from .ngrams import counted_keys
from .usage import usage

FORMS = ("onnx",)
MODEL, USAGE = "model.onnx", "README.md"
ALIKE = 1e-5  # of probability
_AT_ONCE = 64  # texts


def export(fitted: LearnedClassifier, folder: Path, texts: Sequence[TokenArray]) -> Exported:
    """Writes a classifier as a graph, and has both label some texts.

    Args:
        fitted: The classifier.
        folder: Where; it exists and is empty.
        texts: What both label, in pieces; nothing is compared where there are none.

    Raises:
        ConfigurationError: It has no graph.
        MissingError: ONNX is not installed.
    """
    layout = Layout.of(fitted)
    graph_of(fitted, layout).save(folder / MODEL, _told(fitted, layout))
    vocabulary = json.dumps(fitted.vocabulary.document(), ensure_ascii=False) + "\n"
    write_atomically(folder / VOCABULARY, vocabulary.encode())
    write_atomically(folder / USAGE, usage(fitted, layout).encode())
    files = [MODEL, USAGE, VOCABULARY]
    for part, ngrams in parts_with_ngrams(layout):
        held = io.BytesIO()
        np.save(held, ngrams, allow_pickle=False)
        write_atomically(folder / part.table, held.getvalue())
        files.append(part.table)
    told = ("texts", f"to {ALIKE:g} of probability")
    if not len(texts) or not comparable():
        return Exported(files, 0, 0, 0.0, 0.0, *told)
    own = list(texts)
    batches = [
        [own[number] for number in some[start : start + _AT_ONCE]]
        for some in by_length([len(text) for text in own])
        for start in range(0, len(some), _AT_ONCE)
    ]
    run = session(folder / MODEL)
    ours, seconds = timed(lambda some: {"probabilities": fitted.probabilities(some)}, batches)
    theirs, their_seconds = timed(lambda some: run(feed_of(fitted, layout, some)), batches)
    off = np.abs(ours["probabilities"] - theirs["probabilities"]).max(axis=1)
    same = int((off <= ALIKE).sum())
    return Exported(files, len(off), same, seconds, their_seconds, *told, float(off.max()))


def feed_of(fitted: LearnedClassifier, layout: Layout, texts: Sequence[TokenArray]) -> Feed:
    """What a classifier's graph reads of some texts, by the names of its inputs.

    Args:
        fitted: The classifier.
        layout: What its graph reads.
        texts: In pieces.
    """
    feed: dict[str, np.ndarray] = {}
    if layout.length:
        reader = Reader(layout.length, len(fitted.vocabulary), front=layout.front)
        tokens, lengths = reader.filled([reader.cut(text) for text in texts])
        feed["lengths"] = lengths.numpy()
        if any(part.reads_tokens for part in layout.parts):
            feed["tokens"] = tokens.numpy()
    for part, _ in parts_with_ngrams(layout):
        feed |= _ngrams(part, texts)
    return feed


def _ngrams(part: Part, texts: Sequence[TokenArray]) -> dict[str, np.ndarray]:
    """The n-grams of some texts as a model knows them: numbers of vectors at each place, or each of a text's once."""
    model = part.model
    if isinstance(model, NetworkModel):
        batch = model.reader.filled([model.reader.cut(text) for text in texts])
        embedding: Any = model.network.embedding
        return {f"rows{part.ending}": embedding.rows(batch.tokens).numpy()}
    return _entries(part, model, texts)


def _entries(part: Part, model: LinearModel, texts: Sequence[TokenArray]) -> dict[str, np.ndarray]:
    linear, found = model.linear, []
    for text in texts:
        keys, counts = counted_keys(text, linear.ngrams)
        columns = known_columns(linear.keys, keys)
        found.append((columns[columns >= 0], counts[columns >= 0]))
    width = max(1, *(len(columns) for columns, _ in found))
    columns, counts = np.full((len(found), width), len(linear.keys)), np.zeros((len(found), width))
    for row, (places, often) in enumerate(found):
        columns[row, : len(places)], counts[row, : len(places)] = places, often
    feed = {f"columns{part.ending}": columns}
    return feed | ({f"counts{part.ending}": counts} if linear.kind == "tfidf" else {})


def _told(fitted: LearnedClassifier, layout: Layout) -> dict[str, Any]:
    """What the graph says of itself."""
    return {
        "task": "classify",
        "rung": fitted.rung,
        "labels": list(fitted.labels),
        "exclusive": fitted.exclusive,
        "temperature": fitted.temperature,
        "length": layout.length,
        "truncate": "front" if layout.front else "back",
        "tokens": fitted.vocabulary.kind,
    }
