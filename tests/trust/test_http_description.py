"""Schemathesis for longer than in CI, with all its checks, over every route of the service and its page."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from ..service.test_description import CONFIGURATION
from .amounts import LONG, Figures, much
from .served import SECRETS, Service, require_untold

# A schema cannot say that a question fits the model which the address names: that may be refused though the schema allows it.
NOT_MEANT = "positive_data_acceptance"


@pytest.mark.skipif(not LONG, reason="a shorter run is in tests/service/test_description.py; this one: make trust")
def test_every_check_of_every_route(service: Service, tmp_path: Path, figures: Figures) -> None:
    for name in ("weather", "mood", "writer", "days"):
        assert service.client.get(f"/v1/models/{name}").status == 200  # what is loaded is described
    (tmp_path / "schemathesis.toml").write_text(CONFIGURATION)
    command = [sys.executable, "-m", "schemathesis.cli", "run", f"{service.address}/openapi.json", "--no-color"]
    command += ["-H", f"Authorization: Bearer {SECRETS['token']}", "--checks", "all", "--exclude-checks", NOT_MEANT]
    command += ["--phases", "examples,coverage,fuzzing", "-n", str(much(10, 1000)), "--seed", "1"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=3000, cwd=tmp_path)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    require_untold(done.stdout.encode(), done.stderr.encode())
    tested, generated = re.search(r"Tested: (\d+)", done.stdout), re.search(r"([\d,]+) generated", done.stdout)
    assert tested and int(tested[1]) >= 20 and generated, done.stdout[-1500:]
    figures(routes=int(tested[1]), questions=int(generated[1].replace(",", "")))
