"""What a training leaves to look at: its learning curve, and what the search for a learning rate found."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..errors import UnsafeFileError
from ..files import write_atomically
from ..untrusted import read_json, read_plain

CURVE, RATES = "metrics.jsonl", "rates.json"
_MOST = 1e300  # what is beyond, or no number, no training comes to


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
        require_curve(records)
        return records
    except (ValueError, RecursionError) as error:
        raise UnsafeFileError(f"{path} is damaged: {error}", file=str(path)) from None


def require_curve(records: list[Any]) -> None:
    """Checks that records are those of the epochs of a training, as far as anything reads them.

    Raises:
        ValueError: One is not.
    """
    for number, record in enumerate(records, 1):
        try:
            told = record["train"]["loss"], record["validation"]["loss"], record.get("seconds", 0.0)
            if record["epoch"] != number or not all(map(_is_number, told)):
                raise ValueError
        except (ValueError, LookupError, TypeError, AttributeError):
            raise ValueError(f"its record {number} is not that of epoch {number}") from None


def _is_number(value: object) -> bool:
    return isinstance(value, float | int) and -_MOST < value < _MOST


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
        numbers = (found.chosen, *found.rates, *found.losses)
        if not all(map(_is_number, numbers)) or found.chosen <= 0 or len(found.rates) != len(found.losses):
            raise ValueError("it names no rate")
    except (ValueError, TypeError) as error:
        raise UnsafeFileError(f"{path} is damaged: {error}", file=str(path)) from None
    return found


def keep_rate(folder: Path, found: RangeTest) -> None:
    """Keeps what a range test found, so that a run that is resumed trains on with the same rate."""
    write_atomically(folder / RATES, json.dumps(asdict(found)).encode())
