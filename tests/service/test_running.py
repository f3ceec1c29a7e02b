"""A service as a process of its own: where it says it is, what signals do, and that it loses no request."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from .client import Client

Begin = Callable[..., tuple[subprocess.Popen[str], Client]]
pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="signals are those of Unix")


@pytest.fixture
def begin() -> Iterator[Begin]:
    begun: list[subprocess.Popen[str]] = []

    def start(*arguments: object) -> tuple[subprocess.Popen[str], Client]:
        command = [sys.executable, "-m", "foretell", *map(str, arguments), "--port", "0", "--json"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        begun.append(process)
        assert process.stdout is not None
        text = ""
        for line in process.stdout:
            text += line
            if line.startswith("}"):
                break
        client = Client(json.loads(text)["address"])
        client.wait()
        return process, client

    yield start
    for process in begun:
        process.kill()
        process.communicate()


def test_it_says_where_it_is_and_ends_with_what_was_begun(begin: Begin, runs_dir: Path) -> None:
    process, client = begin("serve", "writer", "--runs-dir", runs_dir)
    assert client.address.startswith("http://127.0.0.1:")
    with ThreadPoolExecutor(1) as pool:
        long = pool.submit(client.predict, "writer", {"prompts": ["the "], "length": 12_000})
        events = client.events("writer", {"prompts": ["sun "], "length": 4000, "stream": True})
        assert next(events)[0] == "text"
        process.send_signal(signal.SIGTERM)
        assert list(events)[-1][0] == "done", "a stream that was begun is told to its end"
        assert long.result().status == 200 and len(long.result().document["answers"][0]["text"]) == 12_000
    assert process.wait(30) == 0
    with pytest.raises(OSError):
        client.get("/v1/models")


def test_ctrl_c_ends_it_with_130(begin: Begin, runs_dir: Path) -> None:
    process, client = begin("serve", "mood", "--runs-dir", runs_dir)
    assert client.predict("mood", {"texts": ["a film"]}).status == 200
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 130
    assert process.stderr is not None
    assert "Traceback" not in process.stderr.read()


def test_models_are_read_anew_without_a_request_lost(begin: Begin, runs_dir: Path, tmp_path: Path) -> None:
    shutil.copytree(runs_dir / "mood" / "model", tmp_path / "mood")
    process, client = begin("serve", f"feeling={tmp_path / 'mood'}")
    before = client.get("/v1/models/feeling").document["note"]
    statuses: list[int] = []
    over = threading.Event()

    def ask() -> None:
        while not over.is_set():
            statuses.append(client.predict("feeling", {"texts": ["a great film"]}).status)

    askers = [threading.Thread(target=ask) for _ in range(3)]
    for asker in askers:
        asker.start()
    path = tmp_path / "mood" / "model.json"
    document = json.loads(path.read_text())
    path.write_text(json.dumps({**document, "note": "written anew"}))
    process.send_signal(signal.SIGHUP)
    end = time.monotonic() + 30
    while client.get("/v1/models/feeling").document["note"] == before and time.monotonic() < end:
        time.sleep(0.05)
    path.write_text("{")  # what is damaged changes nothing
    process.send_signal(signal.SIGHUP)
    time.sleep(0.5)
    over.set()
    for asker in askers:
        asker.join(20)
    assert client.get("/v1/models/feeling").document["note"] == "written anew" != before
    assert len(statuses) > 10 and set(statuses) == {200}
    process.terminate()
    assert process.wait(30) == 0
    assert process.stderr is not None
    assert "feeling stays as it was" in process.stderr.read()


def test_a_port_that_is_taken_is_told(runs_dir: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        command = [sys.executable, "-m", "foretell", "serve", "mood", "--runs-dir", str(runs_dir), "--port", port]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and "another --port" in done.stderr and len(done.stderr.splitlines()) == 1


def test_it_listens_at_this_machines_own_address_alone(begin: Begin, runs_dir: Path) -> None:
    process, client = begin("serve", "mood", "--runs-dir", runs_dir)
    port = int(client.address.rpartition(":")[2])
    listening = Path(f"/proc/{process.pid}/net/tcp")
    if not listening.exists():
        pytest.skip("which sockets a process has is told by Linux alone")
    lines = [line.split() for line in listening.read_text().splitlines()[1:]]
    mine = [local for _, local, _, state, *_ in lines if local.endswith(f":{port:04X}") and state == "0A"]
    assert mine == [f"0100007F:{port:04X}"]
    assert os.getpid() != process.pid
