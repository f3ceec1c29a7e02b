"""Which task data look as if they were for, where nobody says."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .origin import Data

_LINES = (".jsonl", ".ndjson", ".jsonl.gz", ".ndjson.gz")


def task_of(data: Data, given: Mapping[str, Any]) -> str:
    """The task that some data are for.

    Args:
        data: Where they are.
        given: Options that were named, which tell it too.
    """
    if isinstance(data, tuple):
        return "translate" if _are_parallel(data) else "generate"
    path, labelled = Path(str(data)), bool(given.get("text") or given.get("label") or given.get("multi_label"))
    try:
        if not labelled and _holds_tables(path):
            return "forecast"
        if not labelled and _holds_parallel_files(path):
            return "translate"
        if not labelled and (_is_prose(path) or _holds_files_alone(path)):
            return "generate"
        return "classify" if labelled or _holds_texts(path) else "forecast"
    except OSError:  # no path at all, such as one that is too long, which whoever reads it will say
        return "forecast"


def _are_parallel(files: tuple[Path, ...]) -> bool:
    """Whether two files end in two languages."""
    from ..data.parallel import language_of

    languages = [language_of(file.name) for file in files]
    return len(files) == 2 and all(languages) and len(set(languages)) == 2


def _holds_parallel_files(path: Path) -> bool:
    """Whether a folder has such files of training."""
    from ..data.parallel import language_of

    names = [own.name for own in path.iterdir()] if path.is_dir() else []
    return len({language_of(name) for name in names if name.startswith("train.")} - {""}) > 1


def _holds_tables(path: Path) -> bool:
    """Whether a folder, or one inside it, has Parquet files."""
    return path.is_dir() and next(path.rglob("*.parquet"), None) is not None


def _is_prose(path: Path) -> bool:
    """Whether a file is called as one text is."""
    from ..data.members import is_archive
    from ..data.rows import TABLES

    name = path.name.lower()
    kind = Path(name.removesuffix(".gz")).suffix
    return bool(kind) and not name.endswith(TABLES) and path.is_file() and not is_archive(path)


def _holds_files_alone(path: Path) -> bool:
    """Whether a folder has files, and no folders that might be labels."""
    inside = [own for own in path.iterdir() if not own.name.startswith(".")] if path.is_dir() else []
    return bool(inside) and all(own.is_file() for own in inside)


def _holds_texts(path: Path) -> bool:
    """Whether a file holds texts with labels rather than a table of numbers."""
    from ..data.members import is_archive, members

    name = path.name.lower()
    if path.is_dir() or name.endswith(_LINES):
        return True
    if path.is_file() and name.removesuffix(".gz").endswith((".csv", ".tsv", ".json")):
        from ..data.labelled import LABEL_NAMES, TEXT_NAMES
        from ..data.rows import rows_of
        from ..errors import ForetellError

        try:
            with rows_of(path) as rows:
                names = {column.lower() for column in rows.columns}
        except ForetellError:
            return False
        return bool(names & set(TEXT_NAMES)) and bool(names & set(LABEL_NAMES))
    return is_archive(path) and (path.suffix != ".zip" or next(members(path, (".txt",)), None) is not None)
