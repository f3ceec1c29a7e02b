"""Classifiers in ONNX: every rung says the same in onnxruntime, of a text alone and among others."""

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from foretell.config import TokenSection
from foretell.data.batches import Reader
from foretell.data.storage import TokenArray
from foretell.data.vocabulary import Vocabulary
from foretell.errors import ConfigurationError
from foretell.exporting.onnx_graph import Graph
from foretell.exporting.texts import cut
from foretell.nn import NgramEmbedding
from foretell.tasks.classify.config import RUNGS, Configuration
from foretell.tasks.classify.exporting import export, feed_of
from foretell.tasks.classify.graph import Layout, graph_of
from foretell.tasks.classify.learned import LearnedClassifier, outputs_of
from foretell.tasks.classify.models import EnsembleModel, Member, Model, NetworkModel
from foretell.tasks.classify.ngrams import frequent
from foretell.tasks.classify.prepare import PreparedTexts
from foretell.tasks.classify.rungs import NETWORKS, TextShape, build_network
from foretell.tasks.classify.task import task
from foretell.tasks.classify.usage import _cutting
from foretell.tasks.interface import Attempt, Silent

from .made_layers import with_biases

NODES = {"rnn": "RNN", "lstm": "LSTM", "gru": "GRU", "lstm-bidirectional": "LSTM", "conv-gru": "GRU"}
OPTIONS: list[tuple[str, dict[str, Any]]] = [
    *((rung, {}) for rung in NETWORKS),
    *(
        (rung, {"pooling": pooling})
        for rung in ("gru", "conv-gru", "transformer", "conv")
        for pooling in ("last", "average", "maximum")
    ),
    *(("gru", {"direction": "both", "merge": merge}) for merge in ("concatenate", "sum", "mean", "product")),
    ("gru", {"reset": "before", "activation": "relu", "direction": "backward", "head": "4"}),
    ("lstm", {"units": "4,3", "direction": "both", "merge": "mean", "pooling": "last"}),
    ("conv-gru", {"pool_size": 3, "kernel_size": "4", "direction": "both", "pooling": "last"}),
    ("conv", {"kernel_size": "2,3,5", "head": "6"}),
    ("bag", {"ngrams": 1}),
    ("bag-weighted", {"ngrams": 3}),
]
WORDS = ["good", "bad", "dull", "great", "the", "a", "film", "was", "and", "of", "music", "we", "saw", "it"]
LABELS = {2: ("neg", "pos"), 3: ("neg", "odd", "pos")}
SMALL = {"units": "5", "embedding": 6, "heads": 2, "feed_forward": 7}


def made(labels: int, count: int = 90) -> pl.DataFrame:
    generator = np.random.default_rng(labels)
    texts = [" ".join(generator.choice(WORDS, generator.integers(1, 14))) for _ in range(count)]
    return pl.DataFrame({"text": texts, "label": [LABELS[labels][row % labels] for row in range(count)]})


def prepared_for(labels: int, *, multi: bool = False, **sections: dict[str, Any]) -> PreparedTexts:
    given_sections = {"texts": {"multi_label": multi}, "tokens": {"length": 10}, **sections}
    configuration = {**given_sections, "run": {"rungs": ["majority"]}}
    return task.prepare(made(labels), Configuration.model_validate(configuration))


def untrained(prepared: PreparedTexts, rung: str, options: dict[str, Any], length: int = 10) -> NetworkModel:
    """A rung's network as it begins, biases and factors not one value; it knows all tokens but the last two."""
    own = prepared.configuration.of_rung(RUNGS[rung].options).network
    section = type(own).model_validate({**own.model_dump(), **SMALL, **options})
    tokens, outputs = len(prepared.vocabulary) - 2, outputs_of(len(prepared.labels), exclusive=prepared.exclusive)
    reader = Reader(length, tokens, front=prepared.configuration.tokens.truncate == "front")
    texts = [reader.known(prepared.tokens[number]) for number in range(60)]
    known = (
        frequent(texts, section.ngrams, 2) if NETWORKS[rung].counts and section.ngrams > 1 else np.zeros(0, np.int64)
    )
    torch.manual_seed(4)
    network = with_biases(
        build_network(rung, TextShape(tokens, outputs, length, section.embedding, len(known)), section)
    )
    embedding = network.embedding
    with torch.no_grad():
        embedding.weight[1:].mul_(20)
    if isinstance(embedding, NgramEmbedding):
        embedding.table.copy_(torch.from_numpy(known))
        embedding.factors.uniform_(0.2, 2)
    return NetworkModel(network.eval().requires_grad_(False), reader, section)


def learned(prepared: PreparedTexts, rung: str, model: Model | None = None) -> LearnedClassifier:
    fitted = task.fit(prepared, rung if model is None else "majority", Attempt(Path("nowhere"), Silent()))
    return fitted if model is None else replace(fitted, rung=rung, model=model, temperature=1.7)


def texts_of(prepared: PreparedTexts) -> list[TokenArray]:
    """Texts of all lengths, longer ones than are read, one without tokens, and tokens that a network does not know."""
    own = [prepared.tokens[number] for number in range(40)]
    return [*own, np.zeros(0, np.int32), np.arange(2, len(prepared.vocabulary), dtype=np.int32), *own[:3]]


def require_same(fitted: LearnedClassifier, texts: Sequence[TokenArray], folder: Path) -> None:
    pytest.importorskip("onnxruntime")
    folder.mkdir()
    found = export(fitted, folder, texts)
    assert found.largest is not None
    assert found.largest <= 1e-5, found.largest
    assert (found.compared, found.same) == (len(texts), len(texts))
    likely = fitted.probabilities(texts)
    assert likely.std(axis=0).max() > 1e-3, "all texts get the same"


@pytest.mark.parametrize(("rung", "options"), OPTIONS)
def test_networks_say_the_same(rung: str, options: dict[str, Any], tmp_path: Path) -> None:
    prepared = prepared_for(2 if len(options) % 2 else 3)
    fitted = learned(prepared, rung, untrained(prepared, rung, options))
    require_same(fitted, texts_of(prepared), tmp_path / rung)
    nodes = [node.op_type for node in graph_of(fitted, Layout.of(fitted)).nodes]
    wanted = {NODES[rung]: len(str(options.get("units", "5")).split(","))} if rung in NODES else {}
    assert {kind: nodes.count(kind) for kind in ("RNN", "LSTM", "GRU") if kind in nodes} == wanted


@pytest.mark.parametrize("rung", ["gru", "conv", "transformer", "conv-gru", "bag"])
def test_a_text_alone_and_in_a_batch(rung: str, tmp_path: Path) -> None:
    runtime = pytest.importorskip("onnxruntime")
    prepared = prepared_for(3)
    fitted = learned(prepared, rung, untrained(prepared, rung, {}))
    layout, texts = Layout.of(fitted), texts_of(prepared)
    graph_of(fitted, layout).save(tmp_path / "model.onnx")
    session = runtime.InferenceSession(str(tmp_path / "model.onnx"))
    whole = session.run(None, dict(feed_of(fitted, layout, texts)))[0]
    for place in range(len(texts)):
        alone = session.run(None, dict(feed_of(fitted, layout, texts[place : place + 1])))[0]
        np.testing.assert_allclose(alone[0], whole[place], atol=1e-6)


@pytest.mark.parametrize("rung", ["tfidf", "nb-svm"])
@pytest.mark.parametrize("labels", [2, 3])
def test_linear_rungs_say_the_same(rung: str, labels: int, tmp_path: Path) -> None:
    pytest.importorskip("sklearn")
    prepared = prepared_for(labels)
    require_same(learned(prepared, rung), texts_of(prepared), tmp_path / rung)


@pytest.mark.parametrize("labels", [2, 3])
@pytest.mark.parametrize("multi", [False, True])
@pytest.mark.parametrize("truncate", ["front", "back"])
def test_an_ensemble_is_one_graph(labels: int, multi: bool, truncate: str, tmp_path: Path) -> None:
    pytest.importorskip("sklearn")
    prepared = prepared_for(labels, multi=multi, tokens={"length": 10, "truncate": truncate})
    members = [
        Member("gru", untrained(prepared, "gru", {}, 6), 0.8),
        Member("bag", untrained(prepared, "bag", {}, 12), 1.3),
        Member("bag-weighted", untrained(prepared, "bag-weighted", {}, 5), 2.0),
        Member("transformer", untrained(prepared, "transformer", {}, 4), 1.0),
        *(Member(rung, learned(prepared, rung).model, 1.1) for rung in ("tfidf", "nb-svm")),
    ]
    fitted = learned(prepared, "ensemble", EnsembleModel(tuple(members), prepared.exclusive))
    require_same(fitted, texts_of(prepared), tmp_path / "ensemble")
    tables = {f"ngrams-{name}.npy" for name in ("bag", "bag-weighted", "nb-svm", "tfidf")}
    assert {path.name for path in (tmp_path / "ensemble").glob("*.npy")} == tables


@settings(max_examples=30)
@given(
    st.lists(st.lists(st.integers(1, 9), min_size=1, max_size=9), min_size=1, max_size=4),
    st.integers(1, 10),
    st.booleans(),
)
def test_texts_are_cut_inside_a_graph_as_a_reader_cuts_them(texts: list[list[int]], length: int, front: bool) -> None:
    runtime = pytest.importorskip("onnxruntime")
    graph = Graph("cut")
    tokens, lengths = graph.input("tokens", ["batch", "place"], "whole"), graph.input("lengths", ["batch"], "whole")
    for name, own in zip(("found", "left"), cut(graph, tokens, lengths, length, front=front), strict=True):
        graph.output(name, own, ["batch", "place"] if name == "found" else ["batch"], "whole")
    whole, reader = Reader(100, 100), Reader(length, 100, front=front)
    arrays = [np.array(own, np.int32) for own in texts]
    read, sizes = (own.numpy() for own in whole.filled(arrays))
    expected, left = (own.numpy() for own in reader.filled([reader.cut(own) for own in arrays]))
    found = saved(graph, runtime).run(None, {"tokens": read, "lengths": sizes})
    np.testing.assert_array_equal(found[0], expected)
    np.testing.assert_array_equal(found[1], left)


def saved(graph: Graph, runtime: Any) -> Any:
    with tempfile.TemporaryDirectory() as folder:
        graph.save(Path(folder) / "graph.onnx")
        return runtime.InferenceSession(str(Path(folder) / "graph.onnx"))


@pytest.mark.parametrize("rung", ["gru", "bag", "tfidf", "nb-svm", "ensemble"])
def test_the_page_works_as_it_is_printed(rung: str, tmp_path: Path) -> None:
    pytest.importorskip("sklearn")
    prepared = prepared_for(3)
    if rung == "ensemble":
        others = [Member(name, learned(prepared, name).model, 1.2) for name in ("tfidf", "nb-svm")]
        members = (Member("bag", untrained(prepared, "bag", {}, 12), 1.1), *others)
        members = (*members, Member("gru", untrained(prepared, "gru", {}, 3), 0.7))
        fitted = learned(prepared, rung, EnsembleModel(members, True))
    else:
        fitted = learned(prepared, rung, untrained(prepared, rung, {}) if rung in NETWORKS else None)
    export(fitted, tmp_path, [])
    (snippet,) = re.findall(r"```python\n(.*?)```", (tmp_path / "README.md").read_text("utf-8"), re.DOTALL)
    asked = ["The dull FILM was great, great", "a"]
    snippet = snippet.replace('numbers("a text"), numbers("another one, longer than that")', str(asked)[1:-1])
    snippet = snippet.replace("texts = [", "texts = [numbers(own) for own in (").replace("']\ninputs", "')]\ninputs")
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", snippet], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    said = [json.loads(line.replace("'", '"')) for line in done.stdout.splitlines()]
    expected = fitted.probabilities(list(fitted.vocabulary.encode(asked)))
    for own, likely in zip(said, expected, strict=True):
        assert own == pytest.approx(dict(zip(fitted.labels, likely.tolist(), strict=True)), abs=1e-4)


@pytest.mark.parametrize("kind", ["words", "characters", "bpe"])
@settings(max_examples=60)
@given(st.text(alphabet="abo dg'<>/i\u0301.,A\u00c9\u0915\u093f_1\u00b2\u03a3\n", max_size=25))
def test_the_page_cuts_texts_as_vocabularies_do(kind: Any, text: str) -> None:
    learnt = ["good dog, bad dog", "a good bad go\u00e9d", "<i>dog</i> good bad"]
    section = TokenSection(tokens=kind, vocabulary=40)
    vocabulary = Vocabulary.learn(learnt, section)
    known: dict[str, Any] = {
        "number": vocabulary.numbers,
        "rank": {pair: place for place, pair in enumerate(vocabulary.merges)},
    }
    exec("import re, unicodedata\n" + _cutting(vocabulary), known)
    (expected,) = vocabulary.encode([text])
    assert known["numbers"](text) == expected.tolist()


def test_what_says_the_same_of_every_text_is_not_exported(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="majority says the same of every text"):
        export(learned(prepared_for(2), "majority"), tmp_path, [])
