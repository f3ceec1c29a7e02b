"""Files without what legitimately differs from run to run: clocks, names of runs, and where they lie."""

import json
import re
import struct
from pathlib import Path
from typing import Any

# By name, whatever their value: how long things took, when they were done, which process did them.
DIFFERING = {"seconds", "per_second", "created", "finished", "datetime_start", "datetime_complete", "worker_id"}
_SPEED = re.compile(r"[\d,]+ target tokens a second")
_SECONDS = re.compile(r'(<td>[^<]*</td>|<td class="[a-z]+">[^<]*</td>)')
_CLOCK_COLUMN = "<th>seconds</th>"


def essence(path: Path, home: Path) -> bytes:
    """What a file says, but for clocks; where ``home`` lies does not count.

    Args:
        path: The file.
        home: The folder in which all was done.
    """
    content = path.read_bytes()
    if path.suffix == ".safetensors" and "checkpoint" in path.parts:
        return _checkpoint(content)
    if path.suffix not in (".json", ".jsonl", ".md", ".html"):
        return content
    if path.suffix in (".json", ".jsonl"):
        return told(content.decode(), home)
    text = _SPEED.sub("SPEED", content.decode()).replace(str(home), "HOME")
    return (_without_clock_column(text) if _CLOCK_COLUMN in text else text).encode()


def told(text: str, home: Path) -> bytes:
    """The same of one JSON document, or of one a line."""
    plain = _SPEED.sub("SPEED", text).replace(str(home), "HOME")
    return "\n".join(json.dumps(without(document)) for document in _documents(plain)).encode()


def without(document: Any) -> Any:
    """A document without the values that differ; their names stay, and so does the order of all names."""
    if isinstance(document, dict):
        return {name: "DIFFERS" if name in DIFFERING else without(value) for name, value in document.items()}
    return [without(entry) for entry in document] if isinstance(document, list) else document


def _documents(text: str) -> list[Any]:
    """The documents of a text: one, or one a line."""
    try:
        return [json.loads(text)]
    except json.JSONDecodeError:
        return [json.loads(line) for line in text.splitlines()]


def _checkpoint(content: bytes) -> bytes:
    """A checkpoint's tensors as they are, and what it says beside them without clocks."""
    (length,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + length])
    about = sorted(header.pop("__metadata__", {}).items())  # safetensors writes these in an order left to chance
    said = [(name, without(json.loads(value))) for name, value in about]
    return json.dumps([said, header]).encode() + content[8 + length :]


def _without_clock_column(page: str) -> str:
    """A report whose leaderboard says nothing in its column of seconds."""
    start = page.index("<table><thead><tr><th>rung</th>")
    end = page.index("</table>", start)
    head, *rows = page[start:end].split("<tr>")[1:]
    place = re.findall("<th>([^<]*)</th>", head).index("seconds")
    cells: list[list[str]] = [_SECONDS.split(row) for row in rows]
    for row in cells:
        if len(row) > 1:
            row[2 * place + 1] = "<td>DIFFERS</td>"
    return page[:start] + head + "".join("".join(row) for row in cells) + page[end:]
