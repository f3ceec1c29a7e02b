"""Export: a model for another program, in a folder that appears whole or not at all."""

import shutil
import tempfile
from pathlib import Path
from typing import Any

from .errors import InputError, StorageError, UsageError, nearest
from .predictor import Predictor
from .tasks import get_task
from .tasks.interface import Exports


def export(predictor: Predictor, form: str, folder: Path, source: object) -> dict[str, Any]:
    """Writes a model for another program, and has both answer the same.

    Args:
        predictor: The model.
        form: The other program's: ``onnx``, ``ctranslate2``.
        folder: Where; it must not exist yet.
        source: What both answer; nothing where None.

    Returns:
        What was written, and how the two compare.

    Raises:
        InputError: Something is there already.
        UsageError: Models of the task have no such form.
        StorageError: It cannot be written.
    """
    task = get_task(predictor.task)
    if not isinstance(task, Exports):
        raise UsageError(f"a model of {predictor.task} cannot be exported yet")
    if form not in task.forms:
        raise UsageError(f'models of {predictor.task} have no form "{form}"; {nearest(form, task.forms)}')
    if folder.exists():
        raise InputError(f"{folder} exists already; choose another folder or delete it", folder=str(folder))
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        beside = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    except OSError as error:
        raise StorageError(f"{folder} cannot be made: {error.strerror}", folder=str(folder)) from None
    try:
        exported = task.export(predictor.fitted, form, beside, source)
        beside.chmod(0o755)
        beside.rename(folder)
    except OSError as error:
        raise StorageError(f"{folder} could not be written: {error.strerror}", folder=str(folder)) from None
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    speed = exported.seconds / exported.their_seconds if exported.their_seconds else None
    return {
        "task": predictor.task,
        "rung": predictor.fitted.rung,
        "form": form,
        "folder": str(folder),
        "files": exported.files,
        "compared": exported.compared,
        "same": exported.same,
        "seconds": exported.seconds,
        "their_seconds": exported.their_seconds,
        "times_as_fast": speed,
        "answers": exported.answers,
        "alike": exported.alike,
        "largest_difference": exported.largest,
    }
