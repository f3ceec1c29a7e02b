"""Run folders: make, find, list, show, compare, delete. A run can be read with an editor: TOML, JSON and HTML."""

import json
import os
import re
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

from .artefact import DOCUMENT, is_model, versions
from .config import TaskConfiguration
from .errors import InputError, StorageError, UnsafeFileError, UsageError, nearest
from .files import remove, sync_folder, write_atomically
from .folders import folder_beside, heal, put_in_place
from .tasks import task_measure
from .untrusted import read_json, require_no_links

_ROW = {"rung", "kind", "split", "skill", "verdict", "seconds", "parameters"}
_DELETED = ".deleted"  # how the name of a run ends that is being removed
STUDY = "study"  # the verb of a run that holds a comparison for each value of an option
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def check_name(runs_dir: Path, name: str | None) -> None:
    """Checks the name that a user gave a run, before anything is computed for it.

    Raises:
        InputError: It is taken, or no name for a folder.
    """
    if name is None:
        return
    if not _NAME.fullmatch(name):
        raise InputError(f'a run\'s name has letters, digits, dots, dashes and underscores; found "{name}"', name=name)
    if (runs_dir / name).exists():
        raise InputError(f"the run folder {runs_dir / name} exists already; choose another --name", name=name)


def numbered(stem: str) -> Iterator[str]:
    """Names for a run that was not given one: the data's name and a number.

    >>> names = numbered("ETTh1 (hourly)")
    >>> next(names), next(names)
    ('ETTh1-hourly-1', 'ETTh1-hourly-2')
    """
    plain = re.sub(r"[^A-Za-z0-9_-]+", "-", stem).strip("-.") or "run"
    return (f"{plain}-{number}" for number in count(1))


def tidy(text: str) -> str:
    """A text as the name of a folder.

    >>> tidy("ahead-1:96"), tidy("dropout-0.5")
    ('ahead-1-96', 'dropout-0.5')
    """
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-.")[:100]


def create(runs_dir: Path, name: str | Iterator[str], job: dict[str, Any], configuration: TaskConfiguration) -> Path:
    """Makes a run folder with the resolved configuration and what the run is for.

    Args:
        runs_dir: Folder of runs.
        name: The name, or names of which the first free one is taken, also while others look for one.
        job: Verb, task, data and rungs, from which the run can be resumed.
        configuration: Everything resolved.

    Raises:
        InputError: The name is taken.
        StorageError: It cannot be written.
    """
    names = iter([name]) if isinstance(name, str) else name
    told = {"created": _now(), "finished": None, "versions": versions(), **job}
    try:
        with folder_beside(runs_dir / "run") as beside:
            (beside / "config.toml").write_bytes(configuration.toml().encode())
            (beside / "run.json").write_bytes(_as_kept(told))
            for candidate in names:
                if _took_place(beside, runs_dir / candidate):
                    return runs_dir / candidate
    except OSError as error:
        raise StorageError(
            f"a run folder in {runs_dir} could not be written: {error.strerror}",
            folder=str(runs_dir),
            errno=error.errno,
        ) from None
    raise InputError(f"the run folder {runs_dir / str(name)} exists already; choose another --name", name=name)


def _took_place(new: Path, folder: Path) -> bool:
    """Gives a new run its name, if that is free.

    Raises:
        StorageError: A file is in its way.
    """
    if folder.is_dir():
        return False
    if os.path.lexists(folder):
        raise StorageError(f"{folder} cannot be made: a file is in its way", folder=str(folder))
    try:
        put_in_place(new, folder)
    except OSError:
        if folder.is_dir():  # somebody else was as quick
            return False
        raise
    return True


def finish(folder: Path) -> None:
    """Marks a run as done."""
    _write_job(folder, {**job_of(folder), "finished": _now()})


def job_of(folder: Path) -> dict[str, Any]:
    """What a run is for.

    Raises:
        InputError: The folder is no run.
        UnsafeFileError: Its ``run.json`` is damaged.
    """
    job = read_document(folder / "run.json", f"{folder} is no run folder: it holds no run.json")
    needed = ("verb", "task", "fingerprint", *(("rung",) if job.get("verb") == "train" else ()))
    whole = all(isinstance(job.get(key), str) for key in needed) and isinstance(job.get("data", 0), str | list | None)
    if job.get("verb") == STUDY:
        vary = job.get("vary")
        whole &= isinstance(vary, dict) and isinstance(vary.get("option"), str) and bool(vary.get("folders"))
    if not whole:
        raise UnsafeFileError(f"{folder / 'run.json'} is damaged: it does not say what the run is for")
    return job


def leaderboard_of(folder: Path) -> dict[str, Any] | None:
    """The leaderboard of a run that is done; None before."""
    if not (folder / "leaderboard.json").exists():
        return None
    board = read_document(folder / "leaderboard.json", "")
    rows = board.get("rows")
    whole = isinstance(rows, list) and all(isinstance(row, dict) and row.keys() >= _ROW for row in rows)
    if not whole or not ({"kept", "reference"} <= board.keys() or {"option", "variants"} <= board.keys()):
        raise UnsafeFileError(f"{folder / 'leaderboard.json'} is damaged: it holds no leaderboard")
    return board


def find(reference: str, runs_dir: Path) -> Path:
    """The folder that a run's name or path means: a run, a rung of one (``NAME/gru``), or a model folder.

    Raises:
        InputError: There is none.
    """
    for candidate in (runs_dir / reference, Path(reference)):
        heal(candidate / "model")
        if (candidate / "run.json").exists() or is_model(candidate) or (candidate / "model").is_dir():
            return candidate
    for candidate in (Path(reference), runs_dir / reference):
        if os.path.lexists(candidate):
            raise InputError(f"{candidate} is no model folder: it holds no {DOCUMENT}", folder=str(candidate))
    known = [run["name"] for run in listing(runs_dir)]
    raise InputError(f'there is no run "{reference}" in {runs_dir}; {nearest(reference, known)}', run=reference)


def of_name(name: str, runs_dir: Path) -> Path:
    """The folder of a run that goes by a name, which may come from anywhere: a path is none.

    Raises:
        InputError: There is no such run.
    """
    folder = runs_dir / name
    if not _NAME.fullmatch(name) or folder.is_symlink() or not (folder / "run.json").is_file():
        raise InputError(f'there is no run "{name[:100]}"; {nearest(name[:100], names_in(runs_dir))}', run=name[:100])
    return folder


def names_in(runs_dir: Path) -> list[str]:
    """The names of all runs in a folder."""
    return sorted(folder.name for folder in _folders_in(runs_dir))


def model_folder(reference: str, runs_dir: Path) -> Path:
    """The model folder of a run.

    Raises:
        InputError: There is no such run, it has no model yet, or one for each value of an option.
    """
    folder = find(reference, runs_dir)
    require_one(folder, reference)
    for candidate in (folder, folder / "model"):
        if is_model(candidate):
            return candidate
    if not (home_of(folder) / "run.json").exists():
        raise InputError(f"{folder} is no model folder: it holds no {DOCUMENT}", folder=str(folder))
    raise InputError(f"{folder} holds no model yet; {remedy(job_of(folder), reference)}", run=reference)


def live_folder(model: Path) -> Path:
    """Where a model keeps the rows that it follows, and what it said of them: beside the model folder.

    Raises:
        UnsafeFileError: It is in the folder of a run, which holds a link.

    >>> live_folder(Path("/srv/weather-model")).name
    'weather-model-live'
    """
    if model.name != "model" or not (model.parent / "run.json").exists():
        return model.parent / f"{model.name}-live"
    require_no_links(model.parent)
    return model.parent / "live"


def require_one(folder: Path, reference: str) -> None:
    """Checks that a folder stands for one model rather than for a study of many.

    Raises:
        InputError: It is the folder of a study.
    """
    job = job_of(folder) if (folder / "run.json").exists() else {}
    if job.get("verb") == STUDY:
        raise InputError(
            f"{folder} is a study of {job['vary']['option']} and keeps models for each of its values; name one: "
            f"{', '.join(f'{reference}/{name}' for name in job['vary']['folders'])}",
            run=reference,
        )


def home_of(folder: Path) -> Path:
    """The folder with the job that a run, or a rung of one, belongs to."""
    return folder if (folder / "run.json").exists() else folder.parent


def remedy(job: dict[str, Any], reference: str) -> str:
    """How an unfinished run is finished."""
    if job.get("verb") in ("train", "compare", "tune"):
        return f"finish it with: foretell {job['verb']} --resume {reference}"
    recipe = job.get("recipe")
    return f"a study begins again: foretell train --recipe {recipe}" if recipe else "a study begins again"


def listing(runs_dir: Path) -> list[dict[str, Any]]:
    """Every run in a folder, oldest first: its job, whether it is done, and its best result."""
    found = [entry(folder) for folder in _folders_in(runs_dir)]
    return sorted(found, key=lambda run: (run["created"], run["name"]))


def _folders_in(runs_dir: Path) -> list[Path]:
    """The folders of all runs; what is being made or removed, which no run's name begins like, is none."""
    found = [path.parent for path in runs_dir.glob("*/run.json")] if runs_dir.is_dir() else []
    return [folder for folder in found if not folder.name.startswith(".")]


def entry(folder: Path) -> dict[str, Any]:
    """A run, or a rung of one, in a listing; a damaged one says so instead of spoiling the list."""
    home, name, above = home_of(folder), folder.name, folder.parent
    while (above / "run.json").exists():
        name, above = f"{above.name}/{name}", above.parent
    try:
        return _entry(home, name, None if home == folder else folder.name)
    except (UnsafeFileError, InputError, UsageError) as error:
        problem = error.message
    except (KeyError, TypeError, AttributeError, StopIteration) as error:
        problem = f"{type(error).__name__}: {error}"
    return {"name": name, "state": "damaged", "created": "", "problem": problem}


def delete(folder: Path) -> None:
    """Removes a run folder and all in it: in one step it is no run any more, whatever happens then.

    Raises:
        InputError: The folder is no run, a link to one, or a part of a study.
        StorageError: It cannot be removed.
    """
    job_of(folder)
    if folder.is_symlink():
        raise InputError(f"{folder} is a link; delete what it points to", folder=str(folder))
    if (folder.parent / "run.json").exists():
        raise InputError(f"{folder} is a part of {folder.parent}; delete that as a whole", folder=str(folder))
    gone = folder.with_name(f".{folder.name}{_DELETED}")
    try:
        for left in folder.parent.glob(f".*{_DELETED}"):  # of others that were not removed to the end
            remove(left)
        folder.rename(gone)
        sync_folder(folder.parent)
        shutil.rmtree(gone)
    except OSError as error:
        part = f"; it is no run any more, and the rest of it is {gone}" if gone.exists() else ""
        told = f"{folder} could not be removed: {error.strerror}{part}"
        raise StorageError(told, folder=str(folder), errno=error.errno) from None


def _entry(folder: Path, name: str, rung: str | None) -> dict[str, Any]:
    job, board = job_of(folder), leaderboard_of(folder)
    document: dict[str, Any] = {
        "name": name,
        "verb": job.get("verb"),
        "task": job.get("task"),
        "data": job.get("data"),
        "state": "done" if job.get("finished") else "unfinished",
        "created": str(job.get("created") or ""),
    }
    if job["verb"] == STUDY:
        document |= {"option": job["vary"]["option"], "values": job["vary"].get("values")}
    elif board is not None:
        kept = next(row for row in board["rows"] if row["rung"] == (rung or board["kept"]))
        document |= {
            "rung": kept["rung"],
            "test": {key: kept["split"]["test"].get(key) for key in task_measure(job["task"]).listed},
            "skill": kept["skill"],
            "verdict": kept["verdict"] if kept["kind"] == "model" else kept["kind"],
            "reference": board["reference"],
        }
    return document


def _write_job(folder: Path, job: dict[str, Any]) -> None:
    write_atomically(folder / "run.json", _as_kept(job))


def _as_kept(job: dict[str, Any]) -> bytes:
    return (json.dumps(job, indent=1) + "\n").encode()


def read_document(path: Path, absent: str = "there is no such file") -> dict[str, Any]:
    """A JSON object that a run keeps.

    Raises:
        InputError: It is not there.
        UnsafeFileError: It is damaged.
    """
    if not os.path.lexists(path):
        raise InputError(absent, file=str(path))
    document = read_json(path)
    if not isinstance(document, dict):
        raise UnsafeFileError(f"{path} is damaged: it holds no object", file=str(path))
    return document


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
