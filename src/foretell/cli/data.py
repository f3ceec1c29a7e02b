"""``foretell data list | get | check | plot``."""

from pathlib import Path
from typing import Any

import click

from ..errors import UsageError, nearest
from ..files import printable
from ..tasks import NAMES, task_configuration, task_health
from ..tasks.health import Health
from .compare import stem_of
from .guessing import task_of
from .options import asked, reading_options
from .origin import named
from .output import columns, output_options, print_json, styled, tell

_READ = tuple(name for name in NAMES if task_configuration(name).reading)


@click.group("data")
def command() -> None:
    """List, fetch, check and plot data."""


@command.command("list")
@output_options
def list_sets(as_json: bool, quiet: bool, no_color: bool) -> None:
    """List the data that come with Foretell, and public ones that data get fetches."""
    from ..data.builtin import SUMMARIES
    from ..data.catalogue import REMOTE

    sets = [(name, "built in", summary) for name, summary in SUMMARIES.items()]
    sets += [(name, "data get", found.summary) for name, found in REMOTE.items()]
    if as_json:
        print_json({"sets": [dict(zip(("name", "from", "summary"), own, strict=True)) for own in sets]})
    else:
        click.echo(columns(["name", "from", "what it is"], [list(own) for own in sets]))


@command.command("get")
@click.argument("name")
@click.option(
    "--from", "source", metavar="PATH_OR_URL", help="File to take instead (of several: their folder, or its address)."
)
@click.option(
    "--to",
    type=click.Path(path_type=Path, file_okay=False),
    envvar="FORETELL_DATA_DIR",
    help="Folder to put it into (that of the platform's data when not named).",
)
@output_options
def get(name: str, source: str | None, to: Path | None, as_json: bool, quiet: bool, no_color: bool) -> None:
    """Fetch the public data that are called NAME, once; each file is checked by its hash or its content."""
    from ..data.builtin import SUMMARIES
    from ..data.catalogue import REMOTE

    if name in SUMMARIES:
        raise UsageError(f'"{name}" is built in: it need not be fetched')
    if name not in REMOTE:
        raise UsageError(f'there are no data "{name}" to fetch; {nearest(name, REMOTE)}')
    from platformdirs import user_data_path

    from ..data.fetching import fetch

    folder = to or user_data_path("foretell", appauthor=False)
    paths = fetch(name, REMOTE[name], folder, source)
    use = REMOTE[name].use.format(file=paths[0], folder=folder / name)
    if as_json:
        print_json({"name": name, "folder": str(folder / name), "files": list(map(str, paths)), "use": use})
    else:
        for path in paths:
            click.echo(path)
        tell(f"next: {use}", quiet=quiet)


@command.command("check")
@click.argument("data", metavar="DATA...", nargs=-1, required=True)
@click.option("--task", "name", type=click.Choice(_READ), help="What DATA are for (by their look when not named).")
@reading_options(*_READ)
@output_options
def check(data: tuple[str, ...], name: str | None, as_json: bool, quiet: bool, no_color: bool, **given: Any) -> None:
    """Print the health of DATA; exit 3 where training on them would fail.

    A table of numbers is looked at as one to forecast, with --target its windows too. A folder of folders, JSON lines,
    or a table with --text or --label is looked at as labelled texts; several files, a folder of files, or a file that
    is no table, such as .txt, as a corpus.
    """
    source = named(data)
    task = name or task_of(source, given)
    configuration = task_configuration(task)
    if isinstance(source, tuple) and not configuration.reads_many:
        raise UsageError(f"{task} reads one file; found {len(source)}")
    read = {option for section, option, _ in configuration.options() if section in configuration.reading}
    for option, value in given.items():
        if value not in (None, ()) and option not in {*read, "set", "config"}:
            flag = f"--{option.replace('_', '-')}"
            raise UsageError(
                f"{flag} means nothing to data that are looked at for {task}; name another --task, or none"
            )
    found = asked(configuration, given)
    health = task_health(task)(source, found.build())
    if as_json:
        print_json({"task": task, **health.document})
    else:
        _print_health(health)
    if not health.document["healthy"]:
        raise click.exceptions.Exit(3)


@command.command("plot")
@click.argument("file")
@click.option("--column", required=True, help="Column to draw.")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="PNG to write (named after FILE and column when not given)."
)
@click.option(
    "--days",
    type=click.FloatRange(0, min_open=True),
    default=10.0,
    show_default=True,
    help="Length of the second picture.",
)
@reading_options("forecast")
@output_options
def plot(
    file: str, column: str, output: Path | None, days: float, as_json: bool, quiet: bool, no_color: bool, **given: Any
) -> None:
    """Draw COLUMN of FILE: the whole range, and its first days."""
    from ..data.overview import plot_column

    tidy = "".join(letter if letter.isalnum() else "-" for letter in column).strip("-")
    path = output or Path(f"{stem_of(file)}-{tidy}.png")
    if path.suffix.lower() != ".png":
        raise UsageError(f'--output of data plot ends in .png; found "{path.name}"')
    asked_for = asked(task_configuration("forecast"), given).build()
    section = asked_for.data.model_copy(update={"target": (), "features": (column,)})
    left_out = plot_column(file, section, column, path, days)
    if left_out:
        tell(f"drawn are the first series; {left_out} more are left out", quiet=quiet or as_json)
    if as_json:
        print_json({"picture": str(path)})
    else:
        click.echo(path)


def _print_health(health: Health) -> None:
    if health.lead:
        click.echo(printable(health.lead))
    for parts in health.parts:
        click.echo(columns(parts.header, parts.rows, parts.right))
    colours = {"note": "blue", "warning": "yellow", "error": "red"}
    for finding in health.document["findings"]:
        click.echo(f"{styled(finding['severity'], colours[finding['severity']])}: {printable(finding['message'])}")
    if health.spans:
        click.echo(f"{health.counted}: {', '.join(f'{count:,} {span}' for span, count in health.spans.items())}")
    click.echo("healthy" if health.document["healthy"] else "training would fail")
