"""``foretell export RUN --to onnx|ctranslate2``."""

from pathlib import Path

import click

from .caching import cache_as_in_training, cache_option
from .options import runs_dir_option
from .origin import data_of, named
from .output import output_options, print_json, tell, warnings_told

FORMS = ("onnx", "ctranslate2")


@click.command("export")
@click.argument("run", metavar="RUN")
@click.option("--to", "form", type=click.Choice(FORMS), required=True, help="The format of the other program.")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="Folder to write (beside the model when not named)."
)
@click.option(
    "--data", multiple=True, metavar="FILE", help="What both answer (the data of the run, its test span, if not named)."
)
@cache_option
@runs_dir_option
@output_options
def command(
    run: str,
    form: str,
    output: Path | None,
    data: tuple[str, ...],
    runs_dir: Path,
    as_json: bool,
    quiet: bool,
    no_color: bool,
) -> None:
    """Write the model of RUN for another program, and compare what both say."""
    from .. import runs
    from ..errors import InputError
    from ..export import export, exporter
    from ..predictor import Predictor

    folder = runs.model_folder(run, runs_dir)
    predictor = Predictor(folder)
    exporter(predictor.task, form)  # before anything is said of data
    cache_as_in_training(folder)
    source = named(data)
    if source is None:
        try:
            source = data_of(predictor.task, folder, run, "export")
        except InputError:
            tell("its data are not at hand: what it says is compared on none", quiet=quiet or as_json)
    with warnings_told(quiet=quiet):
        document = export(predictor, form, output or folder.parent / form, source)
    if as_json:
        print_json(document)
        return
    click.echo(f"{document['rung']} for {form}: {document['folder']} ({', '.join(document['files'])})")
    if document["compared"]:
        ours, theirs = (document["compared"] / document[name] for name in ("seconds", "their_seconds"))
        largest = document["largest_difference"]
        off = "" if largest is None else f" (the largest difference is {largest:.1e})"
        click.echo(
            f"{document['alike']}: {document['same']:,} of {document['compared']:,} {document['answers']} are the "
            f"same{off}; {ours:,.0f} a second here, {theirs:,.0f} there"
        )
