"""Writes the table in docs/trust.md: what the tests of trust counted, from docs/trust.jsonl, to which they add lines.

make trust does both. A test that ran with several parameters is one row: its numbers are added up.
"""

import json
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parents[1] / "docs" / "trust.md"
FIGURES = PAGE.with_suffix(".jsonl")
BEGINS, ENDS = "<!-- figures -->\n", "<!-- end of figures -->"
_LONGEST = 160  # letters of what a test says in words


def last_of(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Of a test that ran twice the later line."""
    return list({(own["test"], own["long"]): own for own in lines}.values())


def rows_of(lines: list[dict[str, Any]]) -> dict[tuple[str, bool], dict[str, Any]]:
    """What each test counted, its parameters together."""
    found: dict[tuple[str, bool], dict[str, Any]] = {}
    for own in last_of(lines):
        row = found.setdefault((own["test"].partition("[")[0], own["long"]), {})
        for name, value in own.items():
            if name in ("test", "long"):
                continue
            if name in ("date", "commit"):
                row[name] = value
            elif isinstance(value, str):
                row[name] = "; ".join(filter(None, (row.get(name, ""), value)))
            elif name.startswith(("most", "worst", "largest", "longest", "slowest")):
                row[name] = max(row.get(name, value), value)
            else:
                row[name] = row.get(name, 0) + value
    return found


def table_of(lines: list[dict[str, Any]]) -> str:
    """The rows as Markdown, the long runs first where a test has both."""
    found = rows_of(lines)
    out = ["| test in `tests/trust` | settings | counted | when, of which commit |", "| --- | --- | --- | --- |"]
    for (test, long), row in sorted(found.items()):
        if not long and (test, True) in found:
            continue
        module, _, name = test.partition("::")
        of = f"{row.pop('date')}, {row.pop('commit')}"
        told = ", ".join(f"{key.replace('_', ' ')}: {_value(value)}" for key, value in row.items() if value != "")
        words = name.removeprefix("test_").replace("_", " ")
        out.append(f"| `{module}.py`: {words} | {'long' if long else 'small'} | {told} | {of} |")
    return "\n".join(out) + "\n"


def _value(value: Any) -> str:
    if isinstance(value, str):
        line = " ".join(value.split())
        return (line if len(line) <= _LONGEST else f"{line[:_LONGEST]} ...").replace("|", "\\|")
    return f"{value:,.4g}" if isinstance(value, float) else f"{value:,}"


def main() -> None:
    """Reads what was counted, forgets what was counted again since, and writes the page."""
    lines = [json.loads(line) for line in FIGURES.read_text("utf-8").splitlines()]
    FIGURES.write_text("".join(json.dumps(own) + "\n" for own in last_of(lines)), "utf-8")
    page = PAGE.read_text("utf-8")
    before, rest = page.split(BEGINS)
    _, after = rest.split(ENDS)
    PAGE.write_text(f"{before}{BEGINS}{table_of(lines)}{ENDS}{after}", "utf-8")


if __name__ == "__main__":
    main()
