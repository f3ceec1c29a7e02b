"""Workers of a Ray cluster: joined where one is named, else started on this machine for as long as it is needed.

Data go into Ray's store once; trainings that wait are Ray's to place. A worker that is lost, with its machine or
alone, is told to those who wait, who hand its training over again: Ray itself repeats nothing.
"""

import os
import signal
import tempfile
import threading
import warnings
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from typing import Any

from .. import __version__
from ..errors import RunError
from ..nn.threads import usable_processors
from .post import Post
from .ray_address import PATIENCE, missing, no_room, require_listener
from .travelling import BEGAN, FAILED, LOST, Message, carried_out
from .work import Shared, Work

_MOMENT = 0.5  # seconds without news after which whoever waits may look around
_SHORT = 40  # letters of a folder in which Ray can still make its sockets, whose names may have a hundred
_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
_HEAD = {"node:__internal_head__": 0.001}  # what Ray's first machine alone has, where messages are left


class RayCluster:
    """A crew of Ray's workers.

    Args:
        address: Of a cluster (``ray://HOST:PORT``); where None, that of RAY_ADDRESS, or a Ray of our own.
        cpus: Processors that Ray sets aside for each training.
        gpus: Its share of graphics processors.
        threads: Threads of torch's in each training: as many as this process has, as sums depend on them.

    Raises:
        MissingError: Ray is not installed.
        RunError: Nothing answers there, or Foretell is another version there.
        ConfigurationError: No machine has what one training asks for.
    """

    queues, keeps_checkpoints = True, False

    def __init__(self, address: str | None, cpus: int, gpus: float, threads: int) -> None:
        address = address or os.environ.get("RAY_ADDRESS")
        self._ray = _ray(alone=address is None or _host(address) in _LOOPBACK)
        self._cpus, self._gpus, self._threads = cpus, gpus, threads
        self._joined = self._ray.is_initialized()
        self._home: tempfile.TemporaryDirectory[str] | None = None  # of what a Ray of our own writes
        self._signals: dict[int, Any] = {}
        self._under_way: dict[Any, int] = {}
        self._data: tuple[Shared, Any] | None = None
        try:
            if not self._joined:
                if address is None:
                    self._home = tempfile.TemporaryDirectory(prefix="foretell-", ignore_cleanup_errors=True)
                _connect(self._ray, address, self._home.name if self._home else None)
            self._signals = _ending_in_order(self.close)
            # What shares its work out by OpenMP is to share it out there as it does here.
            threads_there = os.environ.get("OMP_NUM_THREADS") or str(usable_processors())
            self._settings = {"runtime_env": {"env_vars": {"OMP_NUM_THREADS": threads_there}}, "max_retries": 0}
            self._require_room()
            self._require_version()
            self._train = self._ray.remote(_train)
            self._post = self._ray.remote(Post).options(num_cpus=0, resources=_HEAD, max_restarts=-1).remote()
            self._waiting = self._post.arrived.remote()
        except BaseException:
            self.close()
            raise

    @property
    def slots(self) -> int:
        """How many trainings the cluster has room for, as it is now."""
        with _answering():
            return max(1, sum(self._room(node["Resources"]) for node in self._nodes()))

    def hand_over(self, number: int, task: str, work: Work) -> None:
        """Gives a training to Ray, which places it when there is room."""
        options = {**self._settings, "num_cpus": self._cpus, "num_gpus": self._gpus, "name": work.name}
        with _answering():
            if self._data is None or self._data[0] is not work.shared:
                self._data = (work.shared, self._ray.put(work.shared.parts))
            home = self._home.name if self._home else None
            reference = self._train.options(**options).remote(
                self._post, number, task, work.bare(), self._data[1], self._threads, home
            )
        self._under_way[reference] = number

    def news(self) -> list[tuple[int, Message]]:
        """What trainings told, and what came of those that are over."""
        with _answering():
            return self._news()

    def give_up(self, number: int) -> None:
        """Has a training end after its next epoch."""
        self._post.give_up.remote(number)

    def close(self) -> None:
        """Cancels what is under way, and ends a Ray of our own, or the connection to another."""
        for reference in self._under_way:
            with suppress(Exception):
                self._ray.cancel(reference, force=True)
        self._under_way.clear()
        if not self._joined:
            self._ray.shutdown()
        if self._home is not None:
            self._home.cleanup()
        for number, handler in self._signals.items():
            signal.signal(number, handler)
        self._signals = {}

    def _news(self) -> list[tuple[int, Message]]:
        ready, _ = self._ray.wait([*self._under_way, self._waiting], num_returns=1, timeout=_MOMENT)
        over, _ = self._ray.wait(list(self._under_way), num_returns=len(self._under_way), timeout=0)
        found: list[tuple[int, Message]] = []
        if ready or over:
            with suppress(self._ray.exceptions.RayError):  # what is told on the way is a courtesy
                found += self._ray.get(self._post.fetched.remote())
            self._waiting = self._post.arrived.remote()
        for reference in over:
            found.append((self._under_way.pop(reference), self._message(reference)))
        return found

    def _message(self, reference: Any) -> Message:
        errors = self._ray.exceptions
        try:
            message: Message = self._ray.get(reference)
        except (errors.RayTaskError, errors.RuntimeEnvSetupError, errors.TaskUnschedulableError) as error:
            return FAILED, RunError(f"a worker could not train: {_last_line(error)}")
        except errors.RayError as error:
            return LOST, _first_line(error)
        return message

    def _nodes(self) -> list[dict[str, Any]]:
        return [node for node in self._ray.nodes() if node["Alive"]]

    def _room(self, resources: dict[str, float]) -> int:
        """How many trainings fit on a machine."""
        room = int(resources.get("CPU", 0.0) // self._cpus)
        return min(room, int(resources.get("GPU", 0.0) // self._gpus)) if self._gpus else room

    def _require_room(self) -> None:
        nodes = self._nodes()
        if not any(self._room(node["Resources"]) for node in nodes):
            most = max((node["Resources"].get("CPU", 0.0) for node in nodes), default=0.0)
            gpus = max((node["Resources"].get("GPU", 0.0) for node in nodes), default=0.0)
            raise no_room(self._cpus, self._gpus, most, gpus)

    def _require_version(self) -> None:
        """Checks that every machine has this version of Foretell."""
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        ask = self._ray.remote(_question())
        nodes = self._nodes()
        asked = []
        for node in nodes:
            there = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
            asked.append(ask.options(num_cpus=0, scheduling_strategy=there, **self._settings).remote())
        for node, reference in zip(nodes, asked, strict=True):
            host = node["NodeManagerHostname"]
            try:
                version = self._ray.get(reference)
            except self._ray.exceptions.RayError as error:
                raise RunError(f"the machine {host} does not answer: {_first_line(error)}", host=host) from None
            if version != __version__:
                found = f"version {version} of Foretell" if version else "no Foretell"
                raise RunError(
                    f"the machine {host} has {found}, and this one has version {__version__}; install the same on both",
                    host=host,
                    version=version,
                )


def _ray(*, alone: bool) -> Any:
    """Ray, which reports nothing of its use.

    Args:
        alone: Whether it shall keep to this machine: else it takes the address at which others reach this one.

    Raises:
        MissingError: It is not installed.
    """
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    if alone:
        os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"  # its name for that; read as Ray is imported
    try:
        with _quiet():
            import ray
    except ImportError:
        raise missing() from None
    return ray


def _ending_in_order(close: Callable[[], None]) -> dict[int, Any]:
    """Has a signal that ends this process end Ray first, which would speak of it at length; the handlers before."""
    if threading.current_thread() is not threading.main_thread():
        return {}
    before = {}

    def end(number: int, frame: Any) -> None:
        close()
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)

    for number in (signal.SIGTERM, *((signal.SIGHUP,) if hasattr(signal, "SIGHUP") else ())):
        before[int(number)] = signal.signal(number, end) or signal.SIG_DFL
    return before


def _connect(ray: Any, address: str | None, home: str | None) -> None:
    """Joins a cluster, or starts a Ray that only this machine can reach.

    Args:
        ray: The library.
        address: Of the cluster; None to start one.
        home: A folder for what a Ray of our own writes.

    Raises:
        RunError: Nothing answers at the address, or Ray would have been open to others.
    """
    logging = {"log_to_driver": False, "logging_level": "CRITICAL"}
    # Ray would print what befalls machines to standard output, where results stand, and has no option against it.
    vars(import_module("ray._private.worker"))["print_to_stdstream"] = _unsaid
    if address:
        require_listener(address)
    own: dict[str, Any] = {} if address else {"num_cpus": usable_processors(), "include_dashboard": False}
    if home is not None and len(home) <= _SHORT:
        own["_temp_dir"] = home
    last = 1 if address and address.startswith("ray://") else 0  # what Ray starts for a client was seen not to come up
    for attempt in range(last + 1):
        try:
            with _quiet():
                ray.init(address or "local", **own, **logging)
            break
        except (ConnectionError, RuntimeError, TimeoutError, ValueError) as error:
            if attempt == last:
                where = f"at {address}" if address else "on this machine"
                raise RunError(f"Ray {where} does not answer: {_last_line(error)}", address=address) from None
    if not address and ray.nodes()[0]["NodeManagerAddress"] not in _LOOPBACK:
        ray.shutdown()
        raise RunError(
            "Ray was imported before and would now be open to other machines; call ray.init yourself, as you want it"
        )


def _unsaid(*arguments: Any, **settings: Any) -> None:
    """In place of what would print."""


def _host(address: str) -> str:
    return address.removeprefix("ray://").rpartition(":")[0]


@contextmanager
def _answering() -> Iterator[None]:
    """A cluster that is gone inside a block is told as that.

    Raises:
        RunError: It is.
    """
    try:
        yield
    except ConnectionError as error:
        raise RunError(
            f"the cluster does not answer any more ({_last_line(error)}); see to it, then go on with --resume"
        ) from None


@contextmanager
def _quiet() -> Iterator[None]:
    """What Ray warns of as it starts is about its own versions to come."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _question() -> Any:
    """A function that says which Foretell a machine has; made here, so that it travels whole."""

    def answer() -> str | None:
        try:
            from foretell import __version__ as version
        except ImportError:
            return None
        return version

    return answer


def _train(post: Any, number: int, task: str, work: Work, parts: Any, threads: int, home: str | None) -> Message:
    """One training on a machine of the cluster, in a folder that goes with it."""
    import torch

    torch.set_num_threads(threads)
    letters = _Letters(post, number)
    letters.tell((BEGAN,))
    with tempfile.TemporaryDirectory(prefix="foretell-", dir=home) as folder:
        message = carried_out(task, work.bare(Path(folder)), parts, letters.tell, files=True)
    letters.delivered()
    return message


class _Letters:
    """What a training tells: it waits for no answer, as Ray would give its processors to others meanwhile."""

    def __init__(self, post: Any, number: int) -> None:
        self._post, self._number = post, number
        self._sent: deque[Future[bool]] = deque()
        self._wanted = True

    def tell(self, message: Message) -> bool:
        """Sends a message; whether the training goes on, as far as answers to earlier ones say."""
        self._sent.append(self._post.tell.remote(self._number, message).future())
        while self._sent and self._sent[0].done():
            self._heed(self._sent.popleft())
        return self._wanted

    def delivered(self) -> None:
        """Waits until all that was told has arrived."""
        while self._sent:
            self._heed(self._sent.popleft())

    def _heed(self, answer: "Future[bool]") -> None:
        with suppress(Exception):  # what is told on the way is a courtesy
            self._wanted &= answer.result(timeout=PATIENCE)


def _first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__


def _last_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[-1]
