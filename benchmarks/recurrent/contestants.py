"""The parent's side of a race: who takes part, each in processes of its own that sleep until they are asked."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from .cases import Case

ROOT = Path(__file__).parents[2]
# Threads that have just worked look out for more before they sleep: the next contestant waits until they do.
REST = 0.02
AS_IT_IS: Mapping[str, Mapping[str, str]] = {"": {}}


@dataclass(frozen=True)
class Contestant:
    """Who takes part.

    Attributes:
        name: As it is asked for on the command line.
        title: As it is printed.
        module: The program, in the folder of workers.
        peer: Whether it runs in the peers' environment.
        environment: Variables that it always needs.
        settings: What has to be chosen before a process starts, by name: each has a process, the fastest one races.
    """

    name: str
    title: str
    module: str
    peer: bool = False
    environment: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, Mapping[str, str]] = field(default_factory=lambda: AS_IT_IS)


QUIET = {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1", "JAX_PLATFORMS": "cpu"}
OURS = "foretell"
CONTESTANTS = (
    Contestant(OURS, "Foretell", "ours"),
    Contestant("torch", "torch.nn", "torch_nn"),
    Contestant(
        "keras-tensorflow",
        "Keras on TensorFlow",
        "keras_tensorflow",
        peer=True,
        environment={**QUIET, "KERAS_BACKEND": "tensorflow"},
        settings={"": {}, ", 1 thread": {"TF_NUM_INTRAOP_THREADS": "1"}},
    ),
    Contestant("keras-jax", "Keras on JAX", "keras_jax", peer=True, environment={**QUIET, "KERAS_BACKEND": "jax"}),
)
PRODUCT = Contestant("product", "matrix product", "product")


@dataclass(frozen=True)
class Answer:
    """What a process says about a case: seconds of each step, last loss, the variant kept, seconds of each variant."""

    seconds: list[float]
    loss: float
    variant: str
    trials: dict[str, float]


class Worker:
    """A process of a contestant, from its start to its end.

    Args:
        contestant: Whose.
        setting: One of its settings.
    """

    def __init__(self, contestant: Contestant, setting: str) -> None:
        python = str(ROOT / ".venv-peers" / "bin" / "python") if contestant.peer else sys.executable
        if not Path(python).exists():
            raise SystemExit(f"{contestant.title} needs the peers' environment: make bench-recurrent makes it")
        self.name, self.setting = contestant.name, setting
        self.complaints = tempfile.TemporaryFile("w+")  # noqa: SIM115 -- closed with the process
        self.process = subprocess.Popen(
            [python, "-m", f"benchmarks.recurrent.workers.{contestant.module}"],
            cwd=ROOT,
            env={**os.environ, **contestant.environment, **contestant.settings[setting]},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.complaints,
            text=True,
        )

    def __enter__(self) -> Self:
        self.versions: dict[str, str] = self.read()["versions"]
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self.process.stdin:
            self.process.stdin.close()
        try:
            self.process.wait(timeout=None if error is None else 1)
        except subprocess.TimeoutExpired:
            self.process.kill()
        self.complaints.close()

    def read(self) -> dict[str, Any]:
        """The next answer; an error with what the process complained of if it has died."""
        line = self.process.stdout.readline() if self.process.stdout else ""
        if not line:
            self.complaints.seek(0)
            raise RuntimeError(f"{self.name} gave no answer:\n{self.complaints.read()[-4000:]}")
        return json.loads(line)

    def ask(self, case: Case, dropout: bool, steps: int) -> Answer:
        """Has a case made ready, if it is a new one, and so many steps done."""
        if self.process.stdin:
            time.sleep(REST)
            request = {"case": case.name, "dropout": dropout, "steps": steps}
            self.process.stdin.write(json.dumps(request) + "\n")
            self.process.stdin.flush()
        return Answer(**self.read())
