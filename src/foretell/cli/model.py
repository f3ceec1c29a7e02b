"""``foretell model check FOLDER``."""

from pathlib import Path

import click

from .options import runs_dir_option
from .output import columns, output_options, print_json

_NOTES = 10  # that are printed


@click.group("model")
def command() -> None:
    """Check a model folder from anywhere before it is served."""


@command.command("check")
@click.argument("folder", metavar="FOLDER")
@runs_dir_option
@output_options
def check_model(folder: str, runs_dir: Path, as_json: bool, quiet: bool, no_color: bool) -> None:
    """Say whether FOLDER, a model folder or a run's name, can be served.

    It is read without trust: what it holds and by which hashes, whether all of that belongs there, whether its weights
    are finite and fit, and whether it answers. It ends with 0 where all is sound, with 5 where it is damaged or holds
    what could do harm (a link, a pickle, far more files than a model has), with 3 where it is no model folder.
    """
    from .. import runs
    from ..checking import check, summary

    document = check(runs.model_folder(folder, runs_dir))
    if as_json:
        print_json(document)
        return
    lines = summary(document)
    click.echo("\n".join(lines[:1] if quiet else lines))
    if quiet:
        return
    files = [[own["name"], f"{own['bytes']:,}", own["sha256"]] for own in document["files"]]
    click.echo("\n" + columns(["file", "bytes", "sha256"], files, right=(1,)))
    versions = [[str(own["name"]), str(own["made"] or "not told"), str(own["here"])] for own in document["versions"]]
    click.echo("\n" + columns(["made with", "then", "here"], versions))
    for note in document["notes"][:_NOTES]:
        click.echo(f"note: {note}")
    if (more := len(document["notes"]) - _NOTES) > 0:
        click.echo(f"note: and {more} more, which --json lists")
