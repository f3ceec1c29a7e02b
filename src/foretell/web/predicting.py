"""``POST /v1/models/NAME/predict``: from a request to a reply in the form that the client likes, or to events."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from ..config.serving import ServingSection
from ..errors import RefusedError
from ..files import finite
from ..tasks.serving import JSON, Reply, Service
from .bodies import Held, body_of
from .guard import ROUTE
from .models import Models
from .order import Order
from .refusals import failure
from .workshop import Workshop

EVENTS = "text/event-stream"
_AT_ONCE = 8  # bodies as large as they may be that are held at once
_SMALL = 16  # times smaller than a body may be is a small one
_GRACE = 0.2  # seconds that a thread may need to notice that it is too late


def predicting(models: Models, workshop: Workshop, options: ServingSection) -> APIRouter:
    """The route that asks models.

    Args:
        models: The models.
        workshop: Who answers.
        options: How large and how slow a request may be.
    """
    router, held = APIRouter(), Held(_AT_ONCE * options.max_body, options.max_body // _SMALL)

    @router.post(ROUTE, include_in_schema=False)
    async def predict(name: str, request: Request) -> Response:
        served = models[name] if models.at_hand else await run_in_threadpool(models.__getitem__, name)
        service, end = served.predictor.service, time.monotonic() + options.deadline
        with held.of_one() as counted:
            body = await body_of(request, service, options.max_body, options.deadline, counted)
            kind = wanted_form(request.headers.get("accept", ""), service)
            left = end - time.monotonic()
            order = Order(name, served.predictor, body, renderer(service, kind), left, options.stream_deadline)
            workshop.check(name)  # others may have come while the body did
            workshop.put(order)
            try:
                content = await _outcome(order, request, left + _GRACE)
            except (RefusedError, asyncio.CancelledError):
                workshop.drop(order)
                raise
        if content is not None:
            return Response(content, media_type=kind)
        return StreamingResponse(_told(order), media_type=EVENTS, headers={"x-accel-buffering": "no"})

    return router


def wanted_form(accepted: str, service: Service) -> str:
    """The form of a reply that a client accepts; the usual one where it takes any, or none that there is.

    Args:
        accepted: The Accept header.
        service: How the model is asked.
    """
    kinds = [part.partition(";")[0].strip().lower() for part in accepted.split(",")]
    offered = dict.fromkeys((service.usual, JSON, *service.forms))
    return next((kind for kind in kinds if kind in offered), service.usual)


def renderer(service: Service, kind: str) -> Callable[[Reply], bytes]:
    """What makes bytes of a reply."""
    return _as_json if kind == JSON else service.forms[kind].render


def _as_json(reply: Reply) -> bytes:
    return reply.model_dump_json(exclude_unset=True).encode("utf-8", "replace")


async def _outcome(order: Order, request: Request, seconds: float) -> bytes | None:
    """What an order comes to, unless its client goes, or it takes too long.

    Raises:
        RefusedError: It does.
    """
    coming, gone = asyncio.ensure_future(order.outcome()), asyncio.ensure_future(_gone(request))
    try:
        await asyncio.wait({coming, gone}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        if coming.done():
            return coming.result()
        order.abandon()
        if gone.done():
            raise RefusedError(400, "the client went before the answer came")
        raise RefusedError(503, f"{order.name} could not answer in time; ask for less, or again in a moment")
    finally:
        for task in (coming, gone):
            task.cancel()


async def _gone(request: Request) -> None:
    """Waits until a client has gone."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _told(order: Order) -> AsyncIterator[bytes]:
    """Events as a client reads them."""
    async for some in order.events():
        yield b"".join(_event(name, about) for name, about in some)


def _event(name: str, about: object) -> bytes:
    """One server-sent event: its name, and JSON in one line.

    >>> _event("text", {"text": "a"})
    b'event: text\\ndata: {"text": "a"}\\n\\n'
    """
    document = failure(about).document() if isinstance(about, Exception) else about
    told = json.dumps(finite(document), ensure_ascii=False, default=str)
    return f"event: {name}\ndata: {told}\n\n".encode("utf-8", "replace")
