"""Check: whether a model folder from anywhere can be served; it is read without trust, and nothing in it is run."""

import hashlib
import os
import stat
import time
import warnings
import zipfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from .artefact import CARD, DOCUMENT, WEIGHTS, is_model, versions
from .errors import ForetellError, InputError, MissingError, UnsafeFileError, UsageError, counted
from .files import finite, printable
from .predictor import Predictor

_PICKLED = (".pkl", ".pickle", ".pt", ".pth", ".ckpt", ".joblib", ".dill")
_MAY_BE_PICKLED = (".bin", ".npy", ".npz")
_PROTOCOLS = (2, 3, 4, 5)  # of pickles that begin with 0x80 and their protocol; older ones begin with anything
_CODE = (".py", ".pyc", ".sh", ".bat", ".ps1", ".exe", ".so", ".dll", ".dylib", ".js", ".ipynb")
_MOST, _DEEPEST = 100, 10  # files and folders that a model folder may hold, folders within folders
_HEAD = 4  # bytes
_SHOWN = 100  # characters of what a folder says


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
        UnsafeFileError: It is damaged, or holds a link or a pickle, or far more than a model.
    """
    try:
        return _checked(folder)
    except UnsafeFileError as error:
        raise UnsafeFileError(printable(error.message), **error.details) from None
    except OSError as error:
        raise UnsafeFileError(f"{printable(str(folder))} cannot be read: {error.strerror}") from None


def _checked(folder: Path) -> dict[str, Any]:
    if not is_model(folder):
        raise InputError(f"{printable(str(folder))} is no model folder: it holds no {DOCUMENT}", folder=str(folder))
    _require_harmless(folder, list(strangers(folder, frozenset())))
    predictor = Predictor(folder)
    belongs = frozenset({DOCUMENT, WEIGHTS, CARD, *predictor.fitted.artefact({}).files})
    strange = list(strangers(folder, belongs))
    document, arrays = predictor.artefact.document, predictor.artefact.arrays
    compared = _versions(folder, document.get("versions"))
    notes = [f"{own.name} is {own.what}; Foretell never opens it" for own in strange]
    if not predictor.artefact.card:
        notes.append(f"it has no card: {CARD} is missing")
    if other := [str(own["name"]) for own in compared if own["made"] != own["here"]]:
        notes.append(f"it was made with other versions of {', '.join(other)} than those here")
    answer = _answer(predictor)
    if answer["why"]:
        notes.append(answer["why"])
    return {
        "folder": printable(str(folder)),
        "sound": True,
        "format": document["format"],
        "task": predictor.task,
        "rung": printable(predictor.rung),
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

    Raises:
        UnsafeFileError: It holds more than a model folder does, or what cannot be read.
    """
    for path in _everything(folder):
        name = str(path.relative_to(folder))
        # The weights are not guessed at: their length comes first, which may look like a pickle, and what reads them
        # takes nothing but arrays.
        what, dangerous = _kind(path, guess=name != WEIGHTS)
        if dangerous or (belongs and name not in belongs):
            yield Stranger(printable(name), what, dangerous)


def _everything(folder: Path) -> list[Path]:
    """All files and folders in a folder, sorted.

    Raises:
        UnsafeFileError: They are too many or too deep to be looked through, or a folder cannot be read.
    """
    found: list[Path] = []
    waiting = [(folder, 0)]
    while waiting:
        above, depth = waiting.pop()
        try:
            with os.scandir(above) as entries:
                for entry in entries:
                    found.append(above / entry.name)
                    if len(found) > _MOST:
                        raise UnsafeFileError(
                            f"{folder} holds more than {_MOST} files and folders, and a model folder holds four files; "
                            f"take it from who made it anew, or delete what is no part of the model",
                            folder=str(folder),
                        )
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append((above / entry.name, depth + 1))
        except OSError as error:
            raise UnsafeFileError(f"{above} cannot be read: {error.strerror}", folder=str(above)) from None
        if depth > _DEEPEST:
            raise UnsafeFileError(
                f"{folder} holds folders within folders, more than {_DEEPEST} deep, and a model folder holds none; "
                f"delete what is no part of the model",
                folder=str(folder),
            )
    return sorted(found)


def _kind(path: Path, *, guess: bool) -> tuple[str, bool]:
    """What something is, and whether it is dangerous; nothing but a plain file is opened.

    Args:
        path: Where it lies.
        guess: Whether to tell by its beginning what it holds.

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
    ending = path.suffix.lower()
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD) if guess else b""
        pickled = len(head) > 1 and head[0] == 0x80 and head[1] in _PROTOCOLS
        if ending in _PICKLED or pickled or (guess and _packed(path)):
            return "a pickle, which runs code when it is opened", True
    except OSError as error:
        raise UnsafeFileError(f"{path} cannot be read: {error.strerror}", file=str(path)) from None
    if ending in _MAY_BE_PICKLED:
        return "a file that may hold a pickle, which runs code when it is opened", True
    if ending in _CODE or head[:2] == b"#!" or head == b"\x7fELF" or mode & 0o111:
        return "a program", False
    return "a file that is no part of the model", False


def _packed(path: Path) -> bool:
    """Whether a file is an archive with a pickle in it, as torch writes its own; nothing is unpacked.

    Raises:
        OSError: It cannot be read.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return any(name.lower().endswith(_PICKLED) for name in archive.namelist())
    except (zipfile.BadZipFile, ValueError, NotImplementedError):
        return False


def _versions(folder: Path, made: object) -> list[dict[str, str | None]]:
    """The versions that a model was made with, beside those here.

    Raises:
        UnsafeFileError: What the model folder says of them is no object of names and versions.
    """
    made = {} if made is None else made
    if not isinstance(made, dict) or not all(isinstance(own, str) for own in made.values()):
        raise UnsafeFileError(
            f"{folder / DOCUMENT} is damaged: versions must be an object with a text for each name; "
            f"found {str(made)[:_SHOWN]}",
            file=str(folder / DOCUMENT),
        )
    then = {name: printable(own[:_SHOWN]) for name, own in made.items()}
    return [{"name": name, "made": then.get(name), "here": here} for name, here in versions().items()]


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
    size = path.stat().st_size
    return {"name": printable(path.name), "bytes": size, "sha256": found, "belongs": path.name in belongs}


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
