"""``foretell recipes list | show``, and carrying one out, as ``foretell train --recipe`` does."""

import os
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import click

from ..errors import MissingError, UsageError
from ..recipes.reading import Recipe, read_recipe, recipe_names
from ..tasks import task_configuration
from .options import Asked
from .output import columns, output_options, print_json, tell


class Recipes(click.Group):
    """A group that lists its recipes where nothing else is said."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """The arguments, with ``list`` where no verb is among them."""
        if not set(args) & {*self.commands, *ctx.help_option_names} and (not args or args[0].startswith("-")):
            args = ["list", *args]
        return super().parse_args(ctx, args)


@click.group("recipes", cls=Recipes)
def command() -> None:
    """List and show the experiments that come with Foretell."""


@command.command("list")
@output_options
def list_recipes(as_json: bool, quiet: bool, no_color: bool) -> None:
    """List every recipe."""
    found = [read_recipe(name) for name in recipe_names()]
    if as_json:
        print_json({"recipes": [{"name": own.name, "task": own.task, "summary": own.summary} for own in found]})
        return
    click.echo(columns(["recipe", "what it shows"], [[own.name, own.summary] for own in found]))
    tell("carry one out with: foretell train --recipe RECIPE", quiet=quiet)


@command.command("show")
@click.argument("recipe", metavar="RECIPE")
@output_options
def show_recipe(recipe: str, as_json: bool, quiet: bool, no_color: bool) -> None:
    """Print RECIPE as TOML."""
    found = read_recipe(recipe)
    if as_json:
        vary = {"option": found.vary.option, "values": found.vary.values} if found.vary else None
        about = {"name": found.name, "task": found.task, "source": found.source, "summary": found.summary}
        print_json({**about, "vary": vary, "options": found.sections})
    else:
        click.echo(found.text, nl=False)


def carry_out(name: str, asked: Asked, given: dict[str, Any]) -> None:
    """Does what a recipe says: a study where it varies an option, one rung where it names one, else a comparison.

    Args:
        name: The recipe's name.
        asked: What the user wants otherwise.
        given: The output options, and ``data`` where some other than the recipe's are to be read.

    Raises:
        MissingError: The recipe reads data that do not come with Foretell, and none were named.
    """
    recipe, left = read_recipe(name).changed(asked.sets)
    asked = replace(asked, sets=left)
    if "rung" in asked.named:  # who names one rung wants it in place of those of the recipe
        run = {option: value for option, value in recipe.sections.get("run", {}).items() if option != "rungs"}
        recipe = replace(recipe, sections={**recipe.sections, "run": run})
    data = given.get("data") or recipe.source
    if data is None and recipe.expects:
        raise MissingError(
            f"{name} reads {recipe.expects}; name the file: foretell train --recipe {name} FILE", recipe=name
        )
    given = {**given, "recipe": recipe.name, **({"data": data} if data else {})}
    if recipe.vary:
        option = recipe.vary.option
        if option.rpartition(".")[2] in asked.named:
            raise UsageError(f"{option} is what {name} varies; say --set vary.values=A,B", option=option)
        from .study import study_option

        study_option(recipe.task, recipe.vary, partial(configured, recipe, asked), given)
        return
    configuration = configured(recipe, asked)
    if configuration.run.rung:
        from .train import train_rung

        train_rung(recipe.task, configuration, given)
    else:
        from .compare import compare_data

        compare_data(recipe.task, configuration, given)


def configured(recipe: Recipe, asked: Asked, value: Mapping[str, object] | None = None) -> Any:
    """The options of a recipe's task.

    Args:
        recipe: The recipe.
        asked: What the user wants otherwise.
        value: The value of the option that is varied, by its dotted path.
    """
    # What a recipe is about does not come from the environment; how it trains and where it is kept may.
    options = asked.configuration
    free = {name for section, name, _ in options.options() if section == "training"}
    free |= {"runs_dir", "name", "on", "training_cpus", "training_gpus"}
    about = {f"FORETELL_{name.upper()}" for _, name, _ in options.options() if name not in free}
    surroundings = {name: text for name, text in os.environ.items() if name not in about}
    sets = {**asked.sets, **(value or {})}
    return options.build(asked.flags, recipe=recipe.sections, file=asked.file, sets=sets, environment=surroundings)


def asked_of(recipe: str, flags: Mapping[str, object]) -> Asked:
    """What is asked of a recipe by a command that has few options of its own.

    Args:
        recipe: Its name.
        flags: Values by option name.
    """
    return Asked(task_configuration(read_recipe(recipe).task), dict(flags), {})
