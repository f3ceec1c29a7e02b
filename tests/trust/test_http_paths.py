"""Whatever a client calls things: every name that a route takes is a name, and no file but those served is read or made."""

import json
import random
import string
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pytest

from foretell.web.store import SUFFIXES

from ..service.client import Reply, form
from .amounts import Figures, much
from .served import SECRETS, Service, require_untold

TRICKS = [
    "..", ".", "../secret.txt", "../../secret.txt", "..\\secret.txt", "....//secret.txt", "/etc/passwd", "//etc/passwd",
    "C:\\Windows\\win.ini", "\\\\host\\share", "file:/etc/passwd", "http://127.0.0.1:1/", "secret.txt", ".page",
    ".page/secret.txt", "weather/secret.txt", "weather/../../secret.txt", "weather\0", "\0", "weather\n", "\r\nX-Evil: 1",
    "CON", "NUL.csv", "-rf", "--help", "$(id)", "`id`", "; ls", "%s%n", "{folder}", "{0.__class__}", "~", "~root", "*",
    "[a-z]*", "ＷＥＡＴＨＥＲ", "wea\u0301ther", "\u202egpj.csv", "🌦", "\ufeff", "ı", "a" * 300, "a/" * 200, "", " ", "null",
    "-1", "1e999", "__proto__", "token", "0123456789abcdef", "20260101-000000-000000-abcd", "env:AWS_SECRET_ACCESS_KEY",
]  # fmt: skip
# Each route that takes a name: in its address written in two ways, or after a question mark.
READING = "task=forecast&target={0}", "task=forecast&time={0}", "task=forecast&missing={0}", "task=classify&target={0}"
ROUTES = [
    ("GET", "/v1/models/{name}"),
    ("POST", "/v1/models/{name}/predict"),
    ("GET", "/v1/runs/{name}"),
    ("GET", "/v1/runs/{name}/report"),
    ("GET", "/v1/jobs/{identifier}"),
    ("DELETE", "/v1/jobs/{identifier}"),
    ("DELETE", "/v1/data/{identifier}"),
    ("GET", "/v1/data/{identifier}/health?task=forecast"),
    ("GET", "/v1/data/{identifier}/picture?column=a"),
    ("GET", "/v1/data/{identifier}/tail?rows=3"),
    ("GET", "/page/{name}"),
]
FIELDS = [
    ("GET", "/v1/data/{1}/health?task={0}"),
    *(("GET", "/v1/data/{1}/health?" + reading) for reading in READING),
    ("GET", "/v1/data/{1}/picture?column={0}"),
    ("GET", "/v1/data/{1}/picture?column=a&series={0}"),
    ("GET", "/v1/data/{1}/tail?rows={0}"),
    ("GET", "/v1/data/{1}/tail?rows=2&timezone={0}&duplicates={0}"),
]
JOBS: list[dict[str, Any]] = [
    {"task": "{0}", "data": "nyc-weather"},
    {"task": "forecast", "data": "{0}"},
    {"recipe": "{0}"},
    {"resume": "{0}"},
    {"task": "forecast", "data": "nyc-weather", "options": {"{0}": "x"}},
    *(
        {"task": "forecast", "data": "nyc-weather", "options": {option: "{0}"}}
        for option in ("rungs", "on", "device", "runs_dir", "name", "cache_dir", "store")
    ),
]  # of the options those that are checked before a job is put in the queue
REFUSED = {400, 401, 404, 405, 413, 415, 422, 429, 431, 503}
Asked = tuple[str, str, bytes | None, str]


def tricks() -> list[str]:
    """Names as nobody means them; in the long run also many that are put together by chance."""
    generator = random.Random(1)
    parts = [
        *TRICKS,
        *string.punctuation,
        "%00",
        "%2e%2e",
        "%252e",
        "etc/passwd",
        "weather",
        "mood",
        "proc/self/environ",
    ]
    made = ("".join(generator.choices(parts, k=generator.randint(2, 5)))[:400] for _ in range(much(0, 1500)))
    return [*TRICKS, *made]


def questions(small: str) -> Iterator[Asked]:
    """Each way to ask with each of these names; ``small`` are data that are read soon."""
    for trick in tricks():
        for method, path in ROUTES:
            before, _, rest = path.partition("{")
            after = rest.partition("}")[2]
            body = b"{}" if method == "POST" else None
            yield method, before + quote(trick, safe="") + after, body, "application/json"
            plain = quote(trick, safe="/.\\:*;$&~")
            yield method, before + plain + after, body, "application/json"
        for method, path in FIELDS:
            yield method, path.format(quote(trick, safe=""), small), None, ""
        for job in JOBS:
            text = json.dumps(job).replace("{0}", json.dumps(trick)[1:-1])
            yield "POST", "/v1/jobs", text.encode(), "application/json"


class Asking:
    """One connection that is used for many questions."""

    def __init__(self, service: Service) -> None:
        place = urlsplit(service.address)
        self.connection = HTTPConnection(str(place.hostname), place.port, timeout=60)
        self.headers = {"Authorization": f"Bearer {SECRETS['token']}"}

    def ask(self, method: str, path: str, body: bytes | None = None, kind: str = "", **headers: str) -> Reply:
        own = {**self.headers, **({"Content-Type": kind} if kind else {}), **headers}
        self.connection.request(method, path, body, own)
        response = self.connection.getresponse()
        reply = Reply(response.status, dict(response.getheaders()), response.read())
        require_untold(reply.content, repr(reply.headers).encode())
        return reply


@pytest.fixture
def asking(service: Service) -> Iterator[Asking]:
    """A connection, closed with the test."""
    own = Asking(service)
    yield own
    own.connection.close()


def files_in(folder: Path) -> dict[str, int]:
    """Every file below a folder, and how long it is."""
    return {str(own.relative_to(folder)): own.stat().st_size for own in folder.rglob("*") if own.is_file()}


def test_every_route_that_takes_a_name_is_attacked(service: Service) -> None:
    paths = service.client.get("/openapi.json").document["paths"]
    named = {(method.upper(), path) for path, ways in paths.items() for method in ways if "{" in path}
    attacked = {(method, path.partition("?")[0]) for method, path in ROUTES}
    assert named == attacked - {("GET", "/page/{name}")}, "the page's own files are in no description"


def test_no_name_leads_elsewhere(service: Service, asking: Asking, figures: Figures) -> None:
    small = asking.ask("POST", "/v1/data?name=small.csv", b"time,a\n2021-01-01,1\n2021-01-02,2\n2021-01-03,3\n")
    before, counted = files_in(service.folder), 0
    for method, path, body, kind in questions(small.document["id"]):
        reply = asking.ask(method, path, body, kind)
        counted += 1
        if reply.status in REFUSED:
            assert reply.error
        else:  # what is a name after all, such as that of a run, in an address that says nothing else
            assert reply.status in (200, 201) and method == "GET", (method, path, body, reply.content)
        assert b"root:x:0" not in reply.content and b"Traceback" not in reply.content and b"bug" not in reply.content
        assert "x-evil" not in reply.headers
    after = files_in(service.folder)
    assert {name for name in after if after[name] != before.get(name)} <= {"said.txt"}
    figures(questions=counted)


def test_what_is_sent_under_a_name_lies_where_it_should(service: Service, asking: Asking, figures: Figures) -> None:
    before = files_in(service.folder)
    content = b"time,a\n2021-01-01,1\n2021-01-02,2\n"
    kept = 0
    for number, trick in enumerate(tricks()[: much(len(TRICKS), 400)]):
        for ending in ("", ".csv", "/../x.csv", "\0.csv", ".csv/", ".csv\0"):
            body = content + b"2021-01-03,%d\n" % number
            reply = asking.ask("POST", f"/v1/data?name={quote(trick + ending, safe='')}", body, "text/csv")
            if reply.status != 200:
                assert reply.status in REFUSED and reply.error
                continue
            kept += 1
            home = service.folder / "runs" / ".page" / "data" / reply.document["id"]
            assert {own.name for own in home.iterdir()} == {"about.json", reply.document["name"]}
            stem, dot, suffix = reply.document["name"].partition(".")
            assert dot + suffix in SUFFIXES
            assert stem and set(stem) <= {*string.ascii_letters, *string.digits, "-", "_"} and len(stem) <= 60
            assert asking.ask("DELETE", f"/v1/data/{reply.document['id']}").status == 200
    assert kept > len(TRICKS)
    after = files_in(service.folder)
    assert {name for name in after if after[name] != before.get(name)} <= {"said.txt"}
    figures(kept=kept)


def test_what_clients_make_up_is_in_no_count(asking: Asking) -> None:
    for number in range(20):
        for method, path in (("DELETE", "/v1/models/made-up-{}"), ("PUT", "/v1/models/made-up-{}/predict"),
                             ("GET", "/v1/models/made-up-{}"), ("GET", "/made-up-{}")):  # fmt: skip
            assert asking.ask(method, path.format(number)).status in (404, 405)
    assert b"made-up" not in asking.ask("GET", "/metrics").content


@pytest.mark.parametrize("kind", ["picture", "guide", "weights", "csv"])
def test_parts_of_forms_are_no_paths(kind: str, service: Service) -> None:
    for trick in ("/etc/passwd", "../secret.txt", str(service.folder / "secret.txt")):
        for value in (trick, trick.encode()):
            body, media = form({kind: value})
            for model in ("dream", "weather", "mood"):
                reply = service.client.predict(model, body.replace(b"../../photo.png", trick.encode()), media)
                assert reply.status in (415, 422, 404) and reply.error
        for model in ("weather", "mood", "writer", "days"):
            reply = service.client.predict(model, {"csv": trick, "texts": [trick], "prompts": [trick]})
            assert reply.status == 422
        reply = service.client.predict("weather", trick.encode(), "text/csv")
        assert reply.status == 422
