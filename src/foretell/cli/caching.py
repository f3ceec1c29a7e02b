"""Where stores of large data lie for commands that read as a model did: as they say, else as its training did."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from ..errors import UnsafeFileError
from ..untrusted import read_toml
from .origin import run_of


def cache_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """Adds ``--cache-dir`` to commands that have no configuration of their own."""
    return click.option(
        "--cache-dir",
        type=click.Path(path_type=Path),
        expose_value=False,
        callback=_named,
        help="Folder of stores (as in the training of RUN, else that of the platform's cache, when not named).",
    )(function)


def cache_as_in_training(folder: Path) -> None:
    """Stores lie where the training of a run has kept its own, unless the command or the environment says otherwise.

    Args:
        folder: The run's, or one in it.
    """
    from ..data.cache import VARIABLE

    home = run_of(folder)
    if home is None or os.environ.get(VARIABLE):
        return
    try:
        sections = read_toml(home / "config.toml")
    except UnsafeFileError:
        return
    for section in sections.values():
        if isinstance(section, dict) and isinstance(section.get("cache_dir"), str):
            _use(section["cache_dir"])


def _named(context: click.Context, parameter: click.Parameter, folder: Path | None) -> None:
    if folder is not None:
        _use(str(folder))


def _use(folder: str) -> None:
    """Has stores lie in a folder until the command is over."""
    from ..data.cache import VARIABLE

    before = os.environ.get(VARIABLE)
    os.environ[VARIABLE] = folder

    def restore() -> None:
        if before is None:
            os.environ.pop(VARIABLE, None)
        else:
            os.environ[VARIABLE] = before

    click.get_current_context().call_on_close(restore)
