"""Nothing reaches out: commands, service and page in a network of their own, and sockets of whatever the tests start."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ..hook.sitecustomize import reaches
from .alone import alone, not_here
from .amounts import LONG, Figures
from .offline_sample import COMMANDS

ROOT = Path(__file__).parents[2]
# What this machine's owner may have set must not hide what the program itself leaves out.
LOUD = (
    "ORT_DISABLE_TELEMETRY",
    "RAY_USAGE_STATS_ENABLED",
    "HF_HUB_OFFLINE",
    "HF_HUB_DISABLE_TELEMETRY",
    "DO_NOT_TRACK",
)


def paths() -> str:
    """Where Python finds the tests and the program."""
    return os.pathsep.join([str(ROOT), str(ROOT / "src"), os.environ.get("PYTHONPATH", "")])


@pytest.fixture
def network(tmp_path: Path) -> Path:
    """An empty folder, for a command in a network of its own."""
    folder = tmp_path / "network"
    folder.mkdir()
    if why := not_here(folder):
        pytest.skip(why)
    return folder


def test_what_reaches_out_is_counted(network: Path) -> None:
    code = "import socket\ntry: socket.create_connection(('example.org', 80), timeout=1)\nexcept OSError: pass"
    done = alone([sys.executable, "-S", "-c", code], network, {"SOCKETS_OUTSIDE": ""}, 60)
    assert done[0] == 0 and done[2] > 0, "else the tests below say nothing"


def test_every_command_and_the_page_work_without_a_network(
    network: Path, runs_dir: Path, hourly_csv: Path, tmp_path: Path, figures: Figures
) -> None:
    for path in (hourly_csv, *(path for path in runs_dir.parent.iterdir() if path.is_file())):
        shutil.copy(path, tmp_path)
    quiet = {name: value for name, value in os.environ.items() if name not in LOUD}
    command = [
        "env",
        *(f"--unset={name}" for name in LOUD),
        sys.executable,
        "-m",
        "tests.trust.offline_sample",
        runs_dir,
    ]
    code, said, packets = alone(command, network, {**quiet, "PYTHONPATH": paths()}, 300, cwd=tmp_path)
    assert code == 0, said[-4000:]
    assert said.count("Error") == 0, said[-4000:]
    assert packets == 0, f"{packets} packets went beyond this machine:\n{said[-3000:]}"
    figures(commands=len(COMMANDS) + 1, packets=packets)


@pytest.mark.skipif(not LONG, reason="the whole suite once more: make trust")
def test_the_whole_suite_passes_without_a_network(network: Path, figures: Figures) -> None:
    command = [sys.executable, "-m", "pytest", "tests", "--ignore", "tests/trust", "-q", "-p", "no:cacheprovider"]
    environment = {"PYTHONPATH": paths(), "TRUST": "", "TRUST_FIGURES": "", "PYTEST_XDIST_WORKER": ""}
    code, said, packets = alone(command, network, environment, 3 * 3600, cwd=ROOT)
    lines = said.strip().splitlines()
    assert code == 0, "\n".join(lines[-80:])
    assert packets == 0, f"{packets} packets went beyond this machine"
    figures(said=lines[-1], packets=packets)


def test_what_comes_with_an_exported_graph_is_asked_for_nothing() -> None:
    """onnxruntime's own sender is switched off before it is imported, whatever the environment says."""
    code = "from foretell.exporting.session import runtime; runtime(); import os; print(os.environ['ORT_DISABLE_TELEMETRY'])"
    environment = {**os.environ, "ORT_DISABLE_TELEMETRY": "0"}
    pytest.importorskip("onnxruntime")
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "1", done.stderr
    for path in (ROOT / "src").rglob("*.py"):
        inside = [line for line in path.read_text("utf-8").splitlines() if line.strip() == "import onnxruntime"]
        assert not inside or path.name in ("session.py", "usage.py"), f"{path} imports onnxruntime past runtime()"


def test_which_sockets_reach_out_is_told_apart() -> None:
    import socket

    with (
        socket.socket() as own,
        socket.socket(type=socket.SOCK_DGRAM) as datagram,
        socket.socket(socket.AF_UNIX) as unix,
    ):
        for event, arguments, told in (
            ("socket.connect", (own, ("127.0.0.1", 1)), ""),
            ("socket.connect", (own, ("localhost", 1)), ""),
            ("socket.connect", (own, ("10.0.0.1", 1)), "connect 10.0.0.1"),
            ("socket.connect", (datagram, ("8.8.8.8", 53)), "connect a datagram to 8.8.8.8"),
            ("socket.connect", (unix, "/run/x"), ""),
            ("socket.bind", (own, ("127.0.0.1", 0)), ""),
            ("socket.bind", (own, ("", 0)), "bind all addresses"),
            ("socket.bind", (own, ("0.0.0.0", 0)), "bind 0.0.0.0"),
            ("socket.sendto", (datagram, ("10.0.0.1", 1)), "send a datagram to 10.0.0.1"),
            ("socket.getaddrinfo", ("example.org", 80, 0, 0, 0), "look up example.org"),
            ("socket.getaddrinfo", (b"localhost", 80, 0, 0, 0), ""),
            ("socket.getaddrinfo", ("127.0.0.1", 80, 0, 0, 0), ""),
            ("socket.gethostbyname", ("example.org",), "look up example.org"),
            ("open", ("/etc/passwd", "r", 0), ""),
        ):
            assert reaches(event, arguments) == told, (event, arguments)
