"""Options of the service, and kinds of values that only these have."""

import re
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, Field

from .configuration import TaskConfiguration
from .kinds import Seconds
from .sections import Section

_UNITS = {"": 1, "k": 1000, "m": 1000**2, "g": 1000**3}
_MOST = 1e18  # bytes


def _as_bytes(value: object) -> object:
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([kmg]?)i?b?\s*", str(value).lower())
    size = float(match[1]) * _UNITS[match[2]] if match else 0.0
    if not 0 < size < _MOST:
        raise ValueError("a size is a number of bytes above zero, such as 500kB or 16MB")
    return int(size)


Size = Annotated[int, BeforeValidator(_as_bytes)]
"""A number of bytes: ``500kB``, ``16MB``."""


class ServingSection(Section):
    """How a service is reached, and how much it takes on."""

    host: str = Field("127.0.0.1", description="Address to listen at; any but this machine's own needs --token-file.")
    port: int = Field(8501, ge=0, le=65_535, description="Port to listen at; 0 takes a free one and says which.")
    token_file: Path | None = Field(
        None, description="File with the token that clients must send: Authorization: Bearer TOKEN."
    )
    max_body: Size = Field(16_000_000, description="Largest body of a request (500kB, 16MB).")
    queue: int = Field(64, ge=1, le=100_000, description="Requests of a model that may wait; more are refused at once.")
    deadline: Seconds = Field(30.0, description="Time in which a request is answered, or given up (10s, 2m).")
    stream_deadline: Seconds = Field(600.0, description="Time that a streamed answer may take.")
    workers: int = Field(0, ge=0, le=256, description="Requests that are worked on at once; 0 is one a processor.")


class Serving(TaskConfiguration):
    """The options of a service, checked as all others are."""

    serving: ServingSection = ServingSection()
