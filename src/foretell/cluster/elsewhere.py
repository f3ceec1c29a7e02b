"""Trainings in other processes, here or on other machines: handed over as there is room, taken in as they are done.

A training whose worker is lost begins again, a few times; what is told of it on the way goes to a listener.
"""

import math
from collections import Counter
from collections.abc import Iterator
from itertools import count
from typing import Any, Protocol, runtime_checkable

from ..errors import RunError, counted
from ..tasks.interface import Task
from .travelling import BEGAN, DONE, EPOCH, LOST, STEP, Message, unpacked
from .work import Failed, Listener, Result, Work

RETRIES = 3


@runtime_checkable
class Crew(Protocol):
    """Workers that train."""

    @property
    def slots(self) -> int:
        """How many trainings they carry out at once."""
        ...

    @property
    def queues(self) -> bool:
        """Whether more trainings can wait with them."""
        ...

    @property
    def keeps_checkpoints(self) -> bool:
        """Whether they have the run's folder at hand."""
        ...

    def hand_over(self, number: int, task: str, work: Work) -> None:
        """Hands a training over under a number."""
        ...

    def news(self) -> list[tuple[int, Message]]:
        """What was told since, by number; waits a moment where nothing was."""
        ...

    def give_up(self, number: int) -> None:
        """Has a training end after its next epoch."""
        ...

    def close(self) -> None:
        """Ends all of them, whatever they do."""
        ...


class Elsewhere:
    """Carries trainings out with a crew of workers.

    Args:
        crew: The workers.
    """

    def __init__(self, crew: Crew) -> None:
        self.crew = crew

    @property
    def slots(self) -> int:
        """How many trainings are under way at once."""
        return self.crew.slots

    @property
    def keeps_checkpoints(self) -> bool:
        """Whether a training that was stopped goes on from its last checkpoint."""
        return self.crew.keeps_checkpoints

    def carry_out(
        self, task: Task, works: Iterator[Work], listener: Listener, *, at_once: bool = False
    ) -> Iterator[tuple[Work, Result]]:
        """Each training with its result, as they are done."""
        numbers, under_way = count(), dict[int, Work]()
        losses: Counter[str] = Counter()
        left = True

        def handed_over(work: Work) -> None:
            number = next(numbers)
            under_way[number] = work
            self.crew.hand_over(number, task.name, work)

        while left or under_way:
            room = math.inf if at_once and self.crew.queues else self.crew.slots
            while left and len(under_way) < room:
                work = next(works, None)
                if work is None:
                    left = False
                else:
                    handed_over(work)
            for number, message in self.crew.news() if under_way else ():
                if number not in under_way:
                    continue
                work, (kind, *told) = under_way[number], message
                if kind in (BEGAN, STEP, EPOCH):
                    self._tell(listener, number, work, kind, told)
                    continue
                del under_way[number]
                if kind != LOST:
                    yield work, unpacked(task, work, told[0]) if kind == DONE else Failed(told[0])
                elif losses[work.name] < RETRIES:
                    losses[work.name] += 1
                    listener.again(work)
                    handed_over(work)
                else:
                    yield work, Failed(_lost_for_good(work, str(told[0])))

    def _tell(self, listener: Listener, number: int, work: Work, kind: str, told: list[Any]) -> None:
        if kind == BEGAN:
            listener.began(work)
        elif kind == STEP:
            listener.step(work, *told)
        elif not listener.epoch(work, *told):
            self.crew.give_up(number)


def _lost_for_good(work: Work, why: str) -> RunError:
    return RunError(
        f"{work.name}: its worker was lost {counted(RETRIES + 1, 'time')} ({why}); see whether the memory there is "
        "enough, or train it alone",
        rung=work.rung,
        trial=work.name,
    )
