"""More than can be done: refusals at once, deadlines kept, and nobody works for those who have gone."""

import http.client
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from foretell.stopping import heed

from ..serving import Serve
from .client import Client, until

Hold = Callable[[Client, str], threading.Event]


@pytest.fixture
def hold(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Client, str], "Held"]]:
    """Makes a model slow: each answer takes until it is let go, or until nobody waits for it."""
    made: list[Held] = []

    def slow(client: Client, name: str) -> "Held":
        held = Held()
        service = client.service.models[name].predictor.service
        answers = type(service).answers

        def waiting(own: Any, fitted: Any, questions: Any) -> Any:
            held.begun.release()
            try:
                while not held.go.is_set():
                    heed()
                    time.sleep(0.005)
            finally:
                held.ended.release()
            return answers(own, fitted, questions)

        monkeypatch.setattr(type(service), "answers", waiting)
        made.append(held)
        return held

    yield slow
    for held in made:
        held.go.set()


class Held:
    """A model that is held."""

    def __init__(self) -> None:
        self.begun, self.ended, self.go = threading.Semaphore(0), threading.Semaphore(0), threading.Event()


def test_more_than_may_wait_is_refused_at_once(serve: Serve, hold: Any) -> None:
    client = serve(queue=3, workers=1)
    held = hold(client, "mood")
    with ThreadPoolExecutor(8) as pool:
        first = pool.submit(client.predict, "mood", {"texts": ["a film"]})
        assert held.begun.acquire(timeout=20)
        others = [pool.submit(client.predict, "mood", {"texts": ["a film"], "explain": True}) for _ in range(3)]
        until(lambda: client.service.workshop.waiting >= 3)
        started = time.monotonic()
        refused = client.predict("mood", {"texts": ["a film"]})
        assert time.monotonic() - started < 5
        assert refused.status == 429 and refused.headers["retry-after"] == "1"
        assert "3 requests wait for mood already" in refused.error["message"]
        assert client.get("/v2/health/ready").status == 200, "what needs no model is answered"
        held.go.set()
        assert {own.result().status for own in (first, *others)} == {200}


def test_what_is_expected_to_take_too_long_is_refused(serve: Serve, hold: Any) -> None:
    client = serve(queue=1000, workers=1, deadline="20s")
    client.service.workshop._seconds["mood"] = 6.0
    held = hold(client, "mood")
    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(client.predict, "mood", {"texts": ["x"], "explain": True})]
        assert held.begun.acquire(timeout=20), "else the third of them may find two waiting, and is refused itself"
        asked += [pool.submit(client.predict, "mood", {"texts": ["x"], "explain": True}) for _ in range(2)]
        until(lambda: client.service.workshop.waiting >= 2)
        assert client.predict("mood", {"texts": ["x"]}).status == 429, (
            "two wait, six seconds each, of a deadline of twenty"
        )
        held.go.set()
        assert {own.result().status for own in asked} == {200}


def test_a_late_answer_is_given_up(serve: Serve, hold: Any) -> None:
    client = serve(deadline="0.5s")
    held = hold(client, "mood")
    reply = client.predict("mood", {"texts": ["a film"]})
    assert reply.status == 503 and "could not answer in time" in reply.error["message"]
    assert held.ended.acquire(timeout=20), "the thread has let it go"
    held.go.set()
    assert client.predict("mood", {"texts": ["a film"]}).status == 200


def test_nobody_works_for_a_client_that_has_gone(serve: Serve, hold: Any) -> None:
    client = serve()
    held = hold(client, "mood")
    host = client.address.removeprefix("http://")
    connection = http.client.HTTPConnection(host, timeout=20)
    connection.request(
        "POST", "/v1/models/mood/predict", json.dumps({"texts": ["x"]}), {"Content-Type": "application/json"}
    )
    assert held.begun.acquire(timeout=20)
    connection.close()
    assert held.ended.acquire(timeout=20), "the thread has let it go, long before the deadline"
    until(lambda: not client.service.workshop.busy)


def test_a_stream_that_nobody_reads_any_more_ends(serve: Serve) -> None:
    client = serve()
    body = {"prompts": ["the "], "length": 10_000_000, "stream": True}
    events = client.events("writer", body)
    assert next(events)[0] == "text"
    assert client.service.workshop.busy == 1
    events.close()
    until(lambda: not client.service.workshop.busy)


def test_a_long_stream_ends_with_an_error_when_its_time_is_over(serve: Serve) -> None:
    client = serve(stream_deadline="0.5s")
    events = list(client.events("writer", {"prompts": ["the "], "length": 10_000_000, "stream": True}))
    assert events[-1][0] == "error" and "could not answer in time" in events[-1][1]["error"]["message"]
    assert len(events) > 10


def test_one_model_does_not_keep_another_waiting(serve: Serve, hold: Any) -> None:
    client = serve(workers=2)
    held = hold(client, "mood")
    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(client.predict, "mood", {"texts": ["x"], "explain": True}) for _ in range(4)]
        assert held.begun.acquire(timeout=20)
        reply = client.predict("writer", {"prompts": ["the "], "length": 5})
        assert reply.status == 200 and client.service.workshop.busy == 1, "a hand is left for others"
        held.go.set()
        assert {own.result().status for own in asked} == {200}


def test_many_at_once_are_all_answered_or_refused(serve: Serve) -> None:
    client = serve(queue=4, workers=2)
    with ThreadPoolExecutor(32) as pool:
        replies = list(pool.map(lambda number: client.predict("mood", {"texts": [f"film {number}"]}), range(200)))
    assert {reply.status for reply in replies} <= {200, 429}
    assert sum(reply.status == 200 for reply in replies) >= 4
    assert client.service.workshop.waiting == client.service.workshop.busy == 0
    assert not any(client.service.workshop._lines.values())


def test_who_has_gone_leaves_the_line(serve: Serve, hold: Any) -> None:
    client = serve(workers=1, queue=2)
    held = hold(client, "mood")
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(client.predict, "mood", {"texts": ["x"]})
        assert held.begun.acquire(timeout=20)
        connections = [http.client.HTTPConnection(client.address.removeprefix("http://"), timeout=20) for _ in range(2)]
        for connection in connections:
            body = json.dumps({"texts": ["x"], "explain": True})
            connection.request("POST", "/v1/models/mood/predict", body, {"Content-Type": "application/json"})
        until(lambda: client.service.workshop.waiting >= 2)
        for connection in connections:
            connection.close()
        until(lambda: not client.service.workshop.waiting)
        held.go.set()
        assert first.result().status == 200
    assert not any(client.service.workshop._lines.values())


def test_a_client_that_takes_nothing_gives_way(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("foretell.web.order._SLOWEST", 0.3)
    client = serve()
    host, _, port = client.address.removeprefix("http://").partition(":")
    body = json.dumps({"prompts": ["the "], "length": 10_000_000, "stream": True, "probabilities": True}).encode()
    head = "POST /v1/models/writer/predict HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect((host, int(port)))
        connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        until(lambda: client.service.workshop.busy)
        end = time.monotonic() + 60  # the system takes some megabytes for the client before anybody waits
        while client.service.workshop.busy and time.monotonic() < end:
            time.sleep(0.02)
        assert not client.service.workshop.busy, "its place is another's"


def test_large_bodies_do_not_fill_the_memory(serve: Serve, hold: Any) -> None:
    client = serve(max_body="100kB", workers=1, queue=100)
    held = hold(client, "mood")
    body = {"texts": ["a" * 90_000], "explain": True}
    with ThreadPoolExecutor(16) as pool:
        asked = [pool.submit(client.predict, "mood", body) for _ in range(12)]
        assert held.begun.acquire(timeout=20)
        refused = [own for own in asked if own.done() or _settles(own, client)]
        held.go.set()
        statuses = [own.result().status for own in asked]
    assert sorted(set(statuses)) == [200, 429] and statuses.count(200) == 8, "eight as large as they may be"
    assert len(refused) == 4
    assert client.predict("mood", {"texts": ["a film"]}).status == 200


def _settles(asked: Any, client: Client) -> bool:
    """Whether a request is answered while the others are held: it is refused."""
    end = time.monotonic() + 20
    while not asked.done() and time.monotonic() < end:
        if client.service.workshop.waiting + client.service.workshop.busy == 8:
            time.sleep(0.2)
            return bool(asked.done())
        time.sleep(0.01)
    return bool(asked.done())
