"""``foretell inspect RUN [DATA]``."""

from pathlib import Path

import click

from ..errors import InputError, UsageError
from ..evaluation.panels import Figure, Grid, Number
from .caching import cache_as_in_training, cache_option
from .options import runs_dir_option
from .origin import data_of, kept, shown
from .output import columns, output_options, print_json


@click.command("inspect")
@click.argument("run", metavar="RUN")
@click.argument("data", metavar="[DATA]", required=False)
@click.option(
    "--windows",
    type=click.IntRange(1),
    default=256,
    show_default=True,
    help="Most windows (or texts) to read, spread evenly.",
)
@click.option(
    "--neighbours",
    multiple=True,
    metavar="WORD",
    help="In place of all that: the words whose learned vectors lie nearest to WORD, in every model that has vectors.",
)
@click.option(
    "--count", type=click.IntRange(1, 1000), default=10, show_default=True, help="With --neighbours: how many."
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="Page (.html) or picture (.png) to write; else inspect.html in the run's folder, or here for a model.",
)
@cache_option
@runs_dir_option
@output_options
def command(
    run: str,
    data: str | None,
    windows: int,
    neighbours: tuple[str, ...],
    count: int,
    output: Path | None,
    runs_dir: Path,
    as_json: bool,
    quiet: bool,
    no_color: bool,
) -> None:
    """Look inside RUN: gradients through time, recurrent matrices, parameters.

    Every recurrent model of RUN reads windows of the validation span of its own data, or of other DATA.
    """
    if output is not None and output.suffix.lower() not in (".html", ".png"):
        raise UsageError(f'--output of inspect ends in .html or .png; found "{output.name}"')

    from .. import inspection, runs
    from ..artefact import DOCUMENT
    from ..tasks import get_task

    folder = runs.find(run, runs_dir)
    models = inspection.models_of(folder, run)
    if neighbours:
        _neighbours(inspection.neighbours(models, neighbours, count, folder), folder, as_json)
        return
    task = get_task(models[0][1].task)
    source = data_of(task.name, folder, run, "inspect") if data is None else data
    cache_as_in_training(folder)
    found = inspection.inspect(models, source, windows, folder)
    if data is None and found[0].span != "validation":
        raise InputError(
            f"{shown(source)} has changed since the training, so its validation span is gone; name DATA to read all of "
            "it",
            run=run,
            file=shown(source),
        )
    beside = (folder / DOCUMENT).exists()  # a model folder is served as it is; the page does not go into it
    path = output or (Path(f"{folder.resolve().name}-inspect.html") if beside else folder / "inspect.html")
    panels = inspection.panels(found)
    where = "the validation span" if found[0].span == "validation" else f"all {task.measure.counted}"
    read = f"{found[0].windows} {task.measure.counted}, evenly spread over {where} of {source or 'its own data'}"
    if path.suffix.lower() == ".png":
        from ..report.pictures import save_picture

        save_picture(path, [item for panel in panels for item in panel.items if isinstance(item, Figure)])
    else:
        from ..report.page import write_page

        write_page(path, f"Inside {run}", f"{inspection.lead(found)} Read: {read}.", panels)
    if as_json:
        print_json(inspection.document(found, folder, kept(source)) | {"output": str(path)})
        return
    for panel in panels:
        for item in panel.items:
            if isinstance(item, Grid):
                click.echo(_table(item) + "\n")
    click.echo(read)
    click.echo(f"{'picture' if path.suffix.lower() == '.png' else 'page'}: {path}")


def _neighbours(grids: list[Grid], folder: Path, as_json: bool) -> None:
    if as_json:
        by_word = {grid.title: [dict(zip(grid.header, row, strict=True)) for row in grid.rows] for grid in grids}
        print_json({"run": str(folder), "neighbours": by_word})
        return
    for number, grid in enumerate(grids):
        click.echo(("\n" if number else "") + f"nearest to {grid.title}:\n{_table(grid)}")


def _table(grid: Grid) -> str:
    """A grid as text."""
    right = tuple(
        place for place in range(len(grid.header)) if all(not isinstance(row[place], str) for row in grid.rows)
    )
    return columns(grid.header, [[_text(cell) for cell in row] for row in grid.rows], right)


def _text(cell: str | Number) -> str:
    if isinstance(cell, str):
        return cell
    if cell is None:
        return "-"
    return f"{cell:,}" if isinstance(cell, int) else f"{cell:.4g}"
