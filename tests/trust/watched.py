"""What a process does while it opens what it should not trust: an audit hook that keeps all that is not its business."""

import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

MARK = "foretell_was_here"  # stands in all that hostile files would like to be run
_NEVER = (
    *("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "os.forkpty", "pty.spawn"),
    *("pickle.find_class", "ctypes.dlopen", "ctypes.dlsym", "socket.connect"),
    *("socket.bind", "socket.getaddrinfo", "socket.sendto", "os.symlink", "os.link", "os.putenv"),
    *("shutil.unpack_archive", "webbrowser.open", "code.__new__", "urllib.Request", "builtins.input"),
)
_CHANGES = (
    "os.chmod",
    "os.chown",
    "os.remove",
    "os.rename",
    "os.mkdir",
    "os.rmdir",
    "os.truncate",
    "shutil.rmtree",
    "shutil.move",
)
_READS = ("os.listdir", "os.scandir")


class Watch:
    """Keeps what is done while it looks.

    Args:
        own: Folders in which files may be read, and written where those are named by ``may``.
        may: Folders in which files may be written.
    """

    def __init__(self, own: Iterable[Path], may: Iterable[Path]) -> None:
        self.may = [str(path.resolve()) for path in may]
        known = [Path(sys.prefix), Path(sys.base_prefix), *map(Path, sys.path), Path(tempfile.gettempdir()) / "none"]
        places = [*own, *(path for path in known if str(path) not in ("", "."))]
        self.own = [str(path.resolve()) for path in places] + [
            "/usr/",
            "/lib",
            "/proc/",
            "/sys/",
            "/dev/null",
            "/dev/urandom",
        ]
        self.own += self.may
        self.seen: list[str] = []
        self.looking = False
        sys.addaudithook(self._hear)

    def _hear(self, event: str, given: tuple[Any, ...]) -> None:
        if not self.looking:
            return
        self.looking = False  # what is asked here is nobody's business
        try:
            self._judge(event, given)
        finally:
            self.looking = True

    def _judge(self, event: str, given: tuple[Any, ...]) -> None:
        if event in _NEVER or (event in ("exec", "compile", "import") and MARK in self._text(event, given)):
            self.seen.append(f"{event} {str(given)[:200]}")
        elif event == "open" and isinstance(given[0], str | bytes):
            flags = given[2] if isinstance(given[2], int) else 0
            writes = bool(flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC))
            self._require(event, given[0], self.may if writes else self.own)
        elif event in _CHANGES:
            for path in given[:2]:
                if isinstance(path, str | bytes):
                    self._require(event, path, self.may)
        elif event in _READS and isinstance(given[0], str | bytes):
            self._require(event, given[0], self.own)

    def _text(self, event: str, given: tuple[Any, ...]) -> str:
        if event != "exec":
            return str(given)
        code = given[0]
        return str((code.co_filename, code.co_names, code.co_consts))

    def _require(self, event: str, path: str | bytes, places: list[str]) -> None:
        asked = os.path.realpath(os.fsdecode(path))
        if not any(asked == place.rstrip("/") or asked.startswith(place.rstrip("/") + "/") for place in places):
            self.seen.append(f"{event} {asked}")


def measured(watch: Watch, do: Callable[[], Any]) -> tuple[Any, dict[str, Any]]:
    """What something gives, and what it did: seconds of the processor, bytes at its peak beyond those before, and what it may not do.

    Args:
        watch: Who looks.
        do: What is done.
    """
    watch.seen = []
    before = forget_peak()
    started = time.process_time()
    watch.looking = True
    try:
        given = do()
    finally:
        watch.looking = False
        seconds = time.process_time() - started
    return given, {"seconds": round(seconds, 3), "bytes": status("VmHWM") - before, "seen": watch.seen}


def status(line: str) -> int:
    """Bytes that the system tells of this process."""
    for own in Path("/proc/self/status").read_text().splitlines():
        if own.startswith(line):
            return int(own.split()[1]) * 1024
    return 0


def forget_peak() -> int:
    """The memory that is held now, from which on the peak is told."""
    Path("/proc/self/clear_refs").write_text("5")
    return status("VmRSS")
