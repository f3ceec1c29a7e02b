"""``foretell score RUN NEW_ROWS``."""

from pathlib import Path

import click

from .caching import cache_as_in_training, cache_option
from .options import runs_dir_option
from .output import columns, output_options, print_json, tell


@click.command("score")
@click.argument("run", metavar="RUN")
@click.argument("rows", metavar="NEW_ROWS")
@click.option(
    "--forecasts",
    type=click.Path(path_type=Path),
    help="Forecasts to score, as 'predict -o' wrote them; those of 'predict --update' when not named, and where there "
    "are none, what the model says of each window of NEW_ROWS.",
)
@click.option("--report", type=click.Path(path_type=Path), help="HTML page to write.")
@cache_option
@runs_dir_option
@output_options
def command(
    run: str,
    rows: str,
    forecasts: Path | None,
    report: Path | None,
    runs_dir: Path,
    as_json: bool,
    quiet: bool,
    no_color: bool,
) -> None:
    """Compare earlier forecasts of RUN with what came: errors by lead, coverage, and whether anything has drifted."""
    from .. import runs
    from ..errors import UsageError
    from ..predictor import Predictor
    from ..report.page import write_page
    from ..tasks import get_task
    from ..tasks.interface import Follows

    folder = runs.model_folder(run, runs_dir)
    cache_as_in_training(folder)
    predictor = Predictor(folder)
    task = get_task(predictor.task)
    if not isinstance(task, Follows):
        raise UsageError(f"a model of {predictor.task} made no forecasts that could be scored")
    scored = task.score(predictor.fitted, rows, runs.live_folder(folder), forecasts)
    if report is not None:
        write_page(report, f"{run}: earlier forecasts", scored.document["origin"], scored.panels)
    if as_json:
        print_json({"task": predictor.task, "rung": predictor.fitted.rung, "model": str(folder), **scored.document})
        return
    cells, leads = [], []
    for name, metrics in scored.document["targets"].items():
        unit = metrics["unit"] or ""
        shares = (f"{own['coverage']:.0%} of {float(level):.0%}" for level, own in metrics["intervals"].items())
        if metrics["count"]:
            mae, rmse = f"{metrics['mae']:.4g} {unit}".strip(), f"{metrics['rmse']:.4g}"
        else:
            mae, rmse = "nothing came yet", ""
        cells.append([name, mae, rmse, str(metrics["count"]), ", ".join(shares)])
        leads += [[name, lead, f"{error:.4g} {unit}".strip()] for lead, error in metrics["by_lead"].items()]
    click.echo(columns(["target", "MAE", "RMSE", "forecasts", "covered"], cells, right=(2, 3)))
    if len(leads) > len(cells):
        step = -(-len(leads) // 24)
        click.echo("\n" + columns(["target", "rows ahead", "MAE"], leads[::step], right=(1,)))
    tell(f"scored: {scored.document['scored']} forecasts, {scored.document['origin']}", quiet=quiet)
    for warning in scored.document["warnings"]:
        tell(f"Warning: {warning}", quiet=quiet)
    if not scored.document["warnings"]:
        tell("neither inputs nor errors have drifted", quiet=quiet)
