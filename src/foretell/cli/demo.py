"""``foretell demo``: the main job on the built-in weather."""

from pathlib import Path
from typing import Any

import click

from .options import runs_dir_option
from .output import output_options
from .recipes import asked_of, carry_out


@click.command("demo")
@runs_dir_option
@output_options
def command(runs_dir: Path, **given: Any) -> None:
    """Temperature in 24 hours from the last 48 at three New York airports: baselines, then networks."""
    carry_out("demo", asked_of("demo", {"runs_dir": runs_dir}), given)
