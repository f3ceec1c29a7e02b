"""A server on loopback that does whatever a server may do wrong."""

import gzip
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

CONTENT = b"".join(b"%06d the sun rose over the hills\n" % number for number in range(6000))


class WickedServer(ThreadingHTTPServer):
    """The server, and what was asked of it."""

    daemon_threads = True

    def __init__(self) -> None:
        self.asked, self.released = list[str](), threading.Event()
        super().__init__(("127.0.0.1", 0), _Handler)

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients go away; nobody needs to hear of it."""


class _Handler(BaseHTTPRequestHandler):
    """What is asked for names what goes wrong."""

    @property
    def wicked(self) -> WickedServer:
        assert isinstance(self.server, WickedServer)
        return self.server

    def do_GET(self) -> None:
        asked = self.path.strip("/").partition("/")[0]
        self.wicked.asked.append(self.path)
        getattr(self, f"say_{asked}")()

    def _head(self, status: int = 200, length: int | None = len(CONTENT), **headers: str) -> None:
        self.send_response(status)
        if length is not None:
            self.send_header("Content-Length", str(length))
        for name, value in {"Content_Type": "text/plain", **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()

    def say_right(self) -> None:
        self._head()
        self.wfile.write(CONTENT)

    def say_slow(self) -> None:
        self._head()
        for start in range(0, len(CONTENT), 8192):
            self.wfile.write(CONTENT[start : start + 8192])
            self.wfile.flush()
            time.sleep(0.02)

    def say_truncated(self) -> None:
        self._head()
        self.wfile.write(CONTENT[: len(CONTENT) // 2])

    def say_short(self) -> None:
        """A length that is true of what is sent, which is half of the file."""
        self._head(length=len(CONTENT) // 2)
        self.wfile.write(CONTENT[: len(CONTENT) // 2])

    def say_unmeasured(self) -> None:
        """Half of the file, without a length."""
        self._head(length=None)
        self.wfile.write(CONTENT[: len(CONTENT) // 2])

    def say_corrupt(self) -> None:
        self._head()
        self.wfile.write(CONTENT[:1000] + b"X" + CONTENT[1001:])

    def say_stalling(self) -> None:
        self._head()
        self.wfile.write(CONTENT[:1000])
        self.wfile.flush()
        self.wicked.released.wait(20)

    def say_silent(self) -> None:
        self.wicked.released.wait(20)

    def say_dripping(self) -> None:
        self._head()
        for letter in CONTENT[:4000]:
            self.wfile.write(bytes([letter]))
            self.wfile.flush()
            if self.wicked.released.wait(0.05):
                return

    def say_page(self) -> None:
        page = b"<html>Please accept our cookies</html>"
        self._head(length=len(page), Content_Type="text/html; charset=utf-8")
        self.wfile.write(page)

    def say_disguised(self) -> None:
        """A page that says it is no page."""
        page = b"<html>Please accept our cookies</html>"
        self._head(length=len(page))
        self.wfile.write(page)

    def say_elsewhere(self) -> None:
        self._head(302, 0, Location="http://127.0.0.2:9/right")

    def say_around(self) -> None:
        self._head(301, 0, Location="/right")

    def say_to_a_file(self) -> None:
        self._head(302, 0, Location="file:/etc/passwd")

    def say_missing(self) -> None:
        self._head(404, 0)

    def say_broken(self) -> None:
        self._head(500, 0)

    def say_nothing(self) -> None:
        self._head(200, 0)

    def say_endless(self) -> None:
        self._head(length=None)
        while not self.wicked.released.is_set():
            self.wfile.write(CONTENT)

    def say_bomb(self) -> None:
        """A gigabyte of zeros, packed, as what the file is encoded in."""
        packed = gzip.compress(bytes(1 << 20), mtime=0) * 1024
        self._head(length=len(packed), Content_Encoding="gzip")
        self.wfile.write(packed)

    def say_noise(self) -> None:
        """No HTTP at all."""
        self.wfile.write(b"\x00\x01SSH-2.0-OpenSSH\r\n\r\n")

    def say_hanging_up(self) -> None:
        self.close_connection = True

    def log_message(self, format: str, *arguments: object) -> None:
        """Says nothing."""


@contextmanager
def wicked_server() -> Iterator[WickedServer]:
    """Inside a block there is one."""
    server = WickedServer()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.released.set()
        server.shutdown()
        server.server_close()
        thread.join(20)
