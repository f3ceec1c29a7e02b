"""The house: each room imports only from rooms above it, nothing heavy is imported early, nothing unsafe at all."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src" / "foretell"
DOCS = Path(__file__).parents[2] / "docs"
# From top to bottom; a room may import from those above it and from itself. `data` and `nn` never import each other.
ROOMS = [
    "errors",
    "config",
    "axes",
    "numbers",
    "files",
    "untrusted",
    "folders",
    "stopping",
    "passes",
    "data",
    "nn",
    "exporting",
    "decoding",
    "dreaming",
    "training",
    "evaluation",
    "artefact",
    "tasks",
    "predictor",
    "report",
    "cluster",
    "ladder",
    "runs",
    "study",
    "tuning",
    "export",
    "checking",
    "inspection",
    "jobs",
    "web",
    "cli",
]
FREE = {"__init__", "__main__", "recipes"}


def modules() -> Iterator[tuple[Path, ast.Module]]:
    for path in sorted(SOURCE.rglob("*.py")):
        yield path, ast.parse(path.read_text("utf-8"))


def room_of(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def imported_rooms(path: Path, tree: ast.Module) -> Iterator[tuple[str, int]]:
    """The rooms that a module imports, anywhere in it."""
    package = ["foretell", *path.relative_to(SOURCE).parent.parts]
    for node in ast.walk(tree):
        if not isinstance(node, ast.Import | ast.ImportFrom):
            continue
        if isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = [*base, *(node.module.split(".") if node.module else [])]
            names = [".".join([*module, alias.name]) for alias in node.names]
        else:
            names = [alias.name for alias in node.names]
        for name in names:
            parts = name.split(".")
            if parts[0] == "foretell" and len(parts) > 1 and parts[1] in ROOMS:
                yield parts[1], node.lineno


def test_arrows_go_one_way() -> None:
    wrong = []
    for path, tree in modules():
        room = room_of(path)
        if room in FREE:
            continue
        assert room in ROOMS, f"{path} is in no room"
        for other, line in imported_rooms(path, tree):
            if ROOMS.index(other) > ROOMS.index(room) or {room, other} == {"data", "nn"}:
                wrong.append(f"{path.relative_to(SOURCE)}:{line} imports {other}")
    assert not wrong, wrong


def test_layers_know_no_task() -> None:
    names = {path.name for path in (SOURCE / "tasks").iterdir() if path.is_dir() and not path.name.startswith("_")}
    for path, tree in modules():
        if room_of(path) in ("tasks", "cli", "recipes", "__init__", "__main__"):
            continue
        texts = {
            node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)
        }
        own = names - ({"recall"} if path.name == "classification.py" else set())  # the metric has the same name
        assert not own & texts, f"{path} names a task"


def test_nothing_is_asserted_or_trusted_in_the_source() -> None:
    banned = re.compile(r"\b((import|from) pickle|pickle\.\w|eval\(|exec\(|torch\.load|yaml\.load|joblib)")
    numbers_alone = re.compile(r"torch\.load\([^()]*weights_only=True\)")
    for path, tree in modules():
        assert not any(isinstance(node, ast.Assert) for node in ast.walk(tree)), f"{path} asserts"
        text = numbers_alone.sub("", re.sub(r"\.eval\(\)", "", path.read_text("utf-8")))
        text = re.sub(r'"\.\w+"', "", text)  # how names of files end that are not opened
        assert not banned.search(text), f"{path} uses something unsafe"


def test_files_stay_small() -> None:
    long = {
        str(path.relative_to(SOURCE)): lines
        for path, _ in modules()
        if (lines := len(path.read_text().splitlines())) > 400
    }
    assert not long


@pytest.mark.parametrize(
    ("code", "absent"),
    [
        ("import foretell", ("torch", "polars", "numpy", "pydantic", "click")),
        (
            "from foretell.cli.main import cli; cli(['--help'], standalone_mode=False)",
            ("torch", "polars", "numpy", "pydantic", "rich"),
        ),
        (
            "from foretell.cli.main import cli; cli(['--version'], standalone_mode=False)",
            ("torch", "polars", "numpy", "pydantic"),
        ),
        (
            "from foretell.cli.main import cli; cli(['compare', 'forecast', '--help'], standalone_mode=False)",
            ("torch", "polars"),
        ),
        (
            "from foretell.data.reading import read_table; read_table('nyc-weather', series='station')",
            ("torch", "matplotlib", "plotly"),
        ),
        (
            "from foretell.cli.main import cli; cli(['recipes', 'list'], standalone_mode=False)",
            ("torch", "polars", "numpy"),
        ),
        ("import foretell; foretell.load", ("lightning_fabric", "plotly", "matplotlib")),
    ],
)
def test_heavy_imports_are_lazy(code: str, absent: tuple[str, ...]) -> None:
    script = f"import sys\n{code}\nprint('loaded:', [name for name in {absent!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.splitlines()[-1] == "loaded: []"


def test_the_architecture_page_names_every_room_and_file() -> None:
    page = (DOCS / "architecture.md").read_text("utf-8")
    for path, _ in modules():
        name = path.relative_to(SOURCE).as_posix()
        if path.name not in ("__init__.py", "__main__.py"):
            assert f"`{name}`" in page, f"docs/architecture.md does not name {name}"
    for name in re.findall(r"`([a-z_/]+\.py)`", page):
        assert (SOURCE / name).exists() or name.startswith("tests/"), (
            f"docs/architecture.md names {name}, which is not there"
        )
