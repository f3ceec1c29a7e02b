"""What to try first with a table that nobody has looked at yet: a target, how far back, how far ahead."""

import re
from collections.abc import Mapping
from typing import Any

from ...data.frequency import DAY, Frequency, show_duration

_WANTED = (r"^(y|target|value|load|demand|sales)$", r"target", r"^T \(|^temp", r"temp", r"load|demand|sales|price|^OT$")
_DENSE = 3_600_000_000  # microseconds: rows closer than an hour are read one an hour
_MOST_LEADS = 48  # that are forecast one by one; of more the last alone
_SHARE = 12  # windows' lengths that must fit into the rows of a series


def proposed(document: Mapping[str, Any], frequency: Frequency) -> dict[str, Any]:
    """Options for a first comparison.

    Args:
        document: The health of the table.
        frequency: The step of its rows.

    Returns:
        ``target``, ``lookback``, ``every``, ``ahead``, and what findings ask for: ``series``, ``missing``.
    """
    columns = [own for own in document["columns"] if own["lowest"] != own["highest"] and own["share"] < 0.5]
    names = [str(own["name"]) for own in columns or document["columns"]]
    chosen = [name for pattern in _WANTED for name in names if re.search(pattern, name, re.IGNORECASE)]
    found: dict[str, Any] = {"target": chosen[0] if chosen else names[-1]}
    many = document["series"] or [{"rows": document["rows"]}]
    found |= _lengths(frequency, min(int(own["rows"]) for own in many))
    for finding in document["findings"]:
        for option, value in finding.get("remedy", {}).items():
            if option == "missing":
                found[option] = sorted({*found.get(option, ()), value})
            else:
                found.setdefault(option, value)
    return found


def _lengths(frequency: Frequency, rows: int) -> dict[str, str]:
    """How far back, at which step, and how far ahead: a day, some weeks, a year, as far as there are rows for it."""
    if frequency.unit == "month":
        season = max(1, 12 // frequency.count)
        ahead, lookback = _fitting(season, 3 * season, rows)
        return {"lookback": str(lookback), "every": "1", "ahead": f"1:{ahead}" if ahead > 1 else "1"}
    if frequency.unit == "weekday":
        ahead, lookback = _fitting(5, 40, rows)
        return {"lookback": str(lookback), "every": "1", "ahead": f"1:{ahead}" if ahead > 1 else "1"}
    step = max(1, _DENSE // frequency.count) if _DENSE % frequency.count == 0 else 1
    day = DAY // frequency.count
    season = day if day >= 2 * step else 7 if frequency.count == DAY else 24
    ahead, lookback = _fitting(season // step, 2 * season // step if day >= 2 else 8 * season, rows // step)

    def shown(count: int) -> str:
        return show_duration(count * step * frequency.count)

    rows_ahead = ahead * step
    return {
        "lookback": shown(lookback),
        "every": shown(1),
        "ahead": f"1:{rows_ahead}" if 1 < rows_ahead <= _MOST_LEADS else shown(ahead),
    }


def _fitting(ahead: int, lookback: int, rows: int) -> tuple[int, int]:
    """The same in shorter, where there are too few rows for windows so long."""
    while ahead + lookback > max(2, rows // _SHARE) and (ahead > 1 or lookback > 1):
        ahead, lookback = max(1, ahead // 2), max(1, lookback // 2)
    return max(1, ahead), max(1, lookback)
