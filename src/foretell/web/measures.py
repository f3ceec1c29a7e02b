"""What a service counts of itself, as Prometheus reads it."""

import time
from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .guard import MODELS
from .workshop import Workshop

_BOUNDS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60)
CONTENT_TYPE = CONTENT_TYPE_LATEST


class Measures:
    """Counters, in front of an application.

    Args:
        application: Whose requests are counted.
        workshop: Whose queue is told.
        known: Whether there is a model of a name.
    """

    def __init__(self, application: ASGIApp, workshop: Workshop, known: Callable[[str], bool]) -> None:
        self.application, self.known = application, known
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        labels = ("route", "model")
        self._requests = Counter(
            "foretell_requests", "Requests by route, model and status.", (*labels, "status"), registry=self.registry
        )
        self._seconds = Histogram(
            "foretell_request_seconds",
            "Seconds from a request to the end of its response.",
            labels,
            buckets=_BOUNDS,
            registry=self.registry,
        )
        for name, about, value in (
            ("foretell_waiting", "Questions that wait.", lambda: workshop.waiting),
            ("foretell_busy", "Questions that are being answered.", lambda: workshop.busy),
        ):
            Gauge(name, about, registry=self.registry).set_function(value)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Counts a request."""
        if scope["type"] != "http":
            await self.application(scope, receive, send)
            return
        status, started = 500, time.perf_counter()

        async def sent(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = int(message["status"])
            await send(message)

        try:
            await self.application(scope, receive, sent)
        finally:
            # What is no route, or asks for no model that is there, has no label of its own: clients make these up.
            found = scope.get("route", "none")
            route = str(getattr(found, "path", found))
            named = str(scope.get("path_params", {}).get("name", "")) if route.startswith(MODELS) else ""
            model = named if named and self.known(named) else ""
            self._requests.labels(route, model, str(status)).inc()
            self._seconds.labels(route, model).observe(time.perf_counter() - started)

    def text(self) -> bytes:
        """All counts."""
        return generate_latest(self.registry)
