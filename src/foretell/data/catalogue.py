"""Public data that can be fetched: where each file is, and how one knows that it is the right one."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import UnsafeFileError

_MULTI30K = "https://raw.githubusercontent.com/multi30k/dataset/master/data/task1/raw/"
_JENA = (420_551, 14)  # rows, columns of numbers


@dataclass(frozen=True)
class Remote:
    """A file somewhere else.

    Attributes:
        name: What it is called.
        address: Where it is.
        digest: Its hash, with the way it is worked out before it; None where none is published.
        largest: Bytes that it has at most.
        check: Says whether a file without a hash is the right one, by raising where it is not.
    """

    name: str
    address: str
    digest: str | None
    largest: int
    check: Callable[[Path], None] | None = None


@dataclass(frozen=True)
class RemoteSet:
    """Data that are fetched together.

    Attributes:
        summary: What they are, in a line.
        files: All of them.
        use: What one does with them next: a command, with a place for the folder, and one for the first file.
    """

    summary: str
    files: tuple[Remote, ...] = field(default=())
    use: str = ""


def _is_jena(path: Path) -> None:
    """Checks rows and columns, as nobody publishes a hash of this file.

    Raises:
        UnsafeFileError: It has others.
    """
    from .sources import read_source

    frame = read_source(path).frame
    found = (frame.height, frame.width - 1)
    if found != _JENA or "T (degC)" not in frame.columns:
        told = f"{_JENA[0]:,} rows of {_JENA[1]} columns and their times"
        raise UnsafeFileError(
            f"{path.name} is not the weather of Jena: it has {told}; found {found[0]:,} rows of {found[1]} columns",
            file=path.name,
        )


_TRANSLATIONS = {
    "test_2016_flickr.de.gz": "9204244e408ccb38d2a55cfcd344df15005fc42a07a6e55ca6c52b6ababb8cc8",
    "test_2016_flickr.en.gz": "611d361c6334bc7246101d48097c13cf5c4413c5befc793cc629934359d532d9",
    "train.de.gz": "726e39b2fa9eb9ffb6dc763fb35a179f80fae06ffc5d28b6ace5faa883de28a6",
    "train.en.gz": "d79cfa999dd4c51d2cb42499b6796d5a882c3a8a961923c25a898c90f8bbd56f",
    "val.de.gz": "f0cba2f995189cf5770f29a8a9a537a3ad3f51657ad873405082ff6863a5e75a",
    "val.en.gz": "14f7d25ddd868909a9213e361768460edcacdd6ab9d1e77b92560dc10c10dc28",
}

REMOTE = {
    "jena": RemoteSet(
        "weather of Jena every ten minutes, 2009 to 2016, 420,551 rows, 14 variables: the lectures' (13 MB)",
        (
            Remote(
                "jena_climate_2009_2016.csv.zip",
                "https://storage.googleapis.com/tensorflow/tf-keras-datasets/jena_climate_2009_2016.csv.zip",
                None,
                100_000_000,
                _is_jena,
            ),
        ),
        "foretell train --recipe lecture/jena-gru {file}",
    ),
    "imdb": RemoteSet(
        "50,000 film reviews, good or bad (Maas et al. 2011; for research, cite the paper; 84 MB)",
        (
            Remote(
                "aclImdb_v1.tar.gz",
                "https://ai.stanford.edu/~amaas/data/sentiment/aclImdb_v1.tar.gz",
                "md5:7c2ac02c03563afcf9b574c7e56c153a",
                200_000_000,
            ),
        ),
        "foretell compare classify {file}",
    ),
    "nietzsche": RemoteSet(
        "the writings of Nietzsche that the lectures read, 600,893 characters (public domain)",
        (
            Remote(
                "nietzsche.txt",
                "https://s3.amazonaws.com/text-datasets/nietzsche.txt",
                "sha256:23cf69874ab69d3d256099ab530ea4be24d47d9675b673bcc67cbcd6298ec647",
                2_000_000,
            ),
        ),
        "foretell compare generate {file}",
    ),
    "multi30k": RemoteSet(
        "31,014 captions of pictures in English and German (Multi30k, task 1, raw; 1 MB)",
        tuple(Remote(name, _MULTI30K + name, f"sha256:{digest}", 5_000_000) for name, digest in _TRANSLATIONS.items()),
        "foretell compare translate {folder} --source en --target de",
    ),
}
