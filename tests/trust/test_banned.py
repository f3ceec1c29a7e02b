"""What src never does: run what a file holds, or hand it to what might. Every exception says why."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from foretell.cli.main import main
from foretell.config.sections import names_code
from foretell.tasks import CONFIGURED, task_configuration

from ..unit.test_architecture import SOURCE, modules

MODULES = {
    *("pickle", "_pickle", "cPickle", "cloudpickle", "dill", "joblib", "shelve", "marshal", "jsonpickle", "yaml"),
    *("code", "codeop", "runpy", "imp", "xml", "lxml", "xmlrpc", "pty", "commands"),
}
CALLS = {
    *(
        "eval",
        "exec",
        "compile",
        "__import__",
        "breakpoint",
        "input",
        "os.system",
        "os.popen",
        "torch.save",
        "torch.load",
    ),
    *("torch.jit.load", "torch.hub.load", "np.load", "numpy.load", "shutil.unpack_archive", "tempfile.mktemp"),
    *(
        "pd.read_pickle",
        "joblib.load",
        "import_module",
        "importlib.import_module",
        "ctypes.CDLL",
        "ctypes.cdll.LoadLibrary",
    ),
    *("os.execv", "os.execvp", "os.execve", "os.spawnv", "os.posix_spawn", "subprocess.getoutput"),
    *("subprocess.run", "subprocess.Popen", "subprocess.call", "subprocess.check_output", "subprocess.check_call"),
}
METHODS = {"extractall", "extract"}  # of archives: nothing is ever unpacked to disk
# A call that is meant, by file and name, and why.
ALLOWED = {
    ("__init__.py", "import_module"): "a name of our own, from a table of ours",
    ("cli/main.py", "import_module"): "a verb of ours, looked up in a table",
    ("tasks/__init__.py", "import_module"): "a task of ours, looked up in a table",
    ("cluster/ray_cluster.py", "import_module"): "Ray's own, by a name that stands there",
    ("tasks/dream/network.py", "import_module"): "what --model names, which is the user's own word; no file names it",
    ("tasks/dream/builtin.py", "torch.load"): "weights_only=True, of the one file whose digest is known",
    ("folders.py", "ctypes.CDLL"): "the C library of this process, for one call that Python does not offer",
    ("jobs.py", "subprocess.Popen"): "this program itself, with a list of words and no shell",
    ("data/films.py", "subprocess.Popen"): "the encoder of films, with a list of words and no shell",
}


def dotted(node: ast.expr) -> str:
    """The name of what is called: ``torch.load``."""
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value) or '?'}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def wrongs(name: str, tree: ast.AST) -> Iterator[str]:
    """What a module does that none may do."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            inner = isinstance(node, ast.ImportFrom) and node.level
            several = [node.module or ""] if isinstance(node, ast.ImportFrom) else [own.name for own in node.names]
            for module in several:
                if not inner and module.split(".")[0] in MODULES:
                    yield f"{name}:{node.lineno} imports {module}"
        if not isinstance(node, ast.Call):
            continue
        called = dotted(node.func)
        given = {own.arg: own.value.value for own in node.keywords if isinstance(own.value, ast.Constant) and own.arg}
        if called in CALLS and (name, called) not in ALLOWED:
            yield f"{name}:{node.lineno} calls {called}"
        if called == "torch.load" and given.get("weights_only") is not True:
            yield f"{name}:{node.lineno} loads more than numbers"
        if given.get("shell") not in (None, False) or given.get("allow_pickle") not in (None, False):
            yield f"{name}:{node.lineno} asks for a shell or a pickle"
        if isinstance(node.func, ast.Attribute) and node.func.attr in METHODS and "archive" in dotted(node.func.value):
            yield f"{name}:{node.lineno} unpacks to disk"


def test_nothing_runs_what_a_file_holds() -> None:
    found = [wrong for path, tree in modules() for wrong in wrongs(path.relative_to(SOURCE).as_posix(), tree)]
    assert not found, "\n".join(found)


def test_each_exception_is_needed() -> None:
    calls = {
        (path.relative_to(SOURCE).as_posix(), dotted(node.func))
        for path, tree in modules()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
    }
    assert set(ALLOWED) <= calls, set(ALLOWED) - calls


@pytest.mark.parametrize(
    "line",
    [
        *("import pickle", "from joblib import load", "import xml.etree.ElementTree as tree", "import yaml"),
        *("eval(text)", "exec(text)", "compile(text, '', 'exec')", "__import__(name)", "os.system(text)"),
        *("torch.load(path)", "torch.save(own, path)", "np.load(path)", "read(path, allow_pickle=True)"),
        *("subprocess.run(words)", "run(words, shell=True)", "archive.extractall(folder)", "import_module(name)"),
    ],
)
def test_what_is_banned_is_seen(line: str) -> None:
    assert list(wrongs("data/any.py", ast.parse(line)))


@pytest.mark.parametrize(
    "line", ["re.compile(text)", "model.eval()", "made(model).eval()", "from .codes import a", "json.load(file)"]
)
def test_what_is_meant_is_let_be(line: str) -> None:
    assert not list(wrongs("data/any.py", ast.parse(line)))


def test_source_is_there() -> None:
    assert len(list(modules())) > 200
    assert Path(SOURCE / "errors.py").is_file()


def test_no_file_of_options_names_code_that_is_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "wicked_module.py").write_text("from pathlib import Path\nPath('ran').touch()\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (40, 40)).save("photo.png")
    Path("options.toml").write_text('[backbone]\nmodel = "wicked_module:network"\n')
    with pytest.raises(SystemExit) as ended:
        main(["dream", "photo.png", "--config", "options.toml", "-o", "out.png"])
    told = capsys.readouterr().err
    assert ended.value.code == 3 and not Path("ran").exists()
    assert "options.toml names code" in told and "--model wicked_module:network" in told


def test_every_option_that_is_imported_is_marked_as_code() -> None:
    marked = {name for task in CONFIGURED for _, name, field in task_configuration(task).options() if names_code(field)}
    assert marked == {"model"}
