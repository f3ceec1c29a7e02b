"""A client that asks at a steady rate whatever comes back, and keeps how long each answer took from when it was due.

It speaks HTTP over plain sockets, so that it takes less of the machine than what it measures. Run as a process of its
own: ``python -m benchmarks.http.client PORT MODEL BODY.json RATE SECONDS``, which prints one JSON document.
"""

import asyncio
import json
import sys
import time
from collections import deque
from pathlib import Path
from typing import Any

_PATIENCE = 60.0  # seconds for one answer


class Client:
    """Connections to a service, made when all others are in use.

    Args:
        port: Where it listens.
        model: Who is asked.
        body: With what.
        token: That of the service, if it asks for one.
    """

    def __init__(self, port: int, model: str, body: bytes, token: str | None = None) -> None:
        self.port = port
        head = f"POST /v1/models/{model}/predict HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        head += f"Authorization: Bearer {token}\r\n" if token else ""
        self.request = f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
        self.free: deque[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = deque()
        self.answers: list[tuple[int, float]] = []

    async def ask(self, due: float) -> None:
        """Asks once, and keeps the status and the seconds since it was due; a broken connection is status 0."""
        try:
            async with asyncio.timeout(_PATIENCE):
                status = await self._asked()
        except (OSError, asyncio.IncompleteReadError, TimeoutError):
            status = 0
        self.answers.append((status, time.perf_counter() - due))

    async def _asked(self) -> int:
        while self.free and self.free[0][1].is_closing():
            self.free.popleft()[1].close()
        reader, writer = self.free.popleft() if self.free else await asyncio.open_connection("127.0.0.1", self.port)
        kept = False
        try:
            writer.write(self.request)
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
            length = int(head.partition("content-length:")[2].partition("\r\n")[0])
            await reader.readexactly(length)
            kept = "connection: close" not in head
        finally:
            if kept:
                self.free.append((reader, writer))
            else:
                writer.close()
        return int(head.split()[1])

    async def close(self) -> None:
        """Ends all connections."""
        for _, writer in self.free:
            writer.close()
        await asyncio.gather(*(writer.wait_closed() for _, writer in self.free), return_exceptions=True)


async def load(
    port: int, model: str, body: bytes, rate: float, seconds: float, token: str | None = None
) -> list[tuple[int, float]]:
    """Asks so many times a second.

    Args:
        port: Where the service listens.
        model: Who is asked.
        body: With what.
        rate: Requests a second.
        seconds: For how long.
        token: That of the service, if it asks for one.

    Returns:
        Of each request the status and how long its answer took.
    """
    client, started = Client(port, model, body, token), time.perf_counter()
    asked = set()
    for number in range(round(rate * seconds)):
        due = started + number / rate
        if (early := due - time.perf_counter()) > 0:
            await asyncio.sleep(early)
        task = asyncio.create_task(client.ask(due))
        asked.add(task)
        task.add_done_callback(asked.discard)
    await asyncio.gather(*asked)
    await client.close()
    return client.answers


def summary(answers: list[tuple[int, float]]) -> dict[str, Any]:
    """How many answers of each status, and their quantiles in milliseconds."""
    found: dict[str, Any] = {}
    for status in sorted({own for own, _ in answers}):
        times = sorted(1e3 * seconds for own, seconds in answers if own == status)
        quantiles = {f"p{share}": times[min(len(times) - 1, len(times) * share // 100)] for share in (50, 95, 99)}
        found[str(status)] = {"count": len(times), **quantiles, "most": times[-1]}
    return found


def main() -> None:
    """Asks as the command line says."""
    port, model, path, rate, seconds = sys.argv[1:]
    body = Path(path).read_bytes()
    print(json.dumps(summary(asyncio.run(load(int(port), model, body, float(rate), float(seconds))))))


if __name__ == "__main__":
    main()
