"""A process that carries out many commands, one after the other: each line that it reads is one, as JSON."""

import io
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import IO, Any

from foretell.cli.main import main

from ..distributed.starting import ended, surroundings
from ..tasks.commands import Result

_STREAMS = io.StringIO(), io.StringIO()  # always the same, as click holds on to every stream that it has written to


def carry_out(arguments: list[str]) -> dict[str, Any]:
    """What a command prints, and its exit code; what it raises instead ends the process with its traceback."""
    code: object = None
    for stream in _STREAMS:
        stream.seek(0)
        stream.truncate()
    out, err = _STREAMS
    with redirect_stdout(out), redirect_stderr(err):
        try:
            main(arguments)
        except SystemExit as stopped:
            code = stopped.code or 0
    return {"code": code, "out": out.getvalue(), "err": err.getvalue()}


def begun(folder: Path, commands: Iterable[list[str]], **environment: str) -> subprocess.Popen[str]:
    """A process that carries out commands in a folder; ``results`` waits for it."""
    with tempfile.TemporaryFile("w+") as reading:
        reading.writelines(json.dumps(command) + "\n" for command in commands)
        reading.seek(0)
        return subprocess.Popen(
            [sys.executable, "-m", "tests.trust.carrying_out"],
            cwd=folder,
            env=surroundings(**environment),
            stdin=reading,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


def results(process: subprocess.Popen[str], patience: float = 120.0) -> list[Result]:
    """How its commands ended."""
    code, out, err = ended(process, patience)
    assert code == 0, err
    return [Result(**json.loads(line)) for line in out.splitlines()]


@contextmanager
def answering() -> Iterator[IO[str]]:
    """Standard output for answers alone: what libraries print there goes to standard error meanwhile."""
    with os.fdopen(os.dup(1), "w") as answers:
        os.dup2(2, 1)
        yield answers


if __name__ == "__main__":
    with answering() as answers:
        for line in sys.stdin:
            answers.write(json.dumps(carry_out(json.loads(line))) + "\n")
            answers.flush()
