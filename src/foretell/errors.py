"""Every exception that Foretell raises on purpose, in one tree; each class knows its exit code.

ForetellError                    exit 1
├── RunError                     1   a run could not be carried out
│   ├── DivergedError            1   the loss stopped being a number
│   ├── LostError                1   another process of a training is gone
│   ├── NoGradientError          1   nothing that may be changed changes the loss
│   └── StorageError             1   the disk is full, or a file could not be written
├── UsageError                   2   the command line is wrong
├── InputError                   3   the data or the configuration do not fit what was asked
│   ├── DataError                3   something in the user's file
│   └── ConfigurationError       3   something in the options
├── MissingError                 4   something to fetch or install is missing
├── UnsafeFileError              5   a file is damaged, or not to be trusted
├── RefusedError                 1   a server does not do what a client asks: too much, too late, not allowed
└── StoppedError               130   somebody stopped it
"""

import difflib
from collections.abc import Callable, Iterable, Mapping
from typing import Any

_LONGEST = 1_500  # letters of a sentence


class ForetellError(Exception):
    """A failure told in one sentence: what, where, the rule, the value found, the remedy.

    Args:
        message: The whole sentence, for a person.
        **details: The same facts for a program (file, row, column, value ...).
    """

    exit_code = 1
    code = "failed"

    def __init__(self, message: str, **details: object) -> None:
        message = _sentence(message)
        super().__init__(message)
        self.message = message
        self.details = {name: value for name, value in details.items() if value is not None}

    def document(self) -> dict[str, object]:
        """The error as the JSON object that ``--json`` and the service answer with."""
        return {"error": {"code": self.code, "message": self.message, "details": self.details}}

    def __reduce__(self) -> tuple[Callable[..., "ForetellError"], tuple[Any, ...]]:
        # Its parts are known, however many arguments its class is made with: so it travels between processes.
        return _as_it_was, (type(self), self.args, self.__dict__)


def _sentence(message: str) -> str:
    """A message in one line that can be read to its end, whatever a file holds that it quotes."""
    line = " ".join(message.splitlines()) if "\n" in message or "\r" in message else message
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST // 2]} ... {line[-_LONGEST // 2 :]}"


def _as_it_was(kind: type[ForetellError], arguments: tuple[Any, ...], parts: dict[str, Any]) -> ForetellError:
    error = kind.__new__(kind, *arguments)
    error.__dict__.update(parts)
    return error


class RunError(ForetellError):
    """A run could not be carried out."""

    code = "run-failed"


class DivergedError(RunError):
    """The loss or a weight stopped being a finite number."""

    code = "diverged"


class LostError(RunError):
    """Another process of a training is gone, or cannot be reached."""

    code = "worker-lost"


class NoGradientError(RunError):
    """Nothing that may be changed changes the loss."""

    code = "no-gradient"


class StorageError(RunError):
    """A file could not be written: a full disk, a missing permission."""

    code = "storage"


class UsageError(ForetellError):
    """The command line is wrong: an unknown verb, option, task or rung."""

    exit_code = 2
    code = "usage"


class InputError(ForetellError):
    """The data or the configuration do not fit what was asked."""

    exit_code = 3
    code = "input"


class DataError(InputError):
    """Something in the user's data: a file, a row, a column."""

    code = "data"


class ConfigurationError(InputError):
    """Something in the options, whether from a flag, the environment or a file."""

    code = "configuration"


class MissingError(ForetellError):
    """Something to fetch or to install is missing."""

    exit_code = 4
    code = "missing"


class UnsafeFileError(ForetellError):
    """A file is damaged, of an unknown format, or not to be trusted."""

    exit_code = 5
    code = "unsafe-file"


class RefusedError(ForetellError):
    """A server does not do what a client asks.

    Args:
        status: The status of the response.
        message: As of all.
        **details: As of all.
    """

    codes: Mapping[int, str] = {
        400: "bad-request",
        401: "unauthorised",
        404: "not-found",
        405: "method-not-allowed",
        413: "too-large",
        415: "unsupported-media-type",
        422: "input",
        429: "too-many-requests",
        431: "too-large",
        503: "unavailable",
    }

    def __init__(self, status: int, message: str, **details: object) -> None:
        super().__init__(message, **details)
        self.status = status
        self.code = self.codes.get(status, "failed")


class StoppedError(ForetellError):
    """Somebody stopped it; the message says how it goes on."""

    exit_code = 130
    code = "interrupted"


def counted(number: int, thing: str) -> str:
    """A number and its thing, in the plural where it is one.

    >>> counted(1, "row"), counted(1200, "row")
    ('1 row', '1200 rows')
    """
    return f"{number} {thing}{'' if number == 1 else 's'}"


def nearest(name: str, known: Iterable[str]) -> str:
    """The clause that helps after an unknown name: the closest known one, else all of them.

    >>> nearest("persistance", ["persistence", "ridge"])
    'did you mean "persistence"?'
    >>> nearest("zzz", ["persistence", "ridge"])
    'known are persistence, ridge'
    """
    names = list(known)
    by_lower = {candidate.lower(): candidate for candidate in names}
    close = difflib.get_close_matches(name.lower(), by_lower, n=1, cutoff=0.55)
    if close:
        return f'did you mean "{by_lower[close[0]]}"?'
    return f"known are {', '.join(names)}" if names else "there are none"
