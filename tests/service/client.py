"""A client of a service, with nothing but the standard library."""

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Generator, Mapping
from typing import Any


def until(so: Callable[[], object], seconds: float = 60.0) -> None:
    """Waits until something is so."""
    end = time.monotonic() + seconds
    while not so():
        assert time.monotonic() < end, "it does not come to that"
        time.sleep(0.005)


class Reply:
    """What came back."""

    def __init__(self, status: int, headers: Mapping[str, str], content: bytes) -> None:
        self.status, self.headers, self.content = status, {k.lower(): v for k, v in headers.items()}, content

    @property
    def document(self) -> Any:
        return json.loads(self.content)

    @property
    def error(self) -> dict[str, Any]:
        """What is wrong, checked to have the shape that the command line has."""
        error: dict[str, Any] = self.document["error"]
        assert set(self.document) == {"error"} and set(error) == {"code", "message", "details"}, self.content
        assert error["message"] and "\n" not in error["message"]
        return error


class Client:
    """Asks a service."""

    def __init__(self, address: str, service: Any = None, server: Any = None) -> None:
        self.address, self.service, self.server = address, service, server

    def wait(self) -> None:
        """Until it is there."""
        end = time.monotonic() + 60
        while time.monotonic() < end:
            try:
                if self.get("/v2/health/ready").status == 200:
                    return
            except OSError:
                time.sleep(0.02)
        raise AssertionError("the service does not come")

    def get(self, path: str, **headers: str) -> Reply:
        return self.ask("GET", path, None, headers)

    def post(self, path: str, body: object, kind: str = "application/json", **headers: str) -> Reply:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.ask("POST", path, content, {"Content-Type": kind, **headers})

    def predict(self, model: str, body: object, kind: str = "application/json", **headers: str) -> Reply:
        return self.post(f"/v1/models/{model}/predict", body, kind, **headers)

    def ask(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> Reply:
        request = urllib.request.Request(self.address + path, body, dict(headers), method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                return Reply(response.status, dict(response.headers), response.read())
        except urllib.error.HTTPError as error:
            with error:
                return Reply(error.code, dict(error.headers), error.read())

    def events(self, model: str, body: object, kind: str = "application/json") -> Generator[tuple[str, Any]]:
        """Events as they come."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.address}/v1/models/{model}/predict", content, {"Content-Type": kind})
        with urllib.request.urlopen(request, timeout=60) as response:
            assert response.headers["content-type"].startswith("text/event-stream")
            name = ""
            for line in response:
                field, _, value = line.decode().rstrip("\n").partition(": ")
                if field == "event":
                    name = value
                elif field == "data":
                    yield name, json.loads(value)


def form(parts: Mapping[str, bytes | str], boundary: str = "here-it-ends") -> tuple[bytes, str]:
    """A form with parts, and its media type."""
    body = b""
    for name, value in parts.items():
        file = '; filename="../../photo.png"\r\nContent-Type: image/png' if isinstance(value, bytes) else ""
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"{file}\r\n\r\n'
        body += head.encode() + (value if isinstance(value, bytes) else value.encode()) + b"\r\n"
    return body + f"--{boundary}--\r\n".encode(), f"multipart/form-data; boundary={boundary}"
