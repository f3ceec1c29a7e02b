"""Shapes and types are checked in every test; real data is used where it is at hand, and skipped where it is not."""

import multiprocessing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jaxtyping import install_import_hook

SOURCE = Path(__file__).parents[1] / "src"
NOT_COMPILED = {"compiling", "fused", "memory", "plans", "stepping"}  # of the kernels; numba checks types itself
hook = install_import_hook(
    [
        ".".join(path.relative_to(SOURCE).with_suffix("").parts)
        for path in (SOURCE / "foretell").rglob("*.py")
        if path.stem not in {"__init__", "__main__"} and (path.parent.name != "kernels" or path.stem in NOT_COMPILED)
    ],
    "beartype.beartype",
)

import os  # noqa: E402

# Tests run in two processes: threads of one that wait for each other must not keep the other from working.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import numpy as np  # noqa: E402
import polars as pl  # noqa: E402
import pytest  # noqa: E402
import torch  # noqa: E402
from hypothesis import HealthCheck, settings  # noqa: E402

from foretell.cli.main import main  # noqa: E402

from .browser import CHROMIUM, QUIET  # noqa: E402
from .outside import Outside  # noqa: E402
from .serving import models, runs_dir, serve  # noqa: E402
from .tasks.commands import Result, Run  # noqa: E402

__all__ = ["models", "runs_dir", "serve"]  # fixtures of all folders
settings.register_profile("ci", max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("ci")
torch.set_num_threads(2)
outside = Outside()
# The examples of exported graphs run as their users run them, but for this: onnxruntime would tell its maker.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item) -> None:
    """A test fails whose sockets, or those of what it starts, reach beyond this machine."""
    outside.require_none(item)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Where several processes run the suite, a file's tests share one; those that start processes themselves too."""
    for item in items:
        folder = item.path.parent.name
        item.add_marker(
            pytest.mark.xdist_group("processes" if folder in ("distributed", "cluster") else str(item.path))
        )


def pytest_make_parametrize_id(val: object) -> str | None:
    """Bytes are called by their length: what packs them may write the time, and names must be alike in each process."""
    return f"{len(val)} bytes" if isinstance(val, bytes) else None


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data beside the checkout."""
    folder = Path(os.environ.get("FORETELL_SHARED", Path(__file__).parents[2] / "shared")) / "data"
    if not folder.is_dir():
        pytest.skip("the real data are not beside this checkout")
    return folder


@pytest.fixture(scope="session")
def hourly() -> pl.DataFrame:
    """1,200 hours of two columns: a daily wave that can be learned, and noise."""
    generator = np.random.default_rng(0)
    hours = np.arange(1200)
    temperature = 10 + 5 * np.sin(2 * np.pi * hours / 24) + np.cumsum(generator.normal(0, 0.2, 1200))
    times = pl.datetime_range(pl.datetime(2021, 1, 1), pl.datetime(2021, 12, 31), "1h", eager=True).head(1200)
    return pl.DataFrame(
        {"time": times, "T (degC)": temperature.round(3), "p (mbar)": generator.normal(1000, 3, 1200).round(2)}
    )


@pytest.fixture(scope="session")
def hourly_csv(hourly: pl.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same as a CSV."""
    path = tmp_path_factory.mktemp("data") / "hourly.csv"
    hourly.write_csv(path, datetime_format="%Y-%m-%d %H:%M:%S")
    return path


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments: object) -> Result:
        capsys.readouterr()
        with pytest.raises(SystemExit) as stopped:
            main([str(argument) for argument in arguments])
        printed = capsys.readouterr()
        return Result(int(stopped.value.code or 0), printed.out, printed.err)

    return call


@pytest.fixture(scope="session")
def processes() -> Any:
    """Processes forked from a server that has already imported torch, so that each starts in no time."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.tasks.killing", "tests.trust.killed_work", "lightning_fabric"])
    return context


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium, for the tests of a module."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield running
        running.close()
