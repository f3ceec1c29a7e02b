"""Ctrl-C that is never lost: an exception raised while foreign code calls back into Python is swallowed there."""

import signal
import threading
from types import FrameType

_asked = threading.Event()


def heed() -> None:
    """From here on an interrupt is remembered as well as raised."""
    _asked.clear()
    if (
        threading.current_thread() is threading.main_thread()
        and signal.getsignal(signal.SIGINT) is signal.default_int_handler
    ):
        signal.signal(signal.SIGINT, _interrupted)


def check() -> None:
    """Stops the work if an interrupt was asked for and got lost.

    Raises:
        KeyboardInterrupt: One was.
    """
    if _asked.is_set():
        _asked.clear()
        raise KeyboardInterrupt


def _interrupted(number: int, frame: FrameType | None) -> None:
    _asked.set()
    raise KeyboardInterrupt
