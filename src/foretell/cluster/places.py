"""Where trainings shall be carried out, as options say it."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from ..config import RunSection
from ..errors import ConfigurationError
from ..nn.threads import usable_processors
from .work import Executor, Here


def check_place(run: RunSection) -> None:
    """Checks what can be told of a place before anything is read: whether it is there, and has what is asked for.

    Args:
        run: Where, and what each training asks for.

    Raises:
        ConfigurationError: What is asked for is not to be had there.
        MissingError: It needs Ray, which is not installed.
        RunError: Nothing answers there.
    """
    _must_fit(run)
    if run.on.startswith("ray"):
        from .ray_address import check_ray

        check_ray(_address(run), run.training_cpus, run.training_gpus)


def _must_fit(run: RunSection) -> None:
    """Checks that what each training asks for goes with the place."""
    cpus, gpus, there = run.training_cpus, run.training_gpus, usable_processors()
    processes = run.on.startswith("processes")
    if (run.on == "here" and cpus > 1) or (gpus and (run.on == "here" or processes)):
        option, needs = ("cpus", "processes or ray") if not gpus else ("gpus", "ray")
        raise ConfigurationError(
            f"--training-{option} sets aside what trainings elsewhere need; found --on {run.on}; say --on {needs}, or "
            "leave it away",
            option=f"training_{option}",
        )
    if processes and cpus > there:
        raise ConfigurationError(
            f"--training-cpus {cpus} sets {cpus} processors aside for each training; this machine has {there}",
            option="training_cpus",
        )


def _address(run: RunSection) -> str | None:
    return None if run.on == "ray" else run.on


@contextmanager
def executor_of(run: RunSection) -> Iterator[Executor]:
    """What carries trainings out as a run's options say; when the block is over nothing of it is left.

    Args:
        run: Where, and what each training asks for.

    Raises:
        ConfigurationError: What is asked for is not to be had there.
        MissingError: It needs Ray, which is not installed.
        RunError: The cluster does not answer.
    """
    _must_fit(run)
    if run.on == "here":
        yield Here()
        return
    import torch

    from .elsewhere import Crew, Elsewhere

    threads = torch.get_num_threads()
    crew: Crew
    if named := re.fullmatch(r"processes(?::(\d+))?", run.on):
        from .processes import Processes

        crew = Processes(int(named[1] or usable_processors() // run.training_cpus), threads)
    else:
        from .ray_cluster import RayCluster

        crew = RayCluster(_address(run), run.training_cpus, run.training_gpus, threads)
    try:
        yield Elsewhere(crew)
    finally:
        crew.close()
