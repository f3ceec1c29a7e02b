"""How far a climb is, kept in its run's folder, so that others can follow it: a page, another terminal."""

import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..errors import StorageError
from ..files import json_text, write_atomically
from ..training.curves import CURVE
from .climbing import LadderWatcher
from .following import WatchesMany

PROGRESS = "progress.json"
_SECONDS = 1.0  # between two writings while steps are made


class Recorder:
    """A watcher that writes down what it is told, and tells another.

    Args:
        watcher: Who is told as well.
        folder: The run's folder.
        rungs: What is climbed, in ladder order.
    """

    def __init__(self, watcher: LadderWatcher, folder: Path, rungs: list[str]) -> None:
        self.watcher, self.path = watcher, folder / PROGRESS
        self.known: dict[str, Any] = {"rungs": rungs, "rung": None, "under_way": [], "rows": [], "reference": None}
        self._written = 0.0

    def rung(self, name: str) -> None:
        """A rung begins, or one of its trials."""
        self.watcher.rung(name)
        self.known |= {"rung": name, "epoch": None, "step": None, "steps": None, "loss": None}
        self._write()

    def step(self, epoch: int, step: int, steps: int, loss: float) -> None:
        """A step is done."""
        self.watcher.step(epoch, step, steps, loss)
        self.known |= {"epoch": epoch, "step": step, "steps": steps, "loss": loss}
        if time.monotonic() - self._written > _SECONDS:
            self._write()

    def epoch(self, record: dict[str, Any], epochs: int) -> None:
        """An epoch is done."""
        self.watcher.epoch(record, epochs)
        self.known["epochs"] = epochs

    def row(self, row: dict[str, Any], reference: str | None) -> None:
        """A rung is done; rows before it may be judged by now."""
        self.watcher.row(row, reference)
        self.known["rows"] = sorted((*self.known["rows"], row), key=lambda own: self.known["rungs"].index(own["rung"]))
        self.known["reference"] = reference
        self._write()

    def under_way(self, names: list[str]) -> None:
        """These trainings are under way; it is written with what comes next."""
        self.known["under_way"] = names
        if isinstance(self.watcher, WatchesMany):
            self.watcher.under_way(names)

    def again(self, name: str) -> None:
        """A training begins again, since its worker was lost."""
        if isinstance(self.watcher, WatchesMany):
            self.watcher.again(name)

    def close(self) -> None:
        """Takes the record away: the leaderboard says all of it."""
        with suppress(OSError):  # a courtesy as well, and no reason for a climb to fail that is done
            self.path.unlink(missing_ok=True)

    def _write(self) -> None:
        self._written = time.monotonic()
        with suppress(StorageError):  # it is a courtesy: what a climb itself keeps says when the disk is full
            write_atomically(self.path, (json_text({**self.known, "at": time.time()}) + "\n").encode())


def curves_in(folder: Path) -> dict[str, Path]:
    """The folders of a run whose trainings have a learning curve, by the name of the rung or trial."""
    found = {"": folder} if (folder / CURVE).exists() else {}
    return found | {
        str(path.parent.relative_to(folder)): path.parent
        for pattern in (f"*/{CURVE}", f"*/*/{CURVE}")
        for path in sorted(folder.glob(pattern))
    }
