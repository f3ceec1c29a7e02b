"""Whatever a client sends comes back as a sentence with the right status: never a 500, never half an answer."""

import socket
import struct
import zlib
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from foretell.web.models import Models

from ..serving import Serve
from .client import Client, form

PNG = b"\x89PNG\r\n\x1a\n"


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def picture(width: int, height: int) -> bytes:
    """A PNG that says how large it is, and is broken off after that."""
    return PNG + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)) + chunk(b"IDAT", b"x\x9c")


BODIES: list[tuple[str, bytes | object, int, str]] = [
    ("mood", b"{", 400, "not JSON"),
    ("mood", b"", 400, "not JSON"),
    ("mood", b"\xff\xfe", 400, "not JSON"),
    ("mood", b"[" * 100_000, 400, "not JSON"),
    ("mood", b'{"texts": ["\\ud800"]}', 400, "not JSON"),
    ("mood", [], 422, "object"),
    ("mood", None, 422, "object"),
    ("mood", {}, 422, "texts"),
    ("mood", {"texts": []}, 422, "at least 1"),
    ("mood", {"texts": "one"}, 422, "array"),
    ("mood", {"texts": [1]}, 422, "string"),
    ("mood", {"texts": ["a"], "more": 1}, 422, '"more" is no part'),
    ("mood", {"texts": ["a"] * 10_001}, 422, "at most 10000"),
    ("weather", {}, 422, "one of rows, columns and csv"),
    ("weather", {"rows": [], "csv": "a"}, 422, "one of rows, columns and csv"),
    ("weather", {"rows": []}, 422, "no rows"),
    ("weather", {"rows": [{"time": "2021-01-01", "T (degC)": 1}]}, 422, '"p (mbar)"'),
    ("weather", {"columns": {"time": ["2021-01-01"], "T (degC)": [1, 2]}}, 422, "no table"),
    ("weather", {"rows": [{"time": "soon", "T (degC)": 1, "p (mbar)": 1}]}, 422, "time"),
    ("weather", b'{"columns": {"T (degC)": [NaN]}}', 422, "finite"),
    ("weather", b'{"columns": {"T (degC)": [1e999]}}', 422, "finite"),
    ("weather", {"csv": ""}, 422, "empty"),
    ("weather", {"csv": "/etc/passwd"}, 422, ""),
    ("weather", {"csv": "a,b\n1"}, 422, ""),
    ("weather", {"rows": [{}]}, 422, ""),
    ("weather", {"columns": {f"c{number}": [1] for number in range(2001)}}, 422, "at most 2000 columns"),
    ("weather", {"csv": ",".join(f"c{number}" for number in range(200_000)) + "\n1"}, 422, "at most 2000 columns"),
    ("days", {"texts": ["5 May 1999 " * 1000]}, 422, "at most 5000 characters"),
    ("writer", {"prompts": ["the " * 100_000]}, 422, "at most 100000 characters"),
    ("writer", {"prompts": ["ÄÖ"]}, 422, "never held"),
    ("writer", {"prompts": ["the"], "temperature": -1}, 422, "temperature"),
    ("writer", {"prompts": ["the"], "beam": 2, "top_k": 3}, 422, "draws nothing"),
    ("writer", {"prompts": ["the"], "length": 0}, 422, "length"),
    ("writer", {"prompts": ["a", "b"], "stream": True}, 422, "one prompt"),
    ("writer", {"prompts": ["ÄÖ"], "stream": True}, 422, "never held"),
    ("days", {"texts": ["1 May"], "n_best": 5, "beam": 2}, 422, "followed"),
    ("days", {"texts": ["1 May"], "greedy": "perhaps"}, 422, "greedy"),
    ("days", {"texts": ["1 May"], "beam": 10**30}, 422, "beam"),
]


@pytest.mark.parametrize(("model", "body", "status", "told"), BODIES)
def test_bodies_that_do_not_fit(serve: Serve, model: str, body: object, status: int, told: str) -> None:
    reply = serve().predict(model, body)
    assert reply.status == status, reply.content
    assert told in reply.error["message"]
    assert "Traceback" not in reply.error["message"] and "bug" not in reply.error["message"]


def test_addresses_ways_and_kinds_that_are_none(serve: Serve) -> None:
    client = serve()
    assert client.get("/v1/models/moood").error["message"].endswith('did you mean "mood"?')
    assert client.get("/v1/models/moood").status == 404
    assert client.predict("nobody", {}).status == 404
    assert client.get("/../../etc/passwd").status == 404
    assert client.get("/v1/models/..%2f..%2fetc").status == 404
    assert client.ask("DELETE", "/v1/models", None, {}).status == 405
    assert client.get("/v1/models/mood/predict").status == 405
    for kind in ("text/plain", "", "application/xml", "multipart/form-data; boundary=x"):
        reply = client.predict("mood", b"x", kind)
        assert reply.status == 415 and "application/json" in reply.error["message"], kind
    text = client.predict("weather", b"time,T (degC)\n" + b"\xff\xfe\xfa", "text/csv")
    assert text.status == 422 and "UTF-8" in text.error["message"]
    unknown = client.ask("POST", "/v1/models/weather/predict?anchor=all", b"a,b\n1,2\n", {"Content-Type": "text/csv"})
    assert unknown.status == 422 and '"anchor" is no part' in unknown.error["message"]


def test_bodies_that_are_too_large(serve: Serve) -> None:
    client = serve(max_body="10kB")
    reply = client.predict("mood", {"texts": ["a" * 11_000]})
    assert reply.status == 413 and "10,000 bytes" in reply.error["message"]
    head = "POST /v1/models/mood/predict HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    answer = raw(client, f"{head}Transfer-Encoding: chunked\r\n\r\n".encode() + b"1000\r\n" + b"a" * 4096 + b"\r\n", 4)
    assert answer.startswith(b"HTTP/1.1 413"), answer[:200]
    answer = raw(client, f"{head}Content-Length: 99999999999999999999999999\r\n\r\n".encode(), 1)
    assert answer.startswith((b"HTTP/1.1 413", b"HTTP/1.1 400")), answer[:200]
    assert client.predict("mood", {"texts": ["a film"]}).status == 200


def raw(client: Client, start: bytes, times: int) -> bytes:
    """What comes back for bytes as they are; the last part is sent so many times."""
    host, _, port = client.address.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        head, _, part = start.partition(b"\r\n\r\n")
        connection.sendall(head + b"\r\n\r\n")
        for _ in range(times):
            try:
                connection.sendall(part)
            except OSError:
                break
        return connection.recv(4096)


def test_a_body_that_does_not_come_is_not_waited_for(serve: Serve) -> None:
    client = serve(deadline="0.5s")
    head = "POST /v1/models/mood/predict HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    answer = raw(client, f"{head}Content-Length: 100\r\n\r\nabc".encode(), 1)
    assert answer.startswith(b"HTTP/1.1 400") and b"did not come within 0.5 seconds; 3 bytes did" in answer


def test_pictures_that_are_none(serve: Serve, tmp_path: Path) -> None:
    pytest.importorskip("efficientnet_lite_pytorch")
    client = serve(Models({"dream": None}))

    def asked(parts: dict[str, bytes | str]) -> Any:
        return client.predict("dream", *form(parts))

    grey = client.get("/v1/models/dream").document["example"]
    cases: list[tuple[dict[str, bytes | str], int, str]] = [
        ({"picture": b"a,b\n1,2\n"}, 422, "no picture"),
        ({"picture": picture(100, 100)}, 422, "damaged"),
        ({"picture": picture(30_000, 30_000)}, 422, "30000×30000"),
        ({"picture": picture(4, 4)}, 422, "4×4"),
        ({"mood": "lines"}, 422, "picture"),
        ({"picture": b"x", "mood": "horror"}, 422, "mood"),
        ({"picture": b"x", "guide": str(tmp_path)}, 422, '"guide" is no part'),
        ({"picture": b"x", "model": "os:system"}, 422, '"model" is no part'),
        ({"picture": b"x", "weights": "/etc/passwd"}, 422, '"weights" is no part'),
    ]
    for parts, status, told in cases:
        reply = asked(parts)
        assert reply.status == status and told in reply.error["message"], (parts, reply.content)
    layers = client.predict("dream", {**grey, "mood": None, "layers": ["nowhere"]})
    assert layers.status == 422 and "nowhere" in layers.error["message"]
    assert client.predict("dream", {**grey, "picture": "%%%"}).status == 422
    body, kind = form({"picture": b"x"})
    assert client.predict("dream", body, kind.partition(";")[0]).status == 400
    assert client.predict("dream", body[:40], kind).status in (400, 422)
    assert client.predict("dream", b"", kind).status in (400, 422)


def test_wide_tables_and_long_texts_end_in_an_answer(serve: Serve) -> None:
    client = serve()
    long = client.predict("mood", {"texts": ["great " * 50_000]})
    assert long.status == 200 and "is longer than the" in long.document["warnings"][0]
    wide = pl.DataFrame({"time": ["2021-01-01 00:00:00"], **{f"c{number}": [1.0] for number in range(1999)}})
    assert client.predict("weather", {"columns": wide.to_dict(as_series=False)}).status == 422
