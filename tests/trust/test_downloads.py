"""What is fetched is the right file at its place, or nothing is: whatever the server does, and whoever else fetches."""

import hashlib
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from foretell.data.catalogue import REMOTE, Remote, RemoteSet
from foretell.data.fetching import fetch
from foretell.errors import ForetellError, MissingError, UnsafeFileError

from ..service.client import until
from ..tasks.commands import Run
from .amounts import Figures, much
from .wicked_server import CONTENT, WickedServer, wicked_server

DIGEST = hashlib.sha256(CONTENT).hexdigest()
WRONG = {
    "truncated": (MissingError, "broke off"),
    "short": (UnsafeFileError, "has the sha256"),
    "unmeasured": (UnsafeFileError, "has the sha256"),
    "corrupt": (UnsafeFileError, "has the sha256"),
    "stalling": (MissingError, "nothing came for|broke off|cannot be reached"),
    "silent": (MissingError, "nothing came for"),
    "dripping": (MissingError, "bytes came in"),
    "page": (MissingError, "a page, not"),
    "disguised": (UnsafeFileError, "has the sha256"),
    "elsewhere": (MissingError, "sends us elsewhere, to http://127.0.0.2"),
    "around": (MissingError, "sends us elsewhere, to /right"),
    "to_a_file": (MissingError, "sends us elsewhere, to file:/etc"),
    "missing": (MissingError, "answers 404"),
    "broken": (MissingError, "answers 500"),
    "nothing": (UnsafeFileError, "has the sha256"),
    "endless": (UnsafeFileError, "and more came"),
    "bomb": (UnsafeFileError, "and more came"),
    "noise": (MissingError, "cannot be reached|broke off|could not be fetched"),
    "hanging_up": (MissingError, "cannot be reached"),
}


@pytest.fixture
def server() -> Iterator[WickedServer]:
    with wicked_server() as running:
        yield running


def a_set(address: str) -> RemoteSet:
    return RemoteSet("sun", (Remote("sun.txt", address, f"sha256:{DIGEST}", 2 * len(CONTENT)),))


def address_of(server: WickedServer, what: str) -> str:
    return f"http://127.0.0.1:{server.server_port}/{what}"


def visible(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("what", WRONG)
def test_a_server_that_does_wrong_never_leaves_a_wrong_file(
    what: str, server: WickedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if what in ("stalling", "silent"):
        monkeypatch.setattr("foretell.data.fetching._SILENCE", 1.0)
    monkeypatch.setattr("foretell.data.fetching._PATIENCE", 1.0)
    kind, told = WRONG[what]
    with pytest.raises(kind, match=told) as caught:
        fetch("sun", a_set(address_of(server, what)), tmp_path)
    assert "\n" not in caught.value.message
    assert visible(tmp_path) == [], "nothing stands at its place, and nothing beside it"
    assert len(server.asked) == 1, "no other address was asked"
    (path,) = fetch("sun", a_set(address_of(server, "right")), tmp_path)
    assert path.read_bytes() == CONTENT


def test_what_is_there_is_not_fetched_again_and_what_is_damaged_is(server: WickedServer, tmp_path: Path) -> None:
    (path,) = fetch("sun", a_set(address_of(server, "right")), tmp_path)
    fetch("sun", a_set(address_of(server, "broken")), tmp_path)
    assert len(server.asked) == 1
    path.write_bytes(CONTENT[:-5])
    with pytest.raises(MissingError):
        fetch("sun", a_set(address_of(server, "broken")), tmp_path)
    fetch("sun", a_set(address_of(server, "right")), tmp_path)
    assert path.read_bytes() == CONTENT


def _was_asked(server: WickedServer, times: int) -> bool:
    return len(server.asked) >= times


def _fetch_slowly(address: str, folder: str) -> None:
    fetch("sun", a_set(address), Path(folder))


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such signals")
def test_a_fetch_that_is_killed_leaves_nothing_at_its_place(
    server: WickedServer, tmp_path: Path, figures: Figures
) -> None:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["foretell.data.fetching", "requests", "pooch"])
    kills = much(3, 40)
    for number in range(kills):
        process = context.Process(target=_fetch_slowly, args=(address_of(server, "slow"), str(tmp_path)))
        process.start()
        until(partial(_was_asked, server, number + 1))
        os.kill(process.pid or 0, signal.SIGKILL)
        process.join(60)
        assert visible(tmp_path / "sun") in ([], ["sun.txt"]) or all("/" in path for path in visible(tmp_path / "sun"))
        assert not (tmp_path / "sun" / "sun.txt").exists()
    (path,) = fetch("sun", a_set(address_of(server, "right")), tmp_path)
    assert path.read_bytes() == CONTENT
    figures(kills=kills)


def test_two_who_fetch_at_once_both_have_it(server: WickedServer, tmp_path: Path) -> None:
    seen: list[bytes] = []
    stop = threading.Event()
    place = tmp_path / "sun" / "sun.txt"

    def look() -> None:
        while not stop.is_set():
            if place.exists():
                seen.append(place.read_bytes())

    watcher = threading.Thread(target=look)
    watcher.start()
    context = multiprocessing.get_context("forkserver")
    both = [
        context.Process(target=_fetch_slowly, args=(address_of(server, way), str(tmp_path)))
        for way in ("slow", "right")
    ]
    for process in both:
        process.start()
    for process in both:
        process.join(60)
    stop.set()
    watcher.join(20)
    assert [process.exitcode for process in both] == [0, 0]
    assert place.read_bytes() == CONTENT
    assert set(seen) <= {CONTENT}, "nobody ever saw half of it"
    assert visible(tmp_path) == ["sun/sun.txt"]


def test_a_link_in_its_place_is_replaced_not_followed(server: WickedServer, tmp_path: Path) -> None:
    outside = tmp_path / "outside.txt"
    outside.write_text("mine")
    (tmp_path / "home" / "sun").mkdir(parents=True)
    (tmp_path / "home" / "sun" / "sun.txt").symlink_to(outside)
    fetch("sun", a_set(address_of(server, "right")), tmp_path / "home")
    assert outside.read_text() == "mine"
    assert (tmp_path / "home" / "sun" / "sun.txt").read_bytes() == CONTENT


def test_the_command_fetches_from_files_and_says_what_next(shared_data: Path, run: Run) -> None:
    found = run("data", "get", "nietzsche", "--from", shared_data / "generate" / "nietzsche.txt", "--to", "here")
    assert found.code == 0, found.err
    assert found.out == "here/nietzsche/nietzsche.txt\n"
    assert "next: foretell compare generate here/nietzsche/nietzsche.txt" in found.err
    several = run("data", "get", "multi30k", "--from", shared_data / "translate", "--to", "here", "--json")
    assert several.code == 0 and len(several.document["files"]) == 6


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["nothing"], 2, 'no data "nothing" to fetch; known are'),
        (["dates"], 2, "built in"),
        (["nietzsche", "--from", "absent.txt"], 4, "there is no file absent.txt"),
        (["nietzsche", "--from", "table.csv"], 5, "nietzsche.txt has the sha256"),
        (["jena", "--from", "table.csv"], 5, "is not the weather of Jena"),
        (["nietzsche", "--from", "http://127.0.0.1:9/nietzsche.txt"], 4, "the server cannot be reached"),
        (["nietzsche", "--from", "ftp://127.0.0.1/nietzsche.txt"], 4, "there is no file ftp:"),
        (["nietzsche", "--from", "http://"], 4, "could not be fetched"),
    ],
)
def test_what_cannot_be_fetched_is_told_in_a_sentence(
    arguments: list[str], code: int, told: str, run: Run, tmp_path: Path
) -> None:
    (tmp_path / "table.csv").write_text("time,x\n" + "".join(f"2024-01-{day:02d},1\n" for day in range(1, 29)))
    found = run("data", "get", *arguments, "--to", "here")
    assert (found.code, told in found.err, found.err.count("\n")) == (code, True, 1), found.err
    assert not list(Path("here").rglob("*.txt")) if Path("here").exists() else True


def test_a_place_that_cannot_be_written_to_is_told(run: Run, tmp_path: Path, shared_data: Path) -> None:
    (tmp_path / "file").write_text("")
    source = shared_data / "generate" / "nietzsche.txt"
    found = run("data", "get", "nietzsche", "--from", source, "--to", "file/here")
    assert (found.code, "--to names another folder" in found.err) == (1, True), found.err


def test_every_address_is_https_and_every_file_can_be_told_from_another() -> None:
    for found in REMOTE.values():
        for remote in found.files:
            assert remote.address.startswith("https://") and remote.address.endswith(remote.name)
            assert remote.digest is not None or remote.check is not None
            assert remote.largest <= 200_000_000


def test_errors_of_the_catalogue_are_foretells() -> None:
    assert issubclass(MissingError, ForetellError) and MissingError.exit_code == 4 and UnsafeFileError.exit_code == 5
