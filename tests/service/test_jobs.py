"""Jobs: one after the other, found again, cancelled, gone on with; files that clients send, under names of our own."""

import gzip
import io
import json
import os
import shutil
import signal
import time
import zipfile
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import anyio
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretell.errors import InputError, RefusedError, RunError
from foretell.jobs import DONE, OVER, Jobs
from foretell.web.store import Store

from .client import until

QUICK = ["recipes", "list"]
TRAIN = ["compare", "recall", "--rungs", "chance,rnn", "--epochs", "50000", "--patience", "0", "--batch-size", "16"]


@pytest.fixture
def jobs(tmp_path: Path) -> Iterator[Jobs]:
    made = Jobs(tmp_path / "jobs", most=3)
    yield made
    made.close()


def waited(jobs: Jobs, identifier: str, *states: str) -> dict[str, Any]:
    """The job when it has come to one of some states."""
    end = time.monotonic() + 60
    while (job := jobs.get(identifier))["state"] not in states and time.monotonic() < end:
        time.sleep(0.02)
    assert job["state"] in states, job
    return job


def test_a_job_runs_by_itself_and_is_kept(jobs: Jobs, tmp_path: Path) -> None:
    job = jobs.add(QUICK, {"run": "listed"}, {"options.toml": b"# nothing\n"})
    assert job["state"] == "waiting" and (jobs.folder / job["id"] / "options.toml").read_bytes() == b"# nothing\n"
    done = waited(jobs, job["id"], *OVER)
    assert done["state"] == DONE and done["exit_code"] == 0 and done["run"] == "listed"
    assert json.loads((jobs.folder / job["id"] / "out.txt").read_text())["recipes"]
    jobs.close()
    again = Jobs(jobs.folder)
    assert again.get(job["id"])["state"] == DONE
    again.close()


def test_what_fails_says_why(jobs: Jobs) -> None:
    job = jobs.add(["data", "check", "nowhere.csv"], {})
    failed = waited(jobs, job["id"], *OVER)
    assert failed["state"] == "failed" and failed["exit_code"] == 3
    assert "nowhere.csv" in failed["error"]["message"]


def test_they_wait_for_each_other_and_can_be_taken_out(jobs: Jobs, tmp_path: Path) -> None:
    long = jobs.add([*TRAIN, "--runs-dir", str(tmp_path / "runs"), "--name", "long"], {"run": "long"})
    waited(jobs, long["id"], "running")
    second, third, fourth = (jobs.add(QUICK, {"number": number}) for number in range(3))
    assert {jobs.get(own["id"])["state"] for own in (second, third, fourth)} == {"waiting"}
    assert [job["id"] for job in jobs.all()] == [own["id"] for own in (long, second, third, fourth)], "in their order"
    with pytest.raises(RefusedError, match="3 jobs wait already") as refused:
        jobs.add(QUICK, {})
    assert refused.value.status == 429
    assert jobs.cancel(third["id"])["state"] == "cancelled"
    until((tmp_path / "runs" / "long" / "run.json").exists)
    jobs.cancel(long["id"])
    ended = waited(jobs, long["id"], *OVER)
    assert ended["state"] == "cancelled" and ended["exit_code"] == 130, "as Ctrl-C ends it, so that it can go on"
    assert waited(jobs, second["id"], *OVER)["state"] == waited(jobs, fourth["id"], *OVER)["state"] == DONE
    assert jobs.get(third["id"])["state"] == "cancelled"
    assert jobs.cancel(second["id"])["state"] == DONE, "what is over stays as it is"


def test_what_runs_when_the_server_ends_is_stopped(tmp_path: Path) -> None:
    jobs = Jobs(tmp_path / "jobs")
    running = jobs.add([*TRAIN, "--runs-dir", str(tmp_path / "runs")], {})
    waiting = jobs.add(QUICK, {})
    waited(jobs, running["id"], "running")
    jobs.close()
    assert [jobs.get(own["id"])["state"] for own in (running, waiting)] == ["stopped", "waiting"]
    again = Jobs(tmp_path / "jobs")
    assert waited(again, waiting["id"], *OVER)["state"] == DONE, "what waited goes on waiting, and has its turn"
    again.close()


def test_a_job_whose_server_was_killed_is_ended_and_stopped(tmp_path: Path) -> None:
    first = Jobs(tmp_path / "jobs")
    job = first.add([*TRAIN, "--runs-dir", str(tmp_path / "runs"), "--name", "left"], {"run": "left"})
    number = waited(first, job["id"], "running")["process"]
    until((tmp_path / "runs" / "left" / "run.json").exists)
    process = first._processes.pop(job["id"])  # as if whoever saw to it were gone
    first._open = False
    first._alone.close()
    half = tmp_path / "jobs" / "20260101-000001-000000-abcd"
    half.mkdir()
    (half / "job.json").write_text("{")  # half written
    again = Jobs(tmp_path / "jobs")
    assert [own["state"] for own in again.all()] == ["stopped"]
    assert process.wait(30) == 130 and process.pid == number
    again.close()


def test_another_process_number_is_left_alone(tmp_path: Path) -> None:
    home = tmp_path / "jobs" / "20260101-000000-000000-abcd"
    home.mkdir(parents=True)
    job = {"id": home.name, "state": "running", "process": os.getpid(), "arguments": ["compare", "--name", "x"]}
    (home / "job.json").write_text(json.dumps(job))
    jobs = Jobs(tmp_path / "jobs")
    assert jobs.get(home.name)["state"] == "stopped"
    jobs.close()


def test_two_do_not_see_to_the_same_jobs(jobs: Jobs) -> None:
    with pytest.raises(RunError, match="another foretell ui"):
        Jobs(jobs.folder)


def test_names_are_made_one_by_one(tmp_path: Path) -> None:
    jobs = Jobs(tmp_path / "jobs", at_once=0, most=100)
    with ThreadPoolExecutor(8) as pool:
        made = list(
            pool.map(lambda _: jobs.add(["--name", "{run}"], {}, named=lambda own: f"run-{len(own)}"), range(16))
        )
    assert sorted(own["run"] for own in made) == sorted(f"run-{number}" for number in range(16))
    assert all(own["arguments"] == ["--name", own["run"]] for own in made)
    jobs.close()


def test_a_folder_that_vanishes_stops_no_other_job(jobs: Jobs, tmp_path: Path) -> None:
    gone = jobs.add([*TRAIN, "--runs-dir", str(tmp_path / "runs")], {})
    waited(jobs, gone["id"], "running")
    process = jobs._processes[gone["id"]]
    shutil.rmtree(jobs.folder / gone["id"])
    os.killpg(process.pid, signal.SIGKILL)
    assert waited(jobs, jobs.add(QUICK, {})["id"], *OVER)["state"] == DONE


def test_what_was_cancelled_before_it_began_can_begin_again(jobs: Jobs) -> None:
    long = jobs.add([*TRAIN, "--runs-dir", str(jobs.folder.parent / "runs")], {})
    job = jobs.add(QUICK, {})
    assert jobs.cancel(job["id"])["state"] == "cancelled"
    assert jobs.again(job["id"])["state"] == "waiting"
    jobs.cancel(long["id"])
    assert waited(jobs, job["id"], *OVER)["state"] == DONE


def test_old_jobs_make_room(tmp_path: Path) -> None:
    jobs = Jobs(tmp_path / "jobs", kept=2)
    for _ in range(4):
        waited(jobs, jobs.add(QUICK, {})["id"], *OVER)
    jobs.add(QUICK, {})
    assert len(jobs.all()) == 3
    jobs.close()


@given(st.text(max_size=40))
def test_only_names_of_jobs_are_looked_for(name: str) -> None:
    jobs = Jobs.__new__(Jobs)
    jobs.folder = Path("/")
    with pytest.raises(InputError, match="no job"):
        jobs.get(name)


def kept(store: Store, name: str, *parts: bytes) -> dict[str, Any]:
    async def each() -> AsyncIterator[bytes]:
        for part in parts:
            yield part

    async def keep() -> dict[str, Any]:
        return await store.keep(name, each())

    return anyio.run(keep)


def test_files_are_kept_under_names_of_our_own(tmp_path: Path) -> None:
    store = Store(tmp_path / "data")
    about = kept(store, "my data.csv", b"a,b\n", b"1,2\n")
    assert about["name"] == "my-data.csv" and about["bytes"] == 8
    path = store.source(about["id"])
    assert isinstance(path, Path) and path.read_bytes() == b"a,b\n1,2\n" and path.parent.parent == tmp_path / "data"
    assert kept(store, "other.csv", b"a,b\n1,2\n")["id"] == about["id"], "the same content is the same file"
    assert {own["id"] for own in store.all()} >= {"nyc-weather", about["id"]}
    assert not list((tmp_path / "data").glob(".*")), "nothing is left beside"


@given(st.text(min_size=0, max_size=60))
def test_whatever_a_client_calls_it_stays_inside(tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    folder = tmp_path_factory.mktemp("store")
    store = Store(folder / "data")
    about = kept(store, f"{name}.csv", b"x")
    path = store.source(about["id"])
    assert isinstance(path, Path) and path.resolve().is_relative_to((folder / "data").resolve())
    assert sorted(own.name for own in folder.iterdir()) == ["data"]


@pytest.mark.parametrize("name", ["a.exe", "a", ".csv.py", "../../a.sh", ""])
def test_files_of_other_kinds_are_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match=r"ends in .csv"):
        kept(Store(tmp_path), name, b"x")
    assert not list(tmp_path.iterdir())


def test_files_that_are_empty_or_too_large_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(tmp_path / "data")
    with pytest.raises(RefusedError, match="empty"):
        kept(store, "a.csv")
    monkeypatch.setattr("foretell.web.store.MOST_BYTES", 10)
    with pytest.raises(RefusedError, match="at most 10 bytes") as refused:
        kept(store, "a.csv", b"12345678", b"12345678")
    assert refused.value.status == 413
    assert not list((tmp_path / "data").iterdir())
    for identifier in ("nowhere", "../data", "0" * 16, "", "dates"):
        with pytest.raises(RefusedError):
            store.source(identifier)


def test_packed_files_that_would_fill_the_memory_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(tmp_path / "data")
    monkeypatch.setattr("foretell.web.store.MOST_UNPACKED", 100_000)
    large, packed = b"time,a\n" + b"1,2\n" * 50_000, io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.csv", large)
    frame = io.BytesIO()
    pl.DataFrame({"a": pl.zeros(1_000_000, eager=True)}).write_parquet(frame)
    for name, content in (
        ("a.csv.gz", gzip.compress(large)),
        ("a.zip", packed.getvalue()),
        ("a.parquet", frame.getvalue()),
    ):
        with pytest.raises(RefusedError, match="when it is unpacked") as refused:
            kept(store, name, content)
        assert refused.value.status == 413
    for name, content in (
        ("a.csv.gz", b"junk"),
        ("a.zip", b"PK\x03\x04junk"),
        ("a.parquet", b"PAR1junkPAR1"),
        ("b.csv.gz", b"\x1f\x8bjunk"),
    ):
        with pytest.raises(RefusedError, match=r"damaged|whatever its name says"):
            kept(store, name, content)
    assert not list((tmp_path / "data").iterdir())


def test_files_are_removed_and_replaced(tmp_path: Path) -> None:
    store = Store(tmp_path / "data")
    first = kept(store, "a.csv", b"a\n")
    assert kept(store, "b.csv", b"a\n")["name"] == "b.csv"
    home = tmp_path / "data" / first["id"]
    assert sorted(path.name for path in home.iterdir()) == ["about.json", "b.csv"]
    assert store.remove(first["id"]) and not store.remove(first["id"]) and not store.remove("../data")
