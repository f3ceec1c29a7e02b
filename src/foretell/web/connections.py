"""A client's connection: what it may send before anybody reads it, how long that may take, and who gives way."""

import asyncio
from typing import Any

import httptools
from starlette.types import Message, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from ..errors import RefusedError
from .guard import HEADERS
from .refusals import document_of

MOST_HEAD, MOST_HEADERS = 32_768, 100  # bytes of an address and its headers; headers
MOST_AHEAD = 16  # requests that a client may send before it is answered
MOST_CONNECTIONS = 1000
HEAD_SECONDS = 10.0  # in which the head of a request must have come, or the rest of a body that nobody reads
TAKE_SECONDS = 30.0  # in which a client must take something of its response
_OF_A_BODY = (b"content-length", b"transfer-encoding")
_IDLE, _HEAD, _BODY = "idle", "head", "body"  # what comes next, or is coming


class Connection(HttpToolsProtocol):
    """uvicorn's connection, bounded: a client that sends too much, or too slowly, or takes nothing, is let go.

    What is no HTTP is refused in the shape that all failures have. When there are too many connections, the one that
    has asked nothing for longest gives way to the next: so those who only hold on keep nobody out.
    """

    def connection_made(self, transport: Any) -> None:  # uvloop's are none of asyncio's
        """A client is there; its first request must come soon."""
        super().connection_made(transport)
        self._refusal = RefusedError(400, "this is no HTTP/1.1 request that can be read")
        self._coming, self._head_bytes, self._over = _IDLE, 0, False
        self._last_asked = self.loop.time()
        self._answered: RequestResponseCycle | None = None
        self._head_timer: asyncio.TimerHandle | None = None
        self._taking_timer: asyncio.TimerHandle | None = None
        self._expect()
        if len(self.connections) > MOST_CONNECTIONS:
            self._make_room()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client has gone."""
        for timer in (self._head_timer, self._taking_timer):
            if timer is not None:
                timer.cancel()
        self._unset_keepalive_if_required()
        if self._answered is not None:  # uvicorn tells the request that came last, which need not be this one
            self._answered.disconnected = True
            self._answered.message_event.set()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Reads on; refuses what is no request, or has too long a head."""
        if self._over:
            return
        self._unset_keepalive_if_required()
        before = self._coming
        try:
            self.parser.feed_data(data)
            if before == self._coming == _HEAD:
                self._head_bytes += len(data)
                self._require_short(self._head_bytes)
        except httptools.HttpParserError:
            self.send_400_response("")
        except httptools.HttpParserUpgrade:
            # It is answered as if it had not asked for another protocol; what follows may be in that one.
            self._over, self.cycle.keep_alive = True, False

    def on_message_begin(self) -> None:
        """A request begins to come."""
        super().on_message_begin()
        self._coming, self._head_bytes = _HEAD, 0
        self._expect()

    def on_headers_complete(self) -> None:
        """The head of a request is there.

        Raises:
            HttpParserError: It is not answered.
        """
        self._coming = _BODY
        self._wait_no_longer()
        self._require_short(len(self.url) + sum(len(name) + len(value) for name, value in self.headers))
        if len(self.headers) > MOST_HEADERS:
            self._refuse(431, f"a request has at most {MOST_HEADERS} headers; found {len(self.headers)}")
        if self.parser.should_upgrade() and any(name in _OF_A_BODY for name, _ in self.headers):
            self._refuse(400, "a request with a body asks for no other protocol than HTTP/1.1 here; leave Upgrade away")
        if len(self.pipeline) >= MOST_AHEAD:
            self._refuse(400, f"at most {MOST_AHEAD} requests are sent ahead of their responses")
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """A request is there as a whole."""
        super().on_message_complete()
        self._coming, self._last_asked = _IDLE, self.loop.time()
        self._wait_no_longer()

    def on_response_complete(self) -> None:
        """A response is written: its client must take it, and what is left of the request must come soon."""
        super().on_response_complete()
        self._expect_to_take()
        if self._coming == _BODY and self.cycle.response_complete:
            self._expect()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        """Answers a request; nothing more is written once the client has gone, which the loop knows before we do."""

        async def present(scope: Scope, receive: Receive, send: Send) -> None:
            async def sent(message: Message) -> None:
                cycle.disconnected |= self.transport.is_closing()
                await send(message)

            await app(scope, receive, sent)

        self._answered = cycle
        presented: Any = present  # uvicorn and Starlette have types of their own for the same thing
        super()._start_asgi_task(cycle, presented)

    def send_400_response(self, msg: str) -> None:
        """Refuses what cannot be read as a request, and lets the client go."""
        self._over = True
        if self.cycle is not None and not self.cycle.response_complete:
            if self.pipeline or self.cycle.response_started:  # the refusal would be taken for another's response
                self.transport.abort()
                return
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        content = document_of(self._refusal)
        headers = {**HEADERS, "content-type": "application/json", "content-length": len(content), "connection": "close"}
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        self.transport.write(STATUS_LINE[self._refusal.status] + head.encode() + b"\r\n" + content)
        self.transport.close()
        self._expect_to_take()

    def pause_writing(self) -> None:
        """The client takes less than it is sent."""
        super().pause_writing()
        self._expect_to_take()

    def resume_writing(self) -> None:
        """The client has taken what it was sent."""
        super().resume_writing()
        if self._taking_timer is not None:
            self._taking_timer.cancel()
            self._taking_timer = None

    def _require_short(self, size: int) -> None:
        if size > MOST_HEAD:
            self._refuse(431, f"the address and the headers of a request have at most {MOST_HEAD:,} bytes")

    def _refuse(self, status: int, told: str) -> None:
        self._refusal = RefusedError(status, told)
        raise httptools.HttpParserError(told)

    def _expect(self) -> None:
        """Waits for what has begun to come; no longer because some of it does."""
        if self._head_timer is None:
            self._head_timer = self.loop.call_later(HEAD_SECONDS, self._let_go)

    def _wait_no_longer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _let_go(self) -> None:
        """Ends a connection whose request does not come, unless it is we who keep it waiting."""
        self._head_timer = None
        if self.cycle is not None and not self.cycle.response_complete:
            self._expect()
            return
        self.transport.close()
        self._expect_to_take()

    def _expect_to_take(self) -> None:
        if self._taking_timer is None and self.transport.get_write_buffer_size():
            self._taking_timer = self.loop.call_later(TAKE_SECONDS, self._require_taken)

    def _require_taken(self) -> None:
        self._taking_timer = None
        if self.transport.get_write_buffer_size():
            self.transport.abort()

    def _make_room(self) -> None:
        """Lets go who has asked nothing for longest."""
        waiting = [own for own in self.connections if isinstance(own, Connection) and own._asks_nothing]
        oldest = min(waiting, key=lambda own: own._last_asked)
        oldest.transport.abort()
        self.connections.discard(oldest)

    @property
    def _asks_nothing(self) -> bool:
        return self._coming != _BODY and (self.cycle is None or self.cycle.response_complete)
