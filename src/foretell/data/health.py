"""What was found while a table was read: each finding once, with its rows, and what it means for training."""

from dataclasses import dataclass, field
from typing import Literal

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
    """

    kind: str
    severity: Severity
    message: str
    column: str | None = None
    rows: int | None = None

    def document(self) -> dict[str, object]:
        """The finding as a JSON object."""
        entries = {
            "kind": self.kind,
            "severity": self.severity,
            "message": self.message,
            "column": self.column,
            "rows": self.rows,
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

    def warn(self, kind: str, message: str, *, column: str | None = None, rows: int | None = None) -> None:
        """Records something that deserves a look."""
        self.findings.append(Finding(kind, "warning", message, column, rows))

    def fail(self, kind: str, error: DataError) -> None:
        """Raises an error, or records it where health is lenient."""
        if self.strict:
            raise error
        column = error.details.get("column")
        self.findings.append(Finding(kind, "error", error.message, str(column) if column is not None else None))
