"""``foretell runs list | show | compare | delete``."""

from pathlib import Path
from typing import Any

import click

from .options import runs_dir_option
from .output import columns, output_options, print_json
from .progress import error_text, row_cells

_BOARD = ["rung", "validation MAE", "test MAE", "skill (95 % interval)", "verdict", "seconds", "parameters"]


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
        click.echo(
            columns(["run", "task", "state", "kept", "test MAE", "verdict", "created"], [_listed(run) for run in found])
        )


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
    state = (
        "done " + job["finished"] if job.get("finished") else f"unfinished; go on with: foretell train --resume {run}"
    )
    click.echo(f"{home}: {job.get('verb')} {job.get('task')} on {job.get('data')}, {state}")
    if board is not None:
        click.echo(columns(_BOARD, [row_cells(row) for row in board["rows"]], right=(5, 6)))
        click.echo(
            f"kept: {board['kept']}; skill is against {board['reference']}\nreport: "
            f"{board['report']}\nmodel:  {board['model']}"
        )
    for line in _curve(home):
        click.echo(line)


@command.command("compare")
@click.argument("names", metavar="RUN RUN ...", nargs=-1, required=True)
@runs_dir_option
@output_options
def compare_runs(names: tuple[str, ...], runs_dir: Path, as_json: bool, quiet: bool, no_color: bool) -> None:
    """Put the kept rungs of several runs side by side."""
    from .. import runs

    wanted = {runs.find(name, runs_dir).name for name in names}
    found = [run for run in runs.listing(runs_dir) if run["name"] in wanted]
    if as_json:
        print_json({"runs": found})
    else:
        click.echo(
            columns(["run", "task", "state", "kept", "test MAE", "verdict", "created"], [_listed(run) for run in found])
        )


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


def _curve(folder: Path) -> list[str]:
    """The learning curve that a run's own folder holds, a line an epoch."""
    import json

    path = folder / "metrics.jsonl"
    if not path.exists():
        return []
    records = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    return [
        f"epoch {record['epoch']}: loss {record['train']['loss']:.4f}, validation {record['validation']['loss']:.4f}"
        for record in records
    ]
