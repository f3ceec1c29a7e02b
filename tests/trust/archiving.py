"""Gives hostile archives to all that reads archives, one after the other, and says what came of each."""

import json
import mmap
import os
import sys
import tempfile
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from foretell.config import CorpusSection, PairSection, TextSection
from foretell.data.labelled import read_labelled
from foretell.data.pairs import read_pairs
from foretell.data.sources import read_source
from foretell.data.text_sources import TextSource
from foretell.data.unlabelled import read_unlabelled
from foretell.errors import ForetellError

from .amounts import LONG
from .hostile_archives import archives
from .watched import Watch, measured

READERS: dict[str, Callable[[Path], object]] = {
    "labelled": lambda path: list(read_labelled(path, TextSection()).texts),
    "corpus": lambda path: "".join(TextSource(path, CorpusSection()).pieces()),
    "unlabelled": lambda path: read_unlabelled(path, None, "utf-8"),
    "pairs": lambda path: read_pairs(path, PairSection()),
    "table": read_source,
}


def told(read: Callable[[Path], object], path: Path) -> dict[str, Any]:
    """What comes of reading an archive."""
    try:
        read(path)
    except ForetellError as error:
        return {"code": error.exit_code, "message": error.message}
    except BaseException as error:
        return {"code": -1, "message": f"{type(error).__name__}: {str(error)[:200]}"}
    return {"code": 0, "message": ""}


def main(home: Path) -> None:
    """All archives, each given to each reader."""
    warnings.simplefilter("ignore")
    place, kept = mmap.mmap(os.open(os.environ["TRUST_PLACE"], os.O_RDWR), 8), home / "kept"
    kept.mkdir()
    tempfile.tempdir = str(kept)  # where texts are kept without a name
    os.chdir(kept)
    watch = Watch([home], [kept])
    number = 0
    for hostile in archives():
        path = home / "archive"
        path.write_bytes(hostile.content)
        for name, read in READERS.items():
            if not LONG and name not in ("labelled", "corpus", "table"):
                continue
            number += 1
            place[:8] = number.to_bytes(8, "little")
            came, did = measured(watch, partial(told, read, path))
            left = [own.name for own in kept.iterdir()]
            print(
                json.dumps(
                    {"archive": hostile.name, "reader": name, "harmless": hostile.harmless, "left": left, **came, **did}
                ),
                flush=True,
            )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
