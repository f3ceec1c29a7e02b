"""Bodies of requests: read up to a size and within a time, whatever a client says of them."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import contextmanager
from typing import Any

from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request

from ..errors import RefusedError
from ..tasks.serving import JSON, Service
from .order import Body

FORM = "multipart/form-data"
_MOST_PARTS = 100
_SMALL_ONES = 16  # small bodies for which there is always room


def media_type(request: Request) -> str:
    """The media type of a body, without its parameters."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


class Held:
    """Counts the bytes of all bodies that are held at once, so that many large ones do not fill the memory.

    Small ones find room where large ones do not: a few clients who send much, slowly, keep nobody else out.

    Args:
        most: Bytes.
        small: Bytes of a body that is small; there is room for a few of these on top.
    """

    def __init__(self, most: int, small: int = 0) -> None:
        self.most, self.small, self.bytes = most, small, 0

    @contextmanager
    def of_one(self) -> Iterator[Callable[[int], None]]:
        """Inside a block counts what one request brings; it counts no more when the block ends.

        Raises:
            RefusedError: With that there would be too much.
        """
        own = 0

        def add(size: int) -> None:
            nonlocal own
            room = self.most + (_SMALL_ONES * self.small if own + size <= self.small else 0)
            if self.bytes + size > room:
                raise RefusedError(429, f"bodies of {self.bytes:,} bytes are held already; ask again in a moment")
            own, self.bytes = own + size, self.bytes + size

        try:
            yield add
        finally:
            self.bytes -= own


async def body_of(
    request: Request, service: Service, most: int, seconds: float, counted: Callable[[int], None]
) -> Body:
    """What a client sent to a model.

    Args:
        request: The request.
        service: How the model is asked.
        most: Bytes.
        seconds: In which it must have come.
        counted: Is told of the bytes as they come.

    Raises:
        RefusedError: It is too large, too slow, or of a kind that the model does not read.
    """
    kind = media_type(request)
    known = (JSON, *service.bodies)
    if kind not in known:
        raise RefusedError(
            415,
            f"a body of this model is {' or '.join(known)}; found {_said(kind)}; set Content-Type",
            accepted=list(known),
        )
    content = await bytes_of(request, most, seconds, counted)
    if kind == JSON:
        return Body(kind, content)
    further = _several(list(request.query_params.multi_items()))
    return Body(kind, await _parts(request, content), further) if kind == FORM else Body(kind, content, further)


async def bytes_of(request: Request, most: int, seconds: float, counted: Callable[[int], None]) -> bytes:
    """All bytes of a body.

    Args:
        request: The request.
        most: Bytes.
        seconds: In which they must have come.
        counted: Is told of them as they come.

    Raises:
        RefusedError: They are too many, too slow, or break off.
    """
    too_large = RefusedError(413, f"a body has at most {most:,} bytes (--max-body); send less", most=most)
    length = request.headers.get("content-length", "")
    if length.isdigit() and (len(length) > 18 or int(length) > most):
        raise too_large
    parts, size = [], 0
    try:
        async with asyncio.timeout(seconds):
            async for part in request.stream():
                parts.append(part)
                size += len(part)
                counted(len(part))
                if size > most:
                    raise too_large
    except TimeoutError:
        raise RefusedError(400, f"the body did not come within {seconds:g} seconds; {size} bytes did") from None
    except ClientDisconnect:
        raise RefusedError(400, f"the body broke off after {size} bytes") from None
    return b"".join(parts)


async def _parts(request: Request, content: bytes) -> dict[str, object]:
    """The parts of a form: files as bytes, others as text."""

    async def once() -> AsyncGenerator[bytes, None]:
        yield content

    try:
        parser = MultiPartParser(
            request.headers, once(), max_files=_MOST_PARTS, max_fields=_MOST_PARTS, max_part_size=max(1, len(content))
        )
        form = await parser.parse()
    except (MultiPartException, UnicodeDecodeError, KeyError, ValueError) as error:
        told = getattr(error, "message", None) or str(error) or type(error).__name__
        raise RefusedError(400, f"the form cannot be read: {told}") from None
    found: list[tuple[str, Any]] = []
    try:
        for name, value in form.multi_items():
            found.append((name, await value.read() if isinstance(value, UploadFile) else value))
    finally:
        await form.close()
    return _several(found)


def _several(items: list[tuple[str, Any]]) -> dict[str, object]:
    """Values by name; those of a name that comes more than once in a list.

    >>> _several([("a", "1"), ("b", "2"), ("a", "3")])
    {'a': ['1', '3'], 'b': '2'}
    """
    found: dict[str, list[Any]] = {}
    for name, value in items:
        found.setdefault(name, []).append(value)
    return {name: values if len(values) > 1 else values[0] for name, values in found.items()}


def _said(kind: str) -> str:
    return f'"{kind[:100]}"' if kind else "none"
