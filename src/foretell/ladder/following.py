"""Several trainings at once, told to a watcher that is told of one after the other."""

import json
import time
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from ..cluster.work import Work
from ..files import make_folder, write_atomically
from ..training.curves import CURVE
from ..training.loop import Watcher

_SECONDS = 1.0  # between two writings of a curve


@runtime_checkable
class Names(Watcher, Protocol):
    """A watcher who is told which rung or trial begins."""

    def rung(self, name: str) -> None:
        """A rung begins, or one of its trials."""
        ...


@runtime_checkable
class WatchesMany(Protocol):
    """A watcher who wants to know of all that is under way at once."""

    def under_way(self, names: list[str]) -> None:
        """These trainings are under way."""
        ...

    def again(self, name: str) -> None:
        """A training begins again, since its worker was lost."""
        ...


class Follower:
    """Listens to trainings; the watcher sees one of them step by step, and every epoch of all.

    Args:
        watcher: Is told.
        live_curves: Whether learning curves are to be written while trainings have no hold of their folders.
    """

    def __init__(self, watcher: Names, *, live_curves: bool) -> None:
        self.watcher = watcher
        self._curves: dict[str, _Curve] | None = {} if live_curves else None
        self._under_way: list[str] = []
        self._shown = ""  # the training of which steps are told

    def began_of(self, name: str) -> None:
        """What is called so is looked at."""
        self._shown = name
        self.watcher.rung(name)

    def began(self, work: Work) -> None:
        """A training begins."""
        self._under_way.append(work.name)
        self.began_of(work.name)
        self._tell_under_way()
        if self._curves is not None:
            (work.folder / CURVE).unlink(missing_ok=True)
            self._curves[work.name] = _Curve(work.folder / CURVE)

    def step(self, work: Work, epoch: int, step: int, steps: int, loss: float) -> None:
        """A step is done."""
        if not self._shown:
            self.began_of(work.name)
        if work.name == self._shown:
            self.watcher.step(epoch, step, steps, loss)

    def epoch(self, work: Work, record: dict[str, Any], epochs: int) -> bool:
        """An epoch is done; trainings of a climb go on."""
        if work.name != self._shown:
            self.began_of(work.name)
        self.watcher.epoch(record, epochs)
        if self._curves is not None:
            self._curves[work.name].add(record)
        return True

    def again(self, work: Work) -> None:
        """A training begins again elsewhere."""
        self._forget(work.name)
        if isinstance(self.watcher, WatchesMany):
            self.watcher.again(work.name)

    def ended(self, work: Work, *, came_to_nothing: bool = False) -> None:
        """A training is over; where it came to something, its folder holds its own curve by now."""
        if came_to_nothing and self._curves is not None and work.name in self._curves:
            self._curves[work.name].write()
        self._forget(work.name)

    def _forget(self, name: str) -> None:
        self._under_way = [own for own in self._under_way if own != name]
        if self._shown == name:
            self._shown = ""
        self._tell_under_way()

    def _tell_under_way(self) -> None:
        if isinstance(self.watcher, WatchesMany):
            self.watcher.under_way(list(self._under_way))


class _Curve:
    """A learning curve as it is heard of, written now and then for those who look."""

    def __init__(self, path: Path) -> None:
        self.path, self.records = path, list[dict[str, Any]]()
        self._written = 0.0

    def add(self, record: dict[str, Any]) -> None:
        """Another epoch."""
        self.records.append(record)
        if time.monotonic() - self._written > _SECONDS:
            self.write()

    def write(self) -> None:
        """Writes all of it."""
        self._written = time.monotonic()
        make_folder(self.path.parent)
        write_atomically(self.path, "".join(json.dumps(record) + "\n" for record in self.records).encode())
