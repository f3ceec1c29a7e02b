"""The tasks by name. Each is a thin slice that joins data, networks, training and evaluation; none knows another."""

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

from ..config import TaskConfiguration, entries
from ..errors import MissingError, UsageError, nearest
from ..evaluation.words import Measure
from .rung import Rung

if TYPE_CHECKING:
    from .health import Health
    from .interface import Task
    from .serving import Service

NAMES = ("forecast", "classify", "generate", "translate", "recall")
"""Tasks that have a ladder."""
CONFIGURED = (*NAMES, "dream")
"""All that have options."""
SERVED = ("forecast", "classify", "generate", "translate", "dream")
"""Those whose models a server offers."""
BUILT_IN = ("dream",)
"""Those of them whose model comes with Foretell, rather than in a folder."""


def task_configuration(name: str) -> type[TaskConfiguration]:
    """The options of a task, without the imports that running it needs."""
    module = import_module(f".{_known(name, CONFIGURED)}.config", __name__)
    return cast("type[TaskConfiguration]", module.Configuration)


def task_rungs(name: str) -> dict[str, Rung]:
    """The rungs of a task, in ladder order."""
    return cast("dict[str, Rung]", import_module(f".{_known(name)}.config", __name__).RUNGS)


def task_predicting(name: str) -> type[Any]:
    """The options of predicting with a task's models: a section with a line of help for each, and what answers are."""
    return cast("type[Any]", import_module(f".{_known(name)}.config", __name__).Predicting)


def task_health(name: str) -> "Callable[[object, Any], Health]":
    """What tells the health of data for a task, without the imports that learning from them needs."""
    return cast("Callable[[object, Any], Health]", import_module(f".{_known(name)}.health", __name__).health)


def task_service(name: str) -> "Service":
    """How a task's models are asked by programs.

    Raises:
        UsageError: Its models are not served.
    """
    if name in NAMES and name not in SERVED:
        raise UsageError(f"a model of {name} is not served; use foretell evaluate", task=name)
    return cast("Service", import_module(f".{_known(name, SERVED)}.serving", __name__).service)


def task_measure(name: str) -> Measure:
    """What the models of a task are judged by."""
    return cast("Measure", import_module(f".{_known(name)}.config", __name__).MEASURE)


def check_rung(task: str, rung: str) -> None:
    """Checks a rung's name.

    Raises:
        UsageError: The task has no such rung.
    """
    rungs = task_rungs(task)
    if rung not in rungs:
        raise UsageError(f'there is no rung "{rung}"; {nearest(rung, rungs)}', rung=rung)


def require_alone(task: str, rung: str | None) -> str:
    """A rung that learns by itself.

    Raises:
        UsageError: None is named, the task has no such rung, or it is made of others.
    """
    rungs = task_rungs(task)
    if rung is None:
        known = ", ".join(name for name, one in rungs.items() if not one.combines)
        raise UsageError(f"a rung is needed, as in --rung NAME: one of {known}; to train several, foretell compare")
    check_rung(task, rung)
    if rungs[rung].combines:
        raise UsageError(f"{rung} is made of the rungs of a comparison: foretell compare {task} DATA", rung=rung)
    return rung


def choose_rungs(task: str, named: tuple[str, ...] = ()) -> list[str]:
    """The rungs to climb, in ladder order; all baselines where none of them is named.

    Args:
        task: Whose ladder.
        named: Names, commas allowed; all where empty.

    Raises:
        UsageError: There is no such rung.

    >>> choose_rungs("forecast", ("gru",))
    ['persistence', 'seasonal', 'climatology', 'ridge', 'gru']
    """
    rungs = task_rungs(task)
    names = entries(named) if named else [name for name, rung in rungs.items() if rung.at_hand and not rung.large]
    if not names:
        raise UsageError(f"--rungs names no rung; known are {', '.join(rungs)}")
    for name in names:
        check_rung(task, name)
        require(name, rungs[name])
    if not any(rungs[name].kind == "baseline" for name in names):
        names += [name for name, rung in rungs.items() if rung.kind == "baseline" and rung.at_hand]
    alone = [name for name in names if not (rungs[name].combines or rungs[name].constant)]
    for name in names:
        if rungs[name].combines and (len(alone) < 2 or not set(rungs[name].among) <= set(alone)):
            raise UsageError(
                f"{name} is made of other rungs of the comparison"
                f"{', ' + ', '.join(rungs[name].among) + ' among them' if rungs[name].among else ''}; besides it there "
                f"is only {', '.join(alone) or 'what always says the same'}; name more of them with --rungs",
                rung=name,
            )
    return [name for name in rungs if name in names]


def require(name: str, rung: Rung) -> None:
    """Checks that what a rung needs is installed.

    Raises:
        MissingError: It is not.
    """
    if not rung.at_hand and rung.needs:
        package, extra = rung.needs
        raise MissingError(f"{name} needs {package}: pip install 'foretell[{extra}]'", rung=name, extra=extra)


def baselines_and(task: str, rung: str) -> list[str]:
    """Every baseline and one rung, in ladder order.

    Raises:
        UsageError: The task has no such rung.

    >>> baselines_and("recall", "gru")
    ['chance', 'gru']
    """
    check_rung(task, rung)
    require(rung, task_rungs(task)[rung])
    rungs = task_rungs(task).items()
    return [name for name, own in rungs if (own.kind == "baseline" and own.at_hand) or name == rung]


def left_out(task: str, rungs: list[str]) -> list[str]:
    """A sentence for each baseline that a ladder goes without, since what it needs is not installed.

    Args:
        task: Whose ladder.
        rungs: Those that are climbed.
    """
    return [
        f"the baseline {name} is left out, since it needs {rung.needs[0]}: pip install 'foretell[{rung.needs[1]}]'"
        for name, rung in task_rungs(task).items()
        if rung.kind == "baseline" and rung.needs and not rung.at_hand and name not in rungs
    ]


def get_task(name: str) -> "Task":
    """The task of a name.

    Raises:
        UsageError: There is no such task.
    """
    return cast("Task", import_module(f".{_known(name)}.task", __name__).task)


def _known(name: str, among: tuple[str, ...] = NAMES) -> str:
    if name not in among:
        raise UsageError(f'there is no task "{name}"; {nearest(name, among)}', task=name)
    return name
