"""A task's configuration: its sections, and the one validator that reads them: file < environment < flag.

Every option's name is unique within a task, so that ``--lookback``, ``FORETELL_LOOKBACK`` and ``[windows] lookback``
are the same option everywhere.
"""

import os
import tomllib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, TypeVar, cast

import tomli_w
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.fields import FieldInfo

from ..errors import ConfigurationError, UsageError, nearest
from .sections import Section, names_code

Configuration = TypeVar("Configuration", bound="TaskConfiguration")


class TaskConfiguration(BaseModel):
    """The base of every task's configuration: its fields are sections.

    Attributes:
        reads_data: Whether the task reads data that its user names; else it makes its own.
        reads_many: Whether these may be several files.
        reading: Sections that say how these are read and cut.
        fixed: What stays as it is where a model's training goes on: options by section, all where none is named.
        searched: Sections whose options can be searched, as they say how a model is made.
        judging: Options of these that say what is judged, or how it is computed, and are never searched.
        shaping: Those of these sections that say what a rung reads of the data.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    reads_data: ClassVar[bool] = True
    reads_many: ClassVar[bool] = False
    reading: ClassVar[tuple[str, ...]] = ()
    fixed: ClassVar[Mapping[str, tuple[str, ...]]] = {"network": ()}
    searched: ClassVar[tuple[str, ...]] = ("network", "training")
    judging: ClassVar[tuple[str, ...]] = (
        *("loss", "seed", "device", "devices", "nodes", "strategy", "threads", "kernel", "checkpoint_seconds"),
    )
    shaping: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def options(cls) -> Iterator[tuple[str, str, FieldInfo]]:
        """Every option of the task as (section, name, field), in the order of declaration."""
        for section_name, section in cls.model_fields.items():
            section_class = section.annotation
            if isinstance(section_class, type) and issubclass(section_class, Section):
                for name, field in section_class.model_fields.items():
                    yield section_name, name, field

    @classmethod
    def build(
        cls: type[Configuration],
        flags: Mapping[str, object] | None = None,
        *,
        recipe: Mapping[str, Mapping[str, object]] | None = None,
        file: str | Path | None = None,
        read: Callable[[Path], dict[str, Any]] | None = None,
        sets: Mapping[str, object] | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> Configuration:
        """The configuration from a recipe, a TOML file, then the environment, then flags; the last one wins.

        Args:
            flags: Values by option name; those that are None were not given.
            recipe: The sections of a recipe.
            file: A TOML file with a table for each section.
            read: How that is read; as a file that its user names where None.
            sets: Values by dotted path, ``{"training.epochs": "5"}``, as from ``--set``.
            environment: The environment; ``os.environ`` where None.

        Raises:
            ConfigurationError: An option is unknown, its value breaks its rule, or a file names code to run.
            UsageError: A path of ``--set`` names no option.
        """
        places = {name: section for section, name, _ in cls.options()}
        values: dict[str, dict[str, object]] = {}
        origins: dict[tuple[str, str], str] = {}

        def put(section: str, name: str, value: object, origin: str) -> None:
            values.setdefault(section, {})[name] = value
            origins[section, name] = origin

        for section, entries_of in (recipe or {}).items():
            for name, value in entries_of.items():
                put(section, name, value, "the recipe")
        code = {name for _, name, field in cls.options() if names_code(field)}
        for section, name, value in _from_file(file, read or _named_toml):
            if name in code:
                raise ConfigurationError(
                    f"{name} in the file {file} names code, which no file may; if you trust it say "
                    f"--{name.replace('_', '-')} {_shown(value, str)}",
                    option=name,
                    file=str(file),
                )
            put(section, name, value, f"the file {file}")
        surroundings = os.environ if environment is None else environment
        for name, section in places.items():
            variable = "FORETELL_" + name.upper()
            if variable in surroundings:
                put(section, name, surroundings[variable], f"the environment variable {variable}")
        for path, value in (sets or {}).items():
            section, _, name = path.rpartition(".")
            if name not in places or section not in ("", places[name]):
                known = [f"{section}.{name}" for section, name, _ in cls.options()]
                raise UsageError(f'--set names "{path}", which is no option; {nearest(path, known)}', option=path)
            put(places[name], name, value, "--set")
        for name, value in (flags or {}).items():
            if value is not None:
                put(places[name], name, value, f"the option --{name.replace('_', '-')}")
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            raise _explain(error, origins, cls) from None

    @property
    def named(self) -> set[str]:
        """The options that were given a value, be it their default."""
        sections = [getattr(self, name) for name in type(self).model_fields]
        return {option for section in sections if isinstance(section, Section) for option in section.model_fields_set}

    def of_rung(self: Configuration, options: Mapping[str, object]) -> Configuration:
        """The configuration with a rung's own values for what was left open.

        Args:
            options: Values by option name; what they do not name keeps its default.
        """
        updates: dict[str, Section] = {}
        for name in type(self).model_fields:
            section = getattr(self, name)
            if isinstance(section, Section):
                values = {option: options.get(option, getattr(section, option)) for option in section.left_open()}
                updates[name] = section.model_copy(update=values)
        return self.model_copy(update=updates)

    def changed(self: Configuration, values: Mapping[str, object]) -> Configuration:
        """The same with other values of some options.

        Args:
            values: By dotted path.

        Raises:
            ConfigurationError: One breaks its option's rule.
        """
        sections = self.model_dump(exclude_unset=True)
        for path, value in values.items():
            section, _, name = path.rpartition(".")
            sections.setdefault(section, {})[name] = value
        try:
            return type(self).model_validate(sections)
        except ValidationError as error:
            raise _explain(error, {}, type(self)) from None

    def toml(self) -> str:
        """The configuration as a TOML document; options without a value, or left open, are left out."""
        sections = {name: getattr(self, name) for name in type(self).model_fields}
        return tomli_w.dumps(
            {
                name: section.model_dump(mode="json", exclude_none=True, exclude=section.left_open())
                for name, section in sections.items()
            }
        )


def _named_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ConfigurationError(
            f"the configuration file {path} cannot be read: {error.strerror}", file=str(path)
        ) from None
    except (ValueError, RecursionError) as error:  # no TOML, no UTF-8, or numbers of thousands of digits
        raise ConfigurationError(f"the configuration file {path} is not TOML: {error}", file=str(path)) from None


def _from_file(file: str | Path | None, read: Callable[[Path], dict[str, Any]]) -> Iterator[tuple[str, str, object]]:
    document = {} if file is None else read(Path(file))
    for section, entries in document.items():
        if not isinstance(entries, dict):
            raise ConfigurationError(
                f'"{section}" in {file} stands outside a section; write it under its section, such as [training]',
                file=str(file),
            )
        for name, value in entries.items():
            yield section, name, value


def _explain(
    error: ValidationError, origins: Mapping[tuple[str, str], str], model: type[TaskConfiguration]
) -> ConfigurationError:
    """One sentence for the first broken rule: which option, from where, the rule, the value found."""
    first = error.errors()[0]
    path = [str(part) for part in first["loc"]]
    section, name = path[0], path[1] if len(path) > 1 else ""
    origin = origins.get((section, name), "the configuration")
    if first["type"] == "extra_forbidden":
        known = [option for _, option, _ in model.options()] if name else list(model.model_fields)
        return ConfigurationError(
            f'"{name or section}" in {origin} is no option; {nearest(name or section, known)}', option=name or section
        )
    rule = _rule(first["type"], first["msg"], _bounds(model, section, name))
    return ConfigurationError(
        f"{name or section} from {origin} breaks its rule: {rule}; found {_shown(first['input'], repr)}",
        option=name,
        value=_shown(first["input"], str),
    )


def _shown(value: object, told: Callable[[object], str]) -> str:
    """A value as it was found; of a long one the beginning."""
    try:
        shown = told(value)
    except ValueError:  # Python writes out no whole number of thousands of digits
        return "a number of thousands of digits"
    return shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]} ..."


_SHOWN = 100  # characters of a value that a message repeats
_NEEDED = {
    "int_parsing": "a whole number is needed",
    "int_from_float": "a whole number is needed",
    "int_type": "a whole number is needed",
    "float_parsing": "a number is needed",
    "float_type": "a number is needed",
    "finite_number": "a finite number is needed",
    "bool_parsing": "true or false is needed",
    "bool_type": "true or false is needed",
    "string_type": "a text is needed",
    "path_type": "a path is needed",
}


def _rule(kind: str, message: str, bounds: str) -> str:
    """A broken rule in our words; a number's bounds are told both."""
    if kind in ("greater_than", "greater_than_equal", "less_than", "less_than_equal") and bounds:
        return f"it is {bounds}"
    message = message.removeprefix("Value error, ")
    return _NEEDED.get(kind, message[0].lower() + message[1:])


def _bounds(model: type[TaskConfiguration], section: str, name: str) -> str:
    """Between what an option's value must lie, in words; nothing where it is free, or no number by itself."""
    if section not in model.model_fields or name not in section_of(model, section).model_fields:
        return ""
    words = {"ge": "greater than or equal to", "gt": "greater than", "le": "less than or equal to", "lt": "less than"}
    rules = section_of(model, section).model_fields[name].metadata
    told = [f"{words[kind]} {getattr(rule, kind):g}" for rule in rules for kind in words if hasattr(rule, kind)]
    return " and ".join(told)


def _line(name: str, value: object) -> str:
    if isinstance(value, list):
        return f"{name} = [{', '.join(_line('', entry).removeprefix(' = ') for entry in value)}]"
    return tomli_w.dumps({name or "_": value}).strip().removeprefix("" if name else "_")


def section_of(model: type[TaskConfiguration], name: str) -> type[Section]:
    """The class of a task's section."""
    found: Any = model.model_fields[name].annotation
    return cast("type[Section]", found)


def render(model: type[TaskConfiguration]) -> str:
    """Every option of a task with its default and its help, as TOML that can be edited.

    Args:
        model: The task's configuration.
    """
    lines: list[str] = []
    current = ""
    for section, name, field in model.options():
        if section != current:
            lines += [""] if lines else []
            lines += [f"# {str(section_of(model, section).__doc__).splitlines()[0]}", f"[{section}]"]
            current = section
        lines.append(f"# {field.description}")
        default = field.default
        if default is None:
            lines.append(f"# {name} =")
        else:
            plain = (
                list(default) if isinstance(default, tuple) else str(default) if isinstance(default, Path) else default
            )
            # What a rung may have of its own stands as a remark, so that the file leaves it open.
            remark = "# " if name in section_of(model, section).owned() else ""
            lines.append(remark + _line(name, plain))
    return "\n".join(lines) + "\n"
