"""``foretell completion SHELL``."""

import click
from click.shell_completion import get_completion_class


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> None:
    """Print the script that completes foretell's commands in SHELL.

    \b
    bash: eval "$(foretell completion bash)"        in ~/.bashrc
    fish: foretell completion fish | source         in ~/.config/fish/config.fish
    """
    from .main import cli

    kind = get_completion_class(shell)
    if kind is not None:
        click.echo(kind(cli, {}, "foretell", "_FORETELL_COMPLETE").source())
