"""Trainings on a Ray cluster of several nodes: the same as here, though one of them is lost in the middle."""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from foretell.cluster import ray_address, ray_cluster
from foretell.errors import RunError

from ..tasks.commands import Run
from .made import FORETELL, PATIENCE, RUNGS, SMALL, plain, wait_for

pytestmark = pytest.mark.filterwarnings("ignore")  # of Ray's, in the process that holds the cluster

ALONE = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0", "GRPC_ENABLE_FORK_SUPPORT": "0"}
"""Ray reports nothing, keeps to this machine, and begins processes beside threads without ado."""


def free_port() -> int:
    """A port at which nothing listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


class Nodes:
    """A cluster of this machine: a head that trains nothing, and nodes for one training each."""

    def __init__(self) -> None:
        self.settings: dict[str, Any] = {"node_ip_address": "127.0.0.1", "include_dashboard": False}
        from ray.cluster_utils import Cluster

        self.client_port = free_port()
        swift = {"health_check_initial_delay_ms": 0, "health_check_period_ms": 200, "health_check_failure_threshold": 5}
        head = {"num_cpus": 0, "ray_client_server_port": self.client_port, "_system_config": swift}
        self.cluster = Cluster(initialize_head=True, head_node_args={**head, **self.settings})
        self.nodes = [self.add() for _ in range(2)]

    def add(self) -> Any:
        return self.cluster.add_node(num_cpus=1, **self.settings)

    def lose(self, node: Any) -> None:
        self.cluster.remove_node(node, allow_graceful=False)
        self.nodes.remove(node)

    @property
    def environment(self) -> dict[str, str]:
        """That of a command which joins the cluster."""
        return {**os.environ, **ALONE, "RAY_ADDRESS": self.cluster.address}


@pytest.fixture(scope="module")
def nodes() -> Iterator[Nodes]:
    """A head and two nodes, for all tests."""
    pytest.importorskip("ray", reason="Ray is not installed: pip install 'foretell[cluster]'")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in ALONE.items():
            patch.setenv(name, value)
        made = Nodes()
        yield made
        made.cluster.shutdown()  # type: ignore[no-untyped-call]


def command(*arguments: object) -> list[str]:
    return [*FORETELL, *map(str, arguments)]


def test_a_lost_node_costs_no_row_and_changes_none(nodes: Nodes, hourly_csv: Path, tmp_path: Path, run: Run) -> None:
    arguments = ["compare", "forecast", hourly_csv, *SMALL, *RUNGS, "--epochs", "100", "--patience", "0"]
    here = run(*arguments, "--runs-dir", tmp_path, "--name", "here", "--json").document
    begun = subprocess.Popen(
        command(*arguments, "--runs-dir", tmp_path, "--name", "there", "--on", "ray"),
        env=nodes.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        curves = [tmp_path / "there" / "mlp" / f"seed-{seed}" / "metrics.jsonl" for seed in range(2)]
        wait_for(lambda: begun.poll() is not None or all(curve.exists() and curve.read_text() for curve in curves))
        assert begun.poll() is None, begun.communicate()
        nodes.lose(nodes.nodes[0])
        printed, errors = begun.communicate(timeout=PATIENCE)
    finally:
        begun.kill()
        nodes.nodes.append(nodes.add())
    assert begun.returncode == 0, errors
    assert "its worker was lost; again" in errors
    there = json.loads((tmp_path / "there" / "leaderboard.json").read_text())
    assert plain(there) == plain(here)
    told = [line.split()[0] for line in printed.partition("\n\n")[0].splitlines()]
    assert sorted(told) == ["ensemble", "mlp", "persistence", "ridge", "rung"], "each row once, and nothing of Ray's"
    for path in (tmp_path / "here").rglob("weights.safetensors"):
        assert path.read_bytes() == (tmp_path / "there" / path.relative_to(tmp_path / "here")).read_bytes()
    curve = [json.loads(line) for line in curves[0].read_text().splitlines()]
    assert [record["epoch"] for record in curve] == list(range(1, 101))


def test_a_search_through_the_client_finds_what_one_here_finds(nodes: Nodes, tmp_path: Path, run: Run) -> None:
    sizes = ["--training-sequences", "300", "--validation-sequences", "64", "--test-sequences", "64", "--epochs", "3"]
    arguments = ["tune", "recall", *sizes, "--rung", "gru", "--trials", "4", "--search", "units=4..16"]
    here = run(*arguments, "--runs-dir", tmp_path, "--name", "here", "--json").document
    address = f"ray://127.0.0.1:{nodes.client_port}"
    done = subprocess.run(
        command(*arguments, "--runs-dir", tmp_path, "--name", "there", "--on", address, "--json"),
        env={**os.environ, **ALONE},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stderr
    there = json.loads(done.stdout)
    assert plain(there["rows"]) == plain(here["rows"])
    assert there["tuning"]["best"] == here["tuning"]["best"]


def test_an_error_inside_comes_back_as_itself(nodes: Nodes, hourly_csv: Path, tmp_path: Path) -> None:
    wild = ["--learning-rate", "1e30", "--clip", "0", "--optimiser", "adam", "--rungs", "persistence,mlp"]
    arguments = ["compare", "forecast", hourly_csv, *SMALL, *wild, "--runs-dir", tmp_path, "--on", "ray", "--json"]
    done = subprocess.run(command(*arguments), env=nodes.environment, capture_output=True, text=True, timeout=PATIENCE)
    error = json.loads(done.stdout)["error"]
    assert (done.returncode, error["code"], error["details"]["epoch"]) == (1, "diverged", 1)
    assert "Traceback" not in done.stderr


def test_a_cluster_that_cannot_train_is_told_before_anything_begins(nodes: Nodes) -> None:
    script = """
import sys, ray
from foretell.cluster import ray_address, ray_cluster
from foretell.errors import ForetellError

ray.init(sys.argv[1], log_to_driver=False, logging_level="CRITICAL")
for version, cpus in ((ray_cluster.__version__, 2), ("99", 1)):
    ray_cluster.__version__ = version
    try:
        ray_cluster.RayCluster(None, cpus, 0.0, 1)
    except ForetellError as error:
        print(error.exit_code, error.message)
print("still there" if ray.is_initialized() else "gone")
"""
    joined = [sys.executable, "-c", script, nodes.cluster.address]
    done = subprocess.run(joined, env=nodes.environment, capture_output=True, text=True, timeout=PATIENCE)
    room, version, ray_itself = done.stdout.splitlines()
    assert room.startswith("3 one training asks for 2 processors")
    assert version.startswith("1 the machine ")
    assert "and this one has version 99; install the same on both" in version
    assert ray_itself == "still there", "who began it ends it"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_ray_of_our_own_and_all_that_it_does(
    hourly_csv: Path, tmp_path: Path, number: signal.Signals
) -> None:
    pytest.importorskip("ray")
    options = [*SMALL, "--rungs", "persistence,mlp", "--epochs", "100000", "--patience", "0"]
    temporary = Path(tempfile.mkdtemp(prefix="t", dir="/tmp"))  # short, as names of sockets are
    begun = subprocess.Popen(
        command("compare", "forecast", hourly_csv, *options, "--runs-dir", tmp_path, "--name", "own", "--on", "ray"),
        env={name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"} | {"TMPDIR": str(temporary)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        curve = tmp_path / "own" / "mlp" / "metrics.jsonl"
        wait_for(lambda: begun.poll() is not None or (curve.exists() and curve.read_text()))
        assert begun.poll() is None, begun.communicate()
        assert of_session(begun.pid)
        if number == signal.SIGINT:
            os.killpg(begun.pid, number)  # as a terminal does
        else:
            begun.send_signal(number)
        _, errors = begun.communicate(timeout=PATIENCE)
    finally:
        begun.kill()
    assert begun.returncode == (130 if number == signal.SIGINT else -number)
    if number == signal.SIGINT:
        assert errors.splitlines()[-1] == f"stopped; go on with: foretell compare --resume {tmp_path / 'own'}"
    assert "Traceback" not in errors and "***" not in errors
    wait_for(lambda: not of_session(begun.pid))
    wait_for(lambda: not list(temporary.iterdir()))
    temporary.rmdir()


def of_session(leader: int) -> list[str]:
    """The processes of a session."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == leader and fields[0] != "Z":
            found.append((folder / "cmdline").read_bytes().decode()[:80])
    return found


def test_an_address_that_does_not_answer_is_told_soon(
    hourly_csv: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("ray")
    closed = run("compare", "forecast", hourly_csv, *SMALL, "--on", f"ray://127.0.0.1:{free_port()}")
    assert closed.code == 1
    assert "no Ray answers at ray://127.0.0.1:" in closed.err
    assert not Path("runs").exists(), "nothing was begun"
    assert len(closed.err.splitlines()) <= 4, "no noise of Ray's"
    monkeypatch.setattr(ray_address, "PATIENCE", 1.0)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        port = silent.getsockname()[1]
        for address in (f"ray://127.0.0.1:{port}", f"127.0.0.1:{port}"):
            with pytest.raises(RunError, match="something else than Ray listens there"):
                ray_cluster.RayCluster(address, 1, 0.0, 1)


def test_without_ray_the_extra_is_named(hourly_csv: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    failed = run("compare", "forecast", hourly_csv, *SMALL, "--on", "ray")
    assert failed.code == 4
    assert "pip install 'foretell[cluster]'" in failed.err
