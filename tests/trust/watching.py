"""A child process that works through cases, and is watched: what it died of, or stopped at, is known."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

_BEGINNING = 240.0  # seconds before the first case
ROOT = Path(__file__).parents[2]


class Child:
    """A module that is run with arguments, and says a line for each thing that it has done.

    Args:
        module: Its name.
        arguments: Its arguments.
        place: A file of eight bytes in which it keeps which case it is at.
    """

    def __init__(self, module: str, arguments: list[str], place: Path) -> None:
        place.write_bytes(bytes(8))
        self.place = place
        paths = os.pathsep.join([str(ROOT / "src"), str(ROOT)])
        environment = {**os.environ, "PYTHONPATH": paths, "TRUST_PLACE": str(place), "RUST_BACKTRACE": "0"}
        self._errors = place.with_suffix(".err").open("wb")
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
        )

    @property
    def at(self) -> int:
        """The number of the case that it is at; -1 before the first."""
        return int.from_bytes(self.place.read_bytes(), "little") - 1

    def lines(self, seconds: float) -> Iterator[str]:
        """What it says; where it stays at one case for so many seconds it is ended.

        Args:
            seconds: How long.
        """
        over = threading.Event()
        watch = threading.Thread(target=self._watch, args=(seconds, over), daemon=True)
        watch.start()
        try:
            assert self._process.stdout is not None
            yield from self._process.stdout
        finally:
            over.set()
            watch.join()
            self._process.kill()
            self.code = self._process.wait()
            self._errors.close()
            if self._process.stdout is not None:
                self._process.stdout.close()

    def _watch(self, seconds: float, over: threading.Event) -> None:
        before, until = self.at, time.monotonic() + _BEGINNING
        while not over.wait(seconds):
            if self.at == before and (before >= 0 or time.monotonic() > until):
                self._process.kill()
                return
            before = self.at
