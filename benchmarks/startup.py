"""How long a person waits before anything happens: help, import."""

import subprocess
import sys
from functools import partial
from pathlib import Path

from .measure import Row, race, rows


def measure() -> list[Row]:
    """Whole processes, from start to exit, beside an interpreter that does nothing."""
    program = Path(sys.executable).parent / "foretell"
    commands = {
        "python -c pass": [sys.executable, "-c", "pass"],
        "foretell --help": [str(program), "--help"],
        "python -c 'import foretell'": [sys.executable, "-c", "import foretell"],
    }

    def runner(command: list[str]) -> None:
        subprocess.run(command, check=True, capture_output=True)

    times = race({name: partial(runner, command) for name, command in commands.items()}, repetitions=15)
    goals = {
        "foretell --help": ("under 150 ms", lambda seconds, _: seconds < 0.15),
        "python -c 'import foretell'": ("under 300 ms", lambda seconds, _: seconds < 0.3),
    }
    return rows("a process from start to exit", times, "python -c pass", goals)
