"""How much is tried: a little in CI, a lot under ``make trust``."""

import os
from collections.abc import Callable

LONG = os.environ.get("TRUST") == "long"
Figures = Callable[..., None]


def much(small: int, long: int) -> int:
    """How often something is tried."""
    return long if LONG else small
