"""The processes that train one network together, and what they tell each other; one alone is a group of one.

All of them carry out the same program. Those who come first to a place where they tell each other something wait there.
"""

import atexit
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
from torch import Tensor
from torch import distributed as processes

from ..config import TrainingSection
from ..errors import ConfigurationError, LostError, counted

PATIENCE = timedelta(minutes=30)  # that a process waits for the others; one that dies is noticed at once
STARTED = "TORCHELASTIC_RUN_ID"  # what torchrun and the launcher leave in the environment of those whom they start


@dataclass(frozen=True)
class Group:
    """The processes that train one network together.

    Attributes:
        rank: This one's number; the first one, 0, speaks and writes.
        size: How many there are.
    """

    rank: int = 0
    size: int = 1

    @property
    def leads(self) -> bool:
        """Whether this is the process that speaks and writes."""
        return self.rank == 0

    def share(self, count: int) -> slice:
        """Which of so many things are this process's: those of all processes follow each other.

        Args:
            count: How many there are; where they are fewer than processes, some have none.

        >>> [list(range(7))[Group(rank, 3).share(7)] for rank in range(3)]
        [[0, 1], [2, 3], [4, 5, 6]]
        """
        return slice(count * self.rank // self.size, count * (self.rank + 1) // self.size)

    def sums(self, *values: float | int) -> tuple[float | int, ...]:
        """The sum of a number over all processes, and of another ...: the same ones for all of them.

        >>> Group().sums(3, 0.5)
        (3, 0.5)
        """
        if self.size == 1:
            return values
        total = torch.tensor(values, dtype=torch.float64)
        processes.all_reduce(total)
        return tuple(total.tolist())

    def first(self, content: bytes) -> bytes:
        """What the first process says.

        Args:
            content: What this process would say.
        """
        if self.size == 1:
            return content
        length = torch.tensor([len(content)])
        processes.broadcast(length, 0)
        said = _written(content) if self.leads else torch.empty(int(length), dtype=torch.uint8)
        if len(said):
            processes.broadcast(said, 0)
        return content if self.leads else said.numpy().tobytes()

    def gathered(self, content: bytes) -> list[bytes]:
        """What each process says, in their order.

        Args:
            content: What this one says.
        """
        if self.size == 1:
            return [content]
        lengths = [torch.zeros(1, dtype=torch.int64) for _ in range(self.size)]
        processes.all_gather(lengths, torch.tensor([len(content)]))
        most = int(max(lengths))  # all send as much
        own = torch.cat([_written(content), torch.zeros(most - len(content), dtype=torch.uint8)])
        said = [torch.empty(most, dtype=torch.uint8) for _ in range(self.size)]
        processes.all_gather(said, own)
        return [part[: int(length)].numpy().tobytes() for part, length in zip(said, lengths, strict=True)]

    def average(self, gradient: Tensor) -> Tensor:
        """The mean of a gradient over all processes; it may be a sparse one."""
        if self.size > 1:
            processes.all_reduce(gradient)
            gradient = gradient / self.size
        return gradient

    def wait(self) -> None:
        """Goes on when all processes are here."""
        self.sums(0)


ALONE = Group()


def _written(content: bytes) -> Tensor:
    return torch.frombuffer(bytearray(content), dtype=torch.uint8) if content else torch.empty(0, dtype=torch.uint8)


def started() -> bool:
    """Whether torchrun, or the command line as it does, started this process."""
    return STARTED in os.environ


def join(section: TrainingSection) -> Group:
    """The group that this process belongs to: of one where the options ask for one device.

    Args:
        section: How many devices and machines there are.

    Raises:
        ConfigurationError: There are other processes than that.
        LostError: The others are not there in time.
    """
    devices, nodes = section.devices, section.nodes
    here = int(os.environ.get("LOCAL_WORLD_SIZE", 1)) if started() else 1
    there = int(os.environ.get("WORLD_SIZE", 1)) if started() else 1
    if (here, there) != (devices, devices * nodes):
        remedy = f"say --devices {here} --nodes {there // here}" if started() else torchrun_line(devices, nodes)
        raise ConfigurationError(
            f"--devices {devices} and --nodes {nodes} are {counted(devices * nodes, 'worker')}, {devices} on each "
            f"machine; torchrun started {there if started() else 'none'}, {here} on this machine; {remedy}",
            option="devices",
        )
    if there == 1:
        return Group()
    if not processes.is_initialized():
        with noticing_loss():
            backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
            processes.init_process_group(backend, timeout=PATIENCE)
        atexit.register(processes.destroy_process_group)
    return Group(processes.get_rank(), processes.get_world_size())


def torchrun_line(devices: int, nodes: int, command: str = "PROGRAM") -> str:
    """How torchrun starts the processes of a training; machines are numbered from 0, which is the one that writes."""
    several = f"--nnodes {nodes} --node-rank NUMBER --master-addr HOST --master-port PORT " if nodes > 1 else ""
    return f"torchrun {several}--nproc-per-node {devices} {command}"


@contextmanager
def noticing_loss() -> Iterator[None]:
    """A block in which others may turn out to be gone.

    Raises:
        LostError: One is.
    """
    try:
        yield
    except RuntimeError as error:
        words = str(error)
        if not isinstance(error, processes.DistError) and not any(word in words for word in ("gloo", "NCCL")):
            raise
        detail = words.splitlines()[0].rpartition("] ")[2].partition(". ")[0] or type(error).__name__
        own = (
            f"worker {int(os.environ.get('RANK', 0)) + 1} of {os.environ.get('WORLD_SIZE', 1)} ({socket.gethostname()})"
        )
        raise LostError(
            f"{own} lost another one of this training ({detail}), which has ended or cannot be reached; what that one "
            "said tells why",
            detail=detail,
        ) from None
