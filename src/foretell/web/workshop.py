"""Where questions are answered: a bounded queue, a few threads, and nobody works for those who no longer wait.

A thread takes the oldest question, and with it those that wait for the same model and can be answered together: so
questions are gathered only while all hands are full, and never wait for company. Questions that are told event by event
have threads of their own, so that they do not keep short ones waiting.
"""

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from functools import partial

from ..errors import RefusedError
from ..nn.threads import usable_processors
from ..stopping import while_wanted
from ..tasks.serving import Reply
from .order import Order, answers
from .warned import warned

STREAMS = 4  # that are told at once
_PATIENCE = 0.5  # share of the deadline that a question may be expected to wait
_SMOOTHING = 0.1  # of the mean time of an answer


class Workshop:
    """Threads that answer.

    Args:
        workers: How many answer at once; 0 is one a processor.
        queue: Questions of a model that may wait.
        deadline: Seconds in which a question is answered.
        alone: Whether there is one model, which may then have all hands; of several each leaves a hand to the others.
    """

    def __init__(self, workers: int, queue: int, deadline: float, *, alone: bool = False) -> None:
        self.workers = workers or usable_processors()
        self.queue, self.deadline = queue, deadline
        self.each = self.workers if alone else max(1, self.workers - 1)
        self._lock = threading.Lock()
        self._asked = threading.Condition(self._lock)  # a question waits for an answer
        self._streamed = threading.Condition(self._lock)  # a question waits to be told of
        self._ended = threading.Condition(self._lock)  # a question is over
        self._waiting: deque[Order] = deque()
        self._streams: deque[Order] = deque()
        self._busy: set[Order] = set()
        self._hands: Counter[str] = Counter()  # threads that answer, by model
        self._lines: Counter[str] = Counter()  # how many wait, by model
        self._seconds: dict[str, float] = {}  # of an answer, by model
        self._open, self._over = True, False
        jobs = [self._answer] * self.workers + [self._tell] * STREAMS
        self._threads = [
            threading.Thread(target=job, name=f"foretell-{number}", daemon=True) for number, job in enumerate(jobs)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def waiting(self) -> int:
        """How many questions wait."""
        return len(self._waiting) + len(self._streams)

    @property
    def busy(self) -> int:
        """How many are being answered."""
        return len(self._busy)

    def check(self, name: str) -> None:
        """Refuses, before anything is read, what could not be answered in time.

        Args:
            name: The model that would be asked.

        Raises:
            RefusedError: Too many questions wait, or no new ones are taken.
        """
        if not self._open:
            raise RefusedError(503, "the service is about to end and takes no new requests")
        waiting = self._lines[name]
        seconds = self._seconds.get(name, 0.0) * waiting / self.each
        if waiting >= self.queue or seconds > _PATIENCE * self.deadline:
            told = f"{waiting} requests wait for {name} already; ask again in a moment"
            raise RefusedError(429, told, model=name, waiting=waiting)

    def put(self, order: Order) -> None:
        """Takes a question on."""
        with self._lock:
            self._waiting.append(order)
            self._lines[order.name] += 1
            self._asked.notify()

    def drop(self, order: Order) -> None:
        """Takes a question that nobody waits for from its line."""
        order.abandon()
        with self._lock:
            for line in (self._waiting, self._streams):
                if order in line:
                    line.remove(order)
                    self._lines[order.name] -= 1

    def close(self, seconds: float) -> None:
        """Takes nothing new, and waits for what is under way.

        Args:
            seconds: How long at most; what is not done by then is given up.
        """
        self._open = False
        end = time.monotonic() + seconds
        with self._lock:
            while (self._waiting or self._streams or self._busy) and (left := end - time.monotonic()) > 0:
                self._ended.wait(left)
            for order in (*self._waiting, *self._streams, *self._busy):
                order.abandon()
            self._over = True
            self._asked.notify_all()
            self._streamed.notify_all()
        for thread in self._threads:
            thread.join(1.0)

    def _answer(self) -> None:
        """The life of a thread that answers."""
        while (first := self._take(self._waiting, self._asked)) is not None:
            orders, started = [first], time.monotonic()
            try:
                if not (first.wanted() and first.read()):
                    first.expire()
                elif first.streamed:
                    self._pass_on(first)
                else:
                    orders += self._company(first)
                    _answer_all(orders)
            except Exception as error:  # of any kind: a thread that ended would answer nobody any more
                for order in orders:
                    order.fail(error)
            finally:
                self._done(orders, time.monotonic() - started)

    def _pass_on(self, order: Order) -> None:
        """Gives a question to those who tell event by event."""
        with self._lock:
            self._busy.discard(order)
            self._streams.append(order)
            self._lines[order.name] += 1
            self._streamed.notify()

    def _tell(self) -> None:
        """The life of a thread that tells event by event."""
        while (order := self._take(self._streams, self._streamed)) is not None:
            try:
                _alone(order, order.tell)
            finally:
                self._done([order], None)

    def _take(self, among: deque[Order], come: threading.Condition) -> Order | None:
        """The question that has waited longest, of a model that has not all the hands that it may; None at the end."""
        with self._lock:
            while (order := self._next(among)) is None:
                if self._over and not among:
                    return None
                come.wait()
            among.remove(order)
            self._lines[order.name] -= 1
            self._busy.add(order)
            self._hands[order.name] += among is self._waiting
            return order

    def _next(self, among: deque[Order]) -> Order | None:
        """The first question of a model that nobody works for, or else of one that may have another hand."""
        if among is self._streams:
            return among[0] if among else None
        idle = next((order for order in among if not self._hands[order.name]), None)
        return idle or next((order for order in among if self._hands[order.name] < self.each), None)

    def _company(self, first: Order) -> list[Order]:
        """Questions that wait and can be answered along with one."""
        shared, most = first.together, first.predictor.service.at_once - 1
        if shared is None or not most:
            return []
        with self._lock:
            others = [order for order in self._waiting if order.predictor is first.predictor][:most]
            for order in others:
                self._waiting.remove(order)
            self._lines[first.name] -= len(others)
            self._busy.update(others)
        fitting = [order for order in others if order.wanted() and order.read()]
        for order in others:
            if order not in fitting:
                order.expire()
        chosen = [order for order in fitting if not order.streamed and order.together == shared]
        with self._lock:
            back = [order for order in fitting if order not in chosen]
            self._waiting.extendleft(reversed(back))
            self._lines[first.name] += len(back)
            self._asked.notify(len(back))
            self._busy.difference_update(order for order in others if order not in chosen)
        return chosen

    def _done(self, orders: Sequence[Order], seconds: float | None) -> None:
        with self._lock:
            self._hands[orders[0].name] -= seconds is not None
            mine = [order for order in orders if order in self._busy]
            self._busy.difference_update(mine)
            self._asked.notify_all()
            if mine and seconds is not None:
                name, each = orders[0].name, seconds / len(mine)
                before = self._seconds.get(name, each)
                self._seconds[name] = before + _SMOOTHING * (each - before)
            self._ended.notify_all()


def _answer_all(orders: Sequence[Order]) -> None:
    """Answers questions together; one by one where that fails or warns of something, which is one client's alone."""
    if len(orders) > 1 and (replies := _together(orders)) is not None:
        for order, reply in zip(orders, replies, strict=True):
            order.finish(reply)
        return
    for order in orders:
        _alone(order, partial(_finish, order))


def _together(orders: Sequence[Order]) -> Sequence[Reply] | None:
    """The replies to several questions; None where something is to be told to one of those who ask."""
    try:
        with warned() as told, while_wanted(lambda: any(order.wanted() for order in orders)):
            replies = answers(orders)
    except Exception:  # whose fault it was is found by asking one by one
        return None
    return None if told else replies


def _finish(order: Order) -> None:
    order.finish(answers([order])[0])


def _alone(order: Order, work: Callable[[], None]) -> None:
    """Works on one question; whatever fails is told to its client."""
    try:
        with warned() as order.told, while_wanted(order.wanted):
            work()
    except Exception as error:  # of any kind, as above
        order.fail(error)
