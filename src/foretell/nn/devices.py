"""Where tensors live: the devices that are there."""

import torch

from ..errors import ConfigurationError


def check_device(device: str) -> None:
    """Checks that a device is there, before anything is made for work on it.

    Raises:
        ConfigurationError: It is not.
    """
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not there.get(device, True):
        raise ConfigurationError(
            f"--device {device} cannot be used here: torch finds none; say cpu or auto", option="device"
        )


def device_of(named: str) -> str:
    """The device of a name; for ``auto`` the fastest that is there.

    Args:
        named: As ``--device`` has it.

    Raises:
        ConfigurationError: It is not there.

    >>> device_of("cpu")
    'cpu'
    """
    check_device(named)
    if named != "auto":
        return named
    return "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
