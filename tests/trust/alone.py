"""A command in a network of its own: whatever it, or what it starts, sends beyond this machine is counted and lost.

In a namespace there is the loopback interface, and one that leads nowhere, over which the default route and the name
server lie: a program that reaches out sends packets there, in whatever language it is written, and is not answered.
"""

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

NETWORK = r"""
set -eu
ip link set lo up
ip link add out type veth peer name beyond
ip link set out addrgenmode none arp off
ip link set beyond addrgenmode none up
ip addr add 10.99.0.2/24 dev out
ip link set out up
ip route add default via 10.99.0.1
printf "nameserver 10.99.0.1\noptions timeout:1 attempts:1\n" > "$1/resolv.conf"
mount --bind "$1/resolv.conf" /etc/resolv.conf
code=0
sh -c "$2" || code=$?
ip -s -j link show out > "$1/sent.json"
exit $code
"""
OWN = ["unshare", "--map-root-user", "--net", "--mount"]


def not_here(folder: Path) -> str:
    """Why a command cannot have a network of its own; nothing where it can."""
    if not sys.platform.startswith("linux") or not all(map(shutil.which, ("ip", "unshare", "mount"))):
        return "ip, unshare and mount are not all here"
    done = subprocess.run([*OWN, "sh", "-c", NETWORK, "sh", str(folder), "true"], capture_output=True, timeout=30)
    return "" if done.returncode == 0 else "network namespaces are not allowed here"


def alone(
    command: Sequence[object], folder: Path, environment: Mapping[str, str], seconds: float, cwd: Path | None = None
) -> tuple[int, str, int]:
    """Runs a command in a network of its own.

    Args:
        command: The command.
        folder: An empty one.
        environment: Its environment.
        seconds: In which it must be done.
        cwd: Where it is started.

    Returns:
        Its exit code, what it said, and how many packets were sent beyond this machine.
    """
    line = shlex.join(map(str, command))
    out = folder / "said.txt"
    with out.open("wb") as file:
        process = subprocess.Popen(
            [*OWN, "sh", "-c", NETWORK, "sh", str(folder), line],
            stdout=file,
            stderr=subprocess.STDOUT,
            env={**os.environ, **environment},
            start_new_session=True,
            cwd=cwd,
        )
        try:
            code = int(process.wait(seconds))
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
    said = out.read_text("utf-8", "replace")
    sent = folder / "sent.json"
    assert sent.exists(), said[-3000:]
    return code, said, int(json.loads(sent.read_text())[0]["stats64"]["tx"]["packets"])
