"""Runs that were stopped: what they were for, and their data as they were."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..files import remove_all_leftovers
from ..untrusted import read_toml, require_no_links
from .origin import from_kept, shown
from .output import tell
from .starting import start_again
from .taking_part import own_copy, take_part

WITH = ("devices", "nodes")  # options that may be others when a run goes on


@dataclass(frozen=True)
class BegunRun:
    """A run that was begun and not finished.

    Attributes:
        folder: Its folder.
        job: What it is for.
        task: Whose rungs.
        configuration: All options, as they were.
        prepared: The data, as they were.
        start: The model that it went on from; None where it began anew.
    """

    folder: Path
    job: dict[str, Any]
    task: Any
    configuration: Any
    prepared: Any
    start: Any = None


def begun_run(reference: str, runs_dir: Path, verb: str, given: dict[str, Any]) -> BegunRun:
    """A run that can be gone on with, from its folder.

    Args:
        reference: Its name or folder.
        runs_dir: Folder of runs.
        verb: What it must have been begun with.
        given: The output options, and where it goes on if elsewhere than it was begun.

    Raises:
        InputError: It was begun otherwise, is finished, its data are gone or have changed, or it names a cluster.
        UnsafeFileError: It holds a link, or is damaged.
    """
    from .. import runs
    from ..tasks import get_task, task_configuration

    folder = runs.find(reference, runs_dir)
    job = runs.job_of(folder)
    if job["verb"] != verb:
        told = f"; {runs.remedy(job, reference)}" if not job.get("finished") else ""
        raise InputError(f"{folder} is a run of {job['verb']}, not of {verb}{told}", run=reference)
    if job.get("finished"):
        raise InputError(f"{folder} is finished ({job['finished']}); there is nothing to resume", run=reference)
    require_no_links(folder)
    task = get_task(job["task"])
    options = task_configuration(job["task"])
    configuration: Any = options.build(file=folder / "config.toml", read=read_toml, environment={})
    if "://" in (on := configuration.run.on) and not given.get("on"):
        raise InputError(
            f"{folder} says that it trains on {on}, which is sent your data, and code to run; a folder may come from "
            f"anywhere, so say --on {on} if you trust both, or --on here",
            run=reference,
        )
    named = {f"training.{name}": given.get(name) for name in WITH if given.get(name) is not None}
    configuration = take_part(configuration.changed(named), given)
    folder = own_copy(folder, configuration)
    remove_all_leftovers(folder)  # of the kill after which it goes on
    if given.get("on"):
        configuration = configuration.changed({"run.on": given["on"]})
    if job["data"] == "-":
        raise InputError(
            f"{folder} read its data from standard input, which is gone; {verb} again from a file", run=reference
        )
    tell(f"resuming {folder}", quiet=given["quiet"] or given["as_json"])
    start = start_again(job)
    data = from_kept(job["data"])
    prepared = task.prepare(data, configuration, start)
    if prepared.fingerprint != job["fingerprint"]:
        raise InputError(
            f"{shown(data)} has changed since {folder} was started, so the run cannot go on exactly; {verb} again",
            run=reference,
            file=shown(data),
        )
    return BegunRun(folder, job, task, configuration, prepared, start)
