"""Forecasters in ONNX: every rung says the same in onnxruntime, in the unit of the data, whatever it reads."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

from foretell.data.covariates import calendar_inputs
from foretell.data.windows import WindowShape
from foretell.errors import ConfigurationError
from foretell.evaluation.conformal import Intervals, quantiles_of
from foretell.evaluation.ridge import Ridge
from foretell.tasks.forecast.config import RUNGS, Configuration
from foretell.tasks.forecast.exporting import export, feeds_of
from foretell.tasks.forecast.graph import Layout, graph_of
from foretell.tasks.forecast.learned import LearnedForecaster
from foretell.tasks.forecast.models import BaselineModel, EnsembleModel, Member, Model, NetworkModel
from foretell.tasks.forecast.prepare import PreparedForecast
from foretell.tasks.forecast.rungs import NETWORKS, NetworkShape, build_network
from foretell.tasks.forecast.task import task
from foretell.tasks.forecast.usage import calendar_function
from foretell.tasks.interface import Attempt, Silent

from .made_layers import with_biases

NODES = {"rnn": {"RNN": 1}, "lstm": {"LSTM": 1}, "gru-stacked": {"GRU": 2}, "conv-gru": {"GRU": 1}}
NODES |= {name: {"GRU": 1} for name in ("gru", "gru-dropout", "gru-bidirectional", "gru-reversed", "gru-change")}
NODES["segment-gru"] = {"GRU": 1}
OPTIONS: list[tuple[str, dict[str, Any]]] = [
    *((rung, {}) for rung in NETWORKS),
    *((rung, {"aim": "change"}) for rung in ("mlp", "lstm", "conv", "transformer", "dlinear", "segment-gru")),
    *(("gru", {"direction": "both", "merge": merge}) for merge in ("concatenate", "sum", "mean", "product")),
    *((kind, {"activation": "relu", "direction": "both", "units": "5,3"}) for kind in ("rnn", "lstm", "gru")),
    ("gru", {"reset": "before", "head": "7,5"}),
    ("gru", {"reset": "before", "activation": "relu,tanh", "layers": 2, "direction": "backward"}),
    ("lstm", {"units": "6,4,3", "direction": "both", "merge": "sum"}),
    *(("conv", {"pool": pool, "padding": padding}) for pool in ("maximum", "average") for padding in ("same", "valid")),
    ("conv", {"ending": "flatten", "pool": "average", "padding": "same", "units": "4,3"}),
    ("conv-gru", {"padding": "same", "direction": "both", "merge": "product", "units": "4,5,3"}),
    *(("dlinear", {"normalise": kind, "average": 4}) for kind in ("none", "last", "window")),
    *(("patch-transformer", {"normalise": kind, "stride": 3, "patch": 5}) for kind in ("none", "last", "window")),
    *(("segment-gru", {"normalise": kind, "patch": 5, "reset": "before"}) for kind in ("none", "last", "window")),
    ("transformer", {"layers": 2, "head": "5"}),
]
SMALL: dict[str, dict[str, Any]] = {
    "data": {"target": "a,b"},
    "windows": {"lookback": "24", "every": "1", "ahead": "2:5"},
    "network": {"units": "4", "kernel_size": 3, "pool_size": 2, "heads": 2, "feed_forward": 7, "patch": 6},
}


def made(series: int = 1, seed: int = 0) -> pl.DataFrame:
    """Rows of two targets far from zero and a third column that is not always there."""
    generator = np.random.default_rng(seed)
    frames = []
    for number in range(series):
        rows = 260 + 20 * number
        times = pl.datetime_range(pl.datetime(2021, 1, 1), pl.datetime(2022, 1, 1), "1h", eager=True).head(rows)
        gaps = generator.random(rows) < 0.1
        plan, third = generator.integers(0, 2, rows).astype(float), generator.normal(-3, 1e-3, rows)
        columns = {
            "time": times,
            "a": 1000.0 * (number + 1) + np.cumsum(generator.normal(0, 3, rows)),
            "b": pl.Series(1e-4 * generator.normal(5, 1, rows)),
            "c": pl.Series(np.where(gaps, np.nan, third)).fill_nan(None),
            "plan": plan,
        }
        if series > 1:
            columns |= {"shop": [f"s{number}"] * rows, "kind": ["big" if number else "small"] * rows}
        frames.append(pl.DataFrame(columns))
    return pl.concat(frames)


def prepared_for(frame: pl.DataFrame, **sections: dict[str, Any]) -> PreparedForecast:
    merged = {name: {**SMALL.get(name, {}), **sections.get(name, {})} for name in {*SMALL, *sections}}
    return task.prepare(frame, Configuration.model_validate({**merged, "run": {"rungs": ["persistence", "ridge"]}}))


def untrained(prepared: PreparedForecast, rung: str, options: dict[str, Any], numbers: int = 1) -> NetworkModel:
    """A rung's network as it begins, with biases that are not zero."""
    own = prepared.configuration.of_rung(RUNGS[rung].options).network
    section = type(own).model_validate({**own.model_dump(), **options})
    view = prepared.view
    sizes = (view.width, len(view.scaling.targets), numbers, view.known_width, view.scaling.target_places)
    torch.manual_seed(3)
    network = with_biases(build_network(rung, NetworkShape(view.shape, *sizes), section)).eval().requires_grad_(False)
    return NetworkModel(network, NETWORKS[rung].own_past, section, numbers)


def learned(prepared: PreparedForecast, rung: str, model: Model | None = None) -> LearnedForecaster:
    """A forecaster with a model of its own in place of what a simple rule learns."""
    simple = rung if model is None else "persistence"
    fitted = task.fit(prepared, simple, Attempt(Path("nowhere"), Silent()))
    return fitted if model is None else replace(fitted, rung=rung, model=model)


def kinds(fitted: LearnedForecaster) -> list[str]:
    return [node.op_type for node in graph_of(fitted, Layout.of(fitted)).nodes]


def require_same(fitted: LearnedForecaster, prepared: PreparedForecast, folder: Path) -> None:
    """All test windows, in batches and one alone, intervals included."""
    pytest.importorskip("onnxruntime")
    folder.mkdir()
    anchors = prepared.anchors.spans["test"]
    found = export(fitted, folder, prepared.view, anchors)
    assert found.compared == len(anchors) > 5
    assert found.files == ["model.onnx", "README.md"]
    # A state of ReLUs that was never trained may grow to hundreds of deviations, of which single precision keeps less.
    history = prepared.view.history
    codes = history.table.codes_of(anchors)
    apart = fitted.model.predict(prepared.view, anchors) - history.mean[codes][:, None, :, None]
    size = max(1.0, float(np.abs(apart / history.deviation[codes][:, None, :, None]).max()))
    assert found.largest is not None
    assert found.largest <= 1e-5 * size
    assert size > 10 or found.same == len(anchors)


@pytest.mark.parametrize(("rung", "options"), OPTIONS)
def test_networks_say_the_same(rung: str, options: dict[str, Any], tmp_path: Path) -> None:
    prepared = prepared_for(made())
    fitted = learned(prepared, rung, untrained(prepared, rung, options))
    require_same(fitted, prepared, tmp_path / rung)
    nodes = kinds(fitted)
    if not options:
        wanted = NODES.get(rung, {})
        assert {kind: nodes.count(kind) for kind in ("RNN", "LSTM", "GRU") if kind in nodes} == wanted
    assert not {"Loop", "Scan"} & set(nodes)


@pytest.mark.parametrize("rung", ["persistence", "ridge"])
@pytest.mark.parametrize("scale", ["all", "per-series"])
def test_rules_say_the_same(rung: str, scale: str, tmp_path: Path) -> None:
    data = {"series": "shop", "target": "a"}
    prepared = prepared_for(made(2), data=data, spans={"scale": scale}, evaluation={"intervals": [0.5, 0.8]})
    fitted = learned(prepared, rung)
    assert Layout.of(fitted).by_series == (scale == "per-series")
    require_same(fitted, prepared, tmp_path / rung)


def test_a_ridge_with_coefficients_for_each_target_says_the_same(tmp_path: Path) -> None:
    prepared = prepared_for(made())
    weights = np.random.default_rng(1).normal(0, 0.1, (2, 24, 4))
    require_same(learned(prepared, "ridge", BaselineModel(Ridge(weights))), prepared, tmp_path / "two")
    one = prepared_for(made(), windows={"lookback": "1"})
    require_same(learned(one, "ridge"), one, tmp_path / "one")


@pytest.mark.parametrize("rung", ["gru", "dlinear", "mlp"])
@pytest.mark.parametrize("aim", ["level", "change"])
def test_quantiles_are_sorted_and_intervals_stand_around_them(rung: str, aim: str, tmp_path: Path) -> None:
    levels = (0.5, 0.9)
    prepared = prepared_for(made(), evaluation={"intervals": list(levels)}, training={"loss": "quantile"})
    model = untrained(prepared, rung, {"aim": aim}, len(quantiles_of(levels)))
    margins = np.random.default_rng(2).normal(0.1, 0.5, (2, 4, 2))  # some of them below zero
    fitted = replace(learned(prepared, rung, model), intervals=Intervals(levels, margins))
    assert "TopK" in kinds(fitted)
    require_same(fitted, prepared, tmp_path / rung)


@pytest.mark.parametrize("rung", ["gru", "segment-gru", "conv"])
def test_calendar_statics_and_columns_known_ahead(rung: str, tmp_path: Path) -> None:
    data = {"series": "shop", "target": "a", "known": "plan", "calendar": True, "static": "kind"}
    prepared = prepared_for(made(2), data=data, spans={"scale": "per-series"}, evaluation={"intervals": [0.8]})
    fitted = learned(prepared, rung, untrained(prepared, rung, {}))
    layout = Layout.of(fitted)
    assert (layout.known, layout.beside_ahead, layout.by_series) == (("plan",), 8, True)
    assert bool(layout.beside) == (rung != "segment-gru")
    require_same(fitted, prepared, tmp_path / rung)
    times = np.datetime64("1969-02-27T22:17:05", "us") + np.arange(200) * np.timedelta64(7_777_777_777, "us")
    known: dict[str, Any] = {"np": np}
    exec(calendar_function(fitted), known)
    calendar = calendar_inputs(times.astype(np.int64), None, fitted.frequency)
    np.testing.assert_allclose(known["calendar"](times), calendar, atol=1e-6)
    told = (tmp_path / rung / "README.md").read_text()
    assert "numbers 0 to 5: the sine" in told
    assert "where `kind` is, in this order, big, small" in told


@pytest.mark.parametrize("align", ["standard", "lecture"])
def test_an_ensemble_is_one_graph_whatever_its_members_read(align: str, tmp_path: Path) -> None:
    windows = {"lookback": "24", "every": "6", "ahead": "3", "align": align}
    prepared = prepared_for(made(), windows=windows, training={"batch_size": 8})
    dense = WindowShape(24, 2, prepared.view.shape.leads, prepared.view.shape.align)
    third = WindowShape(24, 3, prepared.view.shape.leads, prepared.view.shape.align)
    members = []
    for rung, shape in (("dlinear", third), ("gru", dense), ("mlp", prepared.view.shape)):
        own = replace(prepared, view=prepared.view.reshaped(shape))
        members.append(Member(rung, untrained(own, rung, {}), shape))
    members += [Member(rung, learned(prepared, rung).model, prepared.view.shape) for rung in ("ridge", "persistence")]
    fitted = learned(prepared, "ensemble", EnsembleModel(tuple(members)))
    assert Layout.of(fitted).back.step == -1
    require_same(fitted, prepared, tmp_path / align)


def test_one_window_or_many(tmp_path: Path) -> None:
    runtime = pytest.importorskip("onnxruntime")
    prepared = prepared_for(made())
    fitted = learned(prepared, "gru", untrained(prepared, "gru", {}))
    layout, anchors = Layout.of(fitted), prepared.anchors.spans["test"][:9]
    graph_of(fitted, layout).save(tmp_path / "model.onnx")
    session = runtime.InferenceSession(str(tmp_path / "model.onnx"))
    whole = session.run(None, dict(next(feeds_of(fitted, layout, prepared.view, [anchors]))))[0]
    for place, feed in enumerate(feeds_of(fitted, layout, prepared.view, anchors[:, None])):
        alone = session.run(None, dict(feed))[0]
        np.testing.assert_allclose(alone[0], whole[place], rtol=1e-9)


@pytest.mark.parametrize("rung", ["seasonal", "climatology"])
def test_what_has_no_graph_says_why(rung: str) -> None:
    prepared = prepared_for(made())
    fitted = learned(prepared, rung)
    with pytest.raises(ConfigurationError, match=f"{rung} cannot go --to onnx: it reads .*; serve its model folder"):
        Layout.of(fitted)
    member = Member(rung, fitted.model, prepared.view.shape)
    with pytest.raises(ConfigurationError, match=f"a member of ensemble, {rung}, cannot go"):
        Layout.of(learned(prepared, "ensemble", EnsembleModel((member, member))))


def test_nothing_to_compare_on_is_said(tmp_path: Path) -> None:
    prepared = prepared_for(made())
    found = export(learned(prepared, "persistence"), tmp_path, None, np.zeros(0, np.int64))
    assert (found.compared, found.same, found.largest) == (0, 0, None)
