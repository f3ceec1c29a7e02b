"""Writes the table in docs/trust.md: what the tests of trust counted, from the file that they left.

make trust does both. A test that ran with several parameters is one row: its numbers are added up.
"""

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parents[1] / "docs" / "trust.md"
BEGINS, ENDS = "<!-- figures -->\n", "<!-- end of figures -->"
_LONGEST = 160  # letters of what a test says in words


def rows_of(lines: list[dict[str, Any]]) -> dict[tuple[str, bool], dict[str, Any]]:
    """What each test counted, its parameters together; of a test that ran twice the later line counts."""
    last = {(own["test"], own["long"]): own for own in lines}
    found: dict[tuple[str, bool], dict[str, Any]] = {}
    for (test, long), own in last.items():
        row = found.setdefault((test.partition("[")[0], long), {})
        for name, value in own.items():
            if name in ("test", "long"):
                continue
            if isinstance(value, str):
                row[name] = "; ".join(filter(None, (row.get(name, ""), value)))
            elif name.startswith(("most", "worst", "largest", "longest", "slowest")):
                row[name] = max(row.get(name, value), value)
            else:
                row[name] = row.get(name, 0) + value
    return found


def table_of(lines: list[dict[str, Any]]) -> str:
    """The rows as Markdown, the long runs first where a test has both."""
    found = rows_of(lines)
    out = ["| test in `tests/trust` | settings | counted |", "| --- | --- | --- |"]
    for (test, long), row in sorted(found.items()):
        if not long and (test, True) in found:
            continue
        module, _, name = test.partition("::")
        told = ", ".join(f"{key.replace('_', ' ')}: {_value(value)}" for key, value in row.items() if value != "")
        words = name.removeprefix("test_").replace("_", " ")
        out.append(f"| `{module}.py`: {words} | {'long' if long else 'small'} | {told} |")
    return "\n".join(out) + "\n"


def _value(value: Any) -> str:
    if isinstance(value, str):
        line = " ".join(value.split())
        return (line if len(line) <= _LONGEST else f"{line[:_LONGEST]} ...").replace("|", "\\|")
    return f"{value:,.4g}" if isinstance(value, float) else f"{value:,}"


def main() -> None:
    """Reads the file that is named, and writes the page."""
    lines = [json.loads(line) for line in Path(sys.argv[1]).read_text("utf-8").splitlines()]
    page = PAGE.read_text("utf-8")
    before, rest = page.split(BEGINS)
    _, after = rest.split(ENDS)
    made = f"Made on {datetime.now(UTC):%Y-%m-%d}.\n\n{table_of(lines)}\n"
    PAGE.write_text(f"{before}{BEGINS}{made}{ENDS}{after}", "utf-8")


if __name__ == "__main__":
    main()
