"""Verbs that take a task: a group whose commands are made from each task's options when they are called."""

from collections.abc import Callable
from typing import Any

import click
from click.core import ParameterSource

from ..errors import UsageError, nearest
from ..recipes.reading import read_recipe
from ..tasks import NAMES, task_configuration
from .options import Asked, asked, task_options
from .output import output_options

Body = Callable[[str, Asked, dict[str, Any]], None]


def options_come_after(context: click.Context, alone: dict[str, str | None]) -> None:
    """Checks that nothing was said before the task.

    Args:
        context: The verb's.
        alone: Options that go without a task, and what was said of them.

    Raises:
        UsageError: Something was.
    """
    verb = context.info_name
    early = [name for name in context.params if context.get_parameter_source(name) is ParameterSource.COMMANDLINE]
    for option, value in alone.items():
        if value:
            raise UsageError(f"--{option} goes without a task: foretell {verb} --{option} {value}")
    if early:
        raise UsageError(f"options come after the task: foretell {verb} {context.invoked_subcommand} DATA --option ...")


class TaskGroup(click.Group):
    """A verb over all tasks.

    Args:
        body: Does the work, given the task's name, its configuration and the other arguments.
        without: Options of the task that the verb does not have.
        further: Options of the verb itself.
        recipes: Whether it carries out recipes: ``--recipe NAME`` then stands for the recipe's task.
        summary: Help of each command, with ``{task}`` in it, and ``{data}`` for where its data come from.
    """

    def __init__(
        self,
        *args: Any,
        body: Body,
        without: tuple[str, ...],
        summary: str,
        further: tuple[click.Option, ...] = (),
        recipes: bool = False,
        **settings: Any,
    ) -> None:
        super().__init__(*args, **settings)
        self.body, self.without, self.summary = body, without, summary
        self.further, self.recipes = further, recipes

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """The arguments, with a recipe's task before them where they name a recipe and no task."""
        if self.recipes and not set(args) & {*NAMES, "--resume", *ctx.help_option_names}:
            name = next((one.removeprefix("--recipe=") for one in args if one.startswith("--recipe=")), None)
            if "--recipe" in args[:-1]:
                name = args[args.index("--recipe") + 1]
            if name is not None:
                args = [read_recipe(name).task, *args]
        return super().parse_args(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The tasks."""
        return list(NAMES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The verb's command for a task."""
        if cmd_name not in NAMES:
            return None
        configuration = task_configuration(cmd_name)

        @output_options
        def callback(**given: Any) -> None:
            self.body(cmd_name, asked(configuration, given), given)

        argument = []
        if configuration.reads_data:
            shown = "[DATA]" if self.recipes else "DATA"
            argument = [click.Argument(["data"], metavar=shown, required=not self.recipes)]
        parameters = [*argument, *self.further, *task_options(configuration, self.without)]
        data = " on DATA" if configuration.reads_data else " on data that it makes itself"
        command = click.command(cmd_name, help=self.summary.format(task=cmd_name, data=data))(callback)
        command.params = [*parameters, *command.params]
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command of the named task, or the nearest name in the error."""
        if args and args[0] not in NAMES and not args[0].startswith("-"):
            raise UsageError(f'there is no task "{args[0]}"; {nearest(args[0], NAMES)}', task=args[0])
        return super().resolve_command(ctx, args)
