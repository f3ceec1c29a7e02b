"""Verbs that take a task: a group whose commands are made from each task's options when they are called."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from ..errors import UsageError, nearest
from ..recipes.reading import read_recipe
from ..tasks import NAMES, task_configuration
from .options import Asked, asked, runs_dir_option, task_options
from .origin import named
from .output import output_options

Body = Callable[[str, Asked, dict[str, Any]], None]
Resume = Callable[[str, Path, dict[str, Any]], None]


class TaskGroup(click.Group):
    """A verb over all tasks, and its ``--resume``, which goes without one.

    Args:
        name: The verb.
        body: Does the work, given the task's name, its options and the other arguments.
        resume: Goes on with a run that was stopped, given its name, the folder of runs and the output options.
        without: Options of the task that the verb does not have.
        summary: Help of each command, with ``{task}`` in it, and ``{data}`` for where its data come from.
        further: Options of the verb itself.
        recipes: Whether it carries out recipes: ``--recipe NAME`` then stands for the recipe's task.
        **settings: Of the group, such as its help.
    """

    def __init__(
        self,
        name: str,
        *,
        body: Body,
        resume: Resume,
        without: tuple[str, ...],
        summary: str,
        further: tuple[click.Option, ...] = (),
        recipes: bool = False,
        **settings: Any,
    ) -> None:
        super().__init__(name, invoke_without_command=True, **settings)
        self.body, self.resume, self.without, self.summary = body, resume, without, summary
        self.further, self.recipes = further, recipes

        @runs_dir_option
        @output_options
        def alone(**given: Any) -> None:
            self._without_task(click.get_current_context(), given)

        options = [
            click.Option(["--resume"], metavar="RUN", help="Go on with a run that was stopped."),
            click.Option(
                ["--devices"], type=click.IntRange(1), help="With --resume: on so many devices, not as before."
            ),
            click.Option(
                ["--nodes"], type=click.IntRange(1), help="With --resume: on so many machines, not as before."
            ),
        ]
        if recipes:
            shown = "Carry out a shipped experiment: --recipe RECIPE [DATA] [OPTIONS]."
            options.append(click.Option(["--recipe"], metavar="RECIPE", help=shown))
        if "on" not in without:
            options.append(click.Option(["--on"], help="With --resume: where its trainings go on, if elsewhere."))
        self.callback = alone
        self.params = [*options, *reversed(getattr(alone, "__click_params__", []))]

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
            if isinstance(given.get("data"), tuple):
                given["data"] = named(given["data"])
            self.body(cmd_name, asked(configuration, given), given)

        argument = []
        if configuration.reads_data:
            shown = "[DATA]" if self.recipes else "DATA"
            if configuration.reads_many:
                shown = shown.replace("DATA", "DATA...")
            count = -1 if configuration.reads_many else 1
            argument = [click.Argument(["data"], metavar=shown, required=not self.recipes, nargs=count)]
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

    def _without_task(self, context: click.Context, given: dict[str, Any]) -> None:
        """Goes on with a run; what stands before a task is an error.

        Raises:
            UsageError: Something does, or nothing was said.
        """
        alone = {name: given.pop(name) for name in ("resume", "recipe") if name in given}
        if context.invoked_subcommand is not None:
            early = [one for one in context.params if context.get_parameter_source(one) is ParameterSource.COMMANDLINE]
            for option, value in alone.items():
                if value:
                    raise UsageError(f"--{option} goes without a task: foretell {self.name} --{option} {value}")
            if early:
                task = context.invoked_subcommand
                raise UsageError(f"options come after the task: foretell {self.name} {task} DATA --option ...")
        elif alone["resume"] is None or alone.get("recipe"):
            others = "--recipe RECIPE, or --resume RUN" if self.recipes else "or --resume RUN"
            raise UsageError(
                f"{self.name} needs a task and data (foretell {self.name} forecast weather.csv ...), {others}"
            )
        else:
            self.resume(alone["resume"], given.pop("runs_dir"), given)
