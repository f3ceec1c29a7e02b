"""``foretell train TASK DATA --rung NAME`` and ``foretell train --resume RUN``."""

from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from ..errors import InputError, UsageError
from ..evaluation.words import error_text
from .compare import absolute, stem_of
from .options import runs_dir_option
from .output import output_options, print_json, tell
from .progress import row_cells, told
from .tasks import TaskGroup


def train_rung(task_name: str, configuration: Any, given: dict[str, Any]) -> None:
    """Trains one rung into a new run folder."""
    from .. import runs
    from ..tasks import check_rung, get_task
    from ..training.loop import check_device

    rung = configuration.run.rung
    if rung is None:
        raise UsageError("train needs a rung: --rung gru; to train several, foretell compare")
    check_rung(task_name, rung)
    runs_dir, name = configuration.run.runs_dir, configuration.run.name
    runs.check_name(runs_dir, name)
    task = get_task(task_name)
    check_device(configuration.training.device)
    prepared = task.prepare(given["data"], configuration)
    job = {"verb": "train", "task": task_name, "data": absolute(given["data"]), "rung": rung}
    job["fingerprint"] = prepared.fingerprint
    folder = runs.create(runs_dir, name or runs.numbered(f"{stem_of(given['data'])}-{rung}"), job, configuration)
    _carry_out(task, prepared, rung, folder, given)


def resume(reference: str, runs_dir: Path, given: dict[str, Any]) -> None:
    """Goes on with a run that was stopped, exactly where its last checkpoint stood."""
    from .. import runs
    from ..tasks import get_task, task_configuration

    folder = runs.find(reference, runs_dir)
    job = runs.job_of(folder)
    if job.get("verb") != "train":
        raise InputError(f"{folder} is a run of {job.get('verb')}; only a train run can be resumed", run=reference)
    if job.get("finished"):
        raise InputError(f"{folder} is finished ({job['finished']}); there is nothing to resume", run=reference)
    task = get_task(job["task"])
    configuration = task_configuration(job["task"]).build(file=folder / "config.toml", environment={})
    if job["data"] == "-":
        raise InputError(
            f"{folder} read its data from standard input, which is gone; train again from a file", run=reference
        )
    tell(f"resuming {folder}", quiet=given["quiet"] or given["as_json"])
    prepared = task.prepare(job["data"], configuration)
    if prepared.fingerprint != job["fingerprint"]:
        raise InputError(
            f"{job['data']} has changed since {folder} was started, so the run cannot go on exactly; train again",
            run=reference,
            file=job["data"],
        )
    _carry_out(task, prepared, job["rung"], folder, given)


def _carry_out(task: Any, prepared: Any, rung: str, folder: Path, given: dict[str, Any]) -> None:
    from .. import ladder, runs

    tell(f"run: {folder}", quiet=given["quiet"] or given["as_json"])
    with told(prepared, given) as teller:
        document = ladder.train_one(task, prepared, rung, folder, f"{folder.name}: {rung}", teller)
    runs.finish(folder)
    if given["as_json"]:
        print_json({**document, "run": str(folder)})
        return
    row = next(row for row in document["rows"] if row["rung"] == rung)
    click.echo(f"\n{rung}: test {error_text(row['split']['test'])}" + (f"; {row['note']}" if row["note"] else ""))
    if row_cells(row)[3]:
        click.echo(f"skill against {document['reference']}: {row_cells(row)[3]}, {row['verdict']}")
    click.echo(f"report: {document['report']}\nmodel:  {document['model']}")


@click.command(
    "train",
    cls=TaskGroup,
    body=train_rung,
    without=("rungs",),
    summary="Train one rung of {task} on DATA and judge it against every baseline.",
    invoke_without_command=True,
)
@click.option("--resume", "resumed", metavar="RUN", help="Go on with a run that was stopped.")
@runs_dir_option
@output_options
@click.pass_context
def command(context: click.Context, /, resumed: str | None, runs_dir: Path, **given: Any) -> None:
    """Train one rung of a task, or go on with a run that was stopped."""
    if context.invoked_subcommand is not None:
        early = [name for name in context.params if context.get_parameter_source(name) is ParameterSource.COMMANDLINE]
        if resumed:
            raise UsageError("--resume goes without a task: foretell train --resume RUN")
        if early:
            raise UsageError(
                f"options come after the task: foretell train {context.invoked_subcommand} DATA --option ..."
            )
        return
    if not resumed:
        raise UsageError("train needs a task and data (foretell train forecast weather.csv ...), or --resume RUN")
    resume(resumed, runs_dir, given)
