"""``foretell data list | check | plot``."""

from pathlib import Path
from typing import Any

import click

from ..config import TextSection
from ..errors import UsageError
from .compare import stem_of
from .options import asked, section_options, task_options
from .output import columns, output_options, print_json, styled, tell

_READING = ("data", "windows", "spans")  # sections that say how a table is read and cut


@click.group("data")
def command() -> None:
    """List, check and plot data."""


def _with_reading_options(function: Any) -> Any:
    """Adds the options that say how a table is read and cut, as they are spelled everywhere."""
    for option in reversed(task_options(_forecasting(), without=_other_options())):
        function.__click_params__ = [*getattr(function, "__click_params__", []), option]
    return function


def _with_text_options(function: Any) -> Any:
    """Adds the options that say where texts and their labels stand, as they are spelled everywhere."""
    options = reversed(section_options(TextSection))
    function.__click_params__ = [*getattr(function, "__click_params__", []), *options]
    return function


def _forecasting() -> Any:
    from ..tasks import task_configuration

    return task_configuration("forecast")


def _other_options() -> tuple[str, ...]:
    return tuple(name for section, name, _ in _forecasting().options() if section not in _READING)


def _configuration(given: dict[str, Any]) -> Any:
    return asked(_forecasting(), given).build()


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
@_with_text_options
@output_options
def check(file: str, as_json: bool, quiet: bool, no_color: bool, **given: Any) -> None:
    """Print the health of FILE; exit 3 where training on it would fail.

    With --target the windows and spans of a forecast are checked too. A folder, JSON lines, or a table with --text or
    --label is checked as labelled texts; a file that is no table, such as .txt, as a corpus.
    """
    named = {name: given.pop(name) for name in TextSection.model_fields}
    if _is_prose(file, named):
        _check_corpus(file, named, as_json)
        return
    if _holds_texts(file, named):
        _check_texts(file, named, as_json)
        return
    from ..data.overview import health_of
    from ..data.tables import read_table

    configuration = _configuration(given)
    table = read_table(file, configuration.data, strict=False)
    document = health_of(table)
    if document["healthy"] and table.targets:
        document |= _would_train(table, configuration, document["findings"])
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
    "-o", "--output", type=click.Path(path_type=Path), help="PNG to write (named after FILE and column when not given)."
)
@click.option(
    "--days",
    type=click.FloatRange(0, min_open=True),
    default=10.0,
    show_default=True,
    help="Length of the second picture.",
)
@_with_reading_options
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
    section = _configuration(given).data.model_copy(update={"target": (), "features": (column,)})
    left_out = plot_column(file, section, column, path, days)
    if left_out:
        tell(f"drawn are the first series; {left_out} more are left out", quiet=quiet or as_json)
    if as_json:
        print_json({"picture": str(path)})
    else:
        click.echo(path)


def _holds_texts(file: str, named: dict[str, Any]) -> bool:
    """Whether a file is meant as labelled texts rather than as a table of numbers."""
    from ..data.members import is_archive, members

    lines = (".jsonl", ".ndjson", ".jsonl.gz", ".ndjson.gz")
    path = Path(file)
    if named["text"] or named["label"] or named["multi_label"] or path.is_dir() or file.lower().endswith(lines):
        return True
    if path.is_file() and file.lower().removesuffix(".gz").endswith((".csv", ".tsv", ".json")):
        from ..data.labelled import LABEL_NAMES, TEXT_NAMES
        from ..data.rows import rows_of
        from ..errors import ForetellError

        try:
            with rows_of(file) as rows:
                names = {column.lower() for column in rows.columns}
        except ForetellError:
            return False
        return bool(names & set(TEXT_NAMES)) and bool(names & set(LABEL_NAMES))
    return is_archive(path) and (path.suffix != ".zip" or next(members(path, (".txt",)), None) is not None)


def _is_prose(file: str, named: dict[str, Any]) -> bool:
    """Whether a file is meant as one text: it is called like one, and no column is named."""
    from ..data.members import is_archive
    from ..data.rows import TABLES

    path = Path(file)
    plain = path.is_file() and not file.lower().endswith((*TABLES, ".gz")) and not is_archive(path)
    return plain and bool(path.suffix) and not (named["text"] or named["label"] or named["multi_label"])


def _check_corpus(file: str, named: dict[str, Any], as_json: bool) -> None:
    from ..config import CorpusSection
    from ..data.corpus_overview import health_of_corpus

    document = health_of_corpus(Path(file), CorpusSection(encoding=named["encoding"] or "utf-8"))
    if as_json:
        print_json(document)
    else:
        if document["characters"] is not None:
            click.echo(
                f"{document['source']}: {document['characters']:,} characters, {document['different']} different ones, "
                f"{document['lines']:,} lines"
            )
        _print_findings(document)
        if document.get("spans"):
            click.echo(f"characters: {', '.join(f'{count:,} {span}' for span, count in document['spans'].items())}")
        click.echo("healthy" if document["healthy"] else "training would fail")
    if not document["healthy"]:
        raise click.exceptions.Exit(3)


def _check_texts(file: str, named: dict[str, Any], as_json: bool) -> None:
    from ..data.text_overview import health_of_texts

    given = {name: value for name, value in named.items() if value not in (None, ())}
    document = health_of_texts(file, TextSection.model_validate(given))
    if as_json:
        print_json(document)
    else:
        if document["texts"] is not None:
            lengths = document["bytes"]
            click.echo(
                f"{document['source']}: {document['texts']:,} texts, {lengths['median']:,} bytes in the middle, "
                f"{lengths['longest']:,} at most"
            )
            cells = [[own["label"], f"{own['texts']:,}", f"{own['share']:.1%}"] for own in document["labels"][:50]]
            click.echo(columns(["label", "texts", "share"], cells, right=(1, 2)))
        _print_findings(document)
        if document.get("spans"):
            click.echo(f"texts: {', '.join(f'{count:,} {span}' for span, count in document['spans'].items())}")
        click.echo("healthy" if document["healthy"] else "training would fail")
    if not document["healthy"]:
        raise click.exceptions.Exit(3)


def _print_findings(document: dict[str, Any]) -> None:
    colours = {"note": "blue", "warning": "yellow", "error": "red"}
    for finding in document["findings"]:
        click.echo(f"{styled(finding['severity'], colours[finding['severity']])}: {finding['message']}")


def _would_train(table: Any, configuration: Any, findings: list[dict[str, Any]]) -> dict[str, Any]:
    """What the windows of a forecast would be, or why there would be none."""
    from ..errors import InputError
    from ..tasks import get_task

    try:
        prepared: Any = get_task("forecast").prepare(table, configuration)
    except InputError as error:
        problem = {"kind": "windows", "severity": "error", "message": error.message}
        return {"findings": [*findings, problem], "healthy": False}
    return {"windows": prepared.counts, "dropped": prepared.dropped}


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
    _print_findings(document)
    if "windows" in document:
        click.echo(f"windows: {', '.join(f'{count} {span}' for span, count in document['windows'].items())}")
    click.echo("healthy" if document["healthy"] else "training would fail")


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"
