"""A forecaster as one graph: from a window in the unit of the data to forecasts and intervals in that unit."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from ...data.windows import WindowShape
from ...errors import ConfigurationError
from ...evaluation.baselines import Persistence
from ...evaluation.conformal import Intervals, ends_at
from ...evaluation.ridge import MOST_STEPS, Ridge
from ...exporting.layers import mean_of
from ...exporting.onnx_graph import DOUBLE, SINGLE, Graph, Kind
from ...exporting.windows import over_windows
from .learned import LearnedForecaster
from .models import BaselineModel, EnsembleModel, Model, NetworkModel

_WHY_NOT = {
    "seasonal": "it reads rows of a season ago, which may lie before the window",
    "climatology": "it reads the clock alone, in its own time zone, and no window",
    "boosted-trees": "trees need ONNX-ML, an extension that is not written here",
}


@dataclass(frozen=True)
class Part:
    """A model of a forecaster, and what its windows read.

    Attributes:
        rung: Its name.
        model: What forecasts.
        shape: Of its windows.
    """

    rung: str
    model: Model
    shape: WindowShape

    @property
    def own_past(self) -> bool:
        """Whether it reads the targets alone."""
        return isinstance(self.model, BaselineModel) or (isinstance(self.model, NetworkModel) and self.model.own_past)

    @property
    def back(self) -> range:
        """How many rows before the anchor each of its inputs lies, the oldest first."""
        if isinstance(self.model, BaselineModel) and isinstance(self.model.baseline, Persistence):
            return range(self.shape.last_input, self.shape.last_input - 1, -1)
        return range(self.shape.first_input, self.shape.last_input - 1, -self.shape.every)


@dataclass(frozen=True)
class Layout:
    """What a graph reads, in which order.

    Attributes:
        parts: The models that it is made of.
        columns: Those of ``window``.
        back: How many rows before the anchor each step of ``window`` lies, the oldest first.
        masked: The columns of ``missing``; none where nothing reads it.
        beside: Numbers of the calendar and of static values at each step; none where nothing reads them.
        beside_ahead: The same at each lead.
        known: The columns of ``known``, which are known ahead.
        by_series: Whether each series has a scaling of its own.
    """

    parts: tuple[Part, ...]
    columns: tuple[str, ...]
    back: range
    masked: tuple[str, ...] = ()
    beside: int = 0
    beside_ahead: int = 0
    known: tuple[str, ...] = ()
    by_series: bool = False

    @classmethod
    def of(cls, fitted: LearnedForecaster) -> "Layout":
        """What a forecaster's graph reads.

        Raises:
            ConfigurationError: One of its models has no graph.
        """
        parts = tuple(_parts(fitted))
        scaling, covariates = fitted.scaling, fitted.covariates
        whole = any(not part.own_past for part in parts)
        own = scaling.targets if any(part.own_past for part in parts) else ()
        columns = tuple(dict.fromkeys((*(scaling.features if whole else ()), *own)))
        networks = any(isinstance(part.model, NetworkModel) for part in parts)
        back = sorted({row for part in parts for row in (part.back[0], part.back[-1])})
        strides = [part.shape.every for part in parts if len(part.back) > 1] + [row - back[0] for row in back]
        stride = math.gcd(*strides) or 1
        beside = covariates.width(fitted.frequency)
        return cls(
            parts,
            columns,
            range(back[-1], back[0] - 1, -stride),
            scaling.masked if whole else (),
            beside if whole else 0,
            beside if networks else 0,
            covariates.known if networks else (),
            bool(scaling.series) and (networks or _scales(parts) or fitted.intervals is not None),
        )

    def places(self, part: Part) -> list[int]:
        """The steps of ``window`` that a model reads."""
        return [self.back.index(row) for row in part.back]


def _parts(fitted: LearnedForecaster) -> Iterator[Part]:
    if isinstance(fitted.model, EnsembleModel):
        own = [Part(member.rung, member.model, member.shape) for member in fitted.model.members]
    else:
        own = [Part(fitted.rung, fitted.model, fitted.shape)]
    for part in own:
        if part.rung in _WHY_NOT:
            member = f"a member of {fitted.rung}, {part.rung}," if part.rung != fitted.rung else fitted.rung
            raise ConfigurationError(
                f"{member} cannot go --to onnx: {_WHY_NOT[part.rung]}; serve its model folder with Foretell, or export "
                "a network, ridge or persistence",
                rung=part.rung,
            )
        yield part


def _scales(parts: Sequence[Part]) -> bool:
    return any(isinstance(part.model, BaselineModel) and isinstance(part.model.baseline, Ridge) for part in parts)


@dataclass
class _Inputs:
    """The inputs of a graph, each declared when it is first read."""

    graph: Graph
    fitted: LearnedForecaster
    layout: Layout
    _made: dict[str, str] = field(default_factory=dict)

    def window(self) -> str:
        """The window, in the unit of the data."""
        return self._input("window", ["batch", len(self.layout.back), len(self.layout.columns)], "double")

    def raw(self, part: Part, columns: tuple[str, ...]) -> str:
        """Some columns of the steps that a model reads, in the unit of the data."""
        places = [self.layout.columns.index(name) for name in columns]
        return self._chosen(self._steps(self.window(), part), places, len(self.layout.columns))

    def scaled(self, part: Part, columns: tuple[str, ...]) -> str:
        """The same less the mean, by the deviation, in single precision as networks read it."""
        return self.scale(self.raw(part, columns), columns)

    def scale(self, own: str, columns: tuple[str, ...]) -> str:
        """Values of columns, scaled."""
        apart = self.graph.add("Sub", own, self.statistic("mean", columns))
        return str(
            self.graph.add("Cast", self.graph.add("Div", apart, self.statistic("deviation", columns)), to=SINGLE)
        )

    def whole(self, part: Part) -> str:
        """All that a network reads at each step: features, masks, what stands beside them."""
        graph, layout = self.graph, self.layout
        read = [self.scaled(part, self.fitted.scaling.features)]
        if layout.masked:
            missing = self._input("missing", ["batch", len(layout.back), len(layout.masked)], "yes or no")
            read.append(graph.add("Cast", self._steps(missing, part), to=SINGLE))
        if layout.beside:
            read.append(self._steps(self._input("beside", ["batch", len(layout.back), layout.beside]), part))
        return read[0] if len(read) == 1 else str(graph.add("Concat", *read, axis=2))

    def ahead(self) -> str:
        """All that a network reads of each lead; empty where it reads nothing."""
        layout, leads = self.layout, self.fitted.shape.lead_count
        read = []
        if layout.beside_ahead:
            read.append(self._input("beside_ahead", ["batch", leads, layout.beside_ahead]))
        if layout.known:
            own = self._input("known", ["batch", leads, len(layout.known)], "double")
            read.append(self.scale(own, layout.known))
        return "" if not read else read[0] if len(read) == 1 else str(self.graph.add("Concat", *read, axis=2))

    def statistic(self, name: str, columns: tuple[str, ...]) -> str:
        """Means or deviations of columns, (1, 1, column), or of each window's series, (batch, 1, column)."""
        scaling = self.fitted.scaling
        values = getattr(scaling, name)[:, [scaling.columns.index(column) for column in columns]]
        if not self.layout.by_series:
            return self.graph.constant(values[:1, None])
        rows = self.graph.add("Gather", self.graph.constant(values), self._input("series", ["batch"], "whole"))
        return str(self.graph.add("Unsqueeze", rows, self.graph.whole(1)))

    def _input(self, name: str, shape: list[str | int], kind: Kind = "single") -> str:
        if name not in self._made:
            self._made[name] = self.graph.input(name, shape, kind)
        return self._made[name]

    def _steps(self, own: str, part: Part) -> str:
        return self._chosen(own, self.layout.places(part), len(self.layout.back), axis=1)

    def _chosen(self, own: str, places: list[int], among: int, axis: int = 2) -> str:
        if places == list(range(among)):
            return own
        return str(self.graph.add("Gather", own, self.graph.constant(np.array(places, np.int64)), axis=axis))


def graph_of(fitted: LearnedForecaster, layout: Layout) -> Graph:
    """The graph of a forecaster.

    Args:
        fitted: The forecaster.
        layout: What its graph reads.

    Raises:
        ConfigurationError: It has no graph.
        MissingError: ONNX is not installed.
    """
    graph = Graph("forecaster")
    inputs = _Inputs(graph, fitted, layout)
    inputs.window()
    said = [_said(inputs, part) for part in layout.parts]
    if isinstance(fitted.model, EnsembleModel):
        said = [[mean_of(graph, [own[len(own) // 2] for own in said])]]
    (quantiles,) = said
    shape = [fitted.shape.lead_count, len(fitted.scaling.targets)]
    graph.output("forecast", quantiles[len(quantiles) // 2], ["batch", *shape], "double")
    if fitted.intervals is not None:
        for name, own in zip(("low", "high"), _around(inputs, fitted.intervals, quantiles), strict=True):
            graph.output(name, own, ["batch", len(fitted.intervals.levels), *shape], "double")
    return graph


def _said(inputs: _Inputs, part: Part) -> list[str]:
    """What a model says, in the unit of the data: one number of each target, or its quantiles in order."""
    model, graph, targets = part.model, inputs.graph, inputs.fitted.scaling.targets
    leads = part.shape.lead_count
    if isinstance(model, NetworkModel):
        features = targets if model.own_past else inputs.fitted.scaling.features
        read = inputs.scaled(part, targets) if model.own_past else inputs.whole(part)
        width = len(features) if model.own_past else len(features) + len(inputs.layout.masked) + inputs.layout.beside
        outputs = over_windows(graph, model.network, read, (len(part.back), width), inputs.ahead())
        return _quantiles(inputs, str(graph.add("Cast", outputs, to=DOUBLE)), leads, model.quantiles)
    if isinstance(model, BaselineModel) and isinstance(model.baseline, Persistence):
        return [str(graph.add("Expand", inputs.raw(part, targets), graph.whole(1, leads, 1)))]
    if isinstance(model, BaselineModel) and isinstance(model.baseline, Ridge):
        return [_ridge(inputs, part, model.baseline)]
    raise ConfigurationError(f"{part.rung} cannot go --to onnx: there is no graph of such a model", rung=part.rung)


def _quantiles(inputs: _Inputs, outputs: str, leads: int, count: int) -> list[str]:
    """A network's numbers scaled back, the quantiles of each target sorted and apart."""
    graph, targets = inputs.graph, inputs.fitted.scaling.targets
    if count == 1:
        return [_back(inputs, outputs)]
    apart = graph.add("Reshape", outputs, graph.whole(0, leads, len(targets), count))
    # Sorted before they are scaled back, which changes no order: deviations are above zero.
    ordered = graph.add("TopK", apart, graph.whole(count), axis=-1, largest=0, outputs=2)[0]
    parts = graph.add("Split", ordered, outputs=count, axis=-1)
    return [_back(inputs, str(graph.add("Squeeze", part, graph.whole(3)))) for part in parts]


def _back(inputs: _Inputs, scaled: str) -> str:
    """Scaled targets in the unit of the data."""
    targets = inputs.fitted.scaling.targets
    wide = inputs.graph.add("Mul", scaled, inputs.statistic("deviation", targets))
    return str(inputs.graph.add("Add", wide, inputs.statistic("mean", targets)))


def _ridge(inputs: _Inputs, part: Part, ridge: Ridge) -> str:
    """The last value, and what the window less it adds."""
    graph, steps = inputs.graph, len(part.back)
    scaled = graph.add("Cast", inputs.scaled(part, inputs.fitted.scaling.targets), to=DOUBLE)
    last = graph.add("Gather", scaled, graph.whole(steps - 1), axis=1)
    found = graph.add("Add", last, graph.constant(ridge.weights[:, -1].T[None].copy()))
    if (kept := min(steps, MOST_STEPS)) > 1:
        before = graph.add("Slice", scaled, graph.whole(steps - kept), graph.whole(steps - 1), graph.whole(1))
        changes = graph.add("Transpose", graph.add("Sub", before, last), perm=[2, 0, 1])
        added = graph.add("MatMul", changes, graph.constant(ridge.weights[:, :-1]))
        found = graph.add("Add", found, graph.add("Transpose", added, perm=[1, 2, 0]))
    return _back(inputs, str(found))


def _around(inputs: _Inputs, intervals: Intervals, quantiles: list[str]) -> tuple[str, str]:
    """Both ends of every level's interval, (batch, level, lead, target)."""
    graph, lows, highs = inputs.graph, [], []
    deviation = inputs.statistic("deviation", inputs.fitted.scaling.targets)
    half = graph.constant(np.array(0.5))
    for number in range(len(intervals.levels)):
        low, high = (quantiles[place] for place in ends_at(len(quantiles), number))
        margin = graph.add("Mul", graph.constant(intervals.margins[number][None]), deviation)
        middle = graph.add("Mul", graph.add("Add", low, high), half)
        lows.append(graph.add("Min", graph.add("Sub", low, margin), middle))
        highs.append(graph.add("Max", graph.add("Add", high, margin), middle))
    stacked = []
    for own in (lows, highs):
        apart = [graph.add("Unsqueeze", one, graph.whole(1)) for one in own]
        stacked.append(str(graph.add("Concat", *apart, axis=1)))
    return stacked[0], stacked[1]
