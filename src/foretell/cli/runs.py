"""``foretell runs list | show | compare | delete``."""

from pathlib import Path
from typing import Any

import click

from ..evaluation.words import Measure, value_text
from ..tasks import task_measure
from .options import runs_dir_option
from .origin import from_kept, shown
from .output import columns, output_options, print_json
from .progress import board, row_cells

_LISTING = ["run", "task", "state", "kept", "test error", "verdict", "created"]


@click.group("runs")
def command() -> None:
    """List, show, compare and delete runs."""


@command.command("list")
@runs_dir_option
@output_options
def list_runs(runs_dir: Path, as_json: bool, quiet: bool, no_color: bool) -> None:
    """List every run, oldest first."""
    from .. import runs

    found = runs.listing(runs_dir)
    if as_json:
        print_json({"runs": found})
    elif not found:
        click.echo(f"no runs in {runs_dir}; make one with: foretell demo")
    else:
        click.echo(columns(_LISTING, [_listed(run) for run in found]))


@command.command("show")
@click.argument("run", metavar="RUN")
@runs_dir_option
@output_options
def show_run(run: str, runs_dir: Path, as_json: bool, quiet: bool, no_color: bool) -> None:
    """Show what a run was for, its leaderboard and its files."""
    from .. import runs
    from ..training.curves import curve_of

    folder = runs.find(run, runs_dir)
    home = runs.home_of(folder)
    job, leaderboard = runs.job_of(home), runs.leaderboard_of(home)
    if as_json:
        print_json({"name": home.name, "folder": str(home), "job": job, "leaderboard": leaderboard})
        return
    state = "done " + job["finished"] if job.get("finished") else f"unfinished; {runs.remedy(job, run)}"
    data = f" on {shown(from_kept(job['data']))}" if job["data"] else ""
    varied = f" over {job['vary']['option']}" if job["verb"] == runs.STUDY else ""
    click.echo(f"{home}: {job['verb']} {job['task']}{data}{varied}, {state}")
    if leaderboard is not None:
        _show(leaderboard, task_measure(job["task"]), home)
    for record in curve_of(folder):
        losses = record["train"]["loss"], record["validation"]["loss"]
        click.echo(f"epoch {record['epoch']}: loss {losses[0]:.4f}, validation {losses[1]:.4f}")


def _show(leaderboard: dict[str, Any], measure: Measure, home: Path) -> None:
    """A leaderboard as text; that of a study has its values in front."""
    rows = [row_cells(row, measure) for row in leaderboard["rows"]]
    if "option" not in leaderboard:
        click.echo(columns(board(measure, leaderboard["rows"][0]), rows, right=(5, 6)))
        click.echo(f"kept: {leaderboard['kept']}; skill is against {leaderboard['reference']}, the best baseline")
        click.echo(f"report: {home / 'report.html'}\nmodel:  {home / 'model'}")
        return
    values = [value_text(row["value"]) for row in leaderboard["rows"]]
    header = [leaderboard["option"].rpartition(".")[2], *board(measure, leaderboard["rows"][0])]
    click.echo(columns(header, [[value, *row] for value, row in zip(values, rows, strict=True)], right=(6, 7)))
    click.echo(f"skill is against the best baseline of each value\nreport: {home / 'report.html'}")


@command.command("compare")
@click.argument("names", metavar="RUN RUN ...", nargs=-1, required=True)
@runs_dir_option
@output_options
def compare_runs(names: tuple[str, ...], runs_dir: Path, as_json: bool, quiet: bool, no_color: bool) -> None:
    """Put the kept rungs of several runs side by side."""
    from .. import runs

    folders = [runs.find(name, runs_dir) for name in names]
    for name, folder in zip(names, folders, strict=True):
        runs.require_one(folder, name)
    found = [runs.entry(folder) for folder in folders]
    if as_json:
        print_json({"runs": found})
    else:
        click.echo(columns(_LISTING, [_listed(run) for run in found]))


@command.command("delete")
@click.argument("run", metavar="RUN")
@click.option("--yes", is_flag=True, help="Do not ask.")
@runs_dir_option
@output_options
def delete_run(run: str, yes: bool, runs_dir: Path, as_json: bool, quiet: bool, no_color: bool) -> None:
    """Delete a run folder and all in it."""
    from .. import runs

    folder = runs.find(run, runs_dir)
    if not yes:
        click.confirm(f"delete {folder} and all in it?", abort=True, err=True)
    runs.delete(folder)
    if as_json:
        print_json({"deleted": str(folder)})


def _listed(run: dict[str, Any]) -> list[str]:
    test = task_measure(run["task"]).text(run["test"]) if "test" in run else ""
    kept = f"a study of {run['option']}" if "option" in run else run.get("rung", "")
    return [run["name"], run.get("task") or "", run["state"], kept, test, run.get("verdict", ""), run["created"][:16]]
