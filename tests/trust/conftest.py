"""Where what the tests of trust counted goes: docs/trust.md is made from it."""

import json
import os
from pathlib import Path

import pytest

from .amounts import LONG, Figures


@pytest.fixture
def figures(request: pytest.FixtureRequest) -> Figures:
    """Keeps what a test counted, under its name; ``TRUST_FIGURES`` names the file, one JSON object a line."""

    def keep(**counted: float | str) -> None:
        if file := os.environ.get("TRUST_FIGURES"):
            name = f"{request.path.stem}::{request.node.name}"
            with Path(file).open("a") as lines:
                lines.write(json.dumps({"test": name, "long": LONG, **counted}) + "\n")

    return keep
