"""Running a service: a socket, signals, and an end that loses nothing."""

import logging
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

import torch
import uvicorn

from ..errors import RunError, StoppedError, UsageError
from .application import Service
from .connections import Connection
from .guard import is_loopback

_SWITCH_SECONDS = 0.001  # after which a thread lets others in, so that refusals do not wait for those who compute


def open_socket(host: str, port: int) -> socket.socket:
    """A socket that listens.

    Args:
        host: The address.
        port: The port; 0 takes a free one.

    Raises:
        RunError: Another program has the port, or the address is not this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With its protocol named, asyncio sends what is small at once (TCP_NODELAY) rather than 40 ms later.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(2048)
    except OSError as error:
        listening.close()
        remedy = "choose another --port, or 0 for a free one" if port else "choose another --host"
        raise RunError(
            f"{host}:{port} cannot be listened at: {error.strerror}; {remedy}", host=host, port=port
        ) from None
    listening.set_inheritable(False)
    return listening


def require_token(host: str, token: str | None) -> None:
    """Checks that what others can reach asks for a token.

    Raises:
        UsageError: It does not.
    """
    if token is None and not is_loopback(host):
        raise UsageError(
            f"--host {host} can be reached by others, and needs --token-file FILE with a token that clients must send",
            host=host,
        )


def address_of(listening: socket.socket) -> str:
    """Where a service is found."""
    host, port = listening.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


@contextmanager
def hang_ups_ignored() -> Iterator[None]:
    """Inside a block SIGHUP, which would end this process, does nothing until a service gives it a meaning."""
    with _ignored("SIGHUP"):
        yield


@contextmanager
def ends_ignored() -> Iterator[None]:
    """Inside a block signals that would end this process do nothing: what it has begun is put away."""
    with _ignored("SIGTERM", "SIGINT"):
        yield


@contextmanager
def _ignored(*names: str) -> Iterator[None]:
    known = [getattr(signal, name) for name in names if hasattr(signal, name)]
    before = [(number, signal.signal(number, signal.SIG_IGN)) for number in known]
    try:
        yield
    finally:
        for number, handler in before:
            signal.signal(number, handler)


def run(service: Service, listening: socket.socket, on_reload: Callable[[], None]) -> None:
    """Serves until a signal ends it: then what was begun is finished, and nothing new is taken.

    Args:
        service: The service.
        listening: Where.
        on_reload: What SIGHUP does, on a thread of its own.

    Raises:
        StoppedError: It was ended by Ctrl-C rather than by SIGTERM.
    """
    sys.setswitchinterval(_SWITCH_SECONDS)
    torch.set_num_threads(max(1, torch.get_num_threads() // service.workshop.workers))
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    server = _Server(configured(service), service, on_reload)
    server.run(sockets=[listening])
    if server.interrupted:
        raise StoppedError("stopped")


def configured(service: Service) -> uvicorn.Config:
    """How uvicorn runs a service.

    Args:
        service: The service.
    """
    return uvicorn.Config(
        service.application,
        http=Connection,
        ws="none",
        log_config=None,
        access_log=False,
        lifespan="on",
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=10,
        timeout_graceful_shutdown=max(1, round(service.options.deadline)),
    )


class _Server(uvicorn.Server):
    """uvicorn's server, which tells its service when it ends, and ends without a signal to itself."""

    def __init__(self, config: uvicorn.Config, service: Service, on_reload: Callable[[], None]) -> None:
        super().__init__(config)
        self._service, self._on_reload = service, on_reload
        self.interrupted = False

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Inside a block signals end or renew the service; the ways of before come back after it."""
        wanted = {signal.SIGINT: self.handle_exit, signal.SIGTERM: self.handle_exit}
        if hasattr(signal, "SIGHUP"):
            wanted[signal.SIGHUP] = self._renew
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, handler) for number, handler in wanted.items()}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Ends the service; a second Ctrl-C does not wait for what is under way."""
        self._service.closing = True
        self.interrupted |= sig == signal.SIGINT
        super().handle_exit(sig, frame)

    def _renew(self, sig: int, frame: FrameType | None) -> None:
        threading.Thread(target=self._on_reload, name="foretell-reload", daemon=True).start()
