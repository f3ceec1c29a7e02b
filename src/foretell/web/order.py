"""A question on its way: from the body of a request, through the hands of a thread, to a reply or to events."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from ..errors import RefusedError, StoppedError
from ..predictor import Predictor
from ..stopping import heed
from ..tasks.serving import JSON, Reply
from .refusals import broken_rule

_AHEAD = 256  # events that may wait for a client who reads slowly
_POLL, _SLOWEST = 0.1, 10.0  # seconds


@dataclass(frozen=True)
class Body:
    """What a client sent.

    Attributes:
        kind: Its media type.
        content: The bytes, or the parts of a form.
        further: Fields of the question that the address names.
    """

    kind: str
    content: bytes | Mapping[str, object]
    further: Mapping[str, object] = field(default_factory=dict)

    def question(self, predictor: Predictor) -> Any:
        """The question that it is.

        Raises:
            RefusedError: It is none.
        """
        service = predictor.service
        try:
            if self.kind == JSON and isinstance(self.content, bytes):
                return service.question.model_validate_json(self.content, strict=True)
            return service.question.model_validate(self._fields(service.bodies))
        except ValidationError as error:
            raise broken_rule(error) from None
        except RecursionError:
            raise RefusedError(400, "the body is not JSON that can be read: it is nested too deeply") from None

    def _fields(self, bodies: Mapping[str, str]) -> dict[str, Any]:
        if not isinstance(self.content, bytes):
            return {**self.further, **self.content}
        name = bodies[self.kind]
        try:
            return {**self.further, name: self.content.decode("utf-8-sig")}
        except UnicodeDecodeError as error:
            raise RefusedError(422, f"the body must be UTF-8; byte {error.start} is not") from None


class Order:
    """A question on its way.

    Args:
        name: The model that is asked, as clients call it.
        predictor: The model.
        body: What the client sent.
        render: Makes of a reply what the client gets.
        seconds: In which it is answered.
        stream_seconds: Which a streamed answer may take.
    """

    def __init__(
        self,
        name: str,
        predictor: Predictor,
        body: Body,
        render: Callable[[Reply], bytes],
        seconds: float,
        stream_seconds: float,
    ) -> None:
        self.name, self.predictor, self.body, self.render = name, predictor, body, render
        self.told: list[str] = []
        self.question: Any = None
        self._end = time.monotonic() + seconds
        self._stream_seconds = stream_seconds
        self._loop = asyncio.get_running_loop()
        self._outcome: asyncio.Future[bytes | None] = self._loop.create_future()
        self._events: asyncio.Queue[tuple[str, Any]] = asyncio.Queue()
        self._room = threading.Semaphore(_AHEAD)
        self._abandoned = False

    # What a client's request does with it, on the thread of the event loop.

    async def outcome(self) -> bytes | None:
        """What the client gets; None where it is told event by event.

        Raises:
            ForetellError: The question could not be answered.
        """
        try:
            return await self._outcome
        finally:
            if not self._outcome.done():
                self.abandon()

    async def events(self) -> AsyncIterator[list[tuple[str, Any]]]:
        """Events as they come, those that are there already together; the last one is ``done`` or ``error``."""
        try:
            over = False
            while not over:
                some = [await self._events.get()]
                while not self._events.empty():
                    some.append(self._events.get_nowait())
                self._room.release(len(some))
                over = some[-1][0] in ("done", "error")
                yield some
        finally:
            self.abandon()

    def abandon(self) -> None:
        """Nobody waits for it any more."""
        self._abandoned = True

    # What a thread does with it.

    def wanted(self) -> bool:
        """Whether somebody still waits for it, and it is not too late."""
        return not self._abandoned and time.monotonic() < self._end

    def read(self) -> bool:
        """Whether it is a question; made of the body when first asked for, and failed where it cannot be."""
        if self.question is None and not self._abandoned:
            try:
                self.question = self.body.question(self.predictor)
            except RefusedError as error:
                self.fail(error)
        return self.question is not None and not self._abandoned

    @property
    def streamed(self) -> bool:
        """Whether it is told event by event."""
        return self.predictor.service.streams and self.predictor.service.streamed(self.question)

    @property
    def together(self) -> Hashable | None:
        """What others must have in common with it to be answered along; None where it is answered alone."""
        return self.predictor.service.together(self.question)

    def tell(self) -> None:
        """Answers it event by event."""
        self._end = time.monotonic() + self._stream_seconds
        fitted, service = self.predictor.fitted, self.predictor.service

        def tell(event: str, about: dict[str, Any]) -> None:
            heed()
            self._wait_for_room()
            # A question that cannot be answered is refused before the first event, not in the middle of a stream.
            self._on_loop(self._settle, None)
            further = {"model": self.name, "warnings": self.told} if event == "done" else {}
            self._on_loop(self._events.put_nowait, (event, {**about, **further}))

        service.tell(fitted, self.question, tell)

    def _wait_for_room(self) -> None:
        """Waits until the client has taken some of what was told.

        Raises:
            RefusedError: It takes nothing; others wait for the thread.
        """
        end = time.monotonic() + _SLOWEST
        while not self._room.acquire(timeout=_POLL):
            heed()
            if time.monotonic() > end:
                raise RefusedError(503, f"the client took nothing for {_SLOWEST:g} seconds")

    def finish(self, reply: Reply) -> None:
        """Has its reply."""
        whole = reply.model_copy(update={"model": self.name, "warnings": [*reply.warnings, *self.told]})
        self._on_loop(self._settle, self.render(whole))

    def expire(self) -> None:
        """Is not answered, since it is too late or nobody waits."""
        self.fail(StoppedError("too late"))

    def fail(self, error: Exception) -> None:
        """Cannot be answered."""
        if self._abandoned:
            return
        own = self._late() if isinstance(error, StoppedError) else error
        self._on_loop(self._break, own)
        self.abandon()

    def _late(self) -> RefusedError:
        return RefusedError(503, f"{self.name} could not answer in time; ask for less, or again in a moment")

    def _on_loop(self, call: Callable[..., object], *values: Any) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(call, *values)

    def _settle(self, reply: bytes | None) -> None:
        if not self._outcome.done():
            self._outcome.set_result(reply)

    def _break(self, error: Exception) -> None:
        if not self._outcome.done():
            self._outcome.set_exception(error)
            self._outcome.exception()  # nobody may be there to hear of it
        else:
            self._events.put_nowait(("error", error))


def answers(orders: Sequence[Order]) -> Sequence[Reply]:
    """Answers questions to one model together.

    Args:
        orders: They are asked of the same model, and agree in what they must.
    """
    predictor = orders[0].predictor
    found: Sequence[Reply] = predictor.service.answers(predictor.fitted, [order.question for order in orders])
    return found
