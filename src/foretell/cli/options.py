"""Options generated from the typed sections: one declaration makes the flag, its help, its default and its check."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

import click
from pydantic import BeforeValidator
from pydantic.fields import FieldInfo

from ..config import RunSection, Section, TaskConfiguration
from ..errors import UsageError, nearest
from ..tasks import NAMES, task_configuration, task_predicting


def task_options(configuration: type[TaskConfiguration], without: tuple[str, ...] = ()) -> list[click.Parameter]:
    """A click option for each option of a task but some, and ``--config`` and ``--set``."""
    made: list[click.Parameter] = [
        _option(name, field) for _, name, field in configuration.options() if name not in without
    ]
    return made + _from_elsewhere()


def _from_elsewhere() -> list[click.Parameter]:
    told = "TOML file with options (see: foretell config render)."
    return [
        click.Option(["--config"], type=click.Path(path_type=Path), help=told),
        click.Option(["--set"], multiple=True, metavar="A.B=C", help="Set any option by its dotted name."),
    ]


@dataclass(frozen=True)
class Asked:
    """The options of a task as a command was given them, before they are one configuration.

    Attributes:
        configuration: The task's.
        flags: Values by option name.
        sets: Values by dotted path, from ``--set``.
        file: From ``--config``.
    """

    configuration: type[TaskConfiguration]
    flags: dict[str, Any]
    sets: dict[str, str]
    file: Path | None = None

    def build(self, below: Mapping[str, Mapping[str, object]] | None = None) -> Any:
        """The configuration.

        Args:
            below: Sections of options that everything else replaces: a recipe's, or a model's.
        """
        return self.configuration.build(self.flags, recipe=below, file=self.file, sets=self.sets)

    @property
    def named(self) -> set[str]:
        """The names of the options that were given."""
        return set(self.flags) | {path.rpartition(".")[2] for path in self.sets}


def asked(configuration: type[TaskConfiguration], given: dict[str, Any]) -> Asked:
    """The options of a task among what a command was given; its other arguments stay in ``given``.

    Args:
        configuration: The task's.
        given: What click parsed; the options of the configuration are taken out of it.
    """
    flags = {name: given.pop(name, None) for _, name, _ in configuration.options()}
    sets = parsed_sets(given.pop("set"))
    named = {name: value for name, value in flags.items() if value not in (None, ())}
    return Asked(configuration, named, sets, given.pop("config"))


def parsed_sets(texts: tuple[str, ...], option: str = "--set") -> dict[str, str]:
    """What ``--set`` says, by dotted path.

    Args:
        texts: As they were given.
        option: Its name, for the error.

    Raises:
        UsageError: A text has no value.
    """
    sets = {}
    for text in texts:
        path, sign, value = text.partition("=")
        if not sign:
            raise UsageError(f'{option} needs NAME=VALUE, such as training.epochs=5; found "{text}"')
        sets[path.strip()] = value.strip()
    return sets


def options_of(section: type[Section]) -> Callable[[Any], Any]:
    """Adds an option for each of a section to a command."""

    def added(function: Any) -> Any:
        own = [_option(name, field) for name, field in section.model_fields.items()]
        function.__click_params__ = [*getattr(function, "__click_params__", []), *reversed(own)]
        return function

    return added


def predicting_options(function: Any) -> Any:
    """Adds the options of predicting of every task to a command that learns the task from a model."""
    fields: dict[str, FieldInfo] = {}
    for task in NAMES:
        for name, field in task_predicting(task).model_fields.items():
            fields.setdefault(name, field)
    for name, field in reversed(fields.items()):
        option = _option(name, field)
        function.__click_params__ = [*getattr(function, "__click_params__", []), option]
    return function


def reading_options(*tasks: str) -> Callable[[Any], Any]:
    """Adds the options that say how the data of some tasks are read and cut, and ``--config`` and ``--set``."""
    fields: dict[str, FieldInfo] = {}
    for task in tasks:
        configuration = task_configuration(task)
        for section, name, field in configuration.options():
            if section in configuration.reading:
                fields.setdefault(name, field)

    def added(function: Any) -> Any:
        own = [*(_option(name, field) for name, field in fields.items()), *_from_elsewhere()]
        function.__click_params__ = [*getattr(function, "__click_params__", []), *reversed(own)]
        return function

    return added


def only_of(task: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the options of predicting that were named, checked to be of a model's task.

    Args:
        task: The model's task.
        options: Values by name, None where not named.

    Raises:
        UsageError: Another task's option was named.
    """
    known = task_predicting(task).model_fields
    named = {name: value for name, value in options.items() if value not in (None, ())}
    for name in named:
        if name not in known:
            flags = [f"--{own.replace('_', '-')}" for own in known]
            raise UsageError(f"--{name} means nothing to a model of {task}; {nearest(name, flags)}", option=name)
    return named


def runs_dir_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """Adds ``--runs-dir`` to commands that have no configuration of their own."""
    field = RunSection.model_fields["runs_dir"]
    return click.option(
        "--runs-dir",
        type=click.Path(path_type=Path),
        default=field.default,
        envvar="FORETELL_RUNS_DIR",
        show_default=True,
        help=field.description,
    )(function)


def _option(name: str, field: FieldInfo) -> click.Option:
    settings: dict[str, Any] = {"help": field.description}
    default = field.default
    if default not in (None, (), ""):
        settings["help"] = f"{field.description}  [default: {default}]"
    flag = f"--{name.replace('_', '-')}"
    if field.annotation is bool:
        return click.Option([f"{flag}/--no-{flag[2:]}"], default=None, **settings)
    if field.annotation in (int, float) and any(isinstance(rule, BeforeValidator) for rule in field.metadata):
        return click.Option([flag], type=str, **settings)  # a number with a unit, which the section reads
    return click.Option([flag], **settings, **_kind(field.annotation))


def _kind(annotation: Any) -> dict[str, Any]:
    """The click type of a field."""
    union = get_origin(annotation) in (Union, UnionType)
    plain = [part for part in get_args(annotation) if part is not type(None)] if union else [annotation]
    if len(plain) == 1 and get_origin(plain[0]) is Literal:
        return {"type": click.Choice([str(choice) for choice in get_args(plain[0])])}
    if get_origin(annotation) is tuple:
        return {"multiple": True, "metavar": "TEXT"}
    if len(plain) > 1:
        return {"type": str}
    for kind in (int, float, Path):
        if plain[0] is kind:
            return {"type": click.Path(path_type=Path) if kind is Path else kind}
    return {"type": str}
