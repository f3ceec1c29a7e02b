"""``foretell runs list | show | compare | delete``."""

from pathlib import Path
from typing import Any

import click

from ..evaluation.words import error_text
from .options import runs_dir_option
from .output import columns, output_options, print_json
from .progress import BOARD, row_cells

_LISTING = ["run", "task", "state", "kept", "test MAE", "verdict", "created"]


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

    folder = runs.find(run, runs_dir)
    home = folder if (folder / "run.json").exists() else folder.parent
    job, board = runs.job_of(home), runs.leaderboard_of(home)
    if as_json:
        print_json({"name": home.name, "folder": str(home), "job": job, "leaderboard": board})
        return
    state = "done " + job["finished"] if job.get("finished") else f"unfinished; {runs.remedy(job, run)}"
    click.echo(f"{home}: {job.get('verb')} {job.get('task')} on {job.get('data')}, {state}")
    if board is not None:
        click.echo(columns(list(BOARD), [row_cells(row) for row in board["rows"]], right=(5, 6)))
        click.echo(f"kept: {board['kept']}; skill is against {board['reference']}, the best baseline")
        click.echo(f"report: {home / 'report.html'}\nmodel:  {home / 'model'}")
    for record in runs.curve_of(folder):
        losses = record["train"]["loss"], record["validation"]["loss"]
        click.echo(f"epoch {record['epoch']}: loss {losses[0]:.4f}, validation {losses[1]:.4f}")


@command.command("compare")
@click.argument("names", metavar="RUN RUN ...", nargs=-1, required=True)
@runs_dir_option
@output_options
def compare_runs(names: tuple[str, ...], runs_dir: Path, as_json: bool, quiet: bool, no_color: bool) -> None:
    """Put the kept rungs of several runs side by side."""
    from .. import runs

    found = [runs.entry(runs.find(name, runs_dir)) for name in names]
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
    test = error_text(run["test"]) if "test" in run else ""
    return [
        run["name"],
        run.get("task") or "",
        run["state"],
        run.get("rung", ""),
        test,
        run.get("verdict", ""),
        run["created"][:16],
    ]
