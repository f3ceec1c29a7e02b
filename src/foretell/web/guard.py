"""Who may ask: checks before any of our code sees a request, and the headers that every response has.

A service at this machine's own address takes requests for that address alone, so that a page of somebody else's cannot
reach it under another name (DNS rebinding); anywhere else a client needs the token.
"""

import asyncio
import hashlib
import hmac
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..errors import RefusedError, UsageError
from .refusals import response_of

LOOPBACK = ("localhost", "127.0.0.1", "::1")
COOKIE = "foretell-token"
OPEN_TO_ALL = ("/v2/health/live", "/v2/health/ready")
SHORTEST_TOKEN = 16
# What nobody behind the guard reads: the token, cookies, which the framework would read for minutes, parts of files.
_FOR_NOBODY = (b"authorization", b"cookie", b"range", b"if-range")
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:[0-9]{0,5})?")
SMALL_BYTES, SMALL_SECONDS = 1_000_000, 30.0
MODELS, ASKED = "/v1/models", "/predict"
ROUTE = f"{MODELS}/{{name}}{ASKED}"
POLICY = (
    "default-src 'self'; img-src 'self' data: blob:; style-src 'self' 'unsafe-inline'; frame-ancestors 'self'; "
    "base-uri 'none'; form-action 'self'; object-src 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "x-frame-options": "SAMEORIGIN",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}


def is_loopback(host: str) -> bool:
    """Whether an address is this machine's own, which no other can reach.

    >>> is_loopback("127.0.0.1"), is_loopback("0.0.0.0")
    (True, False)
    """
    return host in LOOPBACK or (host.startswith("127.") and host.replace(".", "").isdigit())


def read_token(path: Path) -> str:
    """The token in a file.

    Raises:
        UsageError: There is none, or it can be guessed.
    """
    try:
        token = path.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        told = error.strerror if isinstance(error, OSError) else "it is not text"
        raise UsageError(f"--token-file {path} cannot be read: {told}") from None
    if len(token) < SHORTEST_TOKEN or not token.isascii() or not token.isprintable() or " " in token:
        raise UsageError(
            f"--token-file {path} must hold one line of {SHORTEST_TOKEN} letters or more, no blanks; "
            f"found {len(token)}; make one: openssl rand -hex 32 > {path}"
        )
    return token


class Guard:
    """Lets through who may ask, in front of an application.

    Args:
        application: What answers them.
        token: What clients must send; nothing is asked for where None.
        own: Whether only requests for this machine's own address are answered.
        public: Addresses below which no token is asked for, as the page that asks for it.
    """

    def __init__(self, application: ASGIApp, token: str | None, own: bool, public: Iterable[str] = ()) -> None:
        self.application, self.own = application, own
        self.token = None if token is None else _digest(token)
        self.public = (*OPEN_TO_ALL, *public)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request, or refuses it."""
        if scope["type"] != "http":
            await self.application(scope, receive, send)
            return

        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start":
                names = {name.lower() for name, _ in message["headers"]}
                further = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
                message["headers"] = [*message["headers"], *(own for own in further if own[0] not in names)]
            await send(message)

        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        try:
            _require_one_host(scope)
            self._check(scope, headers)
        except RefusedError as error:
            await response_of(error)(scope, receive, sent)
            return
        scope["headers"] = [own for own in scope["headers"] if own[0] not in _FOR_NOBODY]
        await self.application(scope, receive, sent)

    def knows(self, token: str) -> bool:
        """Whether a token is the right one; how long that takes says nothing about it."""
        return self.token is None or hmac.compare_digest(_digest(token), self.token)

    def _check(self, scope: Scope, headers: dict[str, str]) -> None:
        host = headers.get("host", "")
        if self.own and _name_of(host) not in LOOPBACK and not is_loopback(_name_of(host)):
            raise RefusedError(
                400, f'this service answers requests for this machine\'s own address; found the host "{host[:100]}"'
            )
        origin = headers.get("origin")
        if origin is not None and _place_of(origin) != host.lower():
            raise RefusedError(400, f'pages of other sites may not ask this service; found the origin "{origin[:100]}"')
        foreign = headers.get("sec-fetch-site") in ("cross-site", "same-site")  # another port is the same site
        if foreign and headers.get("sec-fetch-mode") != "navigate":
            raise RefusedError(400, "pages of other sites may not ask this service; open its own page")
        path = str(scope["path"])
        if self.token is None or any(path == own for own in self.public):
            return
        given = headers.get("authorization", "")
        scheme, _, token = given.partition(" ")
        cookie = _cookie(headers.get("cookie", ""))
        if not self.knows(token.strip() if scheme.lower() == "bearer" else cookie):
            raise RefusedError(401, "this service needs its token: Authorization: Bearer TOKEN")


class Gate:
    """Refuses what could not be answered in time before anything else is done for it, in front of an application.

    A refusal costs a small part of what routing and reading a request do: so a flood of them stays quick. Bodies that
    are read by the framework are small; those that may be large are read by our own code, which counts.

    Args:
        application: What answers the others.
        check: Refuses the requests of a model.
        large: Addresses whose bodies are counted by those who read them.
    """

    def __init__(self, application: ASGIApp, check: Callable[[str], None], large: Sequence[str] = ()) -> None:
        self.application, self.check, self.large = application, check, tuple(large)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request, or refuses it."""
        if scope["type"] != "http" or scope["method"] == "GET":
            await self.application(scope, receive, send)
            return
        path = str(scope["path"])
        before, _, name = path.removesuffix(ASKED).rpartition("/")
        if before == MODELS and path.endswith(ASKED):
            try:
                self.check(name)
            except RefusedError as error:
                scope["route"], scope["path_params"] = ROUTE, {"name": name}
                await response_of(error)(scope, receive, send)
                return
        elif path not in self.large:
            try:
                _require_json(scope)
                receive = _held(await _small(receive))
            except RefusedError as error:
                await response_of(error)(scope, receive, send)
                return
        await self.application(scope, receive, send)


def _require_json(scope: Scope) -> None:
    """Checks that what is posted says that it is JSON."""
    kind = dict(scope["headers"]).get(b"content-type", b"").partition(b";")[0].strip().lower()
    if scope["method"] == "POST" and kind and kind != b"application/json":
        raise RefusedError(415, f"a body is application/json here; found {kind[:100].decode('latin-1')}")


async def _small(receive: Receive) -> bytes:
    """A whole body, which is small and comes soon."""
    content = b""
    try:
        async with asyncio.timeout(SMALL_SECONDS):
            while (message := await receive())["type"] == "http.request":
                content += message.get("body", b"")
                if len(content) > SMALL_BYTES:
                    raise RefusedError(413, f"a body has at most {SMALL_BYTES:,} bytes here", most=SMALL_BYTES)
                if not message.get("more_body", False):
                    break
    except TimeoutError:
        raise RefusedError(400, f"the body did not come within {SMALL_SECONDS:g} seconds") from None
    return content


def _held(content: bytes) -> Receive:
    """Gives a body that was read as if it came now."""
    left = [content]

    async def receive() -> Message:
        if left:
            return {"type": "http.request", "body": left.pop(), "more_body": False}
        await asyncio.Event().wait()  # nothing more comes; who waits for it is ended with the request
        raise RefusedError(400, "there is nothing more to read")

    return receive


def _require_one_host(scope: Scope) -> None:
    """Checks that a request says in one way which host it is for."""
    hosts = [value.decode("latin-1") for name, value in scope["headers"] if name == b"host"]
    if len(hosts) > 1 or (hosts and hosts[0] and not _HOST.fullmatch(hosts[0])):
        raise RefusedError(400, f"a request names one host; found {len(hosts) if len(hosts) > 1 else 'none'}")


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()


def _cookie(header: str) -> str:
    """The token in a header of cookies; nothing where it has none.

    The standard library's reader is not used: there are headers that keep it busy for minutes.
    """
    own = (part.strip().partition("=") for part in header.split(";"))
    return next((unquote(value) for name, _, value in own if name == COOKIE), "")


def _place_of(origin: str) -> str:
    """Host and port of an origin; nothing where it is none."""
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""


def _name_of(host: str) -> str:
    """The name in a Host header, without the port.

    >>> _name_of("127.0.0.1:8501"), _name_of("[::1]:8501"), _name_of("evil.example")
    ('127.0.0.1', '::1', 'evil.example')
    """
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.rpartition(":")[0].lower() if ":" in host else host.lower()
