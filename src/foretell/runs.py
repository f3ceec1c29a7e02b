"""Run folders: make, find, list, show, compare, delete. A run can be read with an editor: TOML, JSON and HTML."""

import json
import re
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from .artefact import DOCUMENT, versions
from .config import TaskConfiguration
from .errors import InputError, StorageError, UnsafeFileError, nearest
from .files import write_atomically

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def free_name(runs_dir: Path, name: str | None, stem: str) -> str:
    """The name of a new run: as given, or made from the data's name and the next number.

    Raises:
        InputError: The given name is taken, or no name for a folder.
    """
    if name is not None:
        if not _NAME.fullmatch(name):
            raise InputError(
                f'a run\'s name has letters, digits, dots, dashes and underscores; found "{name}"', name=name
            )
        if (runs_dir / name).exists():
            raise InputError(
                f"the run folder {runs_dir / name} exists already; choose another --name", folder=str(runs_dir / name)
            )
        return name
    tidy = re.sub(r"[^A-Za-z0-9_-]+", "-", stem).strip("-.") or "run"
    number = 1
    while (runs_dir / f"{tidy}-{number}").exists():
        number += 1
    return f"{tidy}-{number}"


def create(runs_dir: Path, name: str, job: dict[str, Any], configuration: TaskConfiguration) -> Path:
    """Makes a run folder with the resolved configuration and what the run is for.

    Args:
        runs_dir: Folder of runs.
        name: As :func:`free_name` gives it.
        job: Verb, task, data and rungs, from which the run can be resumed.
        configuration: Everything resolved.

    Raises:
        InputError: Someone else made the folder meanwhile.
        StorageError: It cannot be written.
    """
    folder = runs_dir / name
    try:
        folder.mkdir(parents=True)
    except FileExistsError:
        raise InputError(f"the run folder {folder} exists already; choose another --name", folder=str(folder)) from None
    except OSError as error:
        raise StorageError(f"the run folder {folder} cannot be made: {error.strerror}", folder=str(folder)) from None
    try:
        write_atomically(folder / "config.toml", configuration.toml().encode())
        _write_job(folder, {"created": _now(), "finished": None, "versions": versions(), **job})
    except StorageError:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return folder


def finish(folder: Path) -> None:
    """Marks a run as done."""
    _write_job(folder, {**job_of(folder), "finished": _now()})


def job_of(folder: Path) -> dict[str, Any]:
    """What a run is for.

    Raises:
        InputError: The folder is no run.
        UnsafeFileError: Its ``run.json`` is damaged.
    """
    return _read(folder / "run.json", f"{folder} is no run folder: it holds no run.json")


def leaderboard_of(folder: Path) -> dict[str, Any] | None:
    """The leaderboard of a run that is done; None before."""
    if not (folder / "leaderboard.json").exists():
        return None
    return _read(folder / "leaderboard.json", "")


def find(reference: str, runs_dir: Path) -> Path:
    """The folder that a run's name or path means: a run, a rung of one (``NAME/gru``), or a model folder.

    Raises:
        InputError: There is none.
    """
    for candidate in (runs_dir / reference, Path(reference)):
        if (candidate / "run.json").exists() or (candidate / DOCUMENT).exists() or (candidate / "model").is_dir():
            return candidate
    known = [run["name"] for run in listing(runs_dir)]
    raise InputError(f'there is no run "{reference}" in {runs_dir}; {nearest(reference, known)}', run=reference)


def model_folder(reference: str, runs_dir: Path) -> Path:
    """The model folder of a run.

    Raises:
        InputError: There is no such run, or it has no model yet.
    """
    folder = find(reference, runs_dir)
    for candidate in (folder, folder / "model"):
        if (candidate / DOCUMENT).exists():
            return candidate
    raise InputError(f"{folder} holds no model yet; finish it with: foretell train --resume {reference}", run=reference)


def listing(runs_dir: Path) -> list[dict[str, Any]]:
    """Every run in a folder, oldest first: its job, whether it is done, and its best result."""
    found = []
    for path in runs_dir.glob("*/run.json") if runs_dir.is_dir() else ():
        try:
            found.append(_entry(path.parent))
        except UnsafeFileError as error:
            found.append({"name": path.parent.name, "state": "damaged", "created": "", "problem": error.message})
    return sorted(found, key=lambda entry: (entry["created"], entry["name"]))


def delete(folder: Path) -> None:
    """Removes a run folder and all in it.

    Raises:
        InputError: The folder is no run.
    """
    job_of(folder)
    shutil.rmtree(folder)


def _entry(folder: Path) -> dict[str, Any]:
    job, board = job_of(folder), leaderboard_of(folder)
    entry: dict[str, Any] = {
        "name": folder.name,
        "verb": job.get("verb"),
        "task": job.get("task"),
        "data": job.get("data"),
        "state": "done" if job.get("finished") else "unfinished",
        "created": job.get("created", ""),
    }
    if board is not None:
        kept = next(row for row in board["rows"] if row["rung"] == board["kept"])
        entry |= {
            "rung": board["kept"],
            "test": {key: kept["split"]["test"].get(key) for key in ("mae", "unit", "mae_scaled")},
            "skill": kept["skill"],
            "verdict": kept["verdict"],
            "reference": board["reference"],
        }
    return entry


def _write_job(folder: Path, job: dict[str, Any]) -> None:
    write_atomically(folder / "run.json", (json.dumps(job, indent=1) + "\n").encode())


def _read(path: Path, absent: str) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise InputError(absent, file=str(path)) from None
    except (OSError, ValueError, RecursionError) as error:
        raise UnsafeFileError(f"{path} is damaged: {error}", file=str(path)) from None
    if not isinstance(document, dict):
        raise UnsafeFileError(f"{path} is damaged: it holds no object", file=str(path))
    return document


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
