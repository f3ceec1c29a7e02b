"""The models of all runs in a folder: loaded when they are asked for, the latest few kept."""

import logging
import threading
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .. import runs
from ..artefact import DOCUMENT, is_model
from ..errors import ForetellError, RefusedError, nearest
from .models import Models, Served, opened

_KEPT = 6
_log = logging.getLogger(__name__)


class RunModels(Models):
    """Models by the name of their run, and those that come with Foretell.

    Args:
        runs_dir: Folder of runs.
        built_in: Those that come with Foretell, as far as what they need is installed.
    """

    def __init__(self, runs_dir: Path, built_in: Sequence[str] = ()) -> None:
        super().__init__({})
        self.runs_dir, self.built_in = runs_dir, tuple(built_in)
        self._loaded: OrderedDict[str, tuple[float, Served]] = OrderedDict()
        self._loading: dict[str, threading.Lock] = {}

    def __getitem__(self, name: str) -> Served:
        folder = self._folder(name)
        stamp = 0.0 if folder is None else _changed(folder / DOCUMENT)
        with self._lock:
            loading = self._loading.setdefault(name, threading.Lock())
        with loading:  # of each by itself, so that those who ask for others do not wait
            known = self._loaded.get(name)
            if known is None or known[0] != stamp:
                known = (stamp, _opened(name, folder))
        with self._lock:
            self._loaded[name] = known
            self._loaded.move_to_end(name)
            while len(self._loaded) > _KEPT:
                self._loaded.popitem(last=False)
        return known[1]

    def has(self, name: str) -> bool:
        """Whether a model is loaded."""
        return name in self._loaded

    def all(self) -> list[Served]:
        """Those that are loaded."""
        return [served for _, served in tuple(self._loaded.values())]

    def entries(self) -> list[dict[str, Any]]:
        """All that can be asked, loaded or not."""
        built_in = [{"name": name, "task": name, "rung": "built-in"} for name in self.built_in]
        return built_in + [
            {"name": run["name"], "task": run["task"], "rung": run["rung"]}
            for run in reversed(runs.listing(self.runs_dir))
            if run.get("rung") and is_model(self.runs_dir / run["name"] / "model")
        ]

    @property
    def at_hand(self) -> bool:
        """Whether asking for one takes no time."""
        return False

    def _folder(self, name: str) -> Path | None:
        if name in self.built_in:
            return None
        try:
            folder = runs.of_name(name, self.runs_dir) / "model"
        except ForetellError:
            known = [own["name"] for own in self.entries()]
            raise RefusedError(404, f'there is no model "{name[:100]}" here; {nearest(name[:100], known)}') from None
        if not is_model(folder):
            raise RefusedError(404, f"{name} has no model yet; it is still at work, or was stopped")
        return folder


def _changed(path: Path) -> float:
    """When a file was written; 0 where it has gone meanwhile, which reading it says."""
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _opened(name: str, folder: Path | None) -> Served:
    """A model that is asked for; that it cannot be read is no fault of those who ask."""
    try:
        return opened(name, folder)
    except ForetellError as error:
        _log.warning("the model of %s cannot be read: %s", name, error.message)
        raise RefusedError(503, f"the model of {name} cannot be read; the server's log says why", model=name) from None
