"""What was found while a table was read: each finding once, with its rows, and what it means for training."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, cast

from ..errors import DataError

Severity = Literal["note", "warning", "error"]


@dataclass(frozen=True)
class Finding:
    """One thing worth knowing about a table.

    Attributes:
        kind: What it is about: disorder, duplicates, gaps, missing, suspicious ...
        severity: A note was handled, a warning deserves a look, with an error training would fail.
        message: One sentence.
        column: The column, where it is about one.
        rows: How many rows it concerns.
        row: The first of them in the file, counted from 1.
        remedy: The option that would help, and its value, where there is one.
    """

    kind: str
    severity: Severity
    message: str
    column: str | None = None
    rows: int | None = None
    remedy: Mapping[str, str] | None = None
    row: int | None = None

    def document(self) -> dict[str, object]:
        """The finding as a JSON object."""
        entries = {
            "kind": self.kind,
            "severity": self.severity,
            "message": self.message,
            "column": self.column,
            "rows": self.rows,
            "row": self.row,
            "remedy": self.remedy,
        }
        return {name: value for name, value in entries.items() if value is not None}


@dataclass
class Health:
    """The findings of one table; strict health raises at the first error, lenient health collects them."""

    strict: bool = True
    findings: list[Finding] = field(default_factory=list)

    def note(self, kind: str, message: str, *, column: str | None = None, rows: int | None = None) -> None:
        """Records something that was handled."""
        self.findings.append(Finding(kind, "note", message, column, rows))

    def warn(
        self,
        kind: str,
        message: str,
        *,
        column: str | None = None,
        rows: int | None = None,
        row: int | None = None,
        remedy: Mapping[str, str] | None = None,
    ) -> None:
        """Records something that deserves a look."""
        self.findings.append(Finding(kind, "warning", message, column, rows, remedy, row))

    def fail(self, kind: str, error: DataError) -> None:
        """Raises an error, or records it where health is lenient."""
        if self.strict:
            raise error
        column, remedy = error.details.get("column"), error.details.get("remedy")
        known = cast("Mapping[str, str]", remedy) if isinstance(remedy, Mapping) else None
        named = str(column) if column is not None else None
        row = error.details.get("row")
        place = row if isinstance(row, int) else None
        self.findings.append(Finding(kind, "error", error.message, named, remedy=known, row=place))
