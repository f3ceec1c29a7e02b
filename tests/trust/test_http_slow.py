"""Clients that send slowly, take slowly or hold on: they are let go, and an honest one is answered meanwhile."""

import asyncio
import json
import os
import socket
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from foretell.errors import RefusedError
from foretell.web import store
from foretell.web.store import Store

from ..service.client import Client, until
from ..serving import Serve
from .amounts import Figures, much
from .served import SECRETS, Service, connected, head, status_of

JSON, MOOD = "Content-Type: application/json", {"texts": ["a film"]}
ASK = "/v1/models/mood/predict"


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A service that waits a moment only."""
    monkeypatch.setattr("foretell.web.connections.HEAD_SECONDS", 0.4)
    monkeypatch.setattr("foretell.web.connections.TAKE_SECONDS", 0.4)
    monkeypatch.setattr("foretell.web.guard.SMALL_SECONDS", 0.4)


def ended(connection: socket.socket) -> bool:
    """Whether the service has ended a connection; waits for it."""
    connection.settimeout(30)
    try:
        while connection.recv(1 << 16):
            pass
    except ConnectionError:
        pass
    except TimeoutError:
        return False
    return True


def test_a_head_that_does_not_come_is_not_waited_for(serve: Serve, impatient: None) -> None:
    client = serve()
    with connected(client.address) as silent, connected(client.address) as slow, connected(client.address) as used:
        used.sendall(head("GET", "/v2/health/live") + b"GET /v2/hea")  # the second one does not come
        slow.sendall(b"GET /v1/models HTTP/1.1\r\n")
        started = time.monotonic()
        slow.settimeout(0.05)
        over = False
        while not over and time.monotonic() < started + 30:
            try:
                slow.sendall(b"X: a\r\n")  # a header now and then does not help
                over = slow.recv(100) == b""
            except TimeoutError:
                continue
            except ConnectionError:
                over = True
        assert over and ended(silent) and ended(used)
    assert client.get("/v2/health/live").status == 200


def test_a_body_that_nobody_reads_ends_soon(serve: Serve, impatient: None) -> None:
    client = serve(max_body="10kB")
    for method, path, length in (
        ("GET", "/v1/models", 100),
        ("POST", ASK, 99_999_999),
        ("POST", "/nowhere", 9_999_999),
    ):
        with connected(client.address) as connection:
            connection.sendall(head(method, path, JSON, f"Content-Length: {length}"))
            started = time.monotonic()
            try:
                while time.monotonic() < started + 30:
                    connection.sendall(b" " * 20)
                    time.sleep(0.02)
            except ConnectionError:
                pass
            assert time.monotonic() < started + 30, (method, path)


def test_an_answer_that_takes_long_is_not_cut_off(serve: Serve, impatient: None) -> None:
    client = serve()
    events = list(client.events("writer", {"prompts": ["the "], "length": 1000, "stream": True}))
    assert events[-1][0] == "done"
    started = time.monotonic()
    reply = client.predict("writer", {"prompts": ["the "], "length": 4000})
    assert reply.status == 200 and len(reply.document["answers"][0]["text"]) == 4000
    assert time.monotonic() - started > 0.4, "else this test says nothing"


def test_who_takes_nothing_of_a_response_is_let_go(serve: Serve, impatient: None) -> None:
    client = serve()
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(("127.0.0.1", int(client.address.rpartition(":")[2])))
        for _ in range(30):
            connection.sendall(head("GET", "/openapi.json"))
        until(lambda: len(connections_of(client)) == 1)
        until(lambda: not connections_of(client))
    assert client.get("/v2/health/live").status == 200


def connections_of(client: Client) -> set[object]:
    """The connections of a service that runs in this process, but those of our own client, which it closes at once."""
    return {own for own in client.server.server_state.connections if not own.transport.is_closing()}


def test_who_only_holds_on_gives_way(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("foretell.web.connections.MOST_CONNECTIONS", 20)
    client = serve()
    with ExitStack() as held:
        first = held.enter_context(connected(client.address))
        for _ in range(60):
            other = held.enter_context(connected(client.address))
            other.sendall(b"GET /v1/models HTTP/1.1\r\nX: ")
        for _ in range(5):
            assert client.predict("mood", MOOD).status == 200
        assert len(connections_of(client)) <= 20
        assert ended(first)


def test_a_few_that_send_much_keep_no_small_question_out(serve: Serve) -> None:
    client = serve(max_body="160kB")
    with ExitStack() as held:
        for _ in range(8):
            slow = held.enter_context(connected(client.address))
            slow.sendall(head("POST", ASK, JSON, "Content-Length: 160000") + b" " * 159_000)
        time.sleep(0.3)
        assert client.predict("mood", {"texts": ["a" * 20_000]}).status == 429, "there is no room for large ones"
        for _ in range(5):
            assert client.predict("mood", MOOD).status == 200


def slow_clients(address: str, number: int, held: ExitStack) -> Iterator[socket.socket]:
    """Clients of three kinds: slow heads, slow bodies, slow readers."""
    place = ("127.0.0.1", int(address.rpartition(":")[2]))
    starts = (
        b"POST /v1/models/mood/predict HTTP/1.1\r\nHost: 127.0.0.1\r\n",
        head("POST", ASK, JSON, "Content-Length: 5000") + b'{"texts": ["',
        head("GET", "/page/plotly.js") * 3,
    )
    for index in range(number):
        connection = held.enter_context(socket.socket())
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(30)
        connection.connect(place)
        connection.sendall(starts[index % 3])
        yield connection


def test_two_hundred_slow_clients_keep_nobody_waiting(service: Service, figures: Figures) -> None:
    before = service.client.predict("mood", MOOD).content
    files, threads, memory = service.open_files(), service.status("Threads"), service.status("RssAnon")
    seconds: list[float] = []
    with ExitStack() as held:
        slow = list(slow_clients(service.address, much(200, 900), held))
        end = time.monotonic() + much(3, 60)
        while time.monotonic() < end:
            for connection in slow[:: max(1, len(slow) // 50)]:
                try:
                    connection.send(b"a" if time.monotonic() % 2 < 1 else b"b", socket.MSG_DONTWAIT)
                except OSError:
                    continue  # it was let go
            for path in ("/v1/runs", "/v1/models", "/page/app.js"):
                assert service.client.get(path).status == 200
            started = time.monotonic()
            assert service.client.predict("mood", MOOD).content == before
            seconds.append(time.monotonic() - started)
        grown = service.status("RssAnon") - memory
    until(lambda: service.open_files() <= files + 5)
    assert max(seconds) < 10 and len(seconds) > 5
    assert grown < 200_000 and service.status("Threads") <= threads + 45, "the framework's own pool has forty"
    figures(clients=len(slow), answered=len(seconds), slowest_ms=round(1000 * max(seconds), 1), memory_kb=grown)


def test_files_that_come_are_counted_as_if_they_were_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "MOST_IN_ALL", 1000)
    kept = Store(tmp_path / "data")

    async def parts(number: int) -> AsyncIterator[bytes]:
        for _ in range(10):
            yield b"%d" % number * 50
            await asyncio.sleep(0)

    async def all_at_once() -> list[object]:
        asked = (kept.keep(f"{number}.csv", parts(number)) for number in range(4))
        return list(await asyncio.gather(*asked, return_exceptions=True))

    results = asyncio.run(all_at_once())
    refused = [own for own in results if isinstance(own, RefusedError)]
    assert len(refused) >= 2 and all("bytes are kept" in own.message for own in refused)
    assert sum(own["bytes"] for own in kept.all() if "bytes" in own) <= 1000
    assert not list((tmp_path / "data").glob(".*")), "nothing is left of what was refused"


def test_few_files_come_at_once_and_not_in_a_trickle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "_SECONDS", 0.2)
    kept = Store(tmp_path / "data")

    async def trickle() -> AsyncIterator[bytes]:
        while True:
            yield b"a"
            await asyncio.sleep(0.02)

    async def all_at_once() -> list[object]:
        return list(await asyncio.gather(*(kept.keep("a.csv", trickle()) for _ in range(6)), return_exceptions=True))

    results = asyncio.run(all_at_once())
    statuses = [own.status for own in results if isinstance(own, RefusedError)]
    assert sorted(statuses) == [400, 400, 400, 400, 429, 429]
    assert [own.message for own in results if isinstance(own, RefusedError) and "too slowly" in own.message]
    assert not list((tmp_path / "data").glob(".*"))


def test_the_secret_is_asked_for_before_a_body_is_read(service: Service) -> None:
    request = head("POST", "/v1/data?name=a.csv", "Content-Length: 400000000").replace(SECRETS["token"].encode(), b"x")
    with connected(service.address) as connection:
        connection.sendall(request + b"a" * 1000)
        answer = b""
        while not answer.endswith(b"}}"):
            answer += connection.recv(4096)
    assert status_of(answer) == 401 and json.loads(answer.partition(b"\r\n\r\n")[2])["error"]["code"] == "unauthorised"


def test_nobody_reads_on_for_a_client_that_has_gone(service: Service) -> None:
    rows = "\n".join(json.dumps({"text": f"t{row}", "label": f"l{row}"}) for row in range(300_000)).encode()
    about = service.client.post("/v1/data?name=a.jsonl", rows, "application/octet-stream").document
    with connected(service.address) as connection:
        connection.sendall(head("GET", f"/v1/data/{about['id']}/health?task=classify"))
        time.sleep(1.0)
    time.sleep(2.0)  # it is looked twice a second
    before = _processor_seconds(service)
    time.sleep(2.0)
    assert _processor_seconds(service) - before < 1.0


def _processor_seconds(service: Service) -> float:
    spent = Path(f"/proc/{service.process.pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return sum(map(int, spent)) / os.sysconf("SC_CLK_TCK")
