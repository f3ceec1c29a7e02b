"""Processes of this machine that train: started anew rather than forked, each with a pipe; a dead one is replaced."""

import multiprocessing
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from typing import Any

from .travelling import BEGAN, DONE, FAILED, LOST, Message, carried_out
from .work import Shared, Work

_PATIENCE = 5.0  # seconds that a process has to end
_MOMENT = 0.5  # seconds without news after which whoever waits may look around
_NO_MORE = "no more"


class Processes:
    """A crew of processes.

    Args:
        count: How many.
        threads: Threads of torch's in each: as many as this process has, as sums depend on them.
    """

    queues, keeps_checkpoints = False, True

    def __init__(self, count: int, threads: int) -> None:
        self.slots, self._threads = count, threads
        self._workers: list[_Worker] = []

    def hand_over(self, number: int, task: str, work: Work) -> None:
        """Gives a training to a process without one."""
        idle = next((worker for worker in self._workers if worker.number is None), None)
        if idle is None:
            idle = _Worker(self._threads)
            self._workers.append(idle)
        idle.number, idle.waiting = number, (task, work)

    def news(self) -> list[tuple[int, Message]]:
        """What processes told."""
        found = [self._lost(worker) for worker in list(self._workers) if not worker.sent()]
        for ready in wait([worker.pipe for worker in self._workers], _MOMENT if not found else 0):
            worker = next(worker for worker in self._workers if worker.pipe is ready)
            try:
                message = worker.pipe.recv()
            except (EOFError, OSError):
                found.append(self._lost(worker))
                continue
            if worker.number is not None:
                found.append((worker.number, message))
            if message[0] in (DONE, FAILED):
                worker.number = None
        return found

    def give_up(self, number: int) -> None:
        """Tells the process of a training that its end is wanted."""
        for worker in self._workers:
            if worker.number == number:
                with suppress(OSError):
                    worker.pipe.send(_NO_MORE)

    def close(self) -> None:
        """Ends all processes."""
        for worker in self._workers:
            worker.end()
        self._workers.clear()

    def _lost(self, worker: "_Worker") -> tuple[int, Message]:
        """A dead process is forgotten; the next training that is handed over begins another."""
        self._workers.remove(worker)
        worker.end()
        code = worker.process.exitcode
        why = f"killed by signal {-code}" if code is not None and code < 0 else f"ended with exit code {code}"
        return -1 if worker.number is None else worker.number, (LOST, why)


class _Worker:
    """A process, the pipe to it, and what it does."""

    def __init__(self, threads: int) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=_train, args=(theirs, threads), daemon=True, name="foretell-training")
        resource_tracker.ensure_running()  # which is started along with a process, and would let interrupts in again
        with _without_interrupts():
            self.process.start()
        theirs.close()
        self.number: int | None = None
        self.waiting: tuple[str, Work] | None = None
        self._held: Shared | None = None  # the data that it has already

    def sent(self) -> bool:
        """Whether what waits for the process could be sent."""
        if self.waiting is None:
            return True
        (task, work), self.waiting = self.waiting, None
        parts = None if work.shared is self._held else work.shared.parts
        self._held = work.shared
        try:
            self.pipe.send((task, work.bare(), parts))
        except OSError:
            return False
        return True

    def end(self) -> None:
        """Ends the process."""
        self.pipe.close()
        for stop in (self.process.terminate, self.process.kill):
            stop()
            self.process.join(_PATIENCE)
            if self.process.exitcode is not None:
                return


@contextmanager
def _without_interrupts() -> Iterator[None]:
    """What a block starts never sees Ctrl-C, which is for this process alone; it waits until the block is over."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _train(pipe: Connection, threads: int) -> None:
    """The life of a process that trains: one training after the other, until nobody is at the other end."""
    import torch

    torch.set_num_threads(threads)
    parts: Any = ()

    def tell(message: Message) -> bool:
        try:
            pipe.send(message)
            return not (pipe.poll() and pipe.recv() == _NO_MORE)
        except (OSError, EOFError):
            os._exit(1)  # nobody waits for what comes of it

    while True:
        try:
            order = pipe.recv()
            if order == _NO_MORE:  # it was meant for a training that had just ended
                continue
            task, work, new = order
            parts = parts if new is None else new
            pipe.send((BEGAN,))
            message = carried_out(task, work, parts, tell, files=False)
            try:
                pipe.send(message)
            except (TypeError, AttributeError, ValueError, RuntimeError) as error:
                pipe.send((FAILED, RuntimeError(f"what it came to cannot be sent: {error}")))
        except (OSError, EOFError):
            return
