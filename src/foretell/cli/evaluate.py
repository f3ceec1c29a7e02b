"""``foretell evaluate RUN [DATA]``."""

from pathlib import Path

import click

from ..evaluation.words import error_text
from .options import runs_dir_option
from .output import columns, output_options, print_json


@click.command("evaluate")
@click.argument("run", metavar="RUN")
@click.argument("data", metavar="[DATA]", required=False)
@runs_dir_option
@output_options
def command(run: str, data: str | None, runs_dir: Path, as_json: bool, quiet: bool, no_color: bool) -> None:
    """Judge the model of RUN on the test span of its own data, or on every window of other DATA."""
    from .. import runs
    from ..errors import InputError
    from ..predictor import Predictor
    from ..tasks import get_task

    folder = runs.model_folder(run, runs_dir)
    predictor = Predictor(folder)
    own = data is None
    if data is None:
        home = next((parent for parent in (folder, *folder.parents[:3]) if (parent / "run.json").exists()), None)
        if home is None:
            raise InputError(f"{folder} is a model folder without its run; name the DATA to judge it on", run=run)
        data = str(runs.job_of(home)["data"])
        if data == "-":
            raise InputError(f"{home} read its data from standard input, which is gone; name the DATA to judge it on")
    task = get_task(predictor.task)
    document = task.judge(predictor.fitted, data)
    if own and document["span"] != "test":
        raise InputError(
            f"{data} has changed since the training, so its test span is gone; name DATA to judge all windows",
            run=run,
            file=data,
        )
    document = {"task": predictor.task, "rung": predictor.fitted.rung, "model": str(folder), "data": data, **document}
    if as_json:
        print_json(document)
        return
    metrics = document["metrics"]
    where = "its test span" if document["span"] == "test" else "all windows"
    click.echo(
        f"{predictor.fitted.rung} on {where} of {data}: mean absolute error {error_text(metrics)}, "
        f"{metrics['count']} windows"
    )
    for name, entry in (metrics.get("targets") or {}).items():
        click.echo(f"  {name}: {error_text(entry)}")
    if rows := metrics.get("series"):
        cells = [
            [row["series"], row["target"], error_text(row), f"{row['rmse']:.4g}", f"{row['count']}"] for row in rows
        ]
        click.echo(columns(["series", "target", "MAE", "RMSE", "windows"], cells, right=(3, 4)))
