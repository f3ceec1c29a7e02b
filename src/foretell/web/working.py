"""What the page sets going: comparisons and recipes as jobs, which go on whoever looks."""

from functools import partial
from pathlib import Path
from typing import Any

import tomli_w
from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from .. import runs
from ..config import RunSection
from ..config.configuration import TaskConfiguration
from ..config.sections import names_files, names_machines
from ..errors import ConfigurationError, InputError, RefusedError, UsageError, nearest
from ..jobs import OVER, Jobs
from ..recipes.reading import read_recipe, recipe_names
from ..tasks import choose_rungs, task_configuration
from .description import refusals
from .store import Store

_CONFIG = "options.toml"
_OF_THE_SERVER = {"runs_dir", "name", "devices", "nodes", "strategy"}  # the latter start processes
Value = float | int | bool | str


class Wish(BaseModel):
    """What a job shall do: compare on some data, carry out a recipe, or go on with a run."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
    task: str | None = Field(None, description="With data: whose ladder is climbed.")
    data: str | None = Field(None, description="Which data, by their id.")
    options: dict[str, Value | list[Value]] = Field(default_factory=dict, description="Options of the task, by name.")
    recipe: str | None = Field(None, description="A recipe that reads data which come with Foretell.")
    resume: str | None = Field(None, description="A run that was stopped.")


def working(jobs: Jobs, store: Store, runs_dir: Path) -> APIRouter:
    """The routes of jobs.

    Args:
        jobs: The queue.
        store: Where data are.
        runs_dir: Folder of runs.
    """
    router = APIRouter()

    @router.get("/v1/jobs", responses=refusals())
    def list_jobs() -> dict[str, Any]:
        """All jobs, the latest first."""
        return {"jobs": [_shown(job, runs_dir) for job in reversed(jobs.all())]}

    @router.get("/v1/jobs/{identifier}", responses=refusals(404, 422))
    def show_job(identifier: str) -> dict[str, Any]:
        """A job."""
        return _shown(_there(jobs, identifier), runs_dir)

    @router.post("/v1/jobs", status_code=201, responses=refusals(404, 413, 422, 429))
    def add_job(wish: Wish) -> dict[str, Any]:
        """Puts a job at the end of the queue."""
        named = [name for name in ("data", "recipe", "resume") if getattr(wish, name) is not None]
        if len(named) != 1:
            raise RefusedError(422, f"a job has data, a recipe or a run to resume; found {', '.join(named) or 'none'}")
        make = {"data": _comparison, "recipe": _recipe, "resume": _resumed}[named[0]]
        return _shown(make(wish, jobs, store, runs_dir), runs_dir)

    @router.delete("/v1/jobs/{identifier}", responses=refusals(404, 422))
    def cancel_job(identifier: str) -> dict[str, Any]:
        """Ends a job, or takes it from the queue; what it has done so far stays and can be gone on with."""
        _there(jobs, identifier)
        return _shown(jobs.cancel(identifier), runs_dir)

    return router


def _there(jobs: Jobs, identifier: str) -> dict[str, Any]:
    try:
        return jobs.get(identifier)
    except InputError as error:
        raise RefusedError(404, error.message) from None


def _shown(job: dict[str, Any], runs_dir: Path) -> dict[str, Any]:
    """A job without what only the server needs, and whether its run is there to be looked at."""
    begun = (runs_dir / str(job.get("run")) / "run.json").is_file()
    return {name: value for name, value in job.items() if name not in ("arguments", "process")} | {"begun": begun}


def _comparison(wish: Wish, jobs: Jobs, store: Store, runs_dir: Path) -> Any:
    if wish.task is None or wish.data is None:
        raise RefusedError(422, "data are compared on for a task; name one")
    configuration = task_configuration(wish.task)
    _require_allowed(configuration, wish.options)
    built = configuration.build(wish.options, environment={})
    run: Any = getattr(built, "run", RunSection())
    choose_rungs(wish.task, run.rungs)
    source = store.source(wish.data)
    stem = Path(str(source)).name.split(".")[0]
    arguments = ["compare", wish.task, str(source), "--config", "{folder}/" + _CONFIG]
    arguments += ["--runs-dir", str(runs_dir), "--name", "{run}"]
    about = {"verb": "compare", "task": wish.task, "data": wish.data, "options": wish.options}
    files = {_CONFIG: _toml(configuration, wish.options)}
    return jobs.add(arguments, about, files, partial(_free_name, stem, runs_dir))


def _recipe(wish: Wish, jobs: Jobs, store: Store, runs_dir: Path) -> Any:
    known = [name for name in recipe_names() if read_recipe(name).source and not read_recipe(name).vary]
    if wish.recipe not in known:
        raise RefusedError(
            422, f'there is no recipe "{wish.recipe}" of built-in data; {nearest(str(wish.recipe), known)}'
        )
    recipe = read_recipe(wish.recipe)
    configuration = task_configuration(recipe.task)
    _require_allowed(configuration, wish.options)
    configuration.build(wish.options, recipe=recipe.sections, environment={})
    arguments = ["train", recipe.task, "--recipe", wish.recipe, "--config", "{folder}/" + _CONFIG]
    arguments += ["--runs-dir", str(runs_dir), "--name", "{run}"]
    about = {"verb": "compare", "task": recipe.task, "recipe": wish.recipe, "options": wish.options}
    files = {_CONFIG: _toml(configuration, wish.options)}
    return jobs.add(arguments, about, files, partial(_free_name, wish.recipe, runs_dir))


def _resumed(wish: Wish, jobs: Jobs, store: Store, runs_dir: Path) -> Any:
    name = str(wish.resume)
    own = next((own for own in reversed(jobs.all()) if own.get("run") == name), None)
    if own is not None and own["state"] in OVER and not (runs_dir / str(own["run"]) / "run.json").exists():
        return jobs.again(own["id"])  # it was cancelled before it began
    try:
        job = runs.job_of(runs.of_name(name, runs_dir))
    except InputError as error:
        raise RefusedError(404, error.message) from None
    if job.get("finished") or job["verb"] not in ("compare", "train"):
        raise RefusedError(422, f"{name} is done, or is nothing that goes on")
    if any(own.get("run") == name and own["state"] in ("waiting", "running") for own in jobs.all()):
        raise RefusedError(422, f"{name} is at work already")
    about = {"verb": job["verb"], "task": job["task"], "run": name, "options": {}}
    return jobs.add([job["verb"], "--resume", name, "--runs-dir", str(runs_dir)], about)


def _require_allowed(configuration: type[TaskConfiguration], options: dict[str, Any]) -> None:
    """Checks that options are such as a client may set: none that names files of this machine, or other machines.

    Raises:
        UsageError: One is none.
        ConfigurationError: One is the server's.
    """
    known = {name: field for _, name, field in configuration.options()}
    for name in options:
        if name not in known:
            raise UsageError(f'there is no option "{name[:100]}"; {nearest(name, known)}', option=name[:100])
        if name in _OF_THE_SERVER or names_files(known[name]) or names_machines(known[name]):
            raise ConfigurationError(f"{name} is the server's to say; leave it away", option=name)


def _free_name(stem: str, runs_dir: Path, jobs: list[dict[str, Any]]) -> str:
    """A name for a run that neither a run nor a job has."""
    taken = {*runs.names_in(runs_dir), *(str(job.get("run")) for job in jobs)}
    return next(name for name in runs.numbered(stem) if name not in taken and not (runs_dir / name).exists())


def _toml(configuration: type[TaskConfiguration], options: dict[str, Any]) -> bytes:
    """Options as a configuration file."""
    sections: dict[str, dict[str, Any]] = {}
    for section, name, _ in configuration.options():
        if name in options:
            sections.setdefault(section, {})[name] = options[name]
    return tomli_w.dumps(sections).encode()
