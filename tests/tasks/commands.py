"""Commands as tests run them."""

import json
from collections.abc import Callable
from typing import Any


class Result:
    """What a command printed, and its exit code."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    @property
    def document(self) -> Any:
        return json.loads(self.out)


Run = Callable[..., Result]

SMALL = ["--target", "T (degC)", "--lookback", "24", "--ahead", "6", "--epochs", "2"]
SMALL += ["--units", "4", "--batch-size", "64"]
SHOPS = ["--target", "sales", "--series", "shop"]
