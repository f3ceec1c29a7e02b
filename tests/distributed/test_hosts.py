"""Several hosts, started by torchrun: two agents on this machine, and two hosts in network namespaces of their own."""

import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ..tasks.commands import Run
from .starting import TORCHRUN, begun, curve, end, ended, surroundings
from .test_commands import GRU, home

__all__ = ["home"]


def free_port() -> int:
    with socket.socket() as own:
        own.bind(("127.0.0.1", 0))
        return int(own.getsockname()[1])


def torchrun(place: str, host: bool, *arguments: Any) -> list[Any]:
    """How a host of two starts its process, and says whether it is where they meet."""
    meeting = [
        "--rdzv-backend",
        "c10d",
        "--rdzv-endpoint",
        place,
        "--rdzv-id",
        "test",
        "--rdzv-conf",
        f"is_host={int(host)}",
    ]
    return [*TORCHRUN, "--nnodes", 2, "--nproc-per-node", 1, *meeting, *arguments]


def test_a_host_without_the_data_is_named(home: Path, tmp_path: Path) -> None:
    place, command = (
        f"127.0.0.1:{free_port()}",
        ["-m", "foretell", "train", "forecast", "hourly.csv", *GRU, "--nodes", 2],
    )
    own = ["--local-addr", "127.0.0.1"]
    first = begun(*torchrun(place, True, *own, *command, "--name", "lonely"), cwd=home)
    second = begun(*torchrun(place, False, *own, *command), cwd=tmp_path)
    try:
        code, out, errors = ended(second)
        assert code != 0
        named = re.search(rf"^Error: worker (\d) \({re.escape(socket.gethostname())}\): .*hourly.csv", errors, re.M)
        other_code, _, other_errors = ended(first)
        assert other_code != 0
        # Who is first is torchrun's to say: the one without the data may be.
        assert named or "Error: there is no file" in errors, errors
        assert out == ""
        assert "lost another one of this training" in other_errors
        assert "Traceback" not in other_errors.partition("torch/distributed/elastic")[0]
    finally:
        end(first)
        end(second)


HOSTS = r"""
set -eu
ip link set lo up
ip link add first type veth peer name second
ip addr add 10.77.0.1/24 dev first
ip link set first up
unshare --net sleep 300 & other=$!
while [ "$(readlink /proc/$other/ns/net)" = "$(readlink /proc/$$/ns/net)" ]; do sleep 0.05; done
trap 'kill $other' EXIT
ip link set second netns $other
nsenter --target $other --net ip addr add 10.77.0.2/24 dev second
nsenter --target $other --net ip link set second up
nsenter --target $other --net ip link set lo up
(cd "$2"; GLOO_SOCKET_IFNAME=second exec nsenter --target $other --net sh -c "$4") & process=$!
(cd "$1"; GLOO_SOCKET_IFNAME=first sh -c "$3")
wait $process
"""


def two_networks() -> str:
    """Why two hosts cannot be had here; nothing where they can."""
    if not sys.platform.startswith("linux") or not all(map(shutil.which, ("ip", "unshare", "nsenter"))):
        return "ip, unshare and nsenter are not all here"
    tried = "ip link add a type veth peer name b && unshare --net true"
    done = subprocess.run(["unshare", "-rn", "sh", "-c", tried], capture_output=True, timeout=30, check=False)
    return "" if done.returncode == 0 else "network namespaces are not allowed here"


def test_two_hosts_learn_what_one_does(home: Path, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    if why := two_networks():
        pytest.skip(why)
    monkeypatch.chdir(home)
    assert run("train", "forecast", "hourly.csv", *GRU, "--name", "here").code == 0
    shutil.copy(home / "hourly.csv", tmp_path)
    command = ["-m", "foretell", "train", "forecast", "hourly.csv", *GRU, "--nodes", 2, "--name", "there", "--json"]
    lines = [
        shlex.join(map(str, torchrun("10.77.0.1:29400", host, "--local-addr", f"10.77.0.{number}", *command)))
        for number, host in ((1, True), (2, False))
    ]
    process = subprocess.Popen(
        ["unshare", "-rn", "sh", "-c", HOSTS, "sh", str(home), str(tmp_path), *lines],
        env=surroundings(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        code, out, errors = ended(process)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    assert code == 0, errors
    assert out.count('"best"') == 1, "both hosts spoke, or none"
    runs = [own / "runs" for own in (home, tmp_path) if (own / "runs" / "there").exists()]
    assert len(runs) == 1, "both hosts wrote, or none"
    assert curve(runs[0] / "there") == pytest.approx(curve(home / "runs" / "here"), abs=1e-4)
    assert not list(tmp_path.glob("foretell-*"))
