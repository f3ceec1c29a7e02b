"""Makes the pages that are generated, or checks that they are current: ``python tools/make_docs.py [--check]``."""

import sys
from pathlib import Path

import click

from foretell.cli.main import cli
from foretell.config import render
from foretell.evaluation.words import value_text
from foretell.tasks import CONFIGURED, NAMES, task_configuration, task_rungs
from foretell.tasks.rung import Rung

DOCS = Path(__file__).parent.parent / "docs"


def help_page() -> str:
    """Every command's ``--help``."""
    parts = ["# The command line\n\nGenerated from `--help` by `make docs`.\n"]

    def add(command: click.Command, path: list[str]) -> None:
        context = click.Context(command, info_name=" ".join(path), max_content_width=100, terminal_width=100)
        parts.append(f"## {' '.join(path)}\n\n```text\n{command.get_help(context).rstrip()}\n```\n")
        if isinstance(command, click.Group):
            for name in command.list_commands(context):
                child = command.get_command(context, name)
                if child is not None:
                    add(child, [*path, name])

    add(cli, ["foretell"])
    return "\n".join(parts)


def options_page() -> str:
    """Every option of every task with its default, and every rung."""
    parts = ["# Options and rungs\n\nGenerated from the typed sections by `make docs`.\n"]
    for task in NAMES:
        parts.append(f"## {task}\n\n| rung | kind | what it is | its own options |\n| --- | --- | --- | --- |")
        parts += [
            f"| `{name}` | {rung.kind} | {rung.summary} | {_own(rung)} |" for name, rung in task_rungs(task).items()
        ]
        parts.append("\nOptions that stand as remarks below are each rung's own where the table names them.")
        parts.append(
            "\nAs TOML, for `--config` (`foretell config render "
            f"{task}`):\n\n```toml\n{render(task_configuration(task))}```\n"
        )
    for task in CONFIGURED:
        if task not in NAMES:
            parts.append(f"## {task}\n\n```toml\n{render(task_configuration(task))}```\n")
    return "\n".join(parts)


def _own(rung: Rung) -> str:
    """A rung's own values of options."""
    shown = (f"{name} {value_text(value)}" for name, value in rung.options.items())
    return "; ".join(shown).replace("_", "-")


PAGES = {"cli.md": help_page, "options.md": options_page}


def main(arguments: list[str]) -> int:
    """Writes the pages, or says which are stale."""
    stale = []
    for name, make in PAGES.items():
        path, content = DOCS / name, make()
        if "--check" in arguments:
            if not path.exists() or path.read_text("utf-8") != content:
                stale.append(name)
        else:
            path.write_text(content, "utf-8")
    if stale:
        print(f"stale, run make docs: {', '.join(stale)}")  # noqa: T201
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
