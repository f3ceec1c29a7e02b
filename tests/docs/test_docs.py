"""Documentation that cannot rot: generated pages are current, snippets run, commands and options exist."""

import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

from foretell.cli.main import cli
from foretell.recipes.reading import read_recipe, recipe_names
from foretell.training.seeds import threads

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
CODE = re.compile(r"```(\w*)\n(.*?)```", re.DOTALL)


def blocks(page: Path, *languages: str) -> list[str]:
    return [body for language, body in CODE.findall(page.read_text("utf-8")) if language in languages]


def test_generated_pages_are_current() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "tools" / "make_docs.py", "--check"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "python")], ids=lambda page: page.name)
def test_snippets_run(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    with threads(0):  # what a snippet sets ends here
        for body in blocks(page, "python"):
            exec(compile(body, page.name, "exec"), names)


def commands(page: Path) -> list[str]:
    lines = [
        line.strip() for body in blocks(page, "", "sh", "console") for line in body.replace("\\\n", " ").splitlines()
    ]
    return [line.removeprefix("$ ") for line in lines if line.removeprefix("$ ").startswith("foretell ")]


@pytest.mark.parametrize("page", [page for page in PAGES if commands(page)], ids=lambda page: page.name)
def test_commands_and_options_exist(page: Path) -> None:
    for line in commands(page):
        words = [word for word in re.split(r"\s+", re.sub(r'"[^"]*"', "TEXT", line)) if word]
        command: click.Command = cli
        context = click.Context(cli)
        rest = words[1:]
        if "--recipe" in rest:  # stands for the recipe's task
            name = rest[rest.index("--recipe") + 1]
            rest.insert(1, read_recipe(name if name in recipe_names() else "demo").task)
        while isinstance(command, click.Group) and rest and not rest[0].startswith("-"):
            found = command.get_command(context, rest[0])
            assert found is not None, f"{page.name}: {line}"
            command, rest = found, rest[1:]
        known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
        for word in rest:
            if word.startswith("-") and word != "-":
                assert word.partition("=")[0] in {*known, "--help"}, f"{page.name}: {line}: {word}"


def test_links_lead_somewhere() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text("utf-8")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_the_makefile_holds_every_chore() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    for chore in ("demo", "test", "lint", "types", "bench", "docs"):
        assert re.search(rf"^{chore}:", makefile, re.MULTILINE), chore


def test_torch_is_pinned() -> None:
    pins = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    assert "torch==2.13.0" in pins
    assert all("==" in pin for pin in pins if pin and not pin.startswith("#"))
