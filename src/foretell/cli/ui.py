"""``foretell ui``: the service with a page, over all runs of a folder."""

import webbrowser
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click

from .. import __version__
from ..config.serving import Serving, ServingSection
from .options import options_of, runs_dir_option
from .output import output_options, tell
from .serve import announce, require_serving, token_of

_STATE = ".page"  # in the folder of runs: what the page was given, and its jobs


@click.command("ui")
@options_of(ServingSection)
@click.option("--browser/--no-browser", default=True, help="Open the page in a browser.")
@runs_dir_option
@output_options
def command(runs_dir: Path, browser: bool, as_json: bool, quiet: bool, no_color: bool, **given: Any) -> None:
    """Open a page: runs and their curves, forecasts from a dropped file, texts, translations, dreams.

    It is the service of foretell serve over all runs of --runs-dir, at this machine's own address.
    """
    options = Serving.build(given).serving
    require_serving()
    from ..jobs import Jobs
    from ..tasks import BUILT_IN
    from ..web.application import Service
    from ..web.keeping import keeping
    from ..web.looking import looking
    from ..web.run_models import RunModels
    from ..web.server import address_of, ends_ignored, hang_ups_ignored, open_socket, require_token, run
    from ..web.showing import PUBLIC, showing
    from ..web.store import Store
    from ..web.working import working

    token = token_of(options)
    require_token(options.host, token)
    dreams = [name for name in BUILT_IN if find_spec("efficientnet_lite_pytorch") is not None]
    state = (runs_dir / _STATE).resolve()
    with open_socket(options.host, options.port) as listening, hang_ups_ignored():
        store, jobs = Store(state / "data"), Jobs(state / "jobs")
        about = {"version": __version__, "runs_dir": str(runs_dir), "built_in": dreams, "token": token is not None}
        service = Service(
            RunModels(runs_dir, dreams),
            options,
            token,
            own=token is None,
            routers=[
                looking(runs_dir),
                keeping(store),
                working(jobs, store, runs_dir.resolve()),
                showing(lambda: service.guard, lambda: about),
            ],
            public=PUBLIC,
            large=("/v1/data",),
        )
        address = address_of(listening)
        announce(address, [], as_json=as_json, quiet=quiet)
        if browser and not as_json:
            webbrowser.open(address)
        try:
            run(service, listening, lambda: tell("models are read anew when they have changed", quiet=quiet))
        finally:
            with ends_ignored():
                jobs.close()
