"""A classifier as one graph: tokens, or the n-grams that they make, in; probabilities out, temperatures inside."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Int64

from ...errors import ConfigurationError
from ...exporting.layers import mean_of
from ...exporting.onnx_graph import DOUBLE, Graph, Kind
from ...exporting.texts import cut, known, over_texts
from ...nn import NgramEmbedding, TokenEmbedding
from .learned import LearnedClassifier
from .linear import Linear
from .models import LEAST, EnsembleModel, LinearModel, Model, NetworkModel


@dataclass(frozen=True)
class Part:
    """A model of a classifier.

    Attributes:
        rung: Its name.
        model: What scores texts.
        temperature: What its scores are divided by.
        ending: Ends the names of inputs that are its own.
    """

    rung: str
    model: NetworkModel | LinearModel
    temperature: float
    ending: str = ""

    @property
    def ngrams(self) -> Int64[np.ndarray, " ngram"] | None:
        """The hashes of the n-grams that it knows, in order; None where it reads tokens alone."""
        if isinstance(self.model, LinearModel):
            return self.model.linear.keys
        embedding = self.model.network.embedding
        if isinstance(embedding, NgramEmbedding) and embedding.ngrams > 1 and len(embedding.table):
            return embedding.table.numpy()
        return None

    @property
    def reads_tokens(self) -> bool:
        """Whether it reads the numbers of tokens."""
        return isinstance(self.model, NetworkModel) and self.ngrams is None

    @property
    def table(self) -> str:
        """The file of its n-grams."""
        return f"ngrams{self.ending.replace('_', '-')}.npy"


@dataclass(frozen=True)
class Layout:
    """What a graph reads.

    Attributes:
        parts: The models that it is made of.
        length: Most tokens of a text that any of its networks reads; none where it has no network.
        front: Whether longer texts are cut at their front.
    """

    parts: tuple[Part, ...]
    length: int
    front: bool

    @classmethod
    def of(cls, fitted: LearnedClassifier) -> "Layout":
        """What a classifier's graph reads.

        Raises:
            ConfigurationError: One of its models has no graph.
        """
        if isinstance(fitted.model, EnsembleModel):
            parts = tuple(
                Part(own.rung, _exported(own.rung, own.model), own.temperature, f"_{own.rung.replace('-', '_')}")
                for own in fitted.model.members
            )
        else:
            parts = (Part(fitted.rung, _exported(fitted.rung, fitted.model), fitted.temperature),)
        readers = [part.model.reader for part in parts if isinstance(part.model, NetworkModel)]
        return cls(parts, max((own.length for own in readers), default=0), all(own.front for own in readers))


def _exported(rung: str, model: Model) -> NetworkModel | LinearModel:
    if not isinstance(model, NetworkModel | LinearModel):
        raise ConfigurationError(
            f"{rung} says the same of every text: there is nothing to go --to onnx; export a network or a linear rung",
            rung=rung,
        )
    return model


@dataclass
class _Inputs:
    """The inputs of a graph, each declared when it is first read."""

    graph: Graph
    layout: Layout
    _made: dict[str, str] = field(default_factory=dict)

    def read(self, part: Part, model: NetworkModel) -> tuple[str, str]:
        """What a network reads of texts, and the lengths of what it reads."""
        lengths = self.input("lengths", ["batch"])
        shorter = model.reader.length < self.layout.length
        embedding: TokenEmbedding | NgramEmbedding = model.network.embedding
        if part.reads_tokens:
            tokens, left = self.input("tokens", ["batch", "place"]), lengths
            if shorter:
                tokens, left = cut(self.graph, tokens, lengths, model.reader.length, front=model.reader.front)
            if isinstance(embedding, NgramEmbedding):
                tokens = str(
                    self.graph.add("Unsqueeze", known(self.graph, tokens, embedding.tokens), self.graph.whole(1))
                )
            return tokens, left
        rows = self.input(f"rows{part.ending}", ["batch", longest_of(part), f"place{part.ending}"])
        if shorter:
            lengths = str(self.graph.add("Min", lengths, self.graph.constant(np.array(model.reader.length))))
        return rows, lengths

    def input(self, name: str, shape: list[str | int], kind: Kind = "whole") -> str:
        """An input of some name."""
        if name not in self._made:
            self._made[name] = self.graph.input(name, shape, kind)
        return self._made[name]


def graph_of(fitted: LearnedClassifier, layout: Layout) -> Graph:
    """The graph of a classifier.

    Args:
        fitted: The classifier.
        layout: What its graph reads.

    Raises:
        ConfigurationError: A layer of it has no graph.
        MissingError: ONNX is not installed.
    """
    graph = Graph("classifier")
    inputs, exclusive = _Inputs(graph, layout), fitted.exclusive
    said = [
        _likely(graph, _scores(inputs, part), part.temperature, len(fitted.labels), exclusive) for part in layout.parts
    ]
    likely = said[0]
    if isinstance(fitted.model, EnsembleModel):
        scores = _scores_of(graph, mean_of(graph, said), len(fitted.labels), exclusive)
        likely = _likely(graph, scores, fitted.temperature, len(fitted.labels), exclusive)
    graph.output("probabilities", likely, ["batch", len(fitted.labels)], "double")
    return graph


def _scores(inputs: _Inputs, part: Part) -> str:
    if isinstance(part.model, LinearModel):
        return _linear(inputs, part, part.model.linear)
    scores = over_texts(inputs.graph, part.model.network, *inputs.read(part, part.model))
    return str(inputs.graph.add("Cast", scores, to=DOUBLE))


def _linear(inputs: _Inputs, part: Part, linear: Linear) -> str:
    """The sum of the weights of a text's n-grams; what fills a text up has a weight of zero, behind all others."""
    graph, entry = inputs.graph, f"entry{part.ending}"
    columns = inputs.input(f"columns{part.ending}", ["batch", entry])
    weights = np.concatenate([linear.weights, np.zeros_like(linear.weights[:1])]).astype(np.float64)
    found = graph.add("Gather", graph.constant(weights), columns)
    if linear.kind == "tfidf":
        counts = inputs.input(f"counts{part.ending}", ["batch", entry], "double")
        scale = np.append(linear.scale, 0.0)
        values = graph.add("Mul", counts, graph.add("Gather", graph.constant(scale), columns))
        square = graph.add("ReduceSum", graph.add("Mul", values, values), graph.whole(1), keepdims=1)
        some = graph.add("Greater", square, graph.constant(np.array(0.0)))
        length = graph.add("Where", some, graph.add("Sqrt", square), graph.constant(np.array(1.0)))
        shares = graph.add("Unsqueeze", graph.add("Div", values, length), graph.whole(2))
        found = graph.add("Mul", found, shares)
    total = graph.add("ReduceSum", found, graph.whole(1), keepdims=0)
    return str(graph.add("Add", total, graph.constant(linear.bias)))


def _likely(graph: Graph, scores: str, temperature: float, labels: int, exclusive: bool) -> str:
    """How likely each label is: one score alone is that of the second of two labels."""
    scaled = graph.add("Div", scores, graph.constant(np.array(temperature)))
    if not exclusive:
        return str(graph.add("Sigmoid", scaled))
    if labels > 2:
        return str(graph.add("Softmax", scaled, axis=-1))
    second = graph.add("Sigmoid", scaled)
    return str(graph.add("Concat", graph.add("Sigmoid", graph.add("Neg", scaled)), second, axis=1))


def _scores_of(graph: Graph, likely: str, labels: int, exclusive: bool) -> str:
    """Scores with given probabilities, as an ensemble has them."""
    ends = graph.constant(np.array(LEAST)), graph.constant(np.array(1 - LEAST))
    clipped = graph.add("Clip", likely, *ends)
    if exclusive and labels > 2:
        return str(graph.add("Log", clipped))
    rest = graph.add("Sub", graph.constant(np.array(1.0)), clipped)
    logits = graph.add("Sub", graph.add("Log", clipped), graph.add("Log", rest))
    return str(graph.add("Gather", logits, graph.whole(1), axis=1)) if exclusive else str(logits)


def longest_of(part: Part) -> int:
    """How many tokens the longest n-gram has that a model reads."""
    if isinstance(part.model, LinearModel):
        return part.model.linear.ngrams
    embedding = part.model.network.embedding
    return embedding.ngrams if isinstance(embedding, NgramEmbedding) else 1


def parts_with_ngrams(layout: Layout) -> Iterator[tuple[Part, Int64[np.ndarray, " ngram"]]]:
    """The models that read n-grams, and the hashes of those that each knows."""
    for part in layout.parts:
        if (ngrams := part.ngrams) is not None:
            yield part, ngrams
