"""The tasks by name. Each is a thin slice that joins data, networks, training and evaluation; none knows another."""

from importlib import import_module
from typing import TYPE_CHECKING, cast

from ..config import TaskConfiguration
from ..errors import UsageError, nearest

if TYPE_CHECKING:
    from .interface import Task

NAMES = ("forecast",)


def task_configuration(name: str) -> type[TaskConfiguration]:
    """The options of a task, without the imports that running it needs."""
    module = import_module(f".{_known(name)}.config", __name__)
    return cast("type[TaskConfiguration]", module.Configuration)


def get_task(name: str) -> "Task":
    """The task of a name.

    Raises:
        UsageError: There is no such task.
    """
    return cast("Task", import_module(f".{_known(name)}.task", __name__).task)


def _known(name: str) -> str:
    if name not in NAMES:
        raise UsageError(f'there is no task "{name}"; {nearest(name, NAMES)}', task=name)
    return name
