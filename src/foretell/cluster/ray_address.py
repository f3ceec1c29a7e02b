"""What can be told of a Ray cluster without joining it: whether Ray is installed, somebody listens, and has room."""

import os
import socket
from importlib.util import find_spec

from ..errors import ConfigurationError, MissingError, RunError, counted
from ..nn.threads import usable_processors

PATIENCE = 30.0  # seconds that an address has to answer


def check_ray(address: str | None, cpus: int, gpus: float) -> None:
    """Checks what can be told of a cluster without joining it.

    Args:
        address: As for :class:`RayCluster`, like the next two.
        cpus: Processors for each training.
        gpus: Its share of graphics processors.

    Raises:
        ConfigurationError: This machine has not what one training asks for, and there is no other.
        MissingError: Ray is not installed.
        RunError: Nothing answers there.
    """
    if find_spec("ray") is None:
        raise missing()
    named = address or os.environ.get("RAY_ADDRESS")
    if named:
        require_listener(named)
    elif cpus > usable_processors():
        raise no_room(cpus, gpus, usable_processors(), 0)


def require_listener(address: str) -> None:
    """Checks that something like Ray listens at an address, since Ray itself would try for minutes.

    Raises:
        RunError: Nothing does.
    """
    import grpc

    place = address.removeprefix("ray://")
    host, _, port = place.rpartition(":")
    if not port.isdecimal():
        return
    problem = ""
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=PATIENCE).close()
        if "RAY_USE_TLS" not in os.environ:
            with grpc.insecure_channel(place) as channel:
                grpc.channel_ready_future(channel).result(timeout=PATIENCE)
    except grpc.FutureTimeoutError:
        problem = "something else than Ray listens there"
    except OSError as error:
        problem = error.strerror or str(error)
    if problem:
        raise RunError(
            f"no Ray answers at {address} ({problem}); start one there (ray start --head), or name another address",
            address=address,
        )


def no_room(cpus: int, gpus: float, most: float, most_gpus: float) -> ConfigurationError:
    """What is said where no machine has what one training asks for."""
    return ConfigurationError(
        f"one training asks for {counted(cpus, 'processor')} and {gpus:g} graphics processors "
        "(--training-cpus, --training-gpus), which no machine of the cluster has; the most that one has are "
        f"{most:g} and {most_gpus:g}",
        option="training_cpus",
    )


def missing() -> MissingError:
    """What is said where Ray is not installed."""
    return MissingError("trainings on a cluster need Ray: pip install 'foretell[cluster]'", extra="cluster")
