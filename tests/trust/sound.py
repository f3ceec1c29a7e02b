"""Whether a command ended as commands end: with numbers that are some, or with one sentence."""

import json
from typing import Any

from ..tasks.commands import Result
from .carrying_out import carry_out


def said(arguments: list[Any], *codes: int) -> Any:
    """What a command with ``--json`` prints, once it has ended soundly with one of some exit codes."""
    command = [str(argument) for argument in (*arguments, "--json")]
    result = Result(**carry_out(command))
    told = f"{' '.join(command)}: {result.code}: {result.out[:500]} {result.err[-500:]}"
    assert result.code in codes, told
    assert "Traceback" not in result.err + result.out and "bug in Foretell" not in result.err + result.out, told
    document = strict(result.out)
    assert (result.code != 0) == ("error" in document), told
    if result.code:
        error = document["error"]
        assert set(error) == {"code", "message", "details"} and error["message"] and "\n" not in error["message"], told
    return document


def strict(text: str) -> Any:
    """A JSON document without what JSON does not have."""

    def refused(constant: str) -> None:
        raise AssertionError(f"{constant} is printed as JSON: {text[:500]}")

    return json.loads(text, parse_constant=refused)


def unsaid(document: Any, path: str = "") -> list[str]:
    """Where a document has nothing in place of a value."""
    if isinstance(document, dict):
        return [found for name, value in document.items() for found in unsaid(value, f"{path}/{name}")]
    if isinstance(document, list):
        return [found for place, value in enumerate(document) for found in unsaid(value, f"{path}[{place}]")]
    return [path] if document is None else []
