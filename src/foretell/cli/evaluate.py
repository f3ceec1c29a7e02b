"""``foretell evaluate RUN [DATA]``."""

import warnings
from pathlib import Path

import click

from .options import runs_dir_option
from .origin import data_of, kept, named, shown
from .output import columns, output_options, print_json, tell


@click.command("evaluate")
@click.argument("run", metavar="RUN")
@click.argument("data", metavar="[DATA]...", nargs=-1)
@runs_dir_option
@output_options
def command(run: str, data: tuple[str, ...], runs_dir: Path, as_json: bool, quiet: bool, no_color: bool) -> None:
    """Judge the model of RUN on the test span of its own data, or on every window of other DATA."""
    from .. import runs
    from ..errors import InputError, UsageError
    from ..predictor import Predictor
    from ..tasks import get_task, task_configuration

    folder = runs.model_folder(run, runs_dir)
    predictor = Predictor(folder)
    own = not data
    if len(data) > 1 and not task_configuration(predictor.task).reads_many:
        raise UsageError(f"a model of {predictor.task} is judged on one file; found {len(data)}")
    source = data_of(predictor.task, folder, run, "evaluate") if own else named(data)
    task = get_task(predictor.task)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        document = task.judge(predictor.fitted, source)
    for warning in told:
        tell(f"Warning: {warning.message}", quiet=quiet)
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
