"""``foretell cache list | clear``."""

import time
from pathlib import Path
from typing import Any

import click

from .output import columns, output_options, print_json

_UNITS = ("bytes", "kB", "MB", "GB", "TB")

cache_dir_option = click.option(
    "--cache-dir",
    type=click.Path(path_type=Path),
    envvar="FORETELL_CACHE_DIR",
    help="Folder of stores (that of the platform's cache when not named).",
)


@click.group("cache")
def command() -> None:
    """List and clear what was kept of large data: stores, which are made again when they are needed."""


@command.command("list")
@cache_dir_option
@output_options
def list_kept(cache_dir: Path | None, as_json: bool, quiet: bool, no_color: bool) -> None:
    """List every store, those used last first, and how much room they take."""
    from ..data import cache

    found, folder = cache.listed(cache_dir), cache.stores_in(cache_dir)
    total = sum(kept.bytes for kept in found)
    if as_json:
        print_json({"folder": str(folder), "bytes": total, "stores": [_document(kept) for kept in found]})
    elif not found:
        click.echo(f"nothing is kept in {folder}")
    else:
        rows = [[kept.folder.name[:12], *_told(kept), size_text(kept.bytes), _day(kept.used)] for kept in found]
        click.echo(columns(["store", "kind", "of", "state", "size", "last used"], rows, (4,)))
        click.echo(f"{size_text(total)} in {folder}")


@command.command("clear")
@click.argument("stores", metavar="[STORE...]", nargs=-1)
@cache_dir_option
@output_options
def clear_kept(stores: tuple[str, ...], cache_dir: Path | None, as_json: bool, quiet: bool, no_color: bool) -> None:
    """Remove all stores, or those whose names begin as STORE says; runs and models are not touched."""
    from ..data import cache

    gone = cache.clear(cache_dir, stores)
    freed = sum(kept.bytes for kept in gone)
    if as_json:
        print_json({"removed": [_document(kept) for kept in gone], "bytes": freed})
    else:
        click.echo(f"removed {len(gone)}, {size_text(freed)} freed")


def size_text(count: int) -> str:
    """A number of bytes for a person.

    >>> size_text(999), size_text(1_600_000_000)
    ('999 bytes', '1.6 GB')
    """
    place, size = 0, float(count)
    while size >= 999.5 and place < len(_UNITS) - 1:
        place, size = place + 1, size / 1000
    return f"{size:.3g} {_UNITS[place]}"


def _document(kept: Any) -> dict[str, Any]:
    told = {name: kept.document.get(name) for name in ("kind", "source", "rows")}
    return {"name": kept.folder.name, "folder": str(kept.folder), "bytes": kept.bytes, "whole": kept.whole, **told}


def _told(kept: Any) -> tuple[str, str, str]:
    """What kind of thing is kept, of what, and whether it is whole."""
    from ..data.cache import is_being_made

    if not kept.document:
        return "", "", "being made" if is_being_made(kept.folder) else "half-written"
    state = "whole" if kept.whole else "damaged"
    return str(kept.document.get("kind", "")), str(kept.document.get("source", "")), state


def _day(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))
