"""Failures as responses: the status of each, in the shape that ``--json`` has on the command line."""

import json
import logging
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError
from starlette.responses import Response

from ..errors import (
    DivergedError,
    ForetellError,
    InputError,
    MissingError,
    NoGradientError,
    RefusedError,
    StoppedError,
    StorageError,
    UnsafeFileError,
    UsageError,
)
from ..files import finite

_log = logging.getLogger(__name__)
_CLIENTS = (UsageError, InputError, UnsafeFileError, DivergedError, NoGradientError)
_AGAIN_SECONDS = 1  # after which a client that was refused may ask again
_LONGEST = 200  # letters of a value that is told


def status_of(error: ForetellError) -> int:
    """The status of a failure: what a client sent is its own fault, what is missing or full here is not.

    >>> status_of(InputError("no such column")), status_of(StorageError("the disk is full"))
    (422, 503)
    """
    if isinstance(error, RefusedError):
        return error.status
    if isinstance(error, _CLIENTS):
        return 422
    return 503 if isinstance(error, MissingError | StorageError | StoppedError) else 500


def failure(error: Exception) -> ForetellError:
    """Any failure as one of ours; what is unexpected is written to the log, and a bug."""
    if isinstance(error, ForetellError):
        return error
    if isinstance(error, MemoryError):
        return RefusedError(503, "the memory was not enough for this request; send less at once")
    _log.error("a request failed unexpectedly", exc_info=error)
    return ForetellError(f"this is a bug in Foretell ({type(error).__name__}); the server's log says where")


def response_of(error: Exception, headers: Mapping[str, str] | None = None) -> Response:
    """A failure as a response.

    Args:
        error: What failed.
        headers: To be sent as well.
    """
    own = failure(error)
    status = status_of(own)
    sent = dict(headers or {})
    if status in (429, 503):
        sent["Retry-After"] = str(_AGAIN_SECONDS)
    if status == 401:
        sent["WWW-Authenticate"] = "Bearer"
    return Response(document_of(own), status, sent, "application/json")


def document_of(error: ForetellError) -> bytes:
    """The JSON of a failure, its message in one line whatever a client called things."""
    message = "".join(letter if letter.isprintable() else " " for letter in error.message)
    document = {"error": {"code": error.code, "message": message, "details": finite(error.details)}}
    return json.dumps(document, default=str, ensure_ascii=False).encode("utf-8", "replace")


def broken_rule(error: ValidationError) -> RefusedError:
    """What a question breaks, in one sentence; a body that is no JSON is another matter than one that does not fit.

    Args:
        error: What pydantic found.
    """
    first = error.errors(include_url=False)[0]
    if first["type"] == "json_invalid":
        return RefusedError(400, f"the body is not JSON: {first['msg'].partition(': ')[2] or first['msg']}")
    place = ".".join(str(part) for part in _plain(first["loc"]))
    message = str(first["msg"]).removeprefix("Value error, ")
    rule = message[:1].lower() + message[1:]
    if first["type"] == "extra_forbidden":
        return RefusedError(422, f'"{place}" is no part of the question; leave it away', field=place)
    found = "" if first["type"] in ("missing", "value_error") else f"; found {_short(first['input'])}"
    return RefusedError(422, f"{place or 'the question'} breaks its rule: {rule}{found}", field=place or None)


def _plain(place: Sequence[Any]) -> list[Any]:
    """A place without the names that pydantic gives the ways to read a value."""
    return [part for part in place if isinstance(part, int) or not str(part).endswith("]")]


def _short(value: Any) -> str:
    told = ascii(value) if isinstance(value, bytes) else repr(value)
    return told if len(told) <= _LONGEST else f"{told[:_LONGEST]}..."
