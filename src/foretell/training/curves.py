"""What a training leaves to look at: its learning curve, and what the search for a learning rate found."""

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..errors import UnsafeFileError
from ..files import write_atomically
from ..untrusted import read_json, read_plain

_RECORD = {"epoch", "train", "validation"}
CURVE, RATES = "metrics.jsonl", "rates.json"


@dataclass(frozen=True)
class RangeTest:
    """What a range test found.

    Attributes:
        rates: The rate of each step.
        losses: The loss there, a running mean.
        chosen: The rate to train with.
    """

    rates: list[float]
    losses: list[float]
    chosen: float


def curve_of(folder: Path) -> list[dict[str, Any]]:
    """The learning curve that a training's own folder holds, a record for each epoch.

    Raises:
        UnsafeFileError: The file is damaged.
    """
    path = folder / CURVE
    if not path.exists():
        return []
    try:
        records = [json.loads(line) for line in read_plain(path).decode().splitlines()]
        if not all(
            isinstance(record, dict) and {"epoch", "train", "validation"} <= record.keys() for record in records
        ):
            raise ValueError("each line is the record of an epoch")
        return records
    except (ValueError, RecursionError) as error:
        raise UnsafeFileError(f"{path} is damaged: {error}", file=str(path)) from None


def kept_rate(folder: Path) -> RangeTest | None:
    """What a range test found before, in a run's own folder; None where there was none.

    Raises:
        UnsafeFileError: The file is damaged.
    """
    path = folder / RATES
    if not path.exists():
        return None
    try:
        found = RangeTest(**read_json(path))
        if not 0 < float(found.chosen) < math.inf or len(found.rates) != len(found.losses):
            raise ValueError("it names no rate")
    except (ValueError, TypeError) as error:
        raise UnsafeFileError(f"{path} is damaged: {error}", file=str(path)) from None
    return found


def keep_rate(folder: Path, found: RangeTest) -> None:
    """Keeps what a range test found, so that a run that is resumed trains on with the same rate."""
    write_atomically(folder / RATES, json.dumps(asdict(found)).encode())
