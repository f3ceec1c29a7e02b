"""``foretell compare TASK DATA``: the ladder, a leaderboard, a report, the best model."""

from pathlib import Path
from typing import Any

import click

from ..evaluation.words import Measure
from .options import Asked
from .origin import Data, kept
from .output import columns, print_json, tell
from .progress import Teller, told
from .resuming import begun_run
from .taking_part import require_same, take_part
from .tasks import TaskGroup


def compare_asked(task_name: str, asked: Asked, given: dict[str, Any]) -> None:
    """Climbs a task's ladder as a command was asked to."""
    compare_data(task_name, asked.build(), given)


def compare_data(task_name: str, configuration: Any, given: dict[str, Any]) -> None:
    """Climbs a task's ladder on a user's data.

    Args:
        task_name: The task.
        configuration: Its options, resolved.
        given: ``data`` where the task reads some, the output options, and ``recipe`` where there is one.
    """
    from .. import runs
    from ..cluster.places import check_place
    from ..nn.devices import check_device
    from ..tasks import choose_rungs, get_task, left_out

    data = given.get("data")
    rungs = choose_rungs(task_name, configuration.run.rungs)
    configuration = take_part(configuration, given)
    for sentence in left_out(task_name, rungs):
        tell(sentence, quiet=given["quiet"] or given["as_json"])
    runs_dir, name = configuration.run.runs_dir, configuration.run.name
    runs.check_name(runs_dir, name)
    task = get_task(task_name)
    if not configuration.run.on.startswith("ray"):  # elsewhere there may be other devices
        check_device(configuration.training.device)
    check_place(configuration.run)
    prepared = task.prepare(data, configuration)
    require_same(prepared.fingerprint, configuration)
    job = job_of("compare", task_name, prepared, given) | {"rungs": rungs}
    folder = runs.create(runs_dir, name or runs.numbered(stem_of(data, given) or task_name), job, configuration)
    _carry_out(task, prepared, rungs, configuration, folder, given)


def resume(reference: str, runs_dir: Path, given: dict[str, Any]) -> None:
    """Goes on with a comparison that was stopped: rungs that were done stay, the one under way goes on."""
    begun = begun_run(reference, runs_dir, "compare", given)
    _carry_out(begun.task, begun.prepared, begun.job["rungs"], begun.configuration, begun.folder, given)


def _carry_out(
    task: Any, prepared: Any, rungs: list[str], configuration: Any, folder: Path, given: dict[str, Any]
) -> None:
    from .. import ladder, runs

    title = f"{folder.name}: {task.name}"
    remedy = f"foretell compare --resume {folder}"
    teller = Teller.of(task.measure, given, repeated=configuration.run.seeds > 1)
    with told(teller, prepared.messages, remedy):
        document = ladder.compare(task, prepared, rungs, configuration.run, folder, title, teller)
    runs.finish(folder)
    if given["as_json"]:
        print_json(document)
    else:
        _conclude(document, task.measure)


def _conclude(document: dict[str, Any], measure: Measure) -> None:
    """What the leaderboard's rows leave to say."""
    click.echo("")
    for row in document["rows"]:
        if row["note"]:
            click.echo(f"{row['rung']}: {row['note']}")
    best = next(row for row in document["rows"] if row["rung"] == document["best"])
    if parts := measure.parts(best["split"]["test"]):
        click.echo(f"\n{best['rung']} on test:\n{columns(parts.header, parts.rows[:20], parts.right)}")
    for sentence in measure.signed(best["split"]["test"]):
        click.echo(sentence)
    span = "validation of the first fold" if "folds" in document else "validation"
    click.echo(f"\nbest on {span}: {document['best']}; skill is against {document['reference']}, the best baseline")
    click.echo(f"report: {document['report']}\nmodel:  {document['model']}")


def job_of(verb: str, task: str, prepared: Any, given: dict[str, Any]) -> dict[str, Any]:
    """What a run is for, as its folder keeps it."""
    job = {"verb": verb, "task": task, "data": kept(given.get("data")), "fingerprint": prepared.fingerprint}
    return job | ({"recipe": given["recipe"]} if given.get("recipe") else {})


def stem_of(data: Data, given: dict[str, Any] | None = None) -> str:
    """The name that a run takes from its recipe, or else from its data; none where a task makes its own."""
    if given and given.get("recipe"):
        return str(given["recipe"])
    first = data[0] if isinstance(data, tuple) else data
    return "" if first is None else "stdin" if first == "-" else Path(first).name.split(".")[0]


command = TaskGroup(
    "compare",
    body=compare_asked,
    resume=resume,
    without=("rung",),
    summary="Climb the ladder of {task}{data}: baselines first, then models, one leaderboard.",
    help="Climb the ladder of a task: baselines, then models, one leaderboard, a report and the best model.",
)
