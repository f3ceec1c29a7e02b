"""``foretell data list | check | plot``."""

from pathlib import Path
from typing import Any

import click

from .options import task_options
from .output import columns, output_options, print_json, styled

_READING = {"time", "time_format", "timezone", "series", "target", "features", "missing", "duplicates", "frequency"}


@click.group("data")
def command() -> None:
    """List, check and plot data."""


def _with_reading_options(function: Any) -> Any:
    """Adds the options that say how a table is read, as they are spelled everywhere."""
    from ..tasks import task_configuration

    for option in reversed(task_options(task_configuration("forecast"))):
        if option.name in _READING:
            function = _append(function, option)
    return function


def _append(function: Any, option: click.Parameter) -> Any:
    if not hasattr(function, "__click_params__"):
        function.__click_params__ = []
    function.__click_params__.append(option)
    return function


def _section(given: dict[str, Any]) -> Any:
    from ..tasks import task_configuration

    flags = {name: value for name, value in given.items() if name in _READING and value not in (None, ())}
    return task_configuration("forecast").build(flags).data  # type: ignore[attr-defined]


@command.command("list")
@output_options
def list_sets(as_json: bool, quiet: bool, no_color: bool) -> None:
    """List the data that come with Foretell."""
    from ..data.builtin import SUMMARIES

    if as_json:
        print_json({"sets": [{"name": name, "summary": summary} for name, summary in SUMMARIES.items()]})
    else:
        click.echo(columns(["name", "what it is"], [[name, summary] for name, summary in SUMMARIES.items()]))


@command.command("check")
@click.argument("file")
@_with_reading_options
@output_options
def check(file: str, as_json: bool, quiet: bool, no_color: bool, **given: Any) -> None:
    """Print the health of FILE; exit 3 where training on it would fail."""
    from ..data.report import health_of

    document = health_of(file, _section(given))
    if as_json:
        print_json(document)
    else:
        _print_health(document)
    if not document["healthy"]:
        raise click.exceptions.Exit(3)


@command.command("plot")
@click.argument("file")
@click.option("--column", required=True, help="Column to draw.")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="PNG to write (made from FILE and column when not named)."
)
@click.option("--days", type=float, default=10.0, show_default=True, help="Length of the second picture.")
@_with_reading_options
@output_options
def plot(
    file: str, column: str, output: Path | None, days: float, as_json: bool, quiet: bool, no_color: bool, **given: Any
) -> None:
    """Draw COLUMN of FILE: the whole range, and its first days."""
    from ..data.report import plot_column

    section = _section(given).model_copy(update={"target": (column,)})
    tidy = "".join(letter if letter.isalnum() else "-" for letter in column).strip("-")
    path = output or Path(f"{Path(file).name.split('.')[0]}-{tidy}.png")
    plot_column(file, section, column, path, days)
    if as_json:
        print_json({"picture": str(path)})
    else:
        click.echo(path)


def _print_health(document: dict[str, Any]) -> None:
    if document.get("rows") is not None:
        click.echo(
            f"{document['source']}: {document['rows']} rows every {document['frequency']}, "
            f"{document['first']} to {document['last']}"
        )
        if document["series"]:
            listed = [
                [entry["name"], str(entry["rows"]), entry["first"], entry["last"]] for entry in document["series"][:20]
            ]
            click.echo(columns(["series", "rows", "first", "last"], listed, right=(1,)))
        cells = [
            [
                entry["name"],
                str(entry["missing"]),
                f"{entry['share']:.1%}",
                *(_number(entry[key]) for key in ("lowest", "mean", "highest")),
            ]
            for entry in document["columns"]
        ]
        click.echo(columns(["column", "missing", "share", "lowest", "mean", "highest"], cells, right=(1, 2, 3, 4, 5)))
    colours = {"note": "blue", "warning": "yellow", "error": "red"}
    for finding in document["findings"]:
        click.echo(f"{styled(finding['severity'], colours[finding['severity']])}: {finding['message']}")
    click.echo("healthy" if document["healthy"] else "training would fail")


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"
