"""What the page shows of runs: a list, learning curves, a leaderboard that fills in, the report."""

from pathlib import Path
from typing import Any

from fastapi import APIRouter
from starlette.responses import FileResponse

from .. import runs
from ..errors import ForetellError, InputError, RefusedError, UnsafeFileError
from ..files import finite
from ..ladder.recording import PROGRESS, curves_in
from ..tasks import task_measure
from ..training.curves import curve_of
from .description import refusals

REPORT_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:; "
    "frame-ancestors 'self'; sandbox allow-scripts allow-downloads"
)
_CURVE = ("train", "validation")


def looking(runs_dir: Path) -> APIRouter:
    """The routes that show runs.

    Args:
        runs_dir: Folder of runs.
    """
    router = APIRouter()

    @router.get("/v1/runs", responses=refusals())
    def list_runs() -> dict[str, Any]:
        """All runs, the latest first: each with its best result, and how far those are that are not done."""
        return {"runs": [_entry(own, runs_dir) for own in reversed(runs.listing(runs_dir))]}

    @router.get("/v1/runs/{name}", responses=refusals(404, 422))
    def show_run(name: str) -> dict[str, Any]:
        """A run: its leaderboard as far as it is, and the learning curve of each training."""
        folder = _folder(name, runs_dir)
        progress = _progress(folder)
        board = runs.leaderboard_of(folder)
        shown = board or ({"rows": progress["rows"], "reference": progress["reference"]} if progress else None)
        document = {
            "run": _entry(runs.entry(folder), runs_dir),
            "leaderboard": _with_texts(shown, runs.job_of(folder)["task"]),
            "progress": progress,
            "curves": _curves(folder),
            "report": (folder / "report.html").is_file(),
        }
        found: dict[str, Any] = finite(document)
        return found

    @router.get("/v1/runs/{name}/report", responses=refusals(404, 422), response_class=FileResponse)
    def report(name: str) -> FileResponse:
        """The report of a run, under a policy of its own."""
        path = _folder(name, runs_dir) / "report.html"
        if not path.is_file() or path.is_symlink():
            raise RefusedError(404, f"{name} has no report yet")
        return FileResponse(path, media_type="text/html", headers={"content-security-policy": REPORT_POLICY})

    return router


def _folder(name: str, runs_dir: Path) -> Path:
    try:
        return runs.of_name(name, runs_dir)
    except InputError as error:
        raise RefusedError(404, error.message) from None


def _entry(entry: dict[str, Any], runs_dir: Path) -> dict[str, Any]:
    """A run in the list, its errors in words."""
    found = {key: value for key, value in entry.items() if key != "data"}
    if entry.get("test") and entry.get("task"):
        measure = task_measure(entry["task"])
        found["text"] = measure.text(entry["test"])
        found["metric"] = measure.name
    if entry["state"] == "unfinished":
        progress = _progress(runs_dir / entry["name"]) or {}
        found["progress"] = {key: progress.get(key) for key in ("rung", "epoch", "epochs", "step", "steps", "at")}
    cleaned: dict[str, Any] = finite(found)
    return cleaned


def _with_texts(board: dict[str, Any] | None, task: str) -> dict[str, Any] | None:
    """A leaderboard with each row's errors in words."""
    if board is None or "rows" not in board:
        return None
    measure, rows = task_measure(task), board["rows"]
    try:
        told = [{span: measure.text(own) for span, own in row["split"].items()} for row in rows]
        rows = [{**row, "text": texts} for row, texts in zip(rows, told, strict=True)]
    except (KeyError, TypeError, ValueError, AttributeError):
        raise UnsafeFileError("the leaderboard of this run is damaged") from None
    kept: dict[str, Any] = {key: board[key] for key in ("best", "reference", "kept", "windows") if key in board}
    return {**kept, "metric": measure.name, "counted": measure.counted, "rows": rows}


def _progress(folder: Path) -> dict[str, Any] | None:
    """How far a run is that is not done; None where nothing tells it."""
    try:
        return runs.read_document(folder / PROGRESS) if (folder / PROGRESS).is_file() else None
    except ForetellError:
        return None


def _curves(folder: Path) -> list[dict[str, Any]]:
    """The losses of each training, epoch by epoch."""
    found = []
    for name, place in curves_in(folder).items():
        try:
            records = curve_of(place)
        except UnsafeFileError:
            continue
        losses = {span: [record[span].get("loss") for record in records] for span in _CURVE}
        found.append({"name": name or folder.name, "epochs": [record["epoch"] for record in records], **losses})
    return found
