"""The model folder: what a task knows, as JSON and safetensors, written as a whole and read without trust.

It builds no model and runs nothing: it turns a folder into documents and arrays, and back.
"""

import os
import platform
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from .errors import InputError, StorageError, UnsafeFileError
from .files import json_text, remove_leftovers
from .folders import folder_beside, heal, put_in_place
from .untrusted import read_json, read_plain, read_tensors

FORMAT = "1.2"
DOCUMENT, WEIGHTS, CARD = "model.json", "weights.safetensors", "README.md"
FILES = ("scaling.json", "vocabulary.json")  # what tasks keep beside; nothing else in a folder is opened
_LARGEST_WEIGHTS = 16 * 1024**3


@dataclass(frozen=True)
class Artefact:
    """The content of a model folder.

    Attributes:
        task: Which task reads it.
        document: Configuration, metrics, data fingerprint, and what else the task keeps as plain values.
        arrays: Weights by name.
        files: Further JSON documents by file name, of those in ``FILES``.
        card: The model card, Markdown.
    """

    task: str
    document: dict[str, Any]
    arrays: dict[str, np.ndarray] = field(default_factory=dict)
    files: dict[str, Any] = field(default_factory=dict)
    card: str = ""


def versions() -> dict[str, str]:
    """The versions of what a model was made with."""
    return {"python": platform.python_version()} | {
        name: version(name) for name in ("foretell", "torch", "numpy", "polars", "safetensors")
    }


def write_artefact(folder: Path, artefact: Artefact, *, replace: bool = False) -> None:
    """Writes a model folder that appears whole or not at all.

    Args:
        folder: Where.
        artefact: What.
        replace: Whether a folder that is there gives way; else it must not exist yet.

    Raises:
        InputError: Something is there already.
        StorageError: The disk is full; what stood there before is intact, and nothing half-written stays.
    """
    if folder.exists() and not replace:
        raise InputError(f"{folder} exists already; choose another folder or delete it", folder=str(folder))
    remove_leftovers(folder)
    document = {"format": FORMAT, "task": artefact.task, "versions": versions(), **artefact.document}
    weights = {name: np.asarray(array, order="C") for name, array in artefact.arrays.items()}
    try:
        with folder_beside(folder) as beside:
            (beside / DOCUMENT).write_bytes(_json(document))
            (beside / WEIGHTS).write_bytes(save(weights))
            for name, content in artefact.files.items():
                (beside / name).write_bytes(_json(content))
            (beside / CARD).write_bytes(artefact.card.encode())
            put_in_place(beside, folder)
    except OSError as error:
        intact = "; what stood there before is intact" if folder.exists() else ""
        raise StorageError(
            f"{folder} could not be written: {error.strerror}{intact}", folder=str(folder), errno=error.errno
        ) from None


def is_model(folder: Path) -> bool:
    """Whether a folder holds a model; one that a crash left beside its name is put back first.

    Args:
        folder: Any folder.
    """
    with suppress(OSError):
        heal(folder)
    return (folder / DOCUMENT).exists()


def read_artefact(folder: Path) -> Artefact:
    """Reads a model folder; nothing in it is executed, and no file outside it is opened.

    Args:
        folder: A model folder.

    Raises:
        InputError: It is no model folder.
        UnsafeFileError: It is damaged, of a newer format, or holds links.
    """
    if not is_model(folder):
        raise InputError(f"{folder} is no model folder: it holds no {DOCUMENT}", folder=str(folder))
    document = read_json(folder / DOCUMENT)
    if not isinstance(document, dict) or not isinstance(document.get("task"), str):
        raise UnsafeFileError(f"{folder / DOCUMENT} names no task", file=str(folder / DOCUMENT))
    told = document.get("format")
    if not _readable(told):
        raise UnsafeFileError(
            f"{folder} has format {str(told)[:20]!r}; this version of Foretell reads up to {FORMAT}: upgrade it",
            folder=str(folder),
        )
    try:
        arrays = load(read_tensors(folder / WEIGHTS, _LARGEST_WEIGHTS))
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise UnsafeFileError(f"{folder / WEIGHTS} is damaged: {error}", file=str(folder / WEIGHTS)) from None
    files = {name: read_json(folder / name) for name in FILES if os.path.lexists(folder / name)}
    card = read_plain(folder / CARD).decode("utf-8", "replace") if os.path.lexists(folder / CARD) else ""
    return Artefact(document["task"], document, arrays, files, card)


def _readable(told: object) -> bool:
    """Whether a format is one that this version reads: two short numbers, no newer than its own."""
    parts = told.split(".") if isinstance(told, str) and len(told) < 20 else []
    if len(parts) != 2 or not all(part.isascii() and part.isdecimal() for part in parts):
        return False
    return [int(part) for part in parts] <= [int(part) for part in FORMAT.split(".")]


def _json(content: object) -> bytes:
    return (json_text(content) + "\n").encode()
