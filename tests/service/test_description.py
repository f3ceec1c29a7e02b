"""Schemathesis reads the description and asks whatever it allows, and what it does not: no 500, no other response."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from .client import Client

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
    "unsupported_method",
    "negative_data_rejection",
)
# What cannot be done before the deadline, such as a translation of 100,000 tokens, is refused with 503 and says so.
CONFIGURATION = """
[checks.not_a_server_error]
expected-statuses = ["2xx", "3xx", "4xx", "503"]
"""
EXAMPLES = 25  # of each operation, beside those that cover each keyword of its schema


@pytest.fixture(scope="module")
def address(runs_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The service with its page, over models of every task."""
    folder = tmp_path_factory.mktemp("fuzz") / "runs"
    shutil.copytree(runs_dir, folder)
    command = [sys.executable, "-m", "foretell", "ui", "--no-browser", "--port", "0", "--runs-dir", str(folder)]
    command += ["--deadline", "5s", "--stream-deadline", "2s"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    client = Client(process.stdout.readline().strip())
    client.wait()
    for name in ("weather", "mood", "writer", "days"):
        assert client.get(f"/v1/models/{name}").status == 200  # what is loaded is described
    yield client.address
    process.terminate()
    _, said = process.communicate(timeout=60)
    assert "Traceback" not in said, said


def test_no_question_breaks_the_service(address: str, tmp_path: Path) -> None:
    (tmp_path / "schemathesis.toml").write_text(CONFIGURATION)
    command = [sys.executable, "-m", "schemathesis.cli", "run", f"{address}/openapi.json", "--checks", ",".join(CHECKS)]
    command += ["--phases", "examples,coverage,fuzzing", "-n", str(EXAMPLES), "--seed", "1", "--no-color"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, cwd=tmp_path)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    tested = re.search(r"Tested: (\d+)", done.stdout)
    generated = re.search(r"(\d+) generated, (?:all )?", done.stdout)
    assert tested and int(tested[1]) >= 18, done.stdout[-1500:]
    assert generated and int(generated[1]) >= 500
