"""Jobs: commands that run by themselves, one after the other, and are found again: each is a folder of files.

A job is this program called with a verb, in a process of its own: it may take all memory there is, be stopped at any
moment and be gone on with, and whoever asked for it may go and come back.
"""

import json
import logging
import os
import re
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from .errors import ForetellError, InputError, RefusedError, RunError, StorageError
from .files import json_text, remove_all_leftovers, write_atomically
from .folders import folder_beside, put_in_place

WAITING, RUNNING, DONE, FAILED, CANCELLED, STOPPED = "waiting", "running", "done", "failed", "cancelled", "stopped"
OVER = (DONE, FAILED, CANCELLED, STOPPED)
_ID = re.compile(r"[0-9]{8}-[0-9]{6}-[0-9]{6}-[0-9a-f]{4}")  # in the order in which they came
_DOCUMENT, _OUT, _ERRORS, _LOCK = "job.json", "out.txt", "errors.txt", "lock"
_log = logging.getLogger(__name__)
_PATIENCE = 5.0  # seconds that a job has to end by itself
_POLL = 0.1
_LONGEST = 4000  # letters of messages that are kept


class Jobs:
    """A queue of jobs in a folder.

    Args:
        folder: Where each has a folder of its own; those of before are found there.
        at_once: How many run at once.
        most: How many may wait.
        kept: How many that are over are kept.
    """

    def __init__(self, folder: Path, *, at_once: int = 1, most: int = 20, kept: int = 100) -> None:
        self.folder, self.at_once, self.most, self.kept = folder, at_once, most, kept
        self._lock = threading.RLock()
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._cancelled: set[str] = set()
        self._open = True
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._alone = _held_alone(folder / _LOCK)
        except OSError as error:
            told = f"{folder} cannot be used: {error.strerror}"
            raise StorageError(told, folder=str(folder), errno=error.errno) from None
        remove_all_leftovers(folder)
        for job in self.all():
            if job["state"] == RUNNING:  # whoever saw to it is gone; what waits goes on waiting
                _end_orphan(job)
                self._update(job["id"], state=STOPPED, finished=_now())
        self._thread = threading.Thread(target=self._run, name="foretell-jobs", daemon=True)
        self._thread.start()

    def add(
        self,
        arguments: Sequence[str],
        about: Mapping[str, Any],
        files: Mapping[str, bytes] | None = None,
        named: Callable[[list[dict[str, Any]]], str] | None = None,
    ) -> dict[str, Any]:
        """A new job, at the end of the queue.

        Args:
            arguments: Those of the command; ``{folder}`` in them is the job's folder, ``{run}`` its name.
            about: What it is for; ``run`` is its name where it has one.
            files: What is put into its folder, by name.
            named: Makes its name, given all jobs; nobody else makes one meanwhile.

        Raises:
            RefusedError: Too many wait.
            StorageError: It cannot be kept.
        """
        with self._lock:
            known = self.all()
            self._require_place(known)
            about = {**about, "run": named(known)} if named else dict(about)
            identifier = f"{datetime.now(UTC):%Y%m%d-%H%M%S-%f}-{secrets.token_hex(2)}"
            home = self.folder / identifier
            stands_for = {"{folder}": str(home), "{run}": str(about.get("run"))}
            command = [_filled(argument, stands_for) for argument in arguments]
            job = {"id": identifier, "state": WAITING, "created": _now(), **about, "arguments": command}
            try:
                with folder_beside(home) as beside:
                    for name, content in (files or {}).items():
                        (beside / name).write_bytes(content)
                    (beside / _DOCUMENT).write_bytes(_as_kept(job))
                    put_in_place(beside, home)
            except OSError as error:
                told = f"a job cannot be kept in {self.folder}: {error.strerror}"
                raise StorageError(told, folder=str(self.folder), errno=error.errno) from None
            self._tidy()
            return job

    def again(self, identifier: str) -> dict[str, Any]:
        """A job that is over before it began, back in the queue.

        Raises:
            InputError: There is no such job.
            RefusedError: Too many wait.
        """
        with self._lock:
            self._require_place(self.all())
            return self._update(identifier, state=WAITING, finished=None)

    def all(self) -> list[dict[str, Any]]:
        """All jobs, the oldest first."""
        found = [path for path in sorted(self.folder.glob(f"*/{_DOCUMENT}")) if _ID.fullmatch(path.parent.name)]
        return [job for path in found if (job := _read(path)) is not None]

    def get(self, identifier: str) -> dict[str, Any]:
        """A job.

        Raises:
            InputError: There is none of that name.
        """
        path = self.folder / identifier / _DOCUMENT
        job = _read(path) if _ID.fullmatch(identifier) and path.is_file() else None
        if job is None:
            raise InputError(f'there is no job "{identifier[:60]}"', job=identifier[:60])
        return job

    def cancel(self, identifier: str) -> dict[str, Any]:
        """Ends a job, or takes it from the queue.

        Raises:
            InputError: There is no such job.
        """
        with self._lock:
            job = self.get(identifier)
            process = self._processes.get(identifier)
            if process is not None:
                self._cancelled.add(identifier)
                threading.Thread(target=_end, args=(process,), daemon=True).start()
            elif job["state"] == WAITING:
                return self._update(identifier, state=CANCELLED, finished=_now())
        return self.get(identifier)

    def close(self) -> None:
        """Ends what runs; what waits begins when somebody sees to these jobs again."""
        self._open = False
        with self._lock:
            running = list(self._processes.values())
        for process in running:
            _end(process)
        self._thread.join(_PATIENCE)
        self._alone.close()

    def _require_place(self, known: list[dict[str, Any]]) -> None:
        waiting = sum(job["state"] == WAITING for job in known)
        if waiting >= self.most:
            raise RefusedError(429, f"{waiting} jobs wait already; cancel one, or wait for one to end")

    def _run(self) -> None:
        """The life of the thread that starts jobs and sees them end."""
        while self._open or self._processes:
            try:
                with self._lock:
                    self._look()
            except (OSError, ForetellError) as error:  # a full disk, a folder that somebody removed
                _log.warning("a job could not be looked after: %s", error)
            time.sleep(_POLL)

    def _look(self) -> None:
        """Sees which jobs have ended, and starts the next."""
        for identifier, process in list(self._processes.items()):
            if process.poll() is not None:
                if (self.folder / identifier).is_dir():  # else somebody removed it
                    self._finish(identifier, process.returncode)  # again and again while the disk is full
                del self._processes[identifier]
        if self._open and len(self._processes) < self.at_once:
            # One that could not be written down as running, as the disk is full, runs all the same.
            left = (job for job in self.all() if job["state"] == WAITING and job["id"] not in self._processes)
            waiting = next(left, None)
            if waiting is not None:
                self._start(waiting)

    def _start(self, job: dict[str, Any]) -> None:
        home = self.folder / job["id"]
        command = [sys.executable, "-m", "foretell", *job["arguments"], "--json"]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("FORETELL_")}
        with (home / _OUT).open("wb") as out, (home / _ERRORS).open("wb") as errors:
            # A group of its own: Ctrl-C in the terminal of a server is the server's, which ends its jobs itself.
            process = subprocess.Popen(  # noqa: S603 - the command is ours
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=errors, env=environment, start_new_session=True
            )
        self._processes[job["id"]] = process
        self._update(job["id"], state=RUNNING, started=_now(), process=process.pid)

    def _finish(self, identifier: str, code: int) -> None:
        home = self.folder / identifier
        document = _read(home / _OUT) or {}
        further: dict[str, Any] = {}
        if identifier in self._cancelled:
            state = CANCELLED
        elif code == 0:
            state = DONE
        else:
            state = FAILED if self._open else STOPPED
            told = (home / _ERRORS).read_text("utf-8", "replace")[-_LONGEST:].strip()
            further["error"] = document.get("error") or {"code": "failed", "message": told or f"it ended with {code}"}
        self._update(identifier, state=state, finished=_now(), exit_code=code, **further)
        self._cancelled.discard(identifier)

    def _update(self, identifier: str, **changes: Any) -> dict[str, Any]:
        with self._lock:
            job = {**self.get(identifier), **changes}
            self._write(job)
            return job

    def _write(self, job: dict[str, Any]) -> None:
        write_atomically(self.folder / job["id"] / _DOCUMENT, _as_kept(job))

    def _tidy(self) -> None:
        """Removes the oldest of those that are over."""
        over = [job for job in self.all() if job["state"] in OVER]
        for job in over[: max(0, len(over) - self.kept)]:
            home = self.folder / job["id"]
            for path in sorted(home.iterdir(), key=lambda own: own.name == _DOCUMENT):  # what says that it is one, last
                path.unlink()
            home.rmdir()


def _as_kept(job: dict[str, Any]) -> bytes:
    return (json_text(job) + "\n").encode()


def _filled(argument: str, stands_for: Mapping[str, str]) -> str:
    for sign, text in stands_for.items():
        argument = argument.replace(sign, text)
    return argument


def _held_alone(path: Path) -> IO[str]:
    """A lock that one process holds, and that goes with it however it ends.

    Raises:
        RunError: Another process holds it.
    """
    file = path.open("w")
    try:
        import fcntl
    except ImportError:  # elsewhere than on Unix two may see to the same jobs
        return file
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        told = f"another foretell ui sees to the jobs of {path.parent.parent.parent}"
        raise RunError(f"{told}; open its page, or name another --runs-dir") from None
    return file


def _end_orphan(job: Mapping[str, Any]) -> None:
    """Ends a process that was left behind, where it is sure that it is still that of the job."""
    number = job.get("process")
    if not isinstance(number, int):
        return
    try:
        words = Path(f"/proc/{number}/cmdline").read_bytes().decode("utf-8", "replace").split("\0")
        if "foretell" in words and set(job.get("arguments", ("-",))) <= set(words):
            os.killpg(number, signal.SIGINT)
    except OSError:
        return


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Asks a process to end as Ctrl-C does, so that it can be gone on with; ends it where it does not listen."""
    for number, seconds in ((signal.SIGINT, _PATIENCE), (signal.SIGKILL, 1.0)):
        if process.poll() is None:
            try:
                os.killpg(process.pid, number)
                process.wait(seconds)
            except (ProcessLookupError, subprocess.TimeoutExpired):
                continue


def _read(path: Path) -> dict[str, Any] | None:
    """A JSON object; None where there is none, or half of one."""
    try:
        document = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
