"""``foretell evaluate RUN [DATA]``."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from ..errors import UsageError
from .caching import cache_as_in_training, cache_option
from .options import runs_dir_option
from .origin import data_of, kept, named, shown
from .output import columns, output_options, print_json, warnings_told


@click.command("evaluate")
@click.argument("run", metavar="RUN")
@click.argument("data", metavar="[DATA]...", nargs=-1)
@click.option("--text", help="Column of DATA with the texts (called as in the training when not named).")
@click.option(
    "--label", multiple=True, help="Column of DATA with the labels (called as in the training when not named)."
)
@click.option("--source", help="Column of DATA with the sources (called as in the training when not named).")
@click.option("--target", help="Column of DATA with the targets (called as in the training when not named).")
@click.option("--encoding", help="How DATA are encoded (as those of the training when not named).")
@cache_option
@runs_dir_option
@output_options
def command(
    run: str, data: tuple[str, ...], runs_dir: Path, as_json: bool, quiet: bool, no_color: bool, **reading: Any
) -> None:
    """Judge the model of RUN on the test span of its own data, or on every window of other DATA."""
    from .. import runs
    from ..errors import InputError
    from ..predictor import Predictor
    from ..tasks import get_task, task_configuration

    folder = runs.model_folder(run, runs_dir)
    predictor = Predictor(folder)
    own, otherwise = not data, {name: value for name, value in reading.items() if value}
    if own and otherwise:
        raise UsageError(f"--{next(iter(otherwise))} says how other DATA are read; name them")
    if len(data) > 1 and not task_configuration(predictor.task).reads_many:
        raise UsageError(f"a model of {predictor.task} is judged on one file; found {len(data)}")
    source = data_of(predictor.task, folder, run, "evaluate") if own else named(data)
    cache_as_in_training(folder)
    task = get_task(predictor.task)
    with warnings_told(quiet=quiet):
        document = task.judge(_reading(predictor.task, predictor.fitted, otherwise), source)
    if own and document["span"] != "test":
        raise InputError(
            f"{shown(source)} has changed since the training, so its test span is gone; name DATA to judge all of it",
            run=run,
            file=shown(source),
        )
    about = {"task": predictor.task, "rung": predictor.fitted.rung, "model": str(folder)}
    document = {**about, "data": source if isinstance(source, str) else kept(source), **document}
    if as_json:
        print_json(document)
        return
    metrics, measure = document["metrics"], task.measure
    where = "its test span" if document["span"] == "test" else f"all {measure.counted}"
    of = f" of {shown(source)}" if source else ""
    click.echo(
        f"{predictor.fitted.rung} on {where}{of}: {measure.name} {measure.text(metrics)}, "
        f"{metrics['count']} {measure.counted}"
    )
    if parts := measure.parts(metrics):
        click.echo(columns(parts.header, parts.rows, parts.right))
    for sentence in measure.signed(metrics):
        click.echo(sentence)


def _reading(task: str, fitted: Any, otherwise: Mapping[str, Any]) -> Any:
    """A model that reads data otherwise than those of its training.

    Raises:
        UsageError: Its task has no such option.
    """
    from ..tasks import task_configuration

    if not otherwise:
        return fitted
    kind = task_configuration(task)
    places = {name: section for section, name, _ in kind.options() if section in kind.reading}
    for name in otherwise:
        if name not in places:
            raise UsageError(f"--{name} means nothing to a model of {task}")
    changes = {f"{places[name]}.{name}": value for name, value in otherwise.items()}
    return replace(fitted, configuration=fitted.configuration.changed(changes))
