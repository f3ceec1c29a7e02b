"""Where what the tests of trust counted goes, from which docs/trust.md is made; a service that is attacked."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from .amounts import LONG, Figures
from .served import SECRETS, Service


@pytest.fixture
def figures(request: pytest.FixtureRequest) -> Figures:
    """Keeps what a test counted, under its name; ``TRUST_FIGURES`` names the file, one JSON object a line."""

    def keep(**counted: float | str) -> None:
        if file := os.environ.get("TRUST_FIGURES"):
            name = f"{request.path.stem}::{request.node.name}"
            asked = ["git", "-C", str(request.config.rootpath), "log", "-1", "--format=%h"]
            commit = subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip()
            of = {"date": f"{datetime.now(UTC):%Y-%m-%d}", "commit": commit}
            with Path(file).open("a") as lines:
                lines.write(json.dumps({"test": name, "long": LONG, **of, **counted}) + "\n")

    return keep


@pytest.fixture(scope="session")
def service(runs_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """``foretell ui`` with a token, over models of every task; secrets lie beside and among what it serves."""
    folder = tmp_path_factory.mktemp("attacked")
    shutil.copytree(runs_dir, folder / "runs")
    running = Service(folder, "ui", "--runs-dir", folder / "runs", "--deadline", "5s", "--stream-deadline", "2s")
    for place in ("runs", "runs/.page", "runs/weather"):
        (folder / place / "secret.txt").write_text(SECRETS["file"])
    yield running
    running.close()
