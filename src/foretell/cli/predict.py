"""``foretell predict RUN INPUT [-o OUT]``."""

import sys
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .options import runs_dir_option
from .output import output_options, print_json, tell

if TYPE_CHECKING:
    import polars as pl

    from ..predictor import Predictor

_SUFFIXES = (".csv", ".parquet", ".json")


@click.command("predict")
@click.argument("run", metavar="RUN")
@click.argument("source", metavar="INPUT")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="File to write: .csv, .parquet or .json.")
@click.option(
    "--anchors",
    type=click.Choice(["latest", "all"]),
    help="'latest': each future row within reach, once, as forecasts are unless told otherwise; "
    "'all': from every window of INPUT.",
)
@click.option(
    "--update",
    is_flag=True,
    help="INPUT holds what is new: append it to the last window, kept beside the model, and forecast again.",
)
@runs_dir_option
@output_options
def command(
    run: str,
    source: str,
    output: Path | None,
    anchors: str | None,
    update: bool,
    runs_dir: Path,
    as_json: bool,
    quiet: bool,
    no_color: bool,
) -> None:
    """Forecast from the last rows of INPUT (a file, or - for standard input) with the model of RUN."""
    from .. import runs
    from ..errors import UsageError
    from ..predictor import Predictor

    if output is not None and output.suffix not in _SUFFIXES:
        raise UsageError(f'--output ends in {", ".join(_SUFFIXES)}; found "{output.name}"')
    if update and anchors == "all":
        raise UsageError("--update forecasts from the latest rows; leave --anchors all away")
    predictor = Predictor(runs.model_folder(run, runs_dir))
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        if update:
            frame = _updated(predictor, source, run, quiet or as_json)
        else:
            frame = predictor.predict(source, **({} if anchors is None else {"which": anchors}))
    for warning in told:
        tell(f"Warning: {warning.message}", quiet=quiet)
    if output is not None:
        _write(frame, output)
        tell(f"{frame.height} forecasts in {output}", quiet=quiet or as_json)
    if as_json:
        print_json({"task": predictor.task, "rung": predictor.fitted.rung, "forecasts": _plain(frame).to_dicts()})
    elif output is None:
        sys.stdout.write(_plain(frame).write_csv())


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


def _plain(frame: "pl.DataFrame") -> "pl.DataFrame":
    """Times as ISO text, with the offset where a zone is known."""
    import polars as pl

    shown = []
    for name, kind in frame.schema.items():
        if isinstance(kind, pl.Datetime):
            pattern = "%Y-%m-%dT%H:%M:%S%.f%:z" if kind.time_zone else "%Y-%m-%d %H:%M:%S%.f"
            shown.append(pl.col(name).dt.strftime(pattern))
    return frame.with_columns(shown)


def _write(frame: "pl.DataFrame", path: Path) -> None:
    import io

    from ..files import write_atomically

    stream = io.BytesIO()
    if path.suffix == ".parquet":
        frame.write_parquet(stream)
    elif path.suffix == ".json":
        _plain(frame).write_json(stream)
    else:
        _plain(frame).write_csv(stream)
    write_atomically(path, stream.getvalue())
