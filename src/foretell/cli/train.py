"""``foretell train TASK DATA --rung NAME`` and ``foretell train --resume RUN``."""

from pathlib import Path
from typing import Any

import click

from ..errors import UsageError
from ..evaluation.words import Measure
from .compare import job_of, stem_of
from .options import Asked
from .output import print_json, tell
from .progress import Teller, row_cells, told
from .resuming import begun_run
from .taking_part import require_same, take_part
from .tasks import TaskGroup


def train_asked(task_name: str, asked: Asked, given: dict[str, Any]) -> None:
    """Carries out a recipe, goes on from a model, or trains a rung anew, as a command was asked to."""
    recipe, model, rescale = (given.pop(name) for name in ("recipe", "model", "rescale"))
    if recipe:
        if model:
            raise UsageError("--recipe and --from exclude each other: a recipe begins anew")
        from .recipes import carry_out

        carry_out(recipe, asked, given)
        return
    if asked.configuration.reads_data and given.get("data") is None:
        raise UsageError("Missing argument 'DATA': the file to learn from, or --recipe RECIPE")
    if rescale and not model:
        raise UsageError("--rescale goes with --from: a model that is trained anew learns its scaling anew")
    if not model:
        train_rung(task_name, asked.build(), given)
        return
    from .starting import start_from

    start, configuration = start_from(task_name, model, rescale, asked)
    train_rung(task_name, configuration, given, start)


def train_rung(task_name: str, configuration: Any, given: dict[str, Any], start: Any = None) -> None:
    """Trains one rung into a new run folder.

    Args:
        task_name: Whose rung.
        configuration: All options.
        given: ``data`` where the task reads some, the output options, and ``recipe`` where there is one.
        start: A model to go on from.
    """
    from .. import runs
    from ..nn.devices import check_device
    from ..tasks import get_task, left_out, require_alone, task_rungs

    rung = require_alone(task_name, configuration.run.rung)
    configuration = take_part(configuration, given)
    configuration = configuration.of_rung(task_rungs(task_name)[rung].options)
    for sentence in left_out(task_name, []):
        tell(sentence, quiet=given["quiet"] or given["as_json"])
    if configuration.run.on != "here":
        tell("one rung is trained here, whatever --on says", quiet=given["quiet"] or given["as_json"])
    runs_dir, name = configuration.run.runs_dir, configuration.run.name
    runs.check_name(runs_dir, name)
    task = get_task(task_name)
    check_device(configuration.training.device)
    data = given.get("data")
    prepared = task.prepare(data, configuration, start)
    require_same(prepared.fingerprint, configuration)
    job = job_of("train", task_name, prepared, given) | {"rung": rung}
    if start is not None:
        job |= {"from": str(Path(start.name).resolve()), "rescale": start.rescale}
    stem = stem_of(data, given) or task_name
    folder = runs.create(runs_dir, name or runs.numbered(f"{stem}-{rung}"), job, configuration)
    _carry_out(task, prepared, rung, configuration, folder, given, start)


def resume(reference: str, runs_dir: Path, given: dict[str, Any]) -> None:
    """Goes on with a run that was stopped, exactly where its last checkpoint stood."""
    begun = begun_run(reference, runs_dir, "train", given)
    _carry_out(begun.task, begun.prepared, begun.job["rung"], begun.configuration, begun.folder, given, begun.start)


def _carry_out(
    task: Any, prepared: Any, rung: str, configuration: Any, folder: Path, given: dict[str, Any], start: Any
) -> None:
    from .. import ladder, runs

    tell(f"run: {folder}", quiet=given["quiet"] or given["as_json"])
    title = f"{folder.name}: {rung}"
    remedy = f"foretell train --resume {folder}"
    teller = Teller.of(task.measure, given, repeated=configuration.run.seeds > 1)
    with told(teller, prepared.messages, remedy):
        document = ladder.train_one(task, prepared, rung, configuration.run, folder, title, teller, start)
    runs.finish(folder)
    if given["as_json"]:
        print_json({**document, "run": str(folder)})
        return
    show_rung(document, rung, task.measure)


def show_rung(document: dict[str, Any], rung: str, measure: Measure) -> None:
    """What became of a rung that was trained, and where its model is.

    Args:
        document: The leaderboard.
        rung: Its name.
        measure: What the task's models are judged by.
    """
    row = next(row for row in document["rows"] if row["rung"] == rung)
    note = f"; {row['note']}" if row["note"] else ""
    click.echo(f"\n{rung}: test {measure.text(row['split']['test'])}{note}")
    if skill := row_cells(row, measure)[3]:
        click.echo(f"skill against {document['reference']}: {skill}, {row['verdict']}")
    for sentence in measure.signed(row["split"]["test"]):
        click.echo(sentence)
    click.echo(f"report: {document['report']}\nmodel:  {document['model']}")


command = TaskGroup(
    "train",
    body=train_asked,
    resume=resume,
    without=("rungs", "on", "training_cpus", "training_gpus"),
    further=(
        click.Option(["--recipe"], metavar="RECIPE", help="Carry out a shipped experiment (see: foretell recipes)."),
        click.Option(
            ["--from", "model"], metavar="RUN", help="Go on from a model with newer rows; its options are the model's."
        ),
        click.Option(["--rescale"], is_flag=True, help="With --from: learn the scaling anew instead of keeping it."),
    ),
    recipes=True,
    summary="Train one rung of {task}{data} and judge it against every baseline.",
    help="Train one rung of a task, carry out a recipe, or go on with a run that was stopped.",
)
