"""What the commands print: results on standard output, everything else on standard error."""

import json
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import click

from ..errors import ForetellError
from ..files import finite, json_text, printable

Function = TypeVar("Function", bound=Callable[..., Any])


def output_options(function: Function) -> Function:
    """Adds ``--json``, ``--quiet`` and ``--no-color``, spelled alike on every command."""
    for option in (
        click.option(
            "--no-color",
            is_flag=True,
            envvar="FORETELL_NO_COLOR",
            help="Print without colours (NO_COLOR does the same).",
        ),
        click.option("--quiet", "-q", is_flag=True, envvar="FORETELL_QUIET", help="Print no progress."),
        click.option(
            "--json",
            "as_json",
            is_flag=True,
            envvar="FORETELL_JSON",
            help="Print one JSON document on standard output.",
        ),
    ):
        function = option(function)
    return function


def print_error(error: ForetellError, as_json: bool, hint: str | None = None) -> int:
    """Prints one sentence, or the error's JSON, and returns the exit code.

    Where no JSON can be written, as the disk that it goes to is full, the sentence says so instead.
    """
    try:
        if as_json:
            click.echo(json.dumps(finite(error.document()), default=str))
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # lest it be tried once more at the end
        as_json = False
    if not as_json:
        click.echo(f"{styled('Error:', 'red', sys.stderr)} {printable(error.message)}", err=True)
        if hint:
            click.echo(f"See: {hint} --help", err=True)
    return error.exit_code


def print_json(document: object) -> None:
    """Prints the one document of ``--json``."""
    click.echo(json_text(document))


def tell(message: str, *, quiet: bool = False) -> None:
    """Says something on standard error."""
    if not quiet:
        click.echo(message, err=True)


@contextmanager
def warnings_told(*, quiet: bool = False) -> Iterator[None]:
    """After a block says on standard error what it warned of."""
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        yield
    for warning in told:
        tell(f"Warning: {printable(str(warning.message))}", quiet=quiet)


def styled(text: str, colour: str, stream: Any = None) -> str:
    """Coloured text where a person watches and colours are welcome."""
    stream = stream or sys.stdout
    return click.style(text, fg=colour) if stream.isatty() and colours_welcome() else text


def colours_welcome() -> bool:
    """Whether neither ``--no-color`` nor NO_COLOR was said."""
    return "--no-color" not in sys.argv and not any(os.environ.get(name) for name in ("NO_COLOR", "FORETELL_NO_COLOR"))


def columns(header: list[str], rows: list[list[str]], right: tuple[int, ...] = ()) -> str:
    """A table of text, each column as wide as it must be.

    Args:
        header: Names of the columns.
        rows: Cells.
        right: Columns that are flush right.

    >>> print(columns(["run", "MAE"], [["a", "2.5"], ["long", "10"]], right=(1,)))
    run    MAE
    a      2.5
    long    10
    """
    shown = [[printable(cell) for cell in row] for row in [header, *rows]]
    widths = [max(len(row[position]) for row in shown) for position in range(len(header))]
    lines = []
    for row in shown:
        cells = [
            cell.rjust(width) if position in right else cell.ljust(width)
            for position, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)
