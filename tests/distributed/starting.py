"""Processes as these tests start, watch and end them."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
FORETELL = [sys.executable, "-m", "foretell"]
TORCHRUN = [sys.executable, "-m", "torch.distributed.run"]
PATIENCE = 120.0  # seconds that a command may take, on a busy machine


def surroundings(**further: str) -> dict[str, str]:
    """The environment with this checkout's packages."""
    paths = os.pathsep.join([str(ROOT / "src"), str(ROOT), os.environ.get("PYTHONPATH", "")])
    return {**os.environ, "PYTHONPATH": paths, "GLOO_SOCKET_IFNAME": "lo", **further}


def begun(*arguments: object, cwd: Path, **options: Any) -> subprocess.Popen[str]:
    """A command that has been started."""
    return subprocess.Popen(
        list(map(str, arguments)),
        cwd=cwd,
        env=surroundings(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def ended(process: subprocess.Popen[str], patience: float = PATIENCE) -> tuple[int, str, str]:
    """How a command ends: its exit code, what it printed, what it said."""
    try:
        out, errors = process.communicate(timeout=patience)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    return process.returncode, out, errors


def carried_out(*arguments: object, cwd: Path) -> tuple[int, str, str]:
    """A command from its start to its end."""
    return ended(begun(*arguments, cwd=cwd))


def awaited(what: Callable[[], Any], seconds: float = PATIENCE) -> Any:
    """What comes true at last."""
    end = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.02)
    return found


def workers(launcher: int) -> dict[int, int]:
    """The processes that a process has started to train together, by their rank."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            told = (folder / "environ").read_bytes().split(b"\0")
        except OSError:
            continue  # it has just ended, or is none of ours
        ranks = [int(entry.removeprefix(b"RANK=")) for entry in told if entry.startswith(b"RANK=")]
        if parent == launcher and ranks:
            found[ranks[0]] = int(folder.name)
    return found


def alive(process: int) -> bool:
    """Whether a process is there, and more than a name that nobody has asked for yet."""
    try:
        return (Path("/proc") / str(process) / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def position(run: Path) -> dict[str, Any]:
    """How far the last checkpoint of a run is."""
    file = run / "checkpoint" / "state.safetensors"
    if not file.exists():
        return {"epoch": 0, "step": 0}
    with file.open("rb") as stream:  # opened once: the next checkpoint may take its place at any moment
        header = json.loads(stream.read(int.from_bytes(stream.read(8), "little")))
    found: dict[str, Any] = json.loads(header["__metadata__"]["position"])
    return found


def curve(run: Path) -> list[float]:
    """The validation losses of a run."""
    return [json.loads(line)["validation"]["loss"] for line in (run / "metrics.jsonl").read_text().splitlines()]


def end(process: subprocess.Popen[str]) -> None:
    """Ends a process, should a test have failed before it ended."""
    for own in workers(process.pid).values() if process.poll() is None else ():
        os.kill(own, signal.SIGKILL)
    process.kill()
