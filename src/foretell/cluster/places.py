"""Where trainings shall be carried out, as options say it."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from ..config import RunSection
from ..nn.threads import usable_processors
from .work import Executor, Here


@contextmanager
def executor_of(run: RunSection) -> Iterator[Executor]:
    """What carries trainings out as a run's options say; when the block is over nothing of it is left.

    Args:
        run: Where, and what each training asks for.

    Raises:
        MissingError: It needs Ray, which is not installed.
        RunError: The cluster does not answer.
    """
    if run.on == "here":
        yield Here()
        return
    import torch

    from .elsewhere import Crew, Elsewhere

    threads = torch.get_num_threads()
    crew: Crew
    if named := re.fullmatch(r"processes(?::(\d+))?", run.on):
        from .processes import Processes

        crew = Processes(int(named[1] or max(1, usable_processors() // run.training_cpus)), threads)
    else:
        from .ray_cluster import RayCluster

        address = None if run.on == "ray" else run.on
        crew = RayCluster(address, run.training_cpus, run.training_gpus, threads)
    try:
        yield Elsewhere(crew)
    finally:
        crew.close()
