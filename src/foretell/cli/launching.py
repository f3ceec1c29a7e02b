"""Starting the processes of a training on this machine, one for each device, and seeing to it that none is left behind.

They are started and watched by torch's own elastic agent. What goes wrong in them is told here, once.
"""

import json
import logging
import os
import secrets
import signal
import socket
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

from click.exceptions import Exit

from ..errors import ForetellError, LostError, RunError, StoppedError

ROLE = "foretell-"  # of the processes that are started here, before this one's number; torchrun's have other roles
REPORT, REMEDY = "error.json", "remedy"
_PATIENCE = 10  # seconds that they have to end by themselves
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT) if os.name == "posix" else (signal.SIGINT,)


def launch(arguments: list[str], count: int) -> NoReturn:
    """Carries a command out in so many processes, and ends as they end.

    Args:
        arguments: Those of the command.
        count: How many.

    Raises:
        ForetellError: What one of them failed with.
        RunError: One was killed.
        StoppedError: Somebody stopped them.
        Exit: They are done.
    """
    from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs, SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    with tempfile.TemporaryDirectory(prefix="foretell-") as folder, _as_before():
        os.environ.setdefault("GLOO_SOCKET_IFNAME", _loopback())
        config = LaunchConfig(
            min_nodes=1,
            max_nodes=1,
            nproc_per_node=count,
            run_id=secrets.token_hex(8),
            role=f"{ROLE}{os.getpid()}",
            rdzv_backend="c10d",
            rdzv_endpoint="127.0.0.1:0",
            local_addr="127.0.0.1",
            max_restarts=0,
            shutdown_timeout=_PATIENCE,
            logs_specs=DefaultLogsSpecs(log_dir=folder),
        )
        command = ["-P", "-m", "foretell", *(argument.replace("$", "$$") for argument in arguments)]
        try:
            elastic_launch(config, sys.executable)(*command)
        except ChildFailedError as error:
            raise _failure(error.failures, count, Path(folder)) from None
        except SignalException as stop:
            ended_by = stop.sigval
            if ended_by == signal.SIGINT:
                reports = _reports(Path(folder))
                said = reports[0]["message"] if 0 in reports else "stopped"
                raise StoppedError(said) from None
        else:
            raise Exit(0)
    os.kill(os.getpid(), ended_by)  # as it would have ended this process without the others
    raise StoppedError(f"stopped by {ended_by.name}")


@contextmanager
def _as_before() -> Iterator[None]:
    """A block after which signals, logs and the environment are as they were."""
    handlers, interface = (
        {number: signal.getsignal(number) for number in _SIGNALS},
        os.environ.get("GLOO_SOCKET_IFNAME"),
    )
    logging.disable()  # the agent's: what matters of it is told in words of our own
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)
        for number, handler in handlers.items():
            signal.signal(number, handler)
        if interface is None:
            os.environ.pop("GLOO_SOCKET_IFNAME", None)


def _loopback() -> str:
    """The interface by which processes of one machine reach each other."""
    return next((name for _, name in socket.if_nameindex() if name.startswith("lo")), "lo")


def _reports(folder: Path) -> dict[int, dict[str, Any]]:
    """What processes that failed have left, by their number."""
    found = {int(path.parent.name): json.loads(path.read_text("utf-8")) for path in folder.rglob(REPORT)}
    return dict(sorted(found.items()))


def _failure(failures: Mapping[int, Any], count: int, folder: Path) -> ForetellError:
    """The one failure that the others follow from.

    Who loses another fails too, and the agent ends (by SIGTERM) those who do not.
    """
    reports = _reports(folder)
    killed = {rank: failure for rank, failure in sorted(failures.items()) if failure.exitcode < 0}
    first = [rank for rank, failure in killed.items() if failure.exitcode != -signal.SIGTERM]
    codes = {rank: report["document"]["error"]["code"] for rank, report in reports.items()}
    told = [report for rank, report in reports.items() if codes[rank] != LostError.code]
    remedies = [path.read_text("utf-8") for path in folder.rglob(REMEDY)]
    if any(code == StoppedError.code for code in codes.values()):
        return StoppedError("; ".join(["stopped", *(f"go on with: {remedy}" for remedy in remedies[:1])]))
    silent = [rank for rank, failure in failures.items() if failure.exitcode > 0 and rank not in reports]
    if told and not first:
        return _told(told[0])
    # Who lost another has said so, and may have been ended before it was gone.
    suspects = [rank for rank in killed if codes.get(rank) != LostError.code]
    rank = next(iter([*first, *silent, *suspects, *failures]))
    failure = failures[rank]
    which = f"worker {rank + 1} of {count} (process {failure.pid})"
    remedy = f"; go on with: {remedies[0]}" if remedies else ""
    if failure.exitcode == -signal.SIGTERM and len(suspects) != 1:
        told_of = f"one of {count} workers was ended by signal {int(signal.SIGTERM)} (SIGTERM), and the others with it"
        return RunError(f"{told_of}{remedy}")
    if failure.exitcode < 0:
        number = -failure.exitcode
        memory = ", as the system does where memory runs out" if number == signal.SIGKILL else ""
        how = f"was killed by signal {number} ({signal.Signals(number).name}){memory}"
    elif rank in reports:
        return _told(reports[rank])
    else:
        how = f"ended with code {failure.exitcode}; what it wrote to standard error says why"
    return RunError(f"{which} {how}; the others were ended{remedy}", worker=rank + 1, process=failure.pid)


def _told(report: dict[str, Any]) -> ForetellError:
    """A failure as another process told it."""
    found = report["document"]["error"]
    error = ForetellError(found["message"], **found["details"])
    error.code, error.exit_code = found["code"], report["exit_code"]
    return error
