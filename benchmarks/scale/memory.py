"""Commands in processes of their own: how long they take, and how much memory of their own they need at most."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_GROUPS = Path("/sys/fs/cgroup")


@dataclass(frozen=True)
class Ran:
    """What became of a command.

    Attributes:
        code: Its exit code.
        seconds: How long it took.
        anonymous: Most resident memory of its own (RssAnon) at any time, in MB.
    """

    code: int
    seconds: float
    anonymous: float


def anonymous(process: int) -> float:
    """The resident memory of a process that is its own, in MB: what the system could not drop."""
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) for line in lines if line.startswith("RssAnon:")), 0) / 1000


def run(*arguments: str, group: Path | None = None) -> Ran:
    """Runs ``foretell`` with some arguments.

    Args:
        *arguments: Of the command line.
        group: A control group that it is put into.
    """
    started = time.perf_counter()
    code = "import os, sys\n" + (
        f"open({str(group / 'cgroup.procs')!r}, 'w').write(str(os.getpid()))\n" if group else ""
    )
    code += "from foretell.cli.main import main\nmain()"
    process = subprocess.Popen([sys.executable, "-c", code, *arguments], stdout=subprocess.DEVNULL)
    most = 0.0
    while process.poll() is None:
        most = max(most, anonymous(process.pid))
        time.sleep(0.05)
    return Ran(process.returncode, time.perf_counter() - started, most)


def forget(folder: Path) -> None:
    """Has the system drop its copies of all files below a folder."""
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb+") as stream:
                os.fsync(stream.fileno())
                os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


@contextmanager
def capped(megabytes: int) -> Iterator[Path | None]:
    """A control group whose memory, the system's copies of files included, is limited; None where none can be made."""
    for folder, limit in ((_GROUPS / "memory", "memory.limit_in_bytes"), (_GROUPS, "memory.max")):
        group = folder / f"foretell-benchmark-{os.getpid()}"
        if not (folder / "cgroup.procs").exists():  # no group, but a folder like any other
            continue
        try:
            group.mkdir()
            (group / limit).write_text(f"{megabytes}M")
        except OSError:
            if group.is_dir():
                group.rmdir()
            continue
        try:
            yield group
        finally:
            group.rmdir()
        return
    yield None
