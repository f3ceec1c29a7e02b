"""``foretell config schema | render TASK``."""

import click

from .output import print_json


@click.group("config")
def command() -> None:
    """Show every option of a task: as a JSON schema, or as TOML to edit."""


@command.command("schema")
@click.argument("task", metavar="TASK", default="forecast")
def schema(task: str) -> None:
    """Print the JSON schema of TASK's configuration."""
    from ..tasks import task_configuration

    print_json(task_configuration(task).model_json_schema())


@command.command("render")
@click.argument("task", metavar="TASK")
def render(task: str) -> None:
    """Print every option of TASK with its default and help, as TOML for --config."""
    from ..config import render as rendered
    from ..tasks import task_configuration

    click.echo(rendered(task_configuration(task)), nl=False)
