"""Numbers that are none, and numbers beyond all others, end as documented or in a sentence; none is printed or learned."""

import importlib
import json
import math
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from pydantic import ValidationError
from safetensors.numpy import load_file, save_file

import foretell as ft
from foretell.config.configuration import TaskConfiguration
from foretell.config.sections import Section
from foretell.data.frequency import Frequency
from foretell.errors import ConfigurationError, DataError, DivergedError, ForetellError
from foretell.numbers import require_numbers
from foretell.tasks import NAMES, task_rungs
from foretell.web.models import Models

from ..serving import Serve
from . import tiny
from .amounts import LONG, Figures
from .sound import said, strict, unsaid
from .test_determinism import LADDERS, SOME, asked

pytest.importorskip("lightgbm", reason="boosted trees need foretell[trees]")
pytest.importorskip("sklearn", reason="linear baselines of texts need foretell[classify]")
for name in NAMES:
    importlib.import_module(f"foretell.tasks.{name}.config")
importlib.import_module("foretell.config.serving")

NONE = ["nan", "inf", "-inf", "1e999", math.nan, math.inf, -math.inf]
HUGE = ["9" * 400 + "GB", 10**5000]
HUGE += ["9" * 400, "9" * 400 + "d", "9" * 5000, 10**400, 1e308, "-1e308"] if LONG else []
COLUMNS = {"a target": "temperature", "a feature": "noise"}


def configurations(base: type[TaskConfiguration] = TaskConfiguration) -> Iterator[type[TaskConfiguration]]:
    """Every configuration that is declared anywhere, so that a new option is tried from its first day."""
    for own in base.__subclasses__():
        if own.model_fields and own.__module__.startswith("foretell."):
            yield own
        yield from configurations(own)


def numbers(value: Any) -> list[float]:
    """The numbers of an option's value."""
    if isinstance(value, tuple | list):
        return [number for entry in value for number in numbers(entry)]
    return [value] if isinstance(value, float) else []


def test_no_option_of_any_configuration_takes_what_is_no_number(figures: Figures) -> None:
    tried = refused = 0
    options = set()
    for configuration in configurations():
        for section, name, _ in configuration.options():
            options.add((configuration.__module__, name))
            for value in [*NONE, *HUGE]:
                tried += 1
                try:
                    built = configuration.build({name: value}, environment={})
                except ConfigurationError as error:
                    refused += 1
                    assert name in error.message and len(error.message) < 600, error.message
                    continue
                found = numbers(getattr(getattr(built, section), name))
                assert all(map(math.isfinite, found)), f"{name}={value!r} became {found}"
    assert len(options) > 200 and refused > tried / 2
    figures(options=len(options), tried=tried, refused=refused)


def test_no_option_of_a_section_that_stands_alone_does_either() -> None:
    def sections(base: type[Section] = Section) -> Iterator[type[Section]]:
        for own in base.__subclasses__():
            yield own
            yield from sections(own)

    used = {field.annotation for own in configurations() for field in own.model_fields.values()}
    bases = {base for own in sections() for base in own.__mro__[1:]}
    alone = [own for own in sections() if own not in used | bases and own.__module__.startswith("foretell.")]
    assert "Predicting" in {own.__name__ for own in alone}
    for own in alone:
        for name in own.model_fields:
            for value in NONE:
                with suppress(ValidationError):
                    assert all(map(math.isfinite, numbers(getattr(own.model_validate({name: value}), name))))


@pytest.mark.parametrize("text", ["clip = nan", "clip = -inf", "clip = 1e999", f"clip = {'9' * 5000}"])
def test_a_file_of_options_is_refused_in_a_sentence(tmp_path: Path, text: str) -> None:
    (tmp_path / "options.toml").write_text(f"[training]\n{text}\n")
    options = [*tiny.FORECAST, "--config", tmp_path / "options.toml"]
    assert "options.toml" in said(["compare", *options], 3)["error"]["message"]


@pytest.mark.parametrize("text", ["nan", "inf", "9" * 5000, "9" * 5000 + "d", "9" * 40 + "y", "1e400d", "-inf"])
def test_a_duration_beyond_all_times_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="lookback"):
        Frequency("microsecond", 1_000_000).rows(text, "lookback")


def test_an_error_prints_nothing_that_json_does_not_have(capsys: pytest.CaptureFixture[str]) -> None:
    from foretell.cli.output import print_error
    from foretell.web.refusals import document_of

    error = DataError("a value is none", value=math.nan, values=[1.0, math.inf])
    print_error(error, as_json=True)
    assert strict(capsys.readouterr().out)["error"]["details"] == {"value": None, "values": [1.0, None]}
    assert strict(document_of(error).decode())["error"]["details"]["value"] is None


def test_an_answer_that_is_no_number_is_no_answer() -> None:
    require_numbers(np.zeros((2, 3)))
    for value in (np.nan, np.inf, -np.inf):
        with pytest.raises(DivergedError, match="train it anew"):
            require_numbers(np.array([0.0, value]))


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with data of every task, and a model of some rungs of each, or of all under make trust."""
    folder = tmp_path_factory.mktemp("numbers")
    tiny.lay_out(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for task, options in LADDERS.items():
            said(["compare", *options, "--rungs", ",".join(rungs(task)), "--name", task], 0)
        yield folder


def rungs(task: str) -> list[str]:
    """Rungs of every kind; ``lstm`` for those that share its weights."""
    return [name for name, rung in task_rungs(task).items() if not rung.large and (LONG or name in SOME[task])]


def spoilt(column: str, rows: list[int], value: float | None, path: Path) -> Path:
    """The table with a value in some rows of a column."""
    held = tiny.table(tiny.ROWS)
    values = held[column].to_list()
    for row in rows:
        values[row] = value
    held = held.with_columns(pl.Series(column, values, pl.Float64))
    if path.suffix == ".parquet":
        held.write_parquet(path)
    else:
        held.write_csv(path, datetime_format="%Y-%m-%d %H:%M:%S")
    return path


@pytest.mark.parametrize("column", COLUMNS)
@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_table_is_read_as_if_such_cells_were_empty(home: Path, column: str, kind: str) -> None:
    chosen = ["seasonal", "ridge", "gru", "boosted-trees"] if LONG else ["ridge", "gru"]
    options = [*tiny.FORECAST[2:], "--rungs", ",".join(chosen)]
    found = []
    for number, value in enumerate([None, math.nan, math.inf, -math.inf, 1e308, -1e39]):
        path = spoilt(COLUMNS[column], [100, 398], value, home / f"{kind}-{COLUMNS[column]}-{number}.{kind}")
        board = said(["compare", "forecast", path, *options, "--name", path.stem.replace(".", "")], 0)
        rows = [[row["rung"], row["split"]["validation"], row["split"]["test"]] for row in board["rows"]]
        forecasts = said(["predict", "forecast/gru-dropout", path], 0)["forecasts"]
        assert not unsaid(forecasts)
        found.append([rows, forecasts, board["windows"]])
    assert all(own == found[0] for own in found)


@pytest.mark.parametrize("value", [1e29, -1e20, 1e13])
def test_a_value_far_from_all_of_training_is_refused(home: Path, value: float) -> None:
    for column in COLUMNS.values():
        path = spoilt(column, [398], value, home / "far.csv")
        for command in (
            ["compare", "forecast", path, *tiny.FORECAST[2:], "--rungs", "gru"],
            ["predict", "forecast/gru-dropout", path],
        ):
            error = said(command, 3)["error"]
            assert "training deviations" in error["message"] and error["details"]["column"] == column


@pytest.mark.parametrize("time", ["nan", "inf", "1e308", "-1e308", "1e20"])
def test_a_time_that_is_none_is_refused(home: Path, time: str) -> None:
    seconds = [float(row) * 3600 + 1.7e9 for row in range(tiny.ROWS)]
    seconds[50] = float(time)
    held = tiny.table(tiny.ROWS).with_columns(pl.Series("time", seconds))
    held.write_csv(home / "times.csv")
    held.write_parquet(home / "times.parquet")
    for path in ("times.csv", "times.parquet"):
        message = said(["compare", "forecast", path, *tiny.FORECAST[2:], "--time", "time"], 3)["error"]["message"]
        assert "time" in message


def shops(size: float, plan: float, rows: int = tiny.ROWS) -> pl.DataFrame:
    """Two series with a static number and a plan that is known ahead, one value of each chosen."""
    held = tiny.table(rows)
    frames = [
        held.with_columns(pl.lit(own).alias("shop"), pl.lit(1.0 + at).alias("size")) for at, own in enumerate("ab")
    ]
    both = pl.concat(frames).with_row_index("row")
    beyond = pl.col("row") % rows >= rows - 3
    return both.with_columns(
        pl.when(pl.col("shop") == "a").then(pl.lit(size)).otherwise(pl.col("size")).alias("size"),
        pl.when(pl.col("row") == rows - 2).then(pl.lit(plan)).otherwise(pl.col("noise")).alias("plan"),
        pl.when(beyond).then(None).otherwise(pl.col("temperature")).alias("temperature"),
    ).drop("row")


def test_static_numbers_and_plans_are_missing_far_or_used_but_never_a_silent_nan(home: Path) -> None:
    options: dict[str, Any] = {
        "target": "temperature",
        "lookback": "12",
        "ahead": "1:3",
        "units": 4,
        "epochs": 1,
        "threads": 1,
    }
    beside: dict[str, Any] = {"series": "shop", "static": "size", "known": "plan", "layers": 1, "feed_forward": 8}
    for rung in ("transformer", "gru"):
        forecaster = ft.Forecaster(rung, **options, **beside).fit(shops(1.0, 0.5))
        missing = forecaster.predict(shops(math.nan, 0.5))
        for value in (math.inf, -math.inf, 1e308, -1e39):
            assert forecaster.predict(shops(value, 0.5)).equals(missing)
            with pytest.raises(DataError, match="known ahead"):
                forecaster.predict(shops(1.0, value))
            # It is learned from as well.
            again = ft.Forecaster(rung, **options, **beside).fit(shops(value, value)).predict(shops(1.0, 0.5))
            assert again["forecast temperature"].is_finite().all()
        for value in (1e29, -1e20, 1e12):
            with pytest.raises(DataError, match="static numbers lie within"):
                forecaster.predict(shops(value, 0.5))
            with pytest.raises(DataError, match="training deviations"):
                forecaster.predict(shops(1.0, value))
        assert forecaster.predict(shops(1e8, 1e8))["forecast temperature"].is_finite().all()


def with_weights(model: Path, into: Path, value: float, *, everywhere: bool) -> bool:
    """A model folder with a value in its weights; false where it has none."""
    shutil.rmtree(into, ignore_errors=True)
    shutil.copytree(model, into)
    arrays = load_file(into / "weights.safetensors") if (into / "weights.safetensors").exists() else {}
    names = [name for name, array in arrays.items() if array.dtype.kind == "f" and array.size]
    for name in names if everywhere else names[-1:]:
        arrays[name] = np.full_like(arrays[name], value) if everywhere else arrays[name].copy()
        arrays[name].reshape(-1)[0] = value
    if names:
        save_file(arrays, into / "weights.safetensors")
    return bool(names)


def questions(task: str, model: Path) -> list[list[str]]:
    """Commands that ask a model, evaluated on data that are named."""
    data = {"forecast": ["hourly.csv"]}.get(task, [])
    return [[*own[:2], *data, *own[2:-1]] if own[0] == "evaluate" else own[:-1] for own in asked(task, str(model))]


@pytest.mark.parametrize("task", LADDERS)
def test_a_stored_weight_that_is_no_number_is_refused(home: Path, task: str, figures: Figures) -> None:
    tried = 0
    for rung in rungs(task):
        for value in (np.nan, np.inf, -np.inf):
            if with_weights(home / "runs" / task / rung / "model", home / "bad", value, everywhere=False):
                tried += 1
                for command in questions(task, home / "bad"):
                    assert "finite numbers" in said(command, 5)["error"]["message"]
    assert tried
    figures(tried=tried)


@pytest.mark.parametrize("task", LADDERS)
def test_weights_that_overflow_end_in_a_sentence_or_in_numbers(home: Path, task: str, figures: Figures) -> None:
    tried = refused = 0
    for rung in rungs(task):
        for value in (3e38, -3e38, 1e25) if LONG else (3e38,):
            if not with_weights(home / "runs" / task / rung / "model", home / "bad", value, everywhere=True):
                continue
            for command in questions(task, home / "bad"):
                tried += 1
                document = said(command, 0, 1, 5)
                refused += "error" in document
                if "error" not in document:
                    assert not unsaid(document.get("forecasts", document.get("labels", document.get("texts", []))))
                    metrics = document.get("metrics", {})
                    assert all(metrics.get(name) is not None for name in ("mae", "rmse", "error") if name in metrics)
    assert refused
    figures(tried=tried, refused=refused)


def test_documents_of_a_model_folder_with_what_is_no_number_are_refused(home: Path) -> None:
    model = home / "runs" / "forecast" / "gru-dropout" / "model"
    text = (model / "scaling.json").read_text()
    mean = json.loads(text)
    for value in (math.nan, math.inf, 1e308):
        with_weights(model, home / "bad", 0.0, everywhere=False)
        changed = json.loads(json.dumps(mean))
        places = [at for at, own in enumerate(changed["mean"]) if isinstance(own, list)]
        changed["mean"][places[0]][0] = value
        (home / "bad" / "scaling.json").write_text(json.dumps(changed))
        assert "scaling.json" in said(["predict", home / "bad", "hourly.csv"], 5)["error"]["message"]


def test_a_checkpoint_with_what_is_no_number_is_refused(home: Path) -> None:
    run = ["train", *tiny.FORECAST, "--rung", "gru", "--name", "kept", "--quiet"]
    said(run, 0)
    file = home / "runs" / "kept" / "checkpoint" / "state.safetensors"
    whole = file.read_bytes()
    length = int.from_bytes(whole[:8], "little")
    header = json.loads(whole[8 : 8 + length])
    for part in ("weights/", "best/", "optimiser/"):
        name = next(name for name, own in header.items() if name.startswith(part) and own["dtype"] == "F32")
        start = 8 + length + header[name]["data_offsets"][0]
        file.write_bytes(whole[:start] + np.float32(np.nan).tobytes() + whole[start + 4 :])
        job = json.loads((home / "runs" / "kept" / "run.json").read_text())
        (home / "runs" / "kept" / "run.json").write_text(json.dumps({**job, "finished": None}))
        error = said(["train", "--resume", "kept"], 5)["error"]
        assert "checkpoint" in error["message"] and "finite numbers" in error["message"]


@pytest.mark.parametrize("number", ["nan", "inf", "-inf", "1e999", "1e39"])
def test_word_vectors_that_hold_none_are_refused(home: Path, number: str) -> None:
    (home / "words.vec").write_text(
        "film " + " ".join(["0.5"] * 7) + f" {number}\nstory " + " ".join(["0.1"] * 8) + "\n"
    )
    command = ["train", *tiny.CLASSIFY, "--rung", "lstm", "--vectors", "words.vec"]
    assert "words.vec" in said(command, 3)["error"]["message"]


DIVERGING = {
    "forecast": [*tiny.FORECAST, "--rung", "mlp"],
    "classify": [*tiny.CLASSIFY, "--rung", "conv"],
    "generate": [*tiny.GENERATE, "--rung", "transformer"],
    "translate": [*tiny.TRANSLATE, "--rung", "transformer-tiny"],
    "recall": [*tiny.RECALL, "--rung", "gru"],
}


@pytest.mark.parametrize("task", DIVERGING)
def test_a_training_that_diverges_ends_with_1_and_leaves_no_model(home: Path, task: str) -> None:
    for rate in ("3.3e38", "1e30"):
        name = f"diverging-{task}-{rate}"
        fast = ["--learning-rate", rate, "--clip", "0", "--warmup-steps", "0", "--schedule", "constant", "--name", name]
        # Gates that are wide open or shut for good are numbers all the same.
        document = said(["train", *DIVERGING[task], *fast], *((0, 1) if task == "recall" else (1,)))
        assert (home / "runs" / name / "model").exists() == ("error" not in document)
        if "error" in document:
            assert document["error"]["code"] == "diverged"
        else:
            assert not unsaid([row["split"] for row in document["rows"]])


@pytest.mark.parametrize("option", ["--temperature", "--top-p", "--min-p", "--repetition-penalty"])
@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "1e999"])
def test_sampling_takes_no_number_that_is_none(home: Path, option: str, value: str) -> None:
    error = said(["generate", "generate/lstm", "--prompt", "X", option, value], 2, 3)["error"]
    assert option.strip("-").replace("-", "_") in error["message"].replace("-", "_")


@pytest.mark.parametrize("options", [["--temperature", "0"], ["--temperature", "1e-300"], ["--temperature", "100"]])
def test_sampling_at_the_ends_of_what_is_allowed_writes_a_text(home: Path, options: list[str]) -> None:
    for rung in ("lstm", "ngram"):
        document = said(["generate", f"generate/{rung}", "--prompt", "X:1", "--length", "30", *options], 0)
        assert len(document["texts"][0]["text"]) > 0


def test_python_takes_no_number_that_is_none(home: Path) -> None:
    generator: Any = ft.load(home / "runs" / "generate" / "lstm" / "model").fitted
    for options in ({"temperature": math.nan}, {"top_p": math.inf}, {"temperature": math.inf}, {"min_p": math.nan}):
        with pytest.raises(ForetellError):
            generator.write(["X:1"], **options)
    forecaster = ft.load(home / "runs" / "forecast" / "gru-dropout" / "model")
    table = tiny.table(60)
    assert forecaster.predict(table.with_columns(noise=pl.lit(math.inf)))["forecast temperature"].is_finite().all()


@pytest.mark.parametrize("options", [["--layers", "2:nan"], ["--layers", "2:inf"], ["--channel", "2:1:nan"]])
def test_dreams_take_no_weight_that_is_none(home: Path, options: list[str]) -> None:
    said([*tiny.DREAM, *options, "-o", "out.png"], 2, 3)


@pytest.mark.parametrize("pixels", ["nan,1", "0.5,inf", "0.5,0", "nan"])
def test_dreams_take_no_pixels_that_are_none(home: Path, pixels: str) -> None:
    said([*tiny.DREAM, "--normalise", pixels, "-o", "out.png"], 2, 3)


BODIES: list[tuple[str, str, tuple[int, ...]]] = [
    ("forecast", '{"rows": [{"time": "2024-01-01 00:00:00", "temperature": NaN, "noise": 1}]}', (400, 422)),
    ("forecast", '{"columns": {"time": ["2024-01-01"], "temperature": [Infinity], "noise": [-Infinity]}}', (400, 422)),
    ("forecast", '{"columns": {"time": [1e999], "temperature": [1e999], "noise": [1]}}', (400, 422)),
    ("forecast", f'{{"columns": {{"time": [{"9" * 5000}], "temperature": [1], "noise": [1]}}}}', (400, 422)),
    ("generate", '{"prompt": "X", "temperature": NaN}', (400, 422)),
    ("generate", '{"prompt": "X", "temperature": Infinity}', (400, 422)),
    ("generate", '{"prompt": "X", "temperature": 1e999}', (400, 422)),
    ("generate", '{"prompt": "X", "top_p": -1e999}', (400, 422)),
    ("generate", f'{{"prompt": "X", "length": {"9" * 5000}}}', (400, 422)),
    ("generate", '{"prompt": "X", "seed": 1e400}', (400, 422)),
    ("translate", '{"texts": ["May 1"], "beam": NaN}', (400, 422)),
    ("translate", '{"texts": ["May 1"], "length_penalty": Infinity}', (400, 422)),
    ("classify", '{"texts": [NaN]}', (400, 422)),
]


@pytest.fixture(scope="module")
def models(home: Path) -> Models:
    """A model of each task that is served."""
    chosen = {"forecast": "gru-dropout", "classify": "lstm", "generate": "lstm", "translate": "gru-attention"}
    return Models({task: home / "runs" / task / rung / "model" for task, rung in chosen.items()})


def test_the_service_takes_and_says_no_number_that_is_none(serve: Serve, figures: Figures) -> None:
    client = serve()
    for model, body, statuses in BODIES:
        reply = client.predict(model, body.encode())
        assert reply.status in statuses, (body[:100], reply.content)
        strict(reply.content.decode())
        assert reply.error["code"] in ("bad-request", "input"), body[:100]
    lines = tiny.table(40).write_csv(datetime_format="%Y-%m-%d %H:%M:%S").splitlines()
    forecasts = []
    for value in ("", "nan", "inf", "-Infinity", "1e308"):
        changed = [*lines[:-1], lines[-1].rpartition(",")[0] + "," + value]
        reply = client.predict("forecast", "\n".join(changed).encode(), "text/csv")
        assert reply.status == 200, reply.content
        forecasts.append(strict(reply.content.decode())["rows"])
        assert not unsaid(forecasts[-1])
    assert all(own == forecasts[0] for own in forecasts)
    far = [*lines[:-1], lines[-1].rpartition(",")[0] + ",1e20"]
    assert client.predict("forecast", "\n".join(far).encode(), "text/csv").status == 422
    figures(bodies=len(BODIES) + len(forecasts) + 1)
