"""``foretell demo``: the main job on the built-in weather."""

from importlib import resources
from pathlib import Path
from typing import Any

import click

from .compare import compare_data
from .options import runs_dir_option
from .output import output_options


@click.command("demo")
@runs_dir_option
@output_options
def command(runs_dir: Path, **given: Any) -> None:
    """Temperature in 24 hours from the last 48 at three New York airports: baselines, then networks."""
    from ..tasks import task_configuration

    with resources.as_file(resources.files("foretell.recipes") / "demo.toml") as recipe:
        configuration = task_configuration("forecast").build({"runs_dir": runs_dir}, file=recipe)
    compare_data("forecast", configuration, {**given, "data": "nyc-weather", "stem": "demo"})
