"""Ten times what a service can do: quick refusals, what was accepted is served, nothing grows, and then it is as before."""

import asyncio
import json
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from benchmarks.http.client import load, summary

from ..service.client import Client, until
from .amounts import Figures, much
from .served import SECRETS, Service

SECONDS = much(4, 60)  # of the flood


def flooded(service: Service, body: bytes, rate: float, seconds: float) -> dict[str, Any]:
    """What a client comes to that asks at a steady rate, whatever comes back."""
    port = int(service.address.rpartition(":")[2])
    return summary(asyncio.run(load(port, "mood", body, rate, seconds, SECRETS["token"])))


def capacity(client: Client, body: object) -> float:
    """How many questions a second are answered to eight clients who wait for each answer."""
    end = time.monotonic() + 1.5

    def ask(_: int) -> int:
        count = 0
        while time.monotonic() < end:
            count += client.predict("mood", body).status == 200
        return count

    with ThreadPoolExecutor(8) as pool:
        return sum(pool.map(ask, range(8))) / 1.5


def measured(service: Service, name: str) -> float:
    """What the service counts of itself."""
    lines = service.client.get("/metrics").content.decode().splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith(f"{name} "))


def test_ten_times_too_much_is_refused_quickly_and_leaves_nothing(service: Service, figures: Figures) -> None:
    body = {"texts": ["a film"] * 20, "explain": True}
    before = service.client.predict("mood", body).content
    rate = 10 * capacity(service.client, body)
    content = json.dumps(body).encode()
    flooded(service, content, rate, 2)  # the first flood fills buffers that stay
    until(lambda: measured(service, "foretell_busy") == 0)
    memory, threads, files = service.status("RssAnon"), service.status("Threads"), service.open_files()
    found = flooded(service, content, rate, SECONDS)
    until(lambda: measured(service, "foretell_busy") + measured(service, "foretell_waiting") == 0)
    grown = service.status("RssAnon") - memory
    assert set(found) <= {"200", "429", "503"} and "429" in found, found
    assert found["200"]["count"] > SECONDS, "what was accepted is served"
    assert found["429"]["p99"] < 5000 and found["200"]["most"] < 7000, "the deadline is five seconds"
    assert grown < 60_000, f"{grown} kB more"
    assert service.status("Threads") <= threads + 40, "the framework's own pool has so many"
    assert service.open_files() <= files + 5
    assert service.client.predict("mood", body).content == before
    figures(
        seconds=SECONDS,
        asked_per_second=round(rate),
        served=found["200"]["count"],
        served_slowest_ms=round(found["200"]["most"]),
        refused=found["429"]["count"],
        refused_p99_ms=round(found["429"]["p99"], 1),
        memory_kb_before=memory,
        memory_kb_grown=grown,
    )


def test_a_refusal_says_when_to_ask_again_and_late_work_stops(service: Service, figures: Figures) -> None:
    long = {"prompts": ["the "], "length": 1_000_000}
    rounds = much(1, 5)
    for _ in range(rounds):
        started = time.monotonic()
        with ThreadPoolExecutor(100) as pool:
            replies = list(pool.map(lambda _: service.client.predict("writer", long), range(100)))
        assert {reply.status for reply in replies} == {429, 503}, "more than may wait, and what cannot be done in time"
        assert all(reply.headers["retry-after"] == "1" and reply.error for reply in replies)
        seconds = time.monotonic() - started
        assert seconds < 20, "the deadline is five seconds"
        until(lambda: measured(service, "foretell_busy") + measured(service, "foretell_waiting") == 0, 10)
        assert service.client.predict("mood", {"texts": ["a film"]}).status == 200
    figures(rounds=rounds, asked=100 * rounds, seconds_to_the_last_answer=round(seconds, 1))
