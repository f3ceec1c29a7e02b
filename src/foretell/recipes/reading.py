"""Recipes by name: what a shipped configuration says, read without anything heavy.

A recipe is TOML: ``summary``, ``task``, ``source`` (a built-in set) or ``expects`` (data that the user has to name, in
words; neither where the task makes its own), the task's sections, and, where an option is to be varied, ``[vary]`` with
``option`` and ``values``.
"""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from importlib import resources
from importlib.resources.abc import Traversable

from ..errors import UsageError, nearest

_SUFFIX = ".toml"


@dataclass(frozen=True)
class Vary:
    """An option that is varied, by its dotted name, and its values in order."""

    option: str
    values: tuple[object, ...]


@dataclass(frozen=True)
class Recipe:
    """A shipped configuration.

    Attributes:
        name: Its name, with its folder: ``lecture/long-gap``.
        summary: A line on what it shows.
        task: The task that it is of.
        source: The built-in set that it learns from; None where the task makes its own data.
        expects: The data that it is meant for, in words, where they do not come with Foretell.
        vary: What is varied, if anything.
        sections: The task's options, by section.
        text: The file as it is.
    """

    name: str
    summary: str
    task: str
    source: str | None
    expects: str | None
    vary: Vary | None
    sections: dict[str, dict[str, object]]
    text: str

    def changed(self, sets: Mapping[str, str]) -> tuple["Recipe", dict[str, str]]:
        """The recipe with what ``--set`` says of ``vary.option`` and ``vary.values``.

        Args:
            sets: Values by dotted path.

        Returns:
            The recipe, and the values that are left for the task's own options.

        Raises:
            UsageError: One of the two is missing, or something else of ``vary`` is named.
        """
        left = {path: value for path, value in sets.items() if not path.startswith("vary.")}
        said = {path.removeprefix("vary."): value for path, value in sets.items() if path not in left}
        if not said:
            return self, left
        for name in said:
            if name not in ("option", "values"):
                known = nearest(name, ("option", "values"))
                raise UsageError(f'--set names "vary.{name}", which is no option; {known}')
        option = said.get("option") or (self.vary.option if self.vary else "")
        values = tuple(part.strip() for part in said.get("values", "").split(",") if part.strip())
        kept = self.vary is not None and option.rpartition(".")[2] == self.vary.option.rpartition(".")[2]
        if not option or not (values or (kept and "values" not in said)):
            raise UsageError(f"to vary an option of {self.name}: --set vary.option=A.B --set vary.values=C,D")
        return replace(self, vary=Vary(option, values or (self.vary.values if self.vary else ()))), left


def recipe_names() -> list[str]:
    """The names of all recipes, in the order of the alphabet."""
    return sorted(name for name, _ in _files(resources.files(__package__)))


def read_recipe(name: str) -> Recipe:
    """The recipe of a name.

    Raises:
        UsageError: There is none.

    >>> read_recipe("demo").task
    'forecast'
    """
    for found, file in _files(resources.files(__package__)):
        if found == name:
            return _parsed(name, file.read_text("utf-8"))
    raise UsageError(f'there is no recipe "{name}"; {nearest(name, recipe_names())}', recipe=name)


def _parsed(name: str, text: str) -> Recipe:
    document = tomllib.loads(text)
    vary = document.pop("vary", None)
    plain = {key: document.pop(key, None) for key in ("summary", "task", "source", "expects")}
    chosen = Vary(vary["option"], tuple(vary["values"])) if vary else None
    return Recipe(name, plain["summary"], plain["task"], plain["source"], plain["expects"], chosen, document, text)


def _files(folder: Traversable, path: str = "") -> Iterator[tuple[str, Traversable]]:
    for entry in folder.iterdir():
        if entry.is_dir() and not entry.name.startswith("_"):
            yield from _files(entry, f"{path}{entry.name}/")
        elif entry.name.endswith(_SUFFIX):
            yield path + entry.name.removesuffix(_SUFFIX), entry
