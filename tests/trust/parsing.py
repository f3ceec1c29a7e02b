"""Every reader and files for it to read, mutated by number, in a process that can be watched: ``KIND:FIRST:LAST ...``.

It says a line for each failure, and one for each stretch when it is done; in a file that it is given it keeps which
case it is at, so that whoever watches knows what it died of. To see a case again: ``python -m tests.trust.parsing png:17``.
"""

import bz2
import gzip
import io
import json
import mmap
import os
import re
import resource
import sys
import tarfile
import tempfile
import time
import warnings
import zipfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl
import torch
from PIL import Image

from foretell.config import CorpusSection, PairSection, TextSection, TokenSection
from foretell.data.labelled import read_labelled
from foretell.data.pairs import read_pairs
from foretell.data.parquet import ParquetTable
from foretell.data.pictures import read_picture
from foretell.data.reading import read_table
from foretell.data.rows import rows_of
from foretell.data.text_sources import TextSource
from foretell.data.unlabelled import read_unlabelled
from foretell.data.vectors import read_vectors
from foretell.data.vocabulary import Vocabulary
from foretell.errors import ForetellError
from foretell.nn import GRU
from foretell.runs import job_of, leaderboard_of
from foretell.tasks.forecast.config import Configuration
from foretell.training.carrying import Carrying
from foretell.training.checkpoints import FILE, Position, load_checkpoint, save_checkpoint
from foretell.training.curves import curve_of
from foretell.web.models import opened

from ..tasks.made_texts import reviews
from . import mutating
from .made_models import made_runs
from .watched import forget_peak, status

SECONDS, SPARE = 2.0, 256 * 2**20  # of a case, and bytes beyond twice its file
LONGEST = 2_000  # letters of a sentence
MOST_PIXELS = 4_000_000
ROOM = 4 * 2**30  # bytes beyond what the process has when it begins, lest a bomb takes the machine along
Read = Callable[[Path], object]


class Kind(NamedTuple):
    """A kind of file: sound ones, how their names end, what reads them, what mends a mutated one, and how many of a
    thousand cases are of it."""

    seeds: Sequence[bytes]
    suffix: str
    read: Read
    repair: mutating.Mutation | None = None
    share: int = 10
    deep: mutating.Mutation | None = None

    def mutated(self, name: str, number: int) -> bytes:
        """The file of a number."""
        return mutating.mutated(name, number, self.seeds, self.repair, self.deep)


def kinds(home: Path) -> dict[str, Kind]:
    """All kinds.

    Args:
        home: A folder for what they need.
    """
    table = _table().encode()
    parquet = _parquets()
    texts = [("text,label\n" + "\n".join(f'"{text}",{label}' for text, label in reviews(8))).encode()]
    lines = [json.dumps({"text": text, "label": label}) for text, label in reviews(8)]
    objects = ["\n".join(lines).encode(), f"[{','.join(lines)}]".encode(), json.dumps(_nested()).encode()]
    corpus = [b"the sun rose\nand set\n" * 4, "schöne Tage\r\n".encode(), gzip.compress(b"a b c\n" * 9)]
    pairs = [
        b"source\ttarget\none\teins\ntwo\tzwei\n",
        b"one\teins\ntwo\tzwei\n",
        b'{"translation": {"en": "a", "de": "b"}}\n',
    ]
    vectors = [b"2 3\ngood 1 2 3\nbad 0.5 -1e3 4\n", gzip.compress(b"good 1 2\nbad 3 4\n")]
    vocabulary = Vocabulary.learn(["good bad", "bad good"], TokenSection())
    config = [Configuration.build({"target": "x"}, environment={}).toml().encode()]
    pictures = _pictures()
    packed = [gzip.compress(table), _zipped({"a.csv": table}), _zipped({"a.csv": table}, zipfile.ZIP_STORED)]
    found = {
        "csv": Kind(
            [table, b"\xef\xbb\xbf" + table, table.decode().encode("utf-16"), _decimal()], ".csv", read_table, share=60
        ),
        "csv-packed": Kind(packed, ".csv.gz", read_table, share=40),
        "parquet-table": Kind(parquet, ".parquet", read_table, mutating.parquet, 60),
        "parquet-rows": Kind(parquet, ".parquet", lambda path: list(_all(rows_of(path))), mutating.parquet, 60),
        "parquet-pieces": Kind(parquet, ".parquet", _pieces, mutating.parquet, 30),
        "texts-csv": Kind([*texts, gzip.compress(texts[0])], ".csv", _labelled, share=60),
        "texts-json": Kind([*objects, gzip.compress(objects[0])], ".jsonl", _labelled, share=60),
        "prompts": Kind([*texts, *objects], ".csv", lambda path: read_unlabelled(path, None, "utf-8"), share=30),
        "corpus": Kind(corpus, ".txt", lambda path: "".join(TextSource(path, CorpusSection()).pieces()), share=40),
        "pairs": Kind(
            [*pairs[:2], gzip.compress(pairs[0])], ".tsv", lambda path: read_pairs(path, PairSection()), share=40
        ),
        "pairs-json": Kind(pairs[2:], ".jsonl", lambda path: read_pairs(path, PairSection()), share=30),
        "parallel": Kind(
            [b"the sun\nset\n", "schöne\r\nTage\r\n".encode(), gzip.compress(b"a\nb\n")], ".en", _parallel, share=20
        ),
        "vectors": Kind(vectors, ".vec", lambda path: read_vectors(path, vocabulary), share=30),
        "archive": Kind(_archives(), ".tar", _archive, share=60),
        "toml": Kind(config, ".toml", lambda path: Configuration.build(file=path, environment={}), share=20),
        "png": Kind(pictures["PNG"], ".png", _picture, mutating.png, 60),
        "jpeg": Kind(pictures["JPEG"], ".jpg", _picture, share=30),
        "webp": Kind(pictures["WEBP"], ".webp", _picture, share=30),
        "checkpoint": Kind([_checkpoint(home)], ".safetensors", _resumed, mutating.tensors, 60, mutating.header),
    }
    return found | _of_models(home)


def _of_models(home: Path) -> dict[str, Kind]:
    """The files of model folders and of runs, each beside others that are sound; what loads is asked an example."""
    names = ("gru", "ridge", "boosted-trees", "lstm", "tfidf", "writer", "ngram", "gru-attention", "dictionary")
    made = made_runs(home, names)
    found: dict[str, Kind] = {}
    for name, run in made.items():
        folder = run.run / "model"
        _without_time(folder / "model.json", home)
        for file in sorted(folder.iterdir()):
            if file.suffix != ".md":
                packed = file.suffix == ".safetensors"
                mend, deep = (mutating.tensors, mutating.header) if packed else (None, mutating.document)
                read = _Beside(file, lambda file: _asked(file.parent))
                found[f"{name}/{file.stem}"] = Kind([file.read_bytes()], "", read, mend, 10, deep)
    gru = made["gru"].run
    looks: dict[str, Read] = {"run.json": job_of, "leaderboard.json": leaderboard_of, "metrics.jsonl": curve_of}
    for own, look in looks.items():
        path = gru / own
        _without_time(path, home)
        deep = mutating.lines if own.endswith("l") else mutating.document
        found[f"run/{own}"] = Kind([path.read_bytes()], "", _Beside(path, partial(_above, look)), None, 10, deep)
    return found


def _asked(folder: Path) -> object:
    """A model in a folder as a service tells of it, and as it is written again."""
    served = opened("model", folder)
    return served.document(), served.predictor.fitted.artefact({}).card


def _without_time(file: Path, home: Path) -> None:
    """Takes out of a file what is another each time, lest a number means another mutation."""
    text = re.sub(r'("seconds[^"]*"|"created"|"finished"): ("[^"]*"|[\d.e-]+)', r"\1: 1.0", file.read_text("utf-8"))
    file.write_text(text.replace(str(home), "home"), "utf-8")


def _above(look: Read, file: Path) -> object:
    """What looks at the folder of a file."""
    return look(file.parent)


class _Beside:
    """Reads a folder in which a file is another one.

    Args:
        file: The file, which is put back as it was.
        read: Reads what it lies in.
    """

    def __init__(self, file: Path, read: Read) -> None:
        self.file, self.read, self.sound = file, read, file.read_bytes()

    def __call__(self, path: Path) -> object:
        self.file.write_bytes(path.read_bytes())
        try:
            return self.read(self.file)
        finally:
            self.file.write_bytes(self.sound)


def run(
    found: dict[str, Kind], name: str, first: int, last: int, home: Path, keep: Callable[[int], None]
) -> dict[str, Any]:
    """Reads some mutations of a kind.

    Args:
        found: All kinds.
        name: Of which.
        first: The first mutation.
        last: The one after the last.
        home: Where its files are written.
        keep: Is told each number before it is read.

    Returns:
        How many were read and refused, and what went wrong.
    """
    kind = found[name]
    told: dict[str, Any] = {"kind": name, "read": 0, "refused": 0, "slowest": 0.0, "largest": 0, "failures": []}
    path = home / f"case{kind.suffix}"
    began = time.process_time()
    for number in range(first, last):
        content = kind.mutated(name, number)
        path.write_bytes(content)
        keep(number)
        before = forget_peak()
        started = time.perf_counter()
        wrong = _wrong(kind.read, path, told)
        seconds, grown = time.perf_counter() - started, status("VmHWM") - before
        told["slowest"], told["largest"] = max(told["slowest"], seconds), max(told["largest"], grown)
        if wrong is None and seconds > SECONDS:
            wrong = f"it took {seconds:.1f} s"
        if wrong is None and grown > 2 * len(content) + SPARE:
            wrong = f"it took {grown / 2**20:.0f} MB for {len(content)} bytes"
        if wrong is not None:
            told["failures"].append(f"{name}:{number}: {wrong}")
    told["seconds"] = time.process_time() - began
    return told


def _wrong(read: Read, path: Path, told: dict[str, Any]) -> str | None:
    """What is wrong with how a file is read; None where it is read, or refused in one sentence."""
    try:
        read(path)
    except ForetellError as error:
        told["refused"] += 1
        if "\n" in error.message or not 0 < len(error.message) <= LONGEST or error.exit_code not in (3, 5):
            return f"{type(error).__name__}: {error.message[:300]!r} is no sentence of a file that is refused"
    except BaseException as error:  # a panic of Rust's is no Exception
        return f"{type(error).__name__}: {str(error)[:300]}"
    else:
        told["read"] += 1
    return None


def _table() -> str:
    rows = [f"2024-01-{1 + hour // 24:02} {hour % 24:02}:00:00,{hour % 7}.5,{hour}" for hour in range(48)]
    return "time,x,y\n" + "\n".join(rows) + "\n"


def _decimal() -> bytes:
    return _table().replace(",", ";").replace(".", ",").encode()


def _nested() -> dict[str, Any]:
    return {"text": "a", "label": "a", "more": {"b": 1.5e10}}


def _parquets() -> list[bytes]:
    times = pl.datetime_range(pl.datetime(2024, 1, 1), pl.datetime(2024, 1, 2), "1h", eager=True)
    frame = pl.DataFrame(
        {"time": times, "x": np.arange(25.0), "text": ["a b", None, "c"] * 8 + ["d"], "label": [1] * 25}
    )
    found = []
    for compression in ("uncompressed", "snappy", "zstd"):
        stream = io.BytesIO()
        frame.write_parquet(stream, compression=compression)
        found.append(stream.getvalue())
    stream = io.BytesIO()
    frame.with_columns(list=pl.lit([1, 2]), own=pl.struct("x", "text")).write_parquet(stream, use_pyarrow=True)
    return [*found, stream.getvalue()]


def _pictures() -> dict[str, list[bytes]]:
    chance = np.random.default_rng(0)
    pixels = chance.integers(0, 256, (40, 40, 4), np.uint8)
    images = {
        "RGB": Image.fromarray(pixels[..., :3]),
        "RGBA": Image.fromarray(pixels),
        "P": Image.fromarray(pixels[..., :3]).quantize(16),
        "I;16": Image.fromarray(chance.integers(0, 65_536, (40, 40), np.uint16)),
        "L": Image.fromarray(pixels[..., 0]),
    }
    exif = Image.Exif()
    exif[0x0112] = 6  # which way up
    found: dict[str, list[bytes]] = {}
    for kind, modes in (("PNG", tuple(images)), ("JPEG", ("RGB", "L")), ("WEBP", ("RGB", "RGBA"))):
        for mode in modes:
            stream = io.BytesIO()
            images[mode].save(stream, kind, exif=exif, **({"icc_profile": b"RGB " * 40} if mode == "RGB" else {}))
            found.setdefault(kind, []).append(stream.getvalue())
    stream = io.BytesIO()
    images["RGB"].save(stream, "PNG", save_all=True, append_images=[images["RGBA"].convert("RGB")])
    return found | {"PNG": [*found["PNG"], stream.getvalue()]}


def _zipped(files: dict[str, bytes], how: int = zipfile.ZIP_DEFLATED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", how) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return stream.getvalue()


def _archives() -> list[bytes]:
    files = {
        f"r/{span}/{label}/{number}.txt": f"{label} {number}".encode()
        for span in ("train", "test")
        for label in "ab"
        for number in range(2)
    }
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    tar = stream.getvalue()
    return [_zipped(files), _zipped(files, zipfile.ZIP_STORED), tar, gzip.compress(tar), bz2.compress(tar)]


def _checkpoint(home: Path) -> bytes:
    network = GRU(2, 3)
    optimiser = torch.optim.AdamW(network.parameters())
    network(torch.zeros(1, 2, 2))[0].sum().backward()
    optimiser.step()
    best = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    carrying = Carrying((torch.zeros(2, 3),))
    save_checkpoint(
        home,
        Position(epoch=1, history=[{"epoch": 1, "train": {"loss": 1.5}, "validation": {"loss": 1.5}}]),
        network,
        optimiser,
        best,
        carrying,
    )
    return (home / FILE).read_bytes()


def _resumed(path: Path) -> object:
    """Goes on from a checkpoint, with a step."""
    network = GRU(2, 3)
    optimiser = torch.optim.AdamW(network.parameters())
    (path.parent / FILE).write_bytes(path.read_bytes())
    carrying = Carrying()
    found = load_checkpoint(path.parent, network, optimiser, carrying)
    network(torch.zeros(1, 2, 2))[0].sum().backward()
    optimiser.step()
    return found


def _all(rows: Any) -> Any:
    with rows:
        yield from rows.rows


def _pieces(path: Path) -> object:
    return [piece.frame.height for piece in ParquetTable.at(path).pieces()]


def _picture(path: Path) -> object:
    """A picture of as many pixels as the memory of a case has room for; --max-pixels says how many those are."""
    return read_picture(path, MOST_PIXELS)


def _labelled(path: Path) -> object:
    return list(read_labelled(path, TextSection()).texts)


def _parallel(path: Path) -> object:
    other = path.with_suffix(".de")
    other.write_bytes(b"x\ny\n")
    return read_pairs((path, other), PairSection())


def _archive(path: Path) -> object:
    """An archive as texts, as labelled texts."""
    with suppress(ForetellError):
        "".join(TextSource(path, CorpusSection()).pieces())
    return _labelled(path)


def main(stretches: list[str]) -> None:
    """Reads stretches, or one case as it is."""
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    place = os.environ.get("TRUST_PLACE")
    with tempfile.TemporaryDirectory() as home:
        found = kinds(Path(home))
        size = status("VmSize") + ROOM
        resource.setrlimit(resource.RLIMIT_AS, (size, size))
        at = mmap.mmap(os.open(place, os.O_RDWR), 8) if place else bytearray(8)

        def keep(number: int) -> None:
            at[:8] = (number + 1).to_bytes(8, "little")

        if stretches and stretches[0].startswith("cases:"):
            stretches = shared_out(found, int(stretches[0].removeprefix("cases:")))
            _read_sound(found, Path(home))
            print(json.dumps(stretches), flush=True)
        for stretch in stretches:
            name, first, *last = stretch.split(":")
            if not last:
                path = Path(home) / f"case{found[name].suffix}"
                path.write_bytes(found[name].mutated(name, int(first)))
                print(found[name].read(path))
                continue
            print(json.dumps(run(found, name, int(first), int(last[0]), Path(home), keep)), flush=True)


def shared_out(found: dict[str, Kind], cases: int) -> list[str]:
    """So many cases as stretches, of each kind its share."""
    whole = sum(kind.share for kind in found.values())
    return [f"{name}:0:{-(-cases * kind.share // whole)}" for name, kind in found.items()]


def _read_sound(found: dict[str, Kind], home: Path) -> None:
    """Reads all that is sound: a reader that refuses everything would have nothing to fear."""
    for kind in found.values():
        for seed in kind.seeds:
            path = home / f"sound{kind.suffix}"
            path.write_bytes(seed)
            kind.read(path)


if __name__ == "__main__":
    main(sys.argv[1:])
