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


def torchrun(number: int, host: str, port: int, *command: Any) -> list[Any]:
    """How one of two hosts starts its process."""
    meeting = ["--node-rank", number, "--master-addr", host, "--master-port", port]
    return [*TORCHRUN, "--nnodes", 2, *meeting, "--nproc-per-node", 1, *command]


@pytest.mark.parametrize("there", ["nothing", "other data"])
def test_a_host_without_the_data_is_named(there: str, home: Path, tmp_path: Path) -> None:
    if there == "other data":
        lines = (home / "hourly.csv").read_text().splitlines(keepends=True)
        (tmp_path / "hourly.csv").write_text("".join(lines[:-1]))
    before = [path.name for path in tmp_path.iterdir()]
    command = ["-m", "foretell", "train", "forecast", "hourly.csv", *GRU, "--nodes", 2, "--name", "lonely"]
    port = free_port()
    first = begun(*torchrun(0, "127.0.0.1", port, *command), cwd=home)
    second = begun(*torchrun(1, "127.0.0.1", port, *command), cwd=tmp_path)
    try:
        code, out, errors = ended(second)
        other_code, _, other_errors = ended(first)
    finally:
        end(first)
        end(second)
    assert (code != 0, out) == (True, "")
    said = re.search(rf"^Error: worker 2 \({re.escape(socket.gethostname())}\): (.*)", errors, re.MULTILINE)
    assert said is not None, errors
    assert other_code != 0
    if there == "nothing":
        assert "hourly.csv" in said[1]
        assert re.search(r"worker 1 of 2 .* lost another one of this training", other_errors)
    else:
        assert "those of worker 2 of 2 are others than those of worker 1" in said[1]
        assert f"Error: {said[1]}" in other_errors
    assert not (home / "runs" / "lonely").exists()
    assert [path.name for path in tmp_path.iterdir()] == before


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
    tried = "ip link add first type veth peer name second && unshare --net true"
    done = subprocess.run(["unshare", "-rn", "sh", "-c", tried], capture_output=True, timeout=30, check=False)
    return "" if done.returncode == 0 else "network namespaces are not allowed here"


def test_two_hosts_learn_what_one_does(home: Path, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    if why := two_networks():
        pytest.skip(why)
    monkeypatch.chdir(home)
    assert run("train", "forecast", "hourly.csv", *GRU, "--name", "here").code == 0
    shutil.copy(home / "hourly.csv", tmp_path)
    command = ["-m", "foretell", "train", "forecast", "hourly.csv", *GRU, "--nodes", 2, "--name", "there", "--json"]
    lines = [shlex.join(map(str, torchrun(number, "10.77.0.1", 29400, *command))) for number in (0, 1)]
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
    assert curve(home / "runs" / "there") == pytest.approx(curve(home / "runs" / "here"), abs=1e-4)
    assert [path.name for path in tmp_path.iterdir()] == ["hourly.csv"], "who follows wrote something"
