"""``foretell train TASK DATA --rung NAME`` and ``foretell train --resume RUN``."""

from pathlib import Path
from typing import Any

import click

from ..errors import UsageError
from .compare import job_of, stem_of
from .options import runs_dir_option
from .output import output_options, print_json, tell
from .progress import Teller, row_cells, told
from .resuming import begun_run
from .tasks import TaskGroup, options_come_after


def train_rung(task_name: str, configuration: Any, given: dict[str, Any]) -> None:
    """Trains one rung into a new run folder."""
    from .. import runs
    from ..tasks import check_rung, get_task, task_rungs
    from ..training.loop import check_device

    rung = configuration.run.rung
    if rung is None:
        raise UsageError("train needs a rung: --rung gru; to train several, foretell compare")
    check_rung(task_name, rung)
    configuration = configuration.of_rung(task_rungs(task_name)[rung].options)
    runs_dir, name = configuration.run.runs_dir, configuration.run.name
    runs.check_name(runs_dir, name)
    task = get_task(task_name)
    check_device(configuration.training.device)
    data = given.get("data")
    prepared = task.prepare(data, configuration)
    job = job_of("train", task_name, prepared, given) | {"rung": rung}
    stem = stem_of(data, given) or task_name
    folder = runs.create(runs_dir, name or runs.numbered(f"{stem}-{rung}"), job, configuration)
    _carry_out(task, prepared, rung, configuration, folder, given)


def resume(reference: str, runs_dir: Path, given: dict[str, Any]) -> None:
    """Goes on with a run that was stopped, exactly where its last checkpoint stood."""
    begun = begun_run(reference, runs_dir, "train", given)
    _carry_out(begun.task, begun.prepared, begun.job["rung"], begun.configuration, begun.folder, given)


def _carry_out(task: Any, prepared: Any, rung: str, configuration: Any, folder: Path, given: dict[str, Any]) -> None:
    from .. import ladder, runs

    tell(f"run: {folder}", quiet=given["quiet"] or given["as_json"])
    title = f"{folder.name}: {rung}"
    remedy = f"foretell train --resume {folder.name}"
    with told(Teller.of(task.measure, given), prepared.messages, remedy) as teller:
        document = ladder.train_one(task, prepared, rung, configuration.run, folder, title, teller)
    runs.finish(folder)
    if given["as_json"]:
        print_json({**document, "run": str(folder)})
        return
    row = next(row for row in document["rows"] if row["rung"] == rung)
    note = f"; {row['note']}" if row["note"] else ""
    click.echo(f"\n{rung}: test {task.measure.text(row['split']['test'])}{note}")
    skill = row_cells(row, task.measure)[3]
    if skill:
        click.echo(f"skill against {document['reference']}: {skill}, {row['verdict']}")
    click.echo(f"report: {document['report']}\nmodel:  {document['model']}")


@click.command(
    "train",
    cls=TaskGroup,
    body=train_rung,
    without=("rungs",),
    summary="Train one rung of {task}{data} and judge it against every baseline.",
    invoke_without_command=True,
)
@click.option("--resume", "resumed", metavar="RUN", help="Go on with a run that was stopped.")
@click.option("--recipe", metavar="RECIPE", help="Carry out a shipped experiment (see: foretell recipes).")
@click.option("--set", "sets", multiple=True, metavar="A.B=C", help="Change an option of the recipe.")
@click.option("--name", help="Name of the recipe's run.")
@runs_dir_option
@output_options
@click.pass_context
def command(
    context: click.Context,
    /,
    resumed: str | None,
    recipe: str | None,
    sets: tuple[str, ...],
    name: str | None,
    runs_dir: Path,
    **given: Any,
) -> None:
    """Train one rung of a task, carry out a recipe, or go on with a run that was stopped."""
    if context.invoked_subcommand is not None:
        options_come_after(context, {"resume": resumed, "recipe": recipe})
        return
    if bool(resumed) == bool(recipe):
        raise UsageError(
            "train needs a task and data (foretell train forecast weather.csv ...), --recipe RECIPE, or --resume RUN"
        )
    if recipe:
        from .recipes import carry_out

        carry_out(recipe, {"name": name, "runs_dir": runs_dir}, sets, given)
    elif sets or name:
        raise UsageError("--set and --name go with --recipe: a run is resumed as it was begun")
    else:
        resume(str(resumed), runs_dir, given)
