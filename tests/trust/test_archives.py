"""Hostile archives: nothing is written, nothing outside is read, and memory, time and numbers have bounds."""

import io
import json
import tarfile
import zipfile
from pathlib import Path

import pytest

from foretell.config import TextSection
from foretell.data import members as room
from foretell.data.labelled import read_labelled
from foretell.data.members import members
from foretell.errors import UnsafeFileError

from .amounts import Figures
from .watching import Child

SECONDS, BYTES = 10.0, 768 * 2**20  # of one archive; the largest text that is read has 256 MB


def test_hostile_archives_are_refused(tmp_path: Path, figures: Figures) -> None:
    (tmp_path / "home").mkdir()
    child = Child("tests.trust.archiving", [str(tmp_path / "home")], tmp_path / "at")
    found = [json.loads(line) for line in child.lines(60)]
    assert child.code == 0, (child.at, (tmp_path / "at.err").read_text()[-2000:])
    assert len({own["archive"] for own in found}) >= 40
    wrong = [
        own
        for own in found
        if own["code"] not in ((0, 3, 5) if own["harmless"] or "link" in own["archive"] else (3, 5))
        or "\n" in own["message"]
        or own["seen"]
        or own["left"]
        or own["seconds"] > SECONDS
        or own["bytes"] > BYTES
    ]
    assert not wrong, "\n".join(map(str, wrong[:20]))
    assert [own for own in found if own["code"] == 0], "those that are harmless are read"
    assert not list(tmp_path.rglob("foretell-was-here*"))
    assert not Path("/tmp/foretell-was-here.txt").exists()
    figures(
        archives=len({own["archive"] for own in found}),
        readings=len(found),
        refused=sum(own["code"] != 0 for own in found),
        slowest_seconds=max(own["seconds"] for own in found),
        most_megabytes=round(max(own["bytes"] for own in found) / 2**20),
    )


@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_there_is_a_most_of_files(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "MOST", 50)
    for count, whole in ((50, True), (51, False)):
        path = tmp_path / f"{count}.{kind}"
        if kind == "tar":
            with tarfile.open(path, "w") as archive:
                for number in range(count):
                    archive.addfile(tarfile.TarInfo(f"{number}.txt"), io.BytesIO())
        else:
            with zipfile.ZipFile(path, "w") as packed:
                for number in range(count):
                    packed.writestr(f"{number}.txt", "")
        if whole:
            assert sum(1 for _ in members(path, (".txt",))) == count
        else:
            with pytest.raises(UnsafeFileError, match="more than 50 files"):
                list(members(path, (".txt",)))


def test_an_honest_archive_is_read(tmp_path: Path) -> None:
    """Also one that packs well."""
    path = tmp_path / "texts.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for number in range(60):
            content = f"{'good' if number % 2 else 'bad'} {'the same again ' * 400}{number}".encode()
            own = tarfile.TarInfo(f"r/{'pos' if number % 2 else 'neg'}/{number}.txt")
            own.size = len(content)
            archive.addfile(own, io.BytesIO(content))
    assert len(list(read_labelled(path, TextSection()).texts)) == 60
