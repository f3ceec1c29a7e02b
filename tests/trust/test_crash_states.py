"""After a power cut at any moment of a write there is what was there before, or what was to be there: whole, and read."""

import errno
import itertools
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import numpy as np
import polars as pl
import pytest

from foretell import folders, runs
from foretell.artefact import Artefact, is_model, read_artefact, write_artefact
from foretell.data import cache
from foretell.errors import StorageError
from foretell.files import HALF, make_folder, write_atomically, write_parquet
from foretell.jobs import Jobs
from foretell.tasks.recall.config import Configuration
from foretell.web.store import Store

from .amounts import Figures
from .crash_states import crash_states, make_again
from .recorded_disk import Disk, needs_proc, tree_of

pytestmark = needs_proc
Write = Callable[[Path], object]
Read = Callable[[Path], object]
ERRORS = (errno.ENOSPC, errno.EACCES, errno.EIO)


def artefact(number: int) -> Artefact:
    return Artefact(
        "x", {"number": number}, {"a": np.full(9, number)}, {"scaling.json": {"mean": number}}, f"# {number}"
    )


def write_text(number: int) -> Write:
    return lambda home: write_atomically(home / "file.json", f"{number}".encode() * 9)


def read_text(home: Path) -> object:
    return (home / "file.json").read_text() if (home / "file.json").exists() else None


def write_model(number: int) -> Write:
    return lambda home: write_artefact(home / "runs" / "a" / "model", artefact(number), replace=True)


def read_model(home: Path) -> object:
    if not is_model(home / "runs" / "a" / "model"):
        return None
    found = read_artefact(home / "runs" / "a" / "model")
    number = found.document["number"]
    assert found.arrays["a"].tolist() == [number] * 9 and found.files == {"scaling.json": {"mean": number}}
    assert found.card == f"# {number}"
    return number


def write_run(home: Path) -> None:
    job = {"verb": "train", "task": "recall", "rung": "gru", "fingerprint": "x", "data": None}
    if "a" not in runs.names_in(home / "runs"):
        runs.create(home / "runs", "a", job, Configuration.build({}, environment={}))


def read_runs(home: Path) -> object:
    """The runs that are there, each of them whole, and whether they are done."""
    found = []
    for run in runs.listing(home / "runs"):
        assert run["state"] != "damaged", run
        folder = home / "runs" / run["name"]
        Configuration.build(file=folder / "config.toml", environment={})
        found.append((run["name"], run["state"]))
    return found


def delete_run(home: Path) -> None:
    if "a" in runs.names_in(home / "runs"):
        runs.delete(home / "runs" / "a")


def write_full_run(home: Path) -> None:
    write_run(home)
    (home / "runs" / "a" / "checkpoint").mkdir()
    (home / "runs" / "a" / "report.html").touch()


def write_rows(number: int) -> Write:
    return lambda home: write_parquet(home / "live" / "forecasts" / "rows.parquet", pl.DataFrame({"a": [number]}))


def read_rows(home: Path) -> object:
    path = home / "live" / "forecasts" / "rows.parquet"
    return pl.read_parquet(path)["a"].to_list() if path.exists() else None


def write_job(home: Path) -> None:
    make_folder(home / "jobs")
    jobs = Jobs(home / "jobs", at_once=0)
    try:
        if not jobs.all():
            jobs.add(["--name", "{run}"], {"run": "a"}, {"options.toml": b"x" * 9})
    finally:
        jobs.close()


def read_jobs(home: Path) -> object:
    jobs = Jobs.__new__(Jobs)
    jobs.folder = home / "jobs"
    return [(job["run"], job["state"], (jobs.folder / job["id"] / "options.toml").read_text()) for job in jobs.all()]


def write_upload(home: Path) -> None:
    async def parts() -> Any:
        yield b"a,b\n"
        yield b"1,2\n"

    anyio.run(Store(home / "data").keep, "rows.csv", parts())


def read_uploads(home: Path) -> object:
    store = Store(home / "data")
    own = [about for about in store.all() if "bytes" in about]
    return [Path(store.source(about["id"])).read_text() for about in own]


def write_store(home: Path) -> None:
    def write(folder: Path) -> dict[str, Any]:
        numbers = np.memmap(folder / "numbers.i64", np.int64, "w+", shape=(9,))
        numbers[:] = 7
        numbers.flush()
        (folder / "text.utf8").write_text("seven")
        return {"seven": 7}

    if cache.kept_as("key", home) is None:
        cache.keep("key", home, {"kind": "x", "source": "x", "read": {}, "content": "x"}, write)


def read_store(home: Path) -> object:
    kept = cache.kept_as("key", home)
    if kept is None:
        return None
    return np.fromfile(kept.folder / "numbers.i64", np.int64).tolist(), (kept.folder / "text.utf8").read_text()


def nothing(home: Path) -> None:
    """Nothing was there before."""


CASES: dict[str, tuple[Write, Write, Read]] = {
    "a new file": (nothing, write_text(2), read_text),
    "a file in place of another": (write_text(1), write_text(2), read_text),
    "a new model": (nothing, write_model(2), read_model),
    "a model in place of another": (write_model(1), write_model(2), read_model),
    "a new run": (nothing, write_run, read_runs),
    "a run that is done": (write_run, lambda home: runs.finish(home / "runs" / "a"), read_runs),
    "a run that is removed": (write_full_run, delete_run, read_runs),
    "a table": (nothing, write_rows(2), read_rows),
    "a table in place of another": (write_rows(1), write_rows(2), read_rows),
    "a job": (nothing, write_job, read_jobs),
    "a file of a client": (nothing, write_upload, read_uploads),
    "a store": (nothing, write_store, read_store),
}


def survived(tmp_path: Path, before: Write, write: Write, read: Read) -> dict[str, float]:
    """Writes once, and reads every state that a power cut may leave of it, then has whoever comes next write again."""
    home = tmp_path / "home"
    home.mkdir()
    before(home)
    old = read(home)
    with Disk(home) as disk:
        write(home)
    new = read(home)
    assert new != old, "nothing was written"
    count = 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: None)  # the states are made of copies, which need not last
        for done, tree in crash_states(disk.before, disk.calls):
            again = make_again(tree, tmp_path / f"state-{count}")
            found = read(again)
            assert found == new or (found == old and done < len(disk.calls)), (found, sorted(tree), disk.calls[:done])
            write(again)
            assert read(again) == new, sorted(tree)
            count += 1
    assert count > 4
    return {"calls": len(disk.calls), "states": count}


@pytest.mark.parametrize("case", CASES)
def test_a_power_cut_leaves_the_old_or_the_new(tmp_path: Path, figures: Figures, case: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            cache, "_SMALL", 0
        )  # as large files are, whose hashes are not kept: what is on disk must be right
        figures(**survived(tmp_path, *CASES[case]))


@pytest.mark.parametrize("case", ["a model in place of another", "a new model"])
def test_so_it_is_where_names_cannot_be_exchanged(
    tmp_path: Path, figures: Figures, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    monkeypatch.setattr(folders, "exchange", lambda one, other: False)
    figures(**survived(tmp_path, *CASES[case]))


def test_where_names_can_be_exchanged_a_model_is_never_missing(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    one.mkdir()
    other.mkdir()
    if not folders.exchange(one, other):
        pytest.skip("this file system exchanges no names")
    home = tmp_path / "home"
    write_model(1)(home)
    with Disk(home) as disk:
        write_model(2)(home)
    count = 0
    for _, tree in crash_states(disk.before, disk.calls):
        assert tree["runs/a/model/README.md"] in (b"# 1", b"# 2"), "there is one that nobody had to put back"
        count += 1
    assert count > 10


@pytest.mark.parametrize("case", CASES)
def test_a_call_that_fails_leaves_the_old_or_the_new_and_says_so(tmp_path: Path, figures: Figures, case: str) -> None:
    before, write, read = CASES[case]
    faults = 0
    for number in itertools.count():
        home = tmp_path / f"home-{number}"
        home.mkdir()
        before(home)
        old, error = read(home), ERRORS[number % len(ERRORS)]
        with Disk(home, number, error) as disk:
            try:
                write(home)
                said = None
            except StorageError as failure:
                said = failure
        found = read(home)
        if disk.failed is None:
            break
        faults += 1
        call = disk.failed
        assert said is None or (said.exit_code, said.details["errno"]) == (1, error), call
        assert said is not None or call.kind in ("unlink", "rmdir"), call
        assert said is None or "\n" not in said.message
        if call.kind not in ("unlink", "rmdir"):
            assert not [path for path in tree_of(home) if HALF in path], call
        write(home)
        new = read(home)
        assert found in (old, new) and new != old, call
    assert faults > 4
    figures(faults=faults)
