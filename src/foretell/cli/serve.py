"""``foretell serve RUN ...``: models over HTTP."""

import sys
from pathlib import Path
from typing import Any

import click

from ..config.serving import Serving, ServingSection
from ..errors import MissingError, UsageError
from .options import options_of, runs_dir_option
from .output import output_options, print_json, tell


@click.command("serve")
@click.argument("models", metavar="RUN...", nargs=-1)
@options_of(ServingSection)
@runs_dir_option
@output_options
def command(models: tuple[str, ...], runs_dir: Path, as_json: bool, quiet: bool, no_color: bool, **given: Any) -> None:
    """Serve the models of runs, or model folders, over HTTP.

    Each is called as its run; NAME=RUN calls it otherwise. `dream` is the network that comes with the extra.
    SIGHUP reads the folders anew, SIGTERM finishes what was begun and ends.
    """
    from .. import runs

    options = Serving.build(given).serving
    if not models:
        raise UsageError("serve needs a RUN or a model folder: foretell serve weather-1; or dream")
    require_serving()
    from ..web.application import Service
    from ..web.models import Models, names_of
    from ..web.server import address_of, hang_ups_ignored, open_socket, require_token, run

    token = token_of(options)
    require_token(options.host, token)
    folders = names_of(models, lambda reference: runs.model_folder(reference, runs_dir))
    listening = open_socket(options.host, options.port)
    with listening, hang_ups_ignored():
        served = Models(folders)
        service = Service(served, options, token, own=token is None)
        announce(address_of(listening), [one.summary() for one in served.all()], as_json=as_json, quiet=quiet)
        run(service, listening, lambda: served.reload(lambda sentence: tell(sentence, quiet=quiet)))


def token_of(options: ServingSection) -> str | None:
    """The token that clients must send."""
    from ..web.guard import read_token

    return None if options.token_file is None else read_token(options.token_file)


def require_serving() -> None:
    """Checks that what serves is installed.

    Raises:
        MissingError: It is not.
    """
    from importlib.util import find_spec

    for package in ("fastapi", "uvicorn", "httptools", "python_multipart", "prometheus_client"):
        if find_spec(package) is None:
            raise MissingError(f"serving needs {package}: pip install 'foretell[serve]'", extra="serve")


def announce(address: str, models: list[dict[str, Any]], *, as_json: bool, quiet: bool) -> None:
    """Says where a service is found, and what it offers."""
    if as_json:
        print_json({"address": address, "models": models})
    else:
        click.echo(address)
        for model in models:
            tell(f"{model['name']}: {model['task']}, {model['rung']}: {address}/v1/models/{model['name']}", quiet=quiet)
    sys.stdout.flush()
