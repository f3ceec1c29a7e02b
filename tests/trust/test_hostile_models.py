"""Hostile model folders at every door: nothing of them is run, nothing else is touched, and they are refused in a sentence."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from .amounts import Figures
from .hostile_models import cases
from .opening import EVERY, SIMPLE
from .watched import MARK
from .watching import ROOT, Child

SECONDS, BYTES = 10.0, 2**30  # of a case: of the processor, and beyond what the process had
NO_MODEL = ("show",)  # doors that do not open the model itself


def test_hostile_models_are_refused(tmp_path: Path, figures: Figures) -> None:
    home = tmp_path / "home"
    home.mkdir()
    child = Child("tests.trust.opening", [str(home)], tmp_path / "at")
    found = [json.loads(line) for line in child.lines(60)]
    told = (tmp_path / "at.err").read_text()[-2000:]
    sound, found = [own for own in found if "sound" in own], [own for own in found if "case" in own]
    assert child.code == 0, (child.at, found[-1:], sound[-1:], told)
    assert not [own for own in sound if own["came"][0] != 0], "what is sound goes through every door"
    assert len({own["case"] for own in found}) == len(cases()) >= 50
    assert {own["door"] for own in found} == {*EVERY, *SIMPLE, "resume"}
    wrong = []
    for own in found:
        refused = own["code"] in own["codes"] or (own["door"] in NO_MODEL and own["code"] == 0)
        sentences = [line for line in own["said"].splitlines() if "rror" in line]
        if (
            not refused
            or len(sentences) > 1
            or own["long"] > 3000
            or "root:" in own["said"]
            or "Traceback" in own["said"]
        ):
            wrong.append({key: own[key] for key in ("case", "door", "code", "said")})
        elif own["seen"] or own["seconds"] > SECONDS or own["bytes"] > BYTES:
            wrong.append({key: own[key] for key in ("case", "door", "seen", "seconds", "bytes")})
    assert not wrong, f"{len(wrong)}\n" + "\n".join(str(own)[:600] for own in wrong[:25])
    assert not list(tmp_path.rglob(f"*{MARK}*"))
    figures(
        folders=len({own["case"] for own in found}),
        openings=len(found),
        doors=len({own["door"] for own in found}),
        slowest_seconds=max(own["seconds"] for own in found),
        most_megabytes=round(max(own["bytes"] for own in found) / 2**20),
    )


@pytest.mark.parametrize("what", ["write", "read", "run", "compile"])
def test_what_is_done_is_seen(what: str, tmp_path: Path) -> None:
    """In a process of its own, as nobody takes an audit hook away again."""
    script = tmp_path / "script.py"
    script.write_text(
        f"""
import os, sys
from pathlib import Path
from tests.trust.watched import Watch
watch = Watch([Path({str(tmp_path)!r})], [])
watch.looking = True
def do():
    if {what!r} == "write":
        open("/dev/shm/foretell-{what}", "w").close()
    if {what!r} == "read":
        open("/etc/passwd").close()
    if {what!r} == "run":
        os.system("true")
    if {what!r} == "compile":
        compile("{MARK} = 1", "x", "exec")
do()
watch.looking = False
print(len(watch.seen))
"""
    )
    done = subprocess.run(
        [sys.executable, script], capture_output=True, text=True, cwd=ROOT, env={"PYTHONPATH": str(ROOT)}, timeout=60
    )
    Path("/dev/shm/foretell-write").unlink(missing_ok=True)
    assert done.stdout.strip() == "1", done.stderr
