"""Kinds of values that options have: lists of names and sizes, durations, learning rates."""

import re
from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field


def _as_tuple(value: object) -> object:
    if isinstance(value, list | tuple):
        return tuple(_as_text(entry) for entry in value)
    return (_as_text(value),)


def _as_text(value: object) -> object:
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


_Name = str | int | float
Names = Annotated[tuple[str, ...], BeforeValidator(_as_tuple, json_schema_input_type=tuple[_Name, ...] | _Name)]
"""A list of names: in a flag either repeated or separated by commas."""


def _as_list(value: object) -> object:
    given = value if isinstance(value, list | tuple) else (value,)
    return tuple(part for entry in given for part in (entries([entry]) if isinstance(entry, str) else [entry]))


Size = Annotated[int, Field(ge=1, le=16_384)]
Sizes = Annotated[tuple[Size, ...], BeforeValidator(_as_list)]
"""Whole numbers, one for each layer: ``32`` or ``64,32``."""

Activations = Annotated[tuple[Literal["tanh", "relu"], ...], BeforeValidator(_as_list)]
"""Activations, one for each layer or one for all."""

Text = Annotated[str, BeforeValidator(_as_text)]
"""A text, also where it is given as a number."""

Duration = Annotated[str, BeforeValidator(_as_text)]
"""A stretch of time (``10d``, ``1h``, ``90min``) or a number of rows; resolved once the frequency is known."""


Level = Annotated[float, Field(gt=0, lt=1)]
Levels = Annotated[tuple[Level, ...], BeforeValidator(_as_list)]
"""Shares of the truth that intervals shall cover: ``0.8`` or ``0.8,0.95``."""


Temperature = Annotated[float, Field(ge=0, le=100)]
Temperatures = Annotated[tuple[Temperature, ...], BeforeValidator(_as_list)]
"""Temperatures of sampling: ``0.5`` or ``0.2,0.5,1.0``."""


def _as_seconds(value: object) -> object:
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(s|sec|min|m|h|d)?\s*", str(value).lower())
    if match is None or float(match[1]) == 0:
        raise ValueError("a time above zero is needed, such as 90s, 10m or 2h")
    return float(match[1]) * {"s": 1, "m": 60, "h": 3600, "d": 86_400}[(match[2] or "s")[0]]


Seconds = Annotated[float, BeforeValidator(_as_seconds)]
"""A time on the clock, in seconds: ``90s``, ``10m``, ``2h``."""


LARGEST_FACTOR = 3.4e38  # by which an optimiser multiplies: where single precision ends


def _as_rate(value: object) -> object:
    if value == "auto":
        return value
    try:
        rate = float(str(value))
    except ValueError:
        rate = 0.0
    if not 0 < rate <= LARGEST_FACTOR:
        raise ValueError(f"a learning rate is a number above zero and at most {LARGEST_FACTOR:g}, or 'auto'")
    return rate


LearningRate = Annotated[float | Literal["auto"], BeforeValidator(_as_rate)]
"""A learning rate, or ``auto``."""


def _as_place(value: str) -> str:
    if not re.fullmatch(r"here|processes(:[1-9][0-9]{0,3})?|ray|ray://[^\s/:][^\s/]*:[0-9]{1,5}", value):
        raise ValueError(
            "trainings are carried out here, in processes (or processes:N, 1 to 9999), by ray, or ray://HOST:PORT"
        )
    return value


Place = Annotated[str, AfterValidator(_as_place)]
"""Where trainings are carried out: ``here``, ``processes:4``, ``ray``, ``ray://head:10001``."""


def entries(texts: Iterable[str]) -> list[str]:
    """The entries of a list option, given one by one or separated by commas.

    >>> entries(("mlp, gru", "ridge", ""))
    ['mlp', 'gru', 'ridge']
    """
    return [part.strip() for text in texts for part in text.split(",") if part.strip()]


def _alone(value: object) -> object:
    given = list(value) if isinstance(value, list | tuple) else [value]
    if len(given) > 1:
        raise ValueError(f"one name is wanted; found {', '.join(map(str, given))}")
    return given[0] if given else None


Name = Annotated[str | None, BeforeValidator(_alone)]
"""One name, or none, wherever a flag of several tasks is repeatable."""
