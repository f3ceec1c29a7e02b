"""The application: routes, in front of them who may ask, and what is counted."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match
from starlette.types import ASGIApp

from .. import __version__
from ..config.serving import ServingSection
from ..errors import ForetellError, RefusedError
from ..files import json_text
from ..tasks.serving import JSON
from .description import describe, refusals
from .guard import Gate, Guard
from .measures import CONTENT_TYPE, Measures
from .models import Models
from .predicting import predicting
from .refusals import response_of
from .warned import listening
from .workshop import Workshop

_TEXTS = {404: "there is nothing at this address", 405: "this address is not asked in this way"}

_METHODS = ("DELETE", "GET", "POST")


class Health(BaseModel):
    """That a service is there."""

    name: str = "foretell"
    version: str = __version__
    ready: bool = Field(description="Whether it takes requests.")


class ModelEntry(BaseModel):
    """A model in the list."""

    name: str
    task: str
    rung: str


class ModelList(BaseModel):
    """The models."""

    models: list[ModelEntry]


class ModelDocument(ModelEntry):
    """All that is told of a model."""

    note: str = ""
    parameters: int = 0
    metrics: dict[str, Any] = Field(default_factory=dict, description="How good it was, with intervals.")
    data: dict[str, Any] = Field(default_factory=dict, description="What it learned from.")
    versions: dict[str, str] = Field(default_factory=dict, description="What it was made with.")
    inputs: dict[str, Any] = Field(description="What it needs to be asked.")
    example: dict[str, Any] = Field(description="A question that it can answer.")
    card: str = Field(description="Its model card, Markdown.")


class Service:
    """A service: its models, the threads that answer, and the application that uvicorn runs.

    Args:
        models: The models.
        options: How it is reached, and how much it takes on.
        token: What clients must send; nothing where None.
        own: Whether it answers requests for this machine's own address alone.
        routers: Further routes, as those of a page.
        public: Addresses that need no token.
        large: Addresses whose routes count the bytes of a body themselves.
    """

    def __init__(
        self,
        models: Models,
        options: ServingSection,
        token: str | None = None,
        *,
        own: bool = True,
        routers: Sequence[APIRouter] = (),
        public: Sequence[str] = (),
        large: Sequence[str] = (),
    ) -> None:
        self.models, self.options = models, options
        alone = models.at_hand and len(models.all()) == 1
        self.workshop = Workshop(options.workers, options.queue, options.deadline, alone=alone)
        self.closing = False
        routes = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False, lifespan=self._life)
        self.guard = Guard(Gate(routes, self.workshop.check, large), token, own, public)
        self.measures = Measures(self.guard, self.workshop, models.has)
        self.application: ASGIApp = self.measures
        routes.include_router(self._routes(routes))
        routes.include_router(predicting(models, self.workshop, options))
        for router in routers:
            routes.include_router(router)
        routes.add_exception_handler(ForetellError, _failed)
        routes.add_exception_handler(HTTPException, _not_there)
        routes.add_exception_handler(RequestValidationError, _not_valid)
        routes.add_exception_handler(Exception, _failed)

    @asynccontextmanager
    async def _life(self, routes: FastAPI) -> AsyncIterator[None]:
        with listening():
            yield
            await run_in_threadpool(partial(self.workshop.close, self.options.deadline))

    def _routes(self, routes: FastAPI) -> APIRouter:
        router = APIRouter()

        @router.get("/v2/health/live", responses=refusals())
        async def live() -> Health:
            """Whether the service is there."""
            return Health(ready=not self.closing)

        @router.get("/v2/health/ready", responses=refusals(503))
        async def ready() -> Health:
            """Whether the service takes requests."""
            if self.closing:
                raise RefusedError(503, "the service is about to end and takes no new requests")
            return Health(ready=True)

        @router.get("/v1/models", responses=refusals())
        def list_models() -> ModelList:
            """The models."""
            return ModelList(models=[ModelEntry(**entry) for entry in self.models.entries()])

        @router.get("/v1/models/{name}", responses=refusals(404, 422, 503), response_model=ModelDocument)
        async def show_model(name: str) -> Response:
            """A model: its card, what it needs to be asked, how good it was."""
            document = await run_in_threadpool(lambda: self.models[name].document())
            return Response(json_text(document), media_type=JSON)

        @router.get(
            "/metrics",
            responses={**refusals(), 200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
            response_class=Response,
        )
        async def metrics() -> Response:
            """What the service counts of itself, as Prometheus reads it."""
            return Response(self.measures.text(), media_type=CONTENT_TYPE)

        @router.get("/openapi.json", include_in_schema=False)
        async def openapi() -> Response:
            document = await run_in_threadpool(partial(describe, routes, self.models))
            return Response(json_text(document), media_type=JSON)

        return router


async def _failed(request: Request, error: Exception) -> Response:
    return response_of(error)


async def _not_there(request: Request, error: Exception) -> Response:
    """What the framework itself refuses, in our shape."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    headers = dict((isinstance(error, HTTPException) and error.headers) or {})
    if status == 405:  # the framework names the methods of the first route alone
        headers["Allow"] = ", ".join(method for method in _METHODS if _is_asked(request, method))
    told = _TEXTS.get(status) or str(getattr(error, "detail", "the request cannot be answered"))
    return response_of(RefusedError(status, f"{told}: {request.method} {request.scope['path'][:200]}"), headers)


def _is_asked(request: Request, method: str) -> bool:
    """Whether a route answers a method at the address of a request."""
    scope = {**request.scope, "method": method}
    return any(route.matches(scope)[0] is Match.FULL for route in request.app.routes)


async def _not_valid(request: Request, error: Exception) -> Response:
    first: dict[str, Any] = dict(error.errors()[0]) if isinstance(error, RequestValidationError) else {}
    if first.get("type") == "json_invalid":
        return response_of(RefusedError(400, f"the body is not JSON: {first['ctx']['error']}"))
    place = ".".join(str(part) for part in first.get("loc", ())[1:])
    told = f"{place or 'the request'} breaks its rule: {first.get('msg', error)}"
    return response_of(RefusedError(422, told))
