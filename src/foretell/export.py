"""Export: a model for another program, in a folder that appears whole or not at all."""

import warnings
from pathlib import Path
from typing import Any

from .errors import InputError, StorageError, UsageError, nearest
from .files import remove_leftovers
from .folders import folder_beside, put_in_place
from .predictor import Predictor
from .tasks import get_task
from .tasks.interface import Exported, Exports

USAGE = "README.md"  # the page beside what is written


def exporter(task: str, form: str) -> Exports:
    """The task whose models have a form.

    Args:
        task: Its name.
        form: The other program's: ``onnx``, ``ctranslate2``.

    Raises:
        UsageError: Models of the task have no such form.
    """
    found = get_task(task)
    if not isinstance(found, Exports):
        raise UsageError(f"a model of {task} cannot be exported yet")
    if form not in found.forms:
        raise UsageError(f'models of {task} have no form "{form}"; {nearest(form, found.forms)}')
    return found


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

    Warns:
        UserWarning: Some answers are not the same.
    """
    task = exporter(predictor.task, form)
    if folder.exists():
        raise InputError(f"{folder} exists already; choose another folder or delete it", folder=str(folder))
    remove_leftovers(folder)
    try:
        with folder_beside(folder) as beside:
            exported = task.export(predictor.fitted, form, beside, source)
            told = compared(exported)
            with (beside / USAGE).open("a", encoding="utf-8") as page:
                page.write(f"\n## Compared\n\n{told[0].upper()}{told[1:]}.\n")
            put_in_place(beside, folder)
    except OSError as error:
        raise StorageError(
            f"{folder} could not be written: {error.strerror}", folder=str(folder), errno=error.errno
        ) from None
    if exported.same < exported.compared:
        warnings.warn(told, stacklevel=2)
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


def compared(exported: Exported) -> str:
    """How both programs' answers compare, in a sentence.

    Args:
        exported: What was written.

    >>> compared(Exported(["model.onnx"], 200, 198, 1.0, 0.5, "forecasts", "to 1e-05 of the target's deviation", 0.02))
    "2 of 200 forecasts are not the same (to 1e-05 of the target's deviation; the largest difference is 2.0e-02)"
    >>> compared(Exported([], 0, 0, 0.0, 0.0, "forecasts", ""))
    'nothing was compared when this was written'
    """
    if not exported.compared:
        return "nothing was compared when this was written"
    off = "" if exported.largest is None else f"; the largest difference is {exported.largest:.1e}"
    differ = exported.compared - exported.same
    found = (
        f"{differ:,} of {exported.compared:,} {exported.answers} are not"
        if differ
        else (f"all of {exported.compared:,} {exported.answers} are")
    )
    return f"{found} the same ({exported.alike}{off})"
