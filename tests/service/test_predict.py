"""Models asked over HTTP: what comes back is what the model says by itself, in every form, alone and in company."""

import base64
import csv
import io
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from foretell.predictor import Predictor
from foretell.tasks import SERVED
from foretell.web.models import Models

from ..serving import OPTIONS, Serve
from .client import form, until

LEFT = pytest.approx


def learned(runs_dir: Path, name: str) -> Any:
    return Predictor(runs_dir / name / "model").fitted


def rows_of(path: Path, count: int) -> list[dict[str, Any]]:
    return pl.read_csv(path).tail(count).rows(named=True)


def test_health_models_and_cards_are_told(serve: Serve) -> None:
    client = serve()
    assert client.get("/v2/health/live").document["name"] == "foretell"
    assert client.get("/v2/health/ready").document["ready"] is True
    listed = client.get("/v1/models").document["models"]
    assert [own["name"] for own in listed] == list(OPTIONS)
    assert {own["task"] for own in listed} == set(SERVED) - {"dream"}
    for own in listed:
        document = client.get(f"/v1/models/{own['name']}").document
        assert {"card", "inputs", "metrics", "example", "data"} <= document.keys()
        assert document["card"].startswith("# ") and document["metrics"]["test"]
        assert "/" not in str(document["data"].get("source")), "no path of the server's machine"
    inputs = client.get("/v1/models/weather").document["inputs"]
    assert inputs["columns"] == ["T (degC)", "p (mbar)"] and inputs["rows_needed"] == 24 and inputs["every"] == "1h"


def test_every_example_of_the_description_is_answered(serve: Serve) -> None:
    client = serve()
    operation = client.get("/openapi.json").document["paths"]["/v1/models/{name}/predict"]["post"]
    examples = operation["requestBody"]["content"]["application/json"]["examples"]
    assert list(examples) == list(OPTIONS)
    for name, example in examples.items():
        reply = client.predict(name, example["value"])
        assert reply.status == 200, reply.content
        assert reply.document["model"] == name


def test_forecasts_are_the_models_own_from_rows_columns_and_csv(serve: Serve, runs_dir: Path, hourly_csv: Path) -> None:
    client, rows = serve(), rows_of(hourly_csv, 30)
    expected = Predictor(runs_dir / "weather" / "model").predict(pl.DataFrame(rows))
    text = pl.DataFrame(rows).write_csv().encode()
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    replies = [client.predict("weather", {"rows": rows}), client.predict("weather", {"columns": columns})]
    replies += [client.predict("weather", {"csv": text.decode()}), client.predict("weather", text, "text/csv")]
    for reply in replies:
        assert reply.status == 200, reply.content
        told = reply.document
        assert told["targets"] == ["T (degC)"] and told["units"] == {"T (degC)": "degC"} and told["warnings"] == []
        for name in ("forecast T (degC)", "low 80% T (degC)", "high 80% T (degC)"):
            assert [row[name] for row in told["rows"]] == LEFT(expected[name].to_list(), rel=1e-12)
        assert told["rows"][0]["time"] == str(expected["time"][0])
    table = client.predict("weather", text, "text/csv", Accept="text/csv")
    assert table.headers["content-type"].startswith("text/csv")
    read = list(csv.DictReader(io.StringIO(table.content.decode())))
    assert [float(row["forecast T (degC)"]) for row in read] == LEFT(expected["forecast T (degC)"].to_list())
    every = client.predict("weather", {"rows": rows, "anchors": "all"}).document["rows"]
    assert len(every) == (30 - 24 + 1) * 6
    named = client.ask("POST", "/v1/models/weather/predict?anchors=all", text, {"Content-Type": "text/csv"})
    assert named.document["rows"] == every


def test_labels_are_the_models_own_and_words_are_told(serve: Serve, runs_dir: Path) -> None:
    client, texts = serve(), ["a great and lovely film", "dull, awful; we saw it in pain", "   "]
    expected = learned(runs_dir, "mood").answer
    with pytest.warns(UserWarning, match="without a word"):
        frame = expected(texts)
    reply = client.predict("mood", {"texts": texts}).document
    assert [own["label"] for own in reply["answers"]] == frame["label"].to_list() == [*frame["label"][:2], None]
    assert [own["probabilities"]["pos"] for own in reply["answers"]] == frame["p(pos)"].to_list()
    assert reply["warnings"] == ["1 text without a word: no label is given"]
    explained = client.predict("mood", {"texts": texts[:2], "explain": True}).document["answers"]
    for text, own in zip(texts, explained, strict=False):
        assert "".join(piece["text"] for piece in own["pieces"]) == text
        assert max(abs(piece["strength"]) for piece in own["pieces"]) == 1
        assert own["words"][0]["word"] in text


def test_texts_are_the_models_own_at_once_and_as_they_come(serve: Serve, runs_dir: Path) -> None:
    client = serve()
    generator = learned(runs_dir, "writer")
    asked: dict[str, Any] = {"length": 50, "temperature": 0.7, "seed": 3}
    expected = generator.write(["the sun "], **asked)[0].text
    alone = client.predict("writer", {"prompts": ["the sun "], **asked}).document["answers"]
    assert [own["text"] for own in alone] == [expected]
    several = client.predict("writer", {"prompts": ["birds", "the sun ", ""], **asked}).document["answers"]
    assert several[1]["text"] == expected
    told = list(client.events("writer", {"prompts": ["the sun "], **asked, "stream": True, "probabilities": True}))
    assert [name for name, _ in told[-1:]] == ["done"] and {name for name, _ in told[:-1]} == {"text"}
    assert "".join(about["text"] for name, about in told if name == "text") == expected == told[-1][1]["text"]
    pieces = [piece for name, about in told if name == "text" for piece in about["pieces"]]
    assert "".join(piece["token"] for piece in pieces) == expected
    assert all(0 < piece["probability"] <= 1 and piece["entropy"] >= 0 for piece in pieces)
    watched = client.predict("writer", {"prompts": ["the sun "], **asked, "probabilities": True}).document["answers"][0]
    assert [own["probability"] for own in watched["pieces"]] == LEFT([own["probability"] for own in pieces])
    stopped = client.predict("writer", {"prompts": ["the "], "length": 200, "stop": ["\n"]}).document["answers"][0]
    assert stopped["stopped"] == "\n" and "\n" not in stopped["text"]


def test_translations_are_the_models_own_and_tell_what_they_looked_at(serve: Serve, runs_dir: Path) -> None:
    client, texts = serve(), ["June 4th, 1988", "", "4 May 2021"]
    translator = learned(runs_dir, "days")
    with pytest.warns(UserWarning, match="stay empty"):
        expected = translator.answer(texts)["translation"].to_list()
    reply = client.predict("days", {"texts": texts}).document
    assert [own["translation"] for own in reply["answers"]] == expected and reply["warnings"]
    own = client.predict("days", {"texts": texts[:1], "attention": True}).document["answers"][0]
    group = own["attention"][0]
    assert group["columns"] == [*(letter.replace(" ", "␣") for letter in texts[0]), "[end]"]
    assert group["rows"] == [*expected[0], "[end]"]
    weights = np.array(group["maps"][0]["weights"])
    assert weights.shape == (len(group["rows"]), len(group["columns"]))
    assert weights.sum(1) == LEFT(np.ones(len(weights)), abs=1e-5)
    best = client.predict("days", {"texts": texts[:1], "beam": 3, "n_best": 3}).document["answers"][0]["n_best"]
    assert len(best) == 3 and best[0]["score"] >= best[-1]["score"]


def test_dreams_come_at_once_and_octave_by_octave(serve: Serve) -> None:
    pytest.importorskip("efficientnet_lite_pytorch")
    client = serve(Models({"dream": None}))
    assert client.get("/v1/models").document["models"][0]["task"] == "dream"
    example = client.get("/v1/models/dream").document["example"]
    told = client.predict("dream", example, Accept="application/json").document
    assert (told["width"], told["height"]) == (64, 64) and len(told["octaves"][0]["losses"]) == 2
    plain = client.predict("dream", example)
    assert plain.headers["content-type"] == "image/png" and plain.content.startswith(b"\x89PNG")
    photo = base64.b64decode(example["picture"])
    asked = {"mood": "lines", "octaves": "2", "steps": "2", "scale": "1.5"}
    body, kind = form({"picture": photo, **asked, "stream": "true"})
    events = list(client.events("dream", body, kind))
    names = [name for name, _ in events]
    assert names == ["step", "step", "octave", "step", "step", "octave", "done"]
    assert events[1][1]["width"] == 43 and events[-1][1]["width"] == 64 and events[-1][1]["model"] == "dream"
    body, kind = form({"picture": photo, **asked})
    again = client.predict("dream", body, kind, Accept="application/json").document
    assert again["picture"] == events[-1][1]["picture"], "a stream dreams the same"


@pytest.mark.parametrize("name", ["mood", "writer", "days"])
def test_answers_are_the_same_alone_and_in_company(serve: Serve, name: str) -> None:
    bodies: dict[str, list[dict[str, Any]]] = {
        "mood": [{"texts": [text]} for text in ("great film", "awful film", "it was", "", "dull and dull and dull")],
        "writer": [{"prompts": [own], "length": 30, "seed": 1} for own in ("the ", "sun", "birds ", "", "hills and")],
        "days": [{"texts": [own]} for own in ("June 4th, 1988", "1 May 2001", "2/3/1999", "", "May 5, 2020")],
    }
    client = serve(workers=1, deadline="600s")  # so that none is refused
    alone = [client.predict(name, body).document for body in bodies[name]]
    held, release = threading.Event(), threading.Event()
    service = client.service.models[name].predictor.service
    sizes: list[int] = []
    answers = type(service).answers

    def slow(own: Any, fitted: Any, questions: Any) -> Any:
        sizes.append(len(questions))
        if not held.is_set():
            held.set()
            release.wait(60)
        return answers(own, fitted, questions)

    patch = pytest.MonkeyPatch()
    patch.setattr(type(service), "answers", slow)
    try:
        with ThreadPoolExecutor(20) as pool:
            first = pool.submit(client.predict, name, bodies[name][0])
            assert held.wait(20)
            others = [pool.submit(client.predict, name, body) for body in bodies[name] * 2]
            until(lambda: client.service.workshop.waiting == len(others))
            release.set()
            found = [own.result().document for own in others]
            assert first.result().document == alone[0]
    finally:
        patch.undo()
    assert max(sizes) > 1, "those that waited were answered together"
    for one, two in zip(found, alone * 2, strict=True):
        assert one["warnings"] == two["warnings"], "each hears of what is its own"
        assert same(one["answers"], two["answers"])


def same(one: Any, two: Any) -> bool:
    """Equal, numbers up to the last bits, which a product's may differ in with the size of a batch."""
    if isinstance(one, dict):
        return one.keys() == two.keys() and all(same(one[key], two[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(two) and all(map(same, one, two))
    return bool(one == (pytest.approx(two, rel=1e-5) if isinstance(two, float) else two))


def test_what_counts_is_counted(serve: Serve) -> None:
    client = serve()
    client.predict("mood", {"texts": ["a film"]})
    client.predict("mood", {"texts": []})
    client.get("/nowhere/at/all")
    text = client.get("/metrics")
    assert text.headers["content-type"].startswith("text/plain")
    lines = text.content.decode().splitlines()
    asked = 'foretell_requests_total{model="mood",route="/v1/models/{name}/predict",status='
    assert asked + '"200"} 1.0' in lines and asked + '"422"} 1.0' in lines
    assert any(line.startswith("process_resident_memory_bytes") for line in lines)
    assert 'foretell_requests_total{model="",route="none",status="404"} 1.0' in lines
    assert "foretell_waiting 0.0" in lines
    assert json.dumps(client.get("/v1/models/mood").document)
