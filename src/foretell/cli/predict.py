"""``foretell predict RUN INPUT [-o OUT]``."""

import io
import sys
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from .caching import cache_as_in_training, cache_option
from .options import only_of, predicting_options, runs_dir_option
from .output import output_options, print_json, tell

if TYPE_CHECKING:
    import polars as pl

    from ..predictor import Predictor

_SUFFIXES = (".csv", ".parquet", ".json")


@click.command("predict")
@click.argument("run", metavar="RUN")
@click.argument("source", metavar="INPUT")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="File to write: .csv, .parquet or .json.")
@predicting_options
@click.option(
    "--update",
    is_flag=True,
    help="INPUT holds what is new: append it to the last window, kept beside the model, and forecast again.",
)
@click.option("--explain", is_flag=True, help="Say which words moved each answer, and what was attended to.")
@click.option("--page", type=click.Path(path_type=Path), help="With --explain: an HTML page to look at.")
@cache_option
@runs_dir_option
@output_options
def command(
    run: str,
    source: str,
    output: Path | None,
    update: bool,
    explain: bool,
    page: Path | None,
    runs_dir: Path,
    as_json: bool,
    quiet: bool,
    no_color: bool,
    **options: Any,
) -> None:
    """Forecast from the last rows of INPUT, or label its texts, with the model of RUN; - stands for standard input."""
    from .. import runs
    from ..errors import UsageError
    from ..predictor import Predictor
    from ..tasks import task_predicting

    if output is not None and output.suffix not in _SUFFIXES:
        raise UsageError(f'--output ends in {", ".join(_SUFFIXES)}; found "{output.name}"')
    if page is not None and not explain:
        raise UsageError("--page goes with --explain: it shows what moved each answer")
    if page is not None and page.suffix.lower() != ".html":
        raise UsageError(f'--page ends in .html; found "{page.name}"')
    folder = runs.model_folder(run, runs_dir)
    cache_as_in_training(folder)
    predictor = Predictor(folder)
    named = only_of(predictor.task, options)
    if update and named.get("anchors") == "all":
        raise UsageError("--update forecasts from the latest rows; leave --anchors all away")
    answers = task_predicting(predictor.task).answers
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        if update:
            frame = _updated(predictor, source, run, quiet or as_json)
        elif explain:
            frame = _explained(predictor, source, named, page, quiet or as_json)
        elif source == "-" and (lines := _line_by_line(predictor, named)) is not None:
            if output is None and not as_json:
                for number, answered in enumerate(lines):
                    sys.stdout.write(_flat(answered).write_csv(include_header=number == 0))
                    sys.stdout.flush()
                    _warn(told, quiet)
                    told.clear()
                return
            frame = _whole(lines)
        else:
            frame = predictor.predict(source, **named)
    _warn(told, quiet)
    if output is not None:
        _write(frame, output)
        tell(f"{frame.height} {answers} in {output}", quiet=quiet or as_json)
    if as_json:
        print_json({"task": predictor.task, "rung": predictor.fitted.rung, answers: _plain(frame).to_dicts()})
    elif output is None:
        sys.stdout.write(_flat(frame).write_csv())


def _updated(predictor: "Predictor", source: str, run: str, quiet: bool) -> "pl.DataFrame":
    """Forecasts from the last window and new rows; both are kept beside the model."""
    from .. import runs
    from ..errors import InputError, UsageError
    from ..tasks import get_task
    from ..tasks.interface import Follows
    from .origin import data_of

    task, live = get_task(predictor.task), runs.live_folder(predictor.folder)
    if not isinstance(task, Follows):
        raise UsageError(f"a model of {predictor.task} follows nothing, so that --update means nothing to it")
    follower = task.follow(predictor.fitted, live)
    if follower.table is None:
        try:
            follower.begin(data_of(predictor.task, predictor.folder, run, "predict"))
        except InputError:
            tell(
                "nothing is kept yet, and the data of the training are gone: INPUT must hold a whole window",
                quiet=quiet,
            )
    follower.warm()
    began = time.perf_counter()
    frame: pl.DataFrame = follower.update(source)
    took = 1000 * (time.perf_counter() - began)
    follower.save(live)
    tell(f"forecast again in {took:.0f} ms; the last rows and the forecasts are kept in {live}", quiet=quiet)
    return frame


def _explained(
    predictor: "Predictor", source: str, named: dict[str, Any], page: Path | None, quiet: bool
) -> "pl.DataFrame":
    """Answers with what moved them, and a page of the same where one is wanted."""
    from ..errors import UsageError
    from ..report.page import write_page
    from ..tasks.interface import Explains

    fitted = predictor.fitted
    if not isinstance(fitted, Explains):
        raise UsageError(f"a model of {predictor.task} says nothing on what moved its answers; leave --explain away")
    lines = _lines(predictor, named) if source == "-" else None
    read = source if lines is None else [line for batch in lines for line in batch]
    frame, panels = fitted.explain(read, **named)
    if page is not None:
        lead = f"What {fitted.rung} says, and what moved it."
        write_page(page, f"{predictor.folder}: {predictor.task}", lead, panels)
        tell(f"page: {page}", quiet=quiet)
    return frame


def _line_by_line(predictor: "Predictor", named: dict[str, Any]) -> "Iterator[pl.DataFrame] | None":
    """The answers to lines of standard input as they come; None where it is read as a whole."""
    from ..tasks.interface import ReadsLines

    fitted, lines = predictor.fitted, _lines(predictor, named)
    if lines is None or not isinstance(fitted, ReadsLines):
        return None
    options = {name: value for name, value in named.items() if name not in ("text", "encoding")}
    return (fitted.answer(some, **options) for some in lines)


def _lines(predictor: "Predictor", named: dict[str, Any]) -> Iterator[list[str]] | None:
    """Lines of standard input as they come; None where a task reads a table, or a column of one is named."""
    from ..tasks.interface import ReadsLines
    from .lines import batches

    fitted = predictor.fitted
    if not isinstance(fitted, ReadsLines) or "text" in named:
        return None
    return batches(cast(io.BufferedIOBase, sys.stdin.buffer), named.get("encoding") or fitted.encoding)


def _whole(frames: "Iterator[pl.DataFrame]") -> "pl.DataFrame":
    import polars as pl

    return pl.concat(list(frames))


def _warn(told: list[warnings.WarningMessage], quiet: bool) -> None:
    for message in dict.fromkeys(str(warning.message) for warning in told):
        tell(f"Warning: {message}", quiet=quiet)


def _plain(frame: "pl.DataFrame") -> "pl.DataFrame":
    """Times as ISO text, with the offset where a zone is known."""
    import polars as pl

    shown = []
    for name, kind in frame.schema.items():
        if isinstance(kind, pl.Datetime):
            pattern = "%Y-%m-%dT%H:%M:%S%.f%:z" if kind.time_zone else "%Y-%m-%d %H:%M:%S%.f"
            shown.append(pl.col(name).dt.strftime(pattern))
    return frame.with_columns(shown)


def _flat(frame: "pl.DataFrame") -> "pl.DataFrame":
    """The same for a file of rows and columns: what is nested becomes JSON text."""
    import json

    import polars as pl

    frame = _plain(frame)
    nested = [name for name, kind in frame.schema.items() if kind.is_nested()]
    texts = {name: [json.dumps(value, ensure_ascii=False) for value in frame[name].to_list()] for name in nested}
    return frame.with_columns(pl.Series(name, values, pl.String) for name, values in texts.items())


def _write(frame: "pl.DataFrame", path: Path) -> None:
    from ..files import write_atomically

    stream = io.BytesIO()
    if path.suffix == ".parquet":
        frame.write_parquet(stream)
    elif path.suffix == ".json":
        _plain(frame).write_json(stream)
    else:
        _flat(frame).write_csv(stream)
    write_atomically(path, stream.getvalue())
