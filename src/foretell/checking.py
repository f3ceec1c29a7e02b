"""Check: whether a model folder from anywhere can be served; it is read without trust, and nothing in it is run."""

import hashlib
import stat
import time
import warnings
import zipfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from .artefact import CARD, DOCUMENT, WEIGHTS, versions
from .errors import ForetellError, InputError, MissingError, UnsafeFileError, UsageError, counted
from .files import finite
from .predictor import Predictor

_PICKLED = (".pkl", ".pickle", ".pt", ".pth", ".ckpt", ".joblib", ".dill")
_CODE = (".py", ".pyc", ".sh", ".bat", ".ps1", ".exe", ".so", ".dll", ".dylib", ".js", ".ipynb")
_MOST = 1000  # files that are looked at
_HEAD = 4  # bytes


@dataclass(frozen=True)
class Stranger:
    """Something in a model folder that does not belong there.

    Attributes:
        name: Where it lies, from the folder on.
        what: What it is.
        dangerous: Whether opening it, by whatever program, could run what it holds or read what lies elsewhere.
    """

    name: str
    what: str
    dangerous: bool


def check(folder: Path) -> dict[str, Any]:
    """Whether a model folder is sound: what it holds, whether all of it belongs, whether it answers.

    Args:
        folder: A model folder.

    Returns:
        What was found: task, rung, files with their hashes, versions, weights, the answer, and notes.

    Raises:
        InputError: It is no model folder.
        UnsafeFileError: It is damaged, or holds a link or a pickle.
    """
    if not (folder / DOCUMENT).exists():
        raise InputError(f"{folder} is no model folder: it holds no {DOCUMENT}", folder=str(folder))
    _require_harmless(folder, list(strangers(folder, frozenset())))
    predictor = Predictor(folder)
    belongs = frozenset({DOCUMENT, WEIGHTS, CARD, *predictor.fitted.artefact({}).files})
    strange = list(strangers(folder, belongs))
    document, arrays = predictor.artefact.document, predictor.artefact.arrays
    made = document.get("versions") or {}
    compared = [{"name": name, "made": made.get(name), "here": here} for name, here in versions().items()]
    notes = [f"{own.name} is {own.what}; Foretell never opens it" for own in strange]
    if not predictor.artefact.card:
        notes.append(f"it has no card: {CARD} is missing")
    if other := [own["name"] for own in compared if own["made"] != own["here"]]:
        notes.append(f"it was made with other versions of {', '.join(map(str, other))} than those here")
    answer = _answer(predictor)
    if answer["why"]:
        notes.append(answer["why"])
    return {
        "folder": str(folder),
        "sound": True,
        "format": document["format"],
        "task": predictor.task,
        "rung": predictor.rung,
        "parameters": int(predictor.fitted.parameters),
        "files": [_file(path, belongs) for path in sorted(folder.iterdir()) if path.is_file()],
        "strangers": [asdict(own) for own in strange],
        "versions": compared,
        "card": bool(predictor.artefact.card),
        "weights": {"arrays": len(arrays), "numbers": sum(array.size for array in arrays.values())},
        "answer": answer,
        "notes": notes,
    }


def strangers(folder: Path, belongs: frozenset[str]) -> Iterator[Stranger]:
    """What lies in a folder and does not belong there; links are named, not followed.

    Args:
        folder: The folder.
        belongs: The names of files that do; where empty, only what is dangerous is told.
    """
    for number, path in enumerate(_everything(folder)):
        name = str(path.relative_to(folder))
        what, dangerous = _kind(path)
        if dangerous or (belongs and name not in belongs):
            yield Stranger(name, what, dangerous)
        if number > _MOST:
            yield Stranger(name, f"one of more than {_MOST} files, of which no more are looked at", dangerous=False)
            return


def _everything(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        yield path
        if path.is_dir() and not path.is_symlink():
            yield from _everything(path)


def _kind(path: Path) -> tuple[str, bool]:
    """What something is, and whether it is dangerous; nothing but a plain file is opened.

    Raises:
        UnsafeFileError: It cannot be read.
    """
    mode = path.lstat().st_mode
    if stat.S_ISLNK(mode):
        return "a link", True
    if stat.S_ISDIR(mode):
        return "a folder", False
    if not stat.S_ISREG(mode):
        return "no plain file", True
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD)
    except OSError as error:
        raise UnsafeFileError(f"{path} cannot be read: {error.strerror}", file=str(path)) from None
    if path.suffix.lower() in _PICKLED or (len(head) > 1 and head[0] == 0x80 and head[1] <= 5) or _packed(path):
        return "a pickle, which runs code when it is opened", True
    if path.suffix.lower() in _CODE or head[:2] == b"#!" or head == b"\x7fELF" or mode & 0o111:
        return "a program", False
    return "a file that is no part of the model", False


def _packed(path: Path) -> bool:
    """Whether a file is an archive with a pickle in it, as torch writes its own; nothing is unpacked."""
    try:
        with zipfile.ZipFile(path) as archive:
            return any(name.lower().endswith(_PICKLED) for name in archive.namelist()[:_MOST])
    except (zipfile.BadZipFile, ValueError, NotImplementedError):
        return False


def _require_harmless(folder: Path, strange: list[Stranger]) -> None:
    dangerous = [f"{own.name} ({own.what})" for own in strange if own.dangerous]
    if dangerous:
        shown = ", ".join(dangerous[:5]) + (f" and {len(dangerous) - 5} more" if len(dangerous) > 5 else "")
        raise UnsafeFileError(
            f"{folder} holds what no model folder holds: {shown}; take it from who made it anew, or delete that",
            folder=str(folder),
            strangers=[asdict(own) for own in strange if own.dangerous],
        )


def _file(path: Path, belongs: frozenset[str]) -> dict[str, Any]:
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    return {"name": path.name, "bytes": path.stat().st_size, "sha256": found, "belongs": path.name in belongs}


def _answer(predictor: Predictor) -> dict[str, Any]:
    """Whether a model answers an example of its own, and how long that takes.

    Raises:
        UnsafeFileError: It does not, or not in numbers.
    """
    try:
        service = predictor.service
    except UsageError as error:  # of a task that no server offers
        return {"answered": False, "seconds": None, "why": error.message}
    question = service.question.model_validate(service.example(predictor.fitted))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # an example is short, and may look odd
        started = time.perf_counter()
        try:
            (reply,) = service.answers(predictor.fitted, [question])
        except MissingError:
            raise
        except ForetellError as error:
            raise UnsafeFileError(f"{predictor.folder} answers nothing: {error.message}") from None
    seconds, said = time.perf_counter() - started, reply.model_dump()
    if finite(said) != said:
        raise UnsafeFileError(f"{predictor.folder} answers with what is no finite number; its weights are of no use")
    return {"answered": True, "seconds": seconds, "why": ""}


def summary(document: dict[str, Any]) -> list[str]:
    """What was found, in lines.

    Args:
        document: As :func:`check` gives it.
    """
    weights, answer, size = document["weights"], document["answer"], f"{document['parameters']:,} learned numbers"
    told = f"answers an example, in {answer['seconds']:.3f} s" if answer["answered"] else "was not asked"
    return [
        f"{document['folder']}: sound",
        f"{document['task']}, {document['rung']}, {size}, format {document['format']}",
        f"weights: {counted(weights['arrays'], 'array')}, {weights['numbers']:,} numbers, all finite; {told}",
    ]
