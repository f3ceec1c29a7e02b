"""The description of a service (OpenAPI): what each model is asked and answers, with examples that it can answer."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel, Field
from pydantic.json_schema import models_json_schema

from .. import __version__
from ..tasks import task_service
from ..tasks.serving import JSON, Service
from .bodies import FORM
from .models import Models
from .predicting import EVENTS

_AT = "#/components/schemas/{model}"
_REFUSALS = {
    400: "The request cannot be read.",
    401: "The token is missing or wrong.",
    404: "There is no such model, or nothing at this address.",
    413: "The body is too large.",
    415: "The body is of a kind that the model does not read.",
    422: "The body does not fit the model.",
    429: "Too many requests wait.",
    503: "The answer did not come in time, or the service is about to end.",
}


class Problem(BaseModel):
    """What is wrong."""

    code: str = Field(description="Its kind, for a program.")
    message: str = Field(description="What, where, the rule, the value found and the remedy, in one sentence.")
    details: dict[str, Any] = Field(description="The same facts for a program.")


class Failure(BaseModel):
    """A failure, as the command line tells it with --json."""

    error: Problem


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The failures of a route, for its declaration; all of them can be read in one way.

    Args:
        *statuses: Which of them it has.
    """
    return {status: {"model": Failure, "description": _REFUSALS[status]} for status in sorted({400, 401, *statuses})}


def describe(application: FastAPI, models: Models) -> dict[str, Any]:
    """The whole description.

    Args:
        application: Its routes describe themselves, all but the one that asks models.
        models: What is asked.
    """
    document = get_openapi(title="Foretell", version=__version__, summary="What comes next?", routes=application.routes)
    services = {task: task_service(task) for task in dict.fromkeys(str(own["task"]) for own in models.entries())}
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    if services:
        made: list[Any] = [(own.question, "validation") for own in services.values()]
        made += [(own.reply, "serialization") for own in services.values()]
        _, definitions = models_json_schema([*made, (Failure, "serialization")], ref_template=_AT)
        schemas |= definitions["$defs"]
        document["paths"]["/v1/models/{name}/predict"] = {"post": _operation(list(services.values()), models)}
    known = {"type": "string", "enum": [str(own["name"]) for own in models.entries()]}
    for path, operations in document["paths"].items():
        for operation in operations.values():
            for parameter in operation.get("parameters", ()):
                if path.startswith("/v1/models/") and parameter["name"] == "name" and known["enum"]:
                    parameter["schema"] = known
    return document


def _operation(services: list[Service], models: Models) -> dict[str, Any]:
    """The one that asks models."""
    bodies: dict[str, Any] = {JSON: {"schema": _one_of([_schema_at(own.question) for own in services])}}
    replies: dict[str, Any] = {JSON: {"schema": _one_of([_schema_at(own.reply) for own in services])}}
    bodies[JSON]["examples"] = {
        served.name: {"summary": f"{served.predictor.task} with {served.name}", "value": _example(served)}
        for served in models.all()
    }
    for service in services:
        for kind in service.bodies:
            bodies[kind] = {"schema": _form_of(service) if kind == FORM else {"type": "string"}}
        replies |= {kind: {"schema": dict(shown.schema)} for kind, shown in service.forms.items()}
        if service.streams:
            replies[EVENTS] = {"schema": {"type": "string"}}
    name = {"name": "name", "in": "path", "required": True, "schema": {"type": "string"}}
    failed = {str(status): _failed(told) for status, told in _REFUSALS.items()}
    return {
        "operationId": "predict",
        "summary": "Ask a model",
        "description": "The question is of the model's task; its reply has the form that Accept names.",
        "parameters": [name],
        "requestBody": {"required": True, "content": bodies},
        "responses": {"200": {"description": "The reply.", "content": replies}, **failed},
    }


def _example(served: Any) -> dict[str, Any]:
    example: dict[str, Any] = served.predictor.service.example(served.predictor.fitted)
    return example


def _schema_at(kind: type[BaseModel]) -> dict[str, str]:
    return {"$ref": _AT.format(model=kind.__name__)}


def _one_of(schemas: list[dict[str, str]]) -> dict[str, Any]:
    return schemas[0] if len(schemas) == 1 else {"anyOf": schemas}


def _form_of(service: Service) -> dict[str, Any]:
    """A form whose parts are the fields of a question, a picture as a file."""
    schema = service.question.model_json_schema(ref_template=_AT)
    for field in schema["properties"].values():
        if field.pop("contentEncoding", None):
            field["format"] = "binary"
    return schema


def _failed(told: str) -> dict[str, Any]:
    return {"description": told, "content": {JSON: {"schema": _schema_at(Failure)}}}
