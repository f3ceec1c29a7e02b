"""No test, and nothing that it starts, reaches beyond this machine: each socket is looked at, and the test fails.

Python tells of its own sockets alone; what libraries do below it is counted in ``tests/trust/test_offline.py``.
"""

import atexit
import importlib.util
import os
import tempfile
from pathlib import Path

import pytest

HOOK = Path(__file__).parent / "hook"
# Ray takes the address at which other machines reach this one, and finds it by a datagram socket that sends nothing.
EXEMPT = {"cluster": ("connect a datagram to ", "bind ", "connect ", "look up ")}


def seen_to() -> Path:
    """Looks at the sockets of this process and of all that it starts; the file where those stand that reach beyond."""
    handle, name = tempfile.mkstemp(prefix="sockets-outside-")
    os.close(handle)
    atexit.register(Path(name).unlink, missing_ok=True)
    os.environ["SOCKETS_OUTSIDE"] = name
    paths = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    if str(HOOK) not in paths:
        os.environ["PYTHONPATH"] = os.pathsep.join([str(HOOK), *filter(None, paths)])
    found = importlib.util.spec_from_file_location("sockets_hook", HOOK / "sitecustomize.py")
    assert found is not None and found.loader is not None
    found.loader.exec_module(importlib.util.module_from_spec(found))
    return Path(name)


class Outside:
    """What was done beyond this machine since it was last asked."""

    def __init__(self) -> None:
        self.path, self.read = seen_to(), 0

    def since(self) -> list[str]:
        """In a line each."""
        if self.path.stat().st_size == self.read:
            return []
        with self.path.open("rb") as file:
            file.seek(self.read)
            content = file.read()
        self.read += len(content)
        return content.decode("utf-8", "replace").splitlines()

    def require_none(self, item: pytest.Item) -> None:
        """Fails a test during which a socket reached out."""
        allowed = EXEMPT.get(item.path.parent.name, ())
        if found := [line for line in self.since() if not (allowed and line.startswith(allowed))]:
            pytest.fail("a socket reached beyond this machine: " + "; ".join(found[:5]), pytrace=False)
