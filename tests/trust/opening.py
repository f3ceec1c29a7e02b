"""Gives hostile model folders to every door that opens such, one after the other, and says what came of each."""

import io
import json
import mmap
import os
import resource
import shutil
import sys
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from functools import partial
from pathlib import Path
from typing import Any

import foretell
from foretell.cli.main import main as command
from foretell.errors import ForetellError
from foretell.web.models import opened

from .amounts import LONG
from .hostile_models import Case, cases, made
from .made_models import Made, begin_again, made_runs
from .watched import Watch, measured, status

ROOM = 3 * 2**30  # bytes beyond what the process has, lest a bomb takes the machine along
EVERY = ("load", "serve", "predict", "evaluate", "check", "inspect", "export", "score", "from", "show")
SIMPLE = ("load", "serve", "predict", "evaluate", "check")
FEW = 1  # doors that a case goes through where not much is tried


def through(door: str, run: Path, own: Made, out: Path) -> tuple[int, str]:
    """What comes of a door: its exit code, and all that it says."""
    model, data = run / "model", str(own.data[0])
    runs = ["--runs-dir", str(run.parent)]
    words: dict[str, list[object]] = {
        "predict": ["predict", model, data],
        "evaluate": ["evaluate", model, data],
        "check": ["model", "check", model],
        "inspect": ["inspect", model, data, "-o", out / "page.html"],
        "export": ["export", model, "--to", "onnx", "-o", out / "exported"],
        "score": ["score", model, data],
        "from": ["train", own.task, data, "--from", model, "--epochs", "1", *runs, "--name", "next"],
        "show": ["runs", "show", run.name, *runs],
        "resume": ["train", "--resume", run.name, *runs],
    }
    if door in words:
        return _command([str(word) for word in words[door]])
    try:
        foretell.load(model) if door == "load" else opened("model", model)
    except ForetellError as error:
        return error.exit_code, f"Error: {error.message}\n"
    except BaseException as error:
        return -1, f"{type(error).__name__}: {str(error)[:300]}"
    return 0, ""


def _command(words: list[str]) -> tuple[int, str]:
    said = io.StringIO()
    try:
        with redirect_stdout(said), redirect_stderr(said):
            command(words)
    except SystemExit as end:
        return int(end.code or 0), said.getvalue()
    except BaseException as error:
        return -1, f"{type(error).__name__}: {str(error)[:300]}"
    return -2, said.getvalue()


def tried(found: dict[str, Made]) -> Iterator[tuple[Case, str]]:
    """Every case and the doors that it goes through; together few cases go through all doors."""
    for number, case in enumerate(cases()):
        doors = EVERY if case.of == "gru" else SIMPLE
        own = doors if LONG else [doors[(number + step * 3) % len(doors)] for step in range(FEW)]
        yield from ((case, door) for door in dict.fromkeys(own))
    for case in cases():
        if case.name.startswith(("weights: ", "weights.safetensors is", "pickle of protocol 0", "zip as")):
            yield case, "resume"


def main(home: Path) -> None:
    """All cases; before them each door once with what is sound, which must work."""
    warnings.simplefilter("ignore")
    place = mmap.mmap(os.open(os.environ["TRUST_PLACE"], os.O_RDWR), 8)
    kept, out = home / "kept", home / "out"
    kept.mkdir()
    out.mkdir()
    tempfile.tempdir = str(kept)
    found = made_runs(home)
    begun = home / "begun"
    shutil.copytree(found["gru"].run, begun)
    begin_again(begun)
    runs = home / "tried"
    watch = Watch([home], [kept, out, runs])
    os.chdir(out)
    for name, own in found.items():
        for door in EVERY if name == "gru" else SIMPLE:
            shutil.rmtree(runs, ignore_errors=True)
            shutil.copytree(own.run, runs / "bad")
            print(json.dumps({"sound": name, "door": door, "came": through(door, runs / "bad", own, out)}), flush=True)
    size = status("VmSize") + ROOM
    resource.setrlimit(resource.RLIMIT_AS, (size, size))
    for number, (case, door) in enumerate(tried(found), 1):
        place[:8] = number.to_bytes(8, "little")
        shutil.rmtree(runs, ignore_errors=True)
        own = found[case.of]
        shutil.copytree(begun if door == "resume" else own.run, runs / "bad")
        if door == "resume":  # what would be the weights is the checkpoint
            _into_checkpoint(case, runs / "bad" / "checkpoint")
            shutil.rmtree(runs / "bad" / "model")
        else:
            made(case, own.run / "model", runs / "bad" / "model")
        (code, said), did = measured(watch, partial(through, door, runs / "bad", own, out))
        told: dict[str, Any] = {"case": case.name, "door": door, "codes": case.codes, "code": code, "said": said[:1500]}
        print(json.dumps({**told, "long": len(said), **did}), flush=True)


def _into_checkpoint(case: Case, folder: Path) -> None:
    (folder / "state.safetensors").rename(folder / "weights.safetensors")
    case.spoil(folder)
    (folder / "weights.safetensors").rename(folder / "state.safetensors")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
