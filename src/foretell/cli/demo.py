"""``foretell demo``: the main job on the built-in weather."""

import os
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
        options = task_configuration("forecast")
        # What the demo is about does not come from the environment; how it trains may.
        fixed = {f"FORETELL_{name.upper()}" for section, name, _ in options.options() if section in ("data", "windows")}
        surroundings = {name: value for name, value in os.environ.items() if name not in fixed}
        configuration = options.build({"runs_dir": runs_dir}, file=recipe, environment=surroundings)
    compare_data("forecast", configuration, {**given, "data": "nyc-weather", "stem": "demo"})
