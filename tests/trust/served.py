"""A service as a process of its own, the secrets that it must not tell, and bytes sent to it as they are."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from ..service.client import Client, Reply

SECRETS = {
    "file": "canary-of-a-file-5e1f0c",
    "environment": "canary-of-the-environment-77ab12",
    "token": "canary-of-the-token-0123456789abcdef",
}
PATIENCE = 60.0  # seconds, against hanging


class Service:
    """``foretell ui`` or ``foretell serve`` over some runs, with secrets around it.

    Args:
        folder: An empty one, where the secrets lie beside the runs.
        arguments: Of the command.
    """

    def __init__(self, folder: Path, *arguments: object) -> None:
        self.folder = folder
        (folder / "token").write_text(SECRETS["token"])
        (folder / "secret.txt").write_text(SECRETS["file"])
        command = [sys.executable, "-m", "foretell", *map(str, arguments), "--port", "0", "--json"]
        self.said = folder / "said.txt"
        with self.said.open("wb") as errors:
            self.process = subprocess.Popen(
                [*command, "--token-file", str(folder / "token")],
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                env={**os.environ, "AWS_SECRET_ACCESS_KEY": SECRETS["environment"]},
            )
        text = ""
        for line in self.process.stdout or ():
            text += line
            if line.startswith("}"):
                break
        assert text, self.said.read_text()
        self.address = str(json.loads(text)["address"])
        self.client = Known(self.address)
        self.client.wait()

    def close(self) -> None:
        """Ends it; it must have said nothing of secrets, and nothing that is a bug."""
        self.process.send_signal(signal.SIGTERM)
        self.process.communicate(timeout=PATIENCE)
        said = self.said.read_bytes()
        require_untold(said)
        assert b"Traceback" not in said, said[-6000:].decode()
        assert self.process.returncode == 0

    def status(self, name: str) -> int:
        """A number of the process, as Linux tells it: RssAnon in kB, Threads."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))

    def open_files(self) -> int:
        """How many files and sockets the process has open."""
        return len(list(Path(f"/proc/{self.process.pid}/fd").iterdir()))


class Known(Client):
    """A client that has the token, and looks at whatever comes back for secrets."""

    def ask(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> Reply:
        reply = super().ask(method, path, body, {"Authorization": f"Bearer {SECRETS['token']}", **headers})
        require_untold(reply.content, repr(reply.headers).encode())
        return reply


def require_untold(*told: bytes) -> None:
    """No secret is in what was told, written as it is, in base64 or for an address."""
    for text in told:
        for secret in SECRETS.values():
            assert secret.encode() not in text and quote(secret[:-1]).encode() not in text, secret


def head(method: str, target: str | bytes, *headers: str | bytes) -> bytes:
    """The head of a request by one who has the token."""
    own = target if isinstance(target, bytes) else target.encode("latin-1")
    lines = [method.encode() + b" " + own + b" HTTP/1.1", b"Host: 127.0.0.1"]
    lines += [f"Authorization: Bearer {SECRETS['token']}".encode()]
    lines += [line if isinstance(line, bytes) else line.encode() for line in headers]
    return b"\r\n".join([*lines, b"", b""])


@contextmanager
def connected(address: str) -> Iterator[socket.socket]:
    """A connection to a service."""
    place = urlsplit(address)
    with socket.create_connection((place.hostname, place.port or 80), timeout=PATIENCE) as connection:
        yield connection


def sent(address: str, content: bytes) -> bytes:
    """What comes back for bytes as they are, until the service ends the connection or we have a whole response."""
    answer = b""
    with connected(address) as connection:
        try:
            connection.sendall(content)
            while part := connection.recv(1 << 16):
                answer += part
        except ConnectionError:  # it was let go while it still sent
            pass
    require_untold(answer)
    return answer


def status_of(answer: bytes) -> int:
    """The status of a response; 0 where none came."""
    return int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/1.1 ") else 0


def error_of(answer: bytes) -> dict[str, Any]:
    """What is wrong, in the shape that all failures have."""
    _, _, content = answer.partition(b"\r\n\r\n")
    return Reply(status_of(answer), {}, content).error
