"""A process's part in a command that several carry out together: the first one speaks and writes, the others follow.

All of them run the same program. Those who follow say nothing and write into a folder of their own, which is removed,
so that what they call needs to know nothing of it.
"""

import atexit
import json
import os
import shlex
import shutil
import signal
import socket
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import IO, Any

import click

from ..errors import ConfigurationError, ForetellError, InputError, StoppedError, UsageError
from .launching import REMEDY, REPORT, ROLE, launch

_STARTED = "TORCHELASTIC_RUN_ID"  # in the environment of those whom torchrun, or the launcher as it does, starts
_PATIENCE = 3.0  # seconds in which the first process may tell of a failure itself
_errors: list[IO[str]] = []  # where one who follows tells of its own failure
_folders: list[Path] = []  # where one who follows writes


def take_part(configuration: Any, given: dict[str, Any]) -> Any:
    """The configuration under which this process carries a command out; starts the others where it is to.

    Args:
        configuration: All options, resolved.
        given: ``data`` where there are some, and the output options: one who follows says nothing.

    Raises:
        ConfigurationError: There are fewer devices or other processes than the options ask for.
        UsageError: Data from standard input would be shared.
    """
    section = configuration.training
    alone = section.devices == section.nodes == 1
    if alone and section.strategy == "ddp" and not _started():
        return configuration
    if not alone and configuration.run.on != "here":
        raise ConfigurationError(
            "--devices and --nodes share out one training after the other, here; "
            f"--on {configuration.run.on} shares out trainings; say one of them",
            option="on",
        )
    from ..nn.threads import usable_processors
    from ..training.group import join, torchrun_line
    from ..training.placing import check_devices

    check_devices(section)
    if not alone and not _started():
        arguments = click.get_current_context().find_root().obj
        if given.get("data") == "-":
            raise UsageError("standard input can be read by one process alone; name a file, or leave --devices away")
        if section.nodes > 1:
            line = torchrun_line(section.devices, section.nodes, f"-m foretell {shlex.join(arguments)}")
            raise ConfigurationError(
                f"--nodes {section.nodes} needs a process started on each machine; there: {line}", option="nodes"
            )
        launch(arguments, section.devices)
    group = join(section)
    if group.size == 1:
        return configuration
    import torch

    torch.set_num_threads(section.threads or usable_processors())
    threading.Thread(target=_end_with, args=(_parent(),), name="foretell-parent", daemon=True).start()
    if group.leads:
        return configuration
    _say_nothing(given)
    run = configuration.run.model_copy(update={"runs_dir": _own_folder(), "name": None})
    return configuration.model_copy(update={"run": run})


def own_copy(folder: Path, configuration: Any) -> Path:
    """The folder of a run in which this process goes on with it: the run's, or a copy for one who follows.

    Args:
        folder: The run's.
        configuration: As :func:`take_part` gave it.
    """
    if not _started():
        return folder
    from ..training.group import join, noticing_loss

    group = join(configuration.training)
    own = folder
    if not group.leads:
        own = configuration.run.runs_dir / folder.name
        shutil.copytree(folder, own, ignore=shutil.ignore_patterns("checkpoint", ".*"))
    with noticing_loss():
        group.wait()  # the first process changes nothing until all have their copies
    return own


def require_same(fingerprint: str, configuration: Any) -> None:
    """Checks that all processes have read the same data: each reads them on its own machine.

    Args:
        fingerprint: Of those that this one has read.
        configuration: As :func:`take_part` gave it.

    Raises:
        InputError: Others have read other data.
    """
    if not _started():
        return
    from ..training.group import join, noticing_loss

    with noticing_loss():
        found = join(configuration.training).gathered(fingerprint.encode())
    others = [number for number, own in enumerate(found, 1) if own != found[0]]
    if others:
        raise InputError(
            f"all workers must read the same data; those of worker {others[0]} of {len(found)} are others than those "
            "of worker 1; copy the file to its machine",
            worker=others[0],
        )


def remember(remedy: str) -> None:
    """Tells who started this process how the work can be gone on with, should it end."""
    if _launched() and remedy and os.environ["RANK"] == "0":
        (_home() / REMEDY).write_text(remedy, "utf-8")


def report(error: ForetellError) -> bool:
    """Tells of a failure those who wait for it, if this process is one of several.

    Returns:
        Whether it is told thereby, and this process need not say it.
    """
    if not _started():
        return False
    _tidy()
    rank = int(os.environ.get("RANK", 0))
    if _launched():
        told = {"message": error.message, "timestamp": str(int(time.time()))}
        document = json.dumps({**told, "document": error.document(), "exit_code": error.exit_code}, default=str)
        beside = _home() / f".{REPORT}"
        beside.write_text(document, "utf-8")
        beside.replace(_home() / REPORT)
        end = time.monotonic() + (0 if isinstance(error, StoppedError) else _PATIENCE)
        # Mostly all fail alike, and the first one knows best what it has written: who follows lets it speak.
        while rank and not (_home().parent / "0" / REPORT).exists() and time.monotonic() < end:
            time.sleep(0.05)
        return True
    if rank == 0:
        return False
    stream = _errors[0] if _errors else sys.stderr
    stream.write(f"Error: worker {rank + 1} ({socket.gethostname()}): {error.message}\n")
    stream.flush()
    return True


def _started() -> bool:
    """Whether this process is one of several, started by torchrun or by this program."""
    return _STARTED in os.environ


def _launched() -> bool:
    """Whether this program started it."""
    return _started() and os.environ.get("ROLE_NAME", "").startswith(ROLE)


def _parent() -> int:
    """The process that started this one, which may be gone by now."""
    return int(os.environ["ROLE_NAME"].removeprefix(ROLE)) if _launched() else os.getppid()


def _home() -> Path:
    """The folder in which the one who started this process looks for what it has to tell."""
    return Path(os.environ["TORCHELASTIC_ERROR_FILE"]).parent


def _say_nothing(given: dict[str, Any]) -> None:
    """Nothing that this process says is seen from here on, but for its own failure."""
    given["quiet"] = True
    nowhere = os.open(os.devnull, os.O_WRONLY)
    _errors.append(os.fdopen(os.dup(sys.stderr.fileno()), "w"))
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
        if stream is sys.stdout or not os.environ.get("FORETELL_DEBUG"):
            os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def _own_folder() -> Path:
    """A folder of runs for this process alone, which is gone when it ends."""
    folder = Path(tempfile.mkdtemp(prefix="foretell-", dir=_home() if _launched() else None))
    _folders.append(folder)
    atexit.register(_tidy)
    if not _launched():  # torchrun ends processes by a signal, after which nothing would be removed
        signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    return folder


def _end_with(parent: int) -> None:
    """Ends this process when the one that started it is gone."""
    while os.getppid() == parent:
        time.sleep(0.5)
    _tidy()
    if _launched():
        shutil.rmtree(_home().parents[2], ignore_errors=True)  # the launcher's own, which it cannot remove any more
    os._exit(1)


def _tidy() -> None:
    """Removes what one who follows has written."""
    for folder in _folders:
        shutil.rmtree(folder, ignore_errors=True)
