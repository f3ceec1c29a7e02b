"""The health of a user's data, as every task tells it before anything learns from them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..evaluation.words import Parts


@dataclass(frozen=True)
class Health:
    """What there is, and whether training could start.

    Attributes:
        document: All of it; ``findings`` and ``healthy`` among it.
        lead: What there is, in a line; nothing where it could not be read.
        parts: What there is of each part: each series, column or label.
        spans: How much each span would have; nothing where that was not asked, or cannot be.
        counted: What spans count.
    """

    document: dict[str, Any]
    lead: str
    parts: tuple[Parts, ...]
    spans: Mapping[str, int]
    counted: str
