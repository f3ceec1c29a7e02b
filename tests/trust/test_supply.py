"""What Foretell is made of: dependencies are pinned, bounded and licensed, advisories can be looked up, builds repeat."""

import configparser
import importlib
import json
import os
import re
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import zipfile
from importlib.metadata import distributions, packages_distributions
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name as canonical
from packaging.version import Version

from .amounts import Figures

ROOT = Path(__file__).parents[2]
INSTALLED = [sysconfig.get_path("purelib")]  # Ray puts packages of its own on the path
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
UNPINNED = {"foretell", "pip", "setuptools", "wheel"}  # this, and what every environment brings
# Licences that would bind whoever uses a package at run time, and the packages that are let in all the same: why, see docs.
BINDING = re.compile(r"\b[AL]?GPL|GNU|EUPL|SSPL|Commons Clause|Non-?Commercial|CC-BY-(NC|SA)", re.IGNORECASE)
LET_IN: set[str] = set()
TOLD = {"imageio-ffmpeg": "GPL", "certifi": "Mozilla", "tqdm": "Mozilla"}


def pins() -> dict[str, str]:
    lines = [line for line in (ROOT / "constraints.txt").read_text("utf-8").splitlines() if not line.startswith("#")]
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.+!]+", line) for line in lines), "a pin is NAME==VERSION"
    names = [canonical(line.partition("==")[0]) for line in lines]
    assert len(set(names)) == len(names), "a package is pinned once"
    return dict(zip(names, (line.partition("==")[2] for line in lines), strict=True))


def installed() -> dict[str, str]:
    return {canonical(own.metadata["Name"]): own.version for own in distributions(path=INSTALLED)}


def tool(name: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "tools" / name), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def test_every_package_of_the_environment_is_pinned_and_every_pin_is_installed(figures: Figures) -> None:
    pinned, here = pins(), installed()
    if "pytest-xdist" not in here or Version(here["torch"]).public != pinned["torch"]:
        pytest.skip("this is not the environment that the Makefile makes")
    assert {name for name in here if name not in pinned} <= UNPINNED
    assert {name for name in pinned if name not in here} == set()
    # torch says which processor it was built for behind a plus sign.
    assert {name: here[name] for name in pinned if Version(here[name]).public != pinned[name]} == {}
    figures(packages=len(pinned))


def test_every_dependency_has_a_lower_bound_that_the_pin_keeps_and_comes_from_the_index() -> None:
    project, pinned = PROJECT["project"], pins()
    listed = [*PROJECT["build-system"]["requires"], *project["dependencies"]]
    listed += [entry for extra in project["optional-dependencies"].values() for entry in extra]
    for entry in listed:
        requirement = Requirement(entry)
        if canonical(requirement.name) == "foretell":
            continue
        assert requirement.url is None and "git+" not in entry and "//" not in entry
        bounds = [own for own in requirement.specifier if own.operator == ">="]
        assert len(bounds) == 1 == len(list(requirement.specifier)), f"{entry} has one bound, a lower one"
        assert Version("0") < Version(bounds[0].version) <= Version(pinned[canonical(requirement.name)])
    peers = (ROOT / "benchmarks" / "recurrent" / "peers.txt").read_text("utf-8")
    assert "git+" not in peers and "://" not in peers


def test_every_import_of_the_package_is_a_dependency_that_it_declares() -> None:
    declared = {canonical(Requirement(entry).name) for entry in PROJECT["project"]["dependencies"]}
    extras = PROJECT["project"]["optional-dependencies"]
    declared |= {canonical(Requirement(entry).name) for name, own in extras.items() if name != "dev" for entry in own}
    provides = {name: set(map(canonical, own)) for name, own in packages_distributions().items()}
    pattern = re.compile(r"^\s*(?:from|import) ([A-Za-z_]\w*)", re.MULTILINE)
    imported = {
        name
        for path in (ROOT / "src").rglob("*.py")
        for name in pattern.findall(re.sub(r'"""(?s:.)*?"""', "", path.read_text("utf-8")))
    }
    foreign = {name for name in imported if name in provides and name not in sys.stdlib_module_names | {"foretell"}}
    missing = {name for name in foreign if not provides[name] & declared}
    # They come with what is declared: anyio and starlette with fastapi, llvmlite with numba, grpc with ray's client.
    assert missing <= {"anyio", "starlette", "llvmlite", "grpc"}, missing
    assert {"torch", "polars", "numpy"} <= foreign


def test_the_page_of_licences_is_current_and_nothing_that_binds_is_needed() -> None:
    checked = tool("make_licences.py", "--check")
    if Version(installed()["torch"]).public != pins()["torch"]:
        pytest.skip("this is not the environment that the Makefile makes")
    assert checked.returncode == 0, checked.stderr
    page = (ROOT / "docs" / "licences.md").read_text("utf-8")
    rows = [line.strip("| ").split(" | ") for line in page.splitlines() if line.startswith("| ")]
    table = {row[0]: row for row in rows if row[0] not in ("package", "---")}
    assert table.keys() <= pins().keys() and len(table) > 100
    assert table.keys() >= set(installed()) - UNPINNED
    for name, (_, version, licence, brought) in table.items():
        assert version == pins()[name]
        assert brought == "development" or name in LET_IN or not BINDING.search(licence), f"{name}: {licence}"
        if "MPL" in licence and brought != "development":
            assert name in TOLD
    notes = page[page.index("## What asks for more") :]
    assert all(f"`{name}`" in notes and word in notes for name, word in TOLD.items())
    assert table["torch"][3] == "run time" and table["ray"][3] == "cluster" and table["pytest"][3] == "development"


def test_no_licence_of_a_program_hides_in_a_package_that_every_installation_needs() -> None:
    """Executables that a wheel carries have licences of their own; ffmpeg's is told."""
    run_time = {
        line.split(" | ")[0].strip("| ")
        for line in (ROOT / "docs" / "licences.md").read_text("utf-8").splitlines()
        if line.endswith("| run time |")
    }
    for own in distributions(path=INSTALLED):
        if canonical(own.metadata["Name"]) in run_time:
            assert not [file for file in own.files or () if "ffmpeg" in file.name.lower() and file.suffix != ".py"]


ADVISORIES: list[dict[str, Any]] = [
    {
        "id": "MADE-1",
        "affected": [
            {
                "package": {"ecosystem": "PyPI", "name": "Some_Package"},
                "ranges": [
                    {"type": "GIT", "events": [{"introduced": "0"}]},
                    {"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "1.4"}]},
                ],
            }
        ],
    },
    {
        "id": "MADE-2",
        "affected": [
            {
                "package": {"ecosystem": "PyPI", "name": "some.package"},
                "ranges": [
                    {
                        "type": "ECOSYSTEM",
                        "events": [
                            {"introduced": "2.0"},
                            {"last_affected": "2.2"},
                            {"introduced": "1.9"},
                            {"fixed": "1.10"},
                        ],
                    }
                ],
            }
        ],
    },
    {
        "id": "MADE-3",
        "affected": [{"package": {"ecosystem": "PyPI", "name": "some-package"}, "versions": ["2.5", "odd"]}],
    },
    {
        "id": "MADE-4",
        "affected": [{"package": {"ecosystem": "npm", "name": "some-package"}, "versions": ["1.0", "2.5", "3.0"]}],
    },
    {
        "id": "MADE-5",
        "withdrawn": "2024-01-01T00:00:00Z",
        "affected": [{"package": {"ecosystem": "PyPI", "name": "some-package"}, "versions": ["3.0"]}],
    },
]
FOUND = {"1.0": ["MADE-1"], "1.4": [], "1.9.5": ["MADE-2"], "1.10": [], "2.0rc1": [], "2.2": ["MADE-2"], "2.2.1": []}
FOUND |= {"2.5": ["MADE-3"], "3.0": []}


@pytest.mark.parametrize("kind", ["folder", "file", "zip"])
def test_advisories_name_the_pinned_versions_that_they_are_about(tmp_path: Path, kind: str) -> None:
    place = tmp_path / "advisories"
    if kind == "folder":
        (place / "deeper").mkdir(parents=True)
        for one in ADVISORIES:
            (place / "deeper" / f"{one['id']}.json").write_text(json.dumps(one))
    elif kind == "file":
        place.write_text(json.dumps(ADVISORIES))
    else:
        with zipfile.ZipFile(place, "w") as archive:
            for one in ADVISORIES:
                archive.writestr(f"{one['id']}.json", json.dumps(one))
    sys.path.insert(0, str(ROOT / "tools"))
    try:
        audit = importlib.import_module("audit").audit
    finally:
        sys.path.remove(str(ROOT / "tools"))
    for version, wanted in FOUND.items():
        (tmp_path / "constraints.txt").write_text(f"# pins\nsome-package=={version}\nother==1.0\n")
        read, found = audit(place, tmp_path / "constraints.txt")
        assert read == len(ADVISORIES)
        assert [line.partition(": ")[2].partition(";")[0] for line in found] == wanted, version


NO_ADVISORIES = {
    "no JSON": b"not JSON",
    "nothing": b"",
    "half an advisory": json.dumps(ADVISORIES[0]).encode()[:-9],
    "too deep": b"[" * 100_000,
    "no UTF-8": b'{"id": "\xe9"}',
    "an answer that says no": b'{"message": "Not Found"}',
    "a release of no known vulnerabilities": b'{"info": {"name": "some-package", "version": "1.0"}}',
    "a release that is not pinned": b'{"info": {"name": "some-package", "version": "0.9"}, "vulnerabilities": []}',
    "a version that is none": b'{"info": {"name": "some-package", "version": "x"}, "vulnerabilities": []}',
    "ranges without events": json.dumps(
        {"id": "MADE-8", "affected": [{**ADVISORIES[2]["affected"][0], "ranges": [{"type": "ECOSYSTEM"}]}]}
    ).encode(),
}


@pytest.mark.parametrize("kind", NO_ADVISORIES)
@pytest.mark.parametrize("packed", [False, True])
def test_what_is_no_advisory_is_never_taken_for_good_news(tmp_path: Path, kind: str, packed: bool) -> None:
    (tmp_path / "constraints.txt").write_text("some-package==1.0\n")
    place = tmp_path / "advisories"
    if packed:
        with zipfile.ZipFile(place, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("sound.json", json.dumps(ADVISORIES[3]))
            archive.writestr("wrong.json", NO_ADVISORIES[kind])
    else:
        place.mkdir()
        (place / "wrong.json").write_bytes(NO_ADVISORIES[kind])
    done = tool("audit.py", place, tmp_path / "constraints.txt")
    assert (done.returncode, done.stdout) == (2, ""), done.stdout
    assert re.fullmatch(r"Error: .*wrong\.json.*\n", done.stderr), done.stderr


def test_a_damaged_archive_of_advisories_is_never_taken_for_good_news(tmp_path: Path) -> None:
    whole = tmp_path / "whole.zip"
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("one.json", json.dumps(ADVISORIES))
    for place in range(30, len(whole.read_bytes()) // 2, 7):
        content = bytearray(whole.read_bytes())
        content[place] ^= 0xFF
        (tmp_path / "damaged.zip").write_bytes(content)
        done = tool("audit.py", tmp_path / "damaged.zip")
        assert done.returncode == 2 and re.fullmatch(r"Error: .*\n", done.stderr), (place, done)


def test_the_table_of_figures_holds_whatever_a_test_says_of_itself() -> None:
    sys.path.insert(0, str(ROOT / "tools"))
    try:
        table_of = importlib.import_module("make_trust").table_of
    finally:
        sys.path.remove(str(ROOT / "tools"))
    of = {"date": "2020-02-02", "commit": "abc1234"}
    lines: list[dict[str, Any]] = [
        {"test": "test_a::test_one[x|y]", "long": True, "tried": 5, "slowest_seconds": 2.5, "missed": ""},
        {"test": "test_a::test_one[z]", "long": True, "tried": 999, "slowest_seconds": 0.1, "missed": "none"},
        {"test": "test_a::test_one[z]", "long": True, "tried": 1200, "slowest_seconds": 0.5, "missed": "a | b\nc"},
        {"test": "test_a::test_one[z]", "long": False, "tried": 1},
        {"test": "test_b::test_two_things", "long": False, "share": 0.951234, "words": "so " * 100},
    ]
    rows = table_of([{**own, **of} for own in lines]).splitlines()[2:]
    when = "| 2020-02-02, abc1234 |"
    assert rows[0] == rf"| `test_a.py`: one | long | tried: 1,205, slowest seconds: 2.5, missed: a \| b c {when}"
    assert rows[1].startswith("| `test_b.py`: two things | small | share: 0.9512, words: so so ") and len(rows) == 2
    assert rows[1].endswith(f" ... {when}")


def test_the_audit_ends_with_1_for_a_vulnerability_2_for_nothing_read_0_else(tmp_path: Path) -> None:
    (tmp_path / "constraints.txt").write_text("some-package==1.0\n")
    release = {
        "info": {"name": "Some-Package", "version": "1.0"},
        "vulnerabilities": [
            {"id": "MADE-6", "fixed_in": ["1.1"], "withdrawn": None},
            {"id": "MADE-7", "fixed_in": [], "withdrawn": "2024-01-01"},
        ],
    }
    (tmp_path / "release.json").write_text(json.dumps(release))
    done = tool("audit.py", tmp_path / "release.json", tmp_path / "constraints.txt")
    assert (done.returncode, done.stdout) == (1, "some-package==1.0: MADE-6; mended in 1.1\n"), done.stderr
    (tmp_path / "release.json").write_text(json.dumps({**release, "vulnerabilities": []}))
    assert tool("audit.py", tmp_path / "release.json", tmp_path / "constraints.txt").returncode == 0
    (tmp_path / "release.json").write_text("not JSON")
    broken = tool("audit.py", tmp_path / "release.json")
    assert broken.returncode == 2 and broken.stderr.startswith("Error: ") and "Traceback" not in broken.stderr
    (tmp_path / "empty").mkdir()
    assert tool("audit.py", tmp_path / "empty").returncode == 2


def known_to_git() -> set[str]:
    done = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode:
        pytest.skip("this is no checkout")
    return set(filter(None, done.stdout.split("\0")))


STRAY = ["src/foretell/weights.safetensors", "src/foretell/nn/model.pth", "src/foretell/start.pth", "src/setup.py"]
STRAY += ["src/foretell/web/page/notes.txt", "src/foretell/data/builtin/mine.parquet", "src/foretell/cache.pkl"]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, bytes]]:
    """The distributions of one state of the project, built twice in circumstances that differ; the second beside strays."""
    found = []
    running = []
    for turn, mask in enumerate(("022", "077")):
        home = tmp_path_factory.mktemp(f"build{'-elsewhere' * turn}")
        tree = home / ("tree", "another-name")[turn]
        for name in sorted(known_to_git(), reverse=bool(turn)):
            if (ROOT / name).is_file() and not name.startswith("docs/"):
                (tree / name).parent.mkdir(parents=True, exist_ok=True)
                (tree / name).write_bytes((ROOT / name).read_bytes())
                (tree / name).chmod(0o666 & ~int(mask, 8))
                os.utime(tree / name, (1e9 + turn * 1e8,) * 2)
        for name in STRAY if turn else []:
            (tree / name).write_bytes(b"stray")
        command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(home / "out"), str(tree)]
        settings = {
            **os.environ,
            "PYTHONHASHSEED": str(turn + 1),
            "SOURCE_DATE_EPOCH": "1700000000",
            "TZ": f"UTC{turn}",
        }
        shell = ["sh", "-c", f'umask {mask}; exec "$@"', "sh", *command]
        running.append((home, subprocess.Popen(shell, env=settings, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)))
    for home, process in running:
        told, _ = process.communicate(timeout=300)
        assert process.returncode == 0, told.decode()
        found.append({path.suffix: path.read_bytes() for path in (home / "out").iterdir()})
    for suffix in (".whl", ".gz"):
        (home / f"last{suffix}").write_bytes(found[0][suffix])
    found.append({".home": str(home).encode()})
    return found


def test_the_wheel_is_the_same_byte_for_byte_wherever_and_beside_whatever_it_is_built(
    built: list[dict[str, bytes]], figures: Figures
) -> None:
    assert built[0][".whl"] == built[1][".whl"]
    figures(wheel=len(built[0][".whl"]), sdist=len(built[0][".gz"]))


def test_the_sdist_is_the_same_but_for_what_lies_about(built: list[dict[str, bytes]]) -> None:
    contents, heads = [], []
    for number, own in enumerate(built[:2]):
        path = Path(built[2][".home"].decode()) / f"{number}.tar.gz"
        path.write_bytes(own[".gz"])
        with tarfile.open(path) as archive:
            members = [member for member in archive.getmembers() if member.isfile()]
            files = {member.name.partition("/")[2]: archive.extractfile(member) for member in members}
            contents.append({name: file.read() for name, file in files.items() if file and name not in STRAY})
            heads.append(
                (own[".gz"][:10], [(m.name, m.mode) for m in members if m.name.partition("/")[2] not in STRAY])
            )
            assert {(member.mtime, member.uid, member.gid, member.mode & 0o7133) for member in members} == {
                (1700000000, 0, 0, 0)
            }
    assert contents[0] == contents[1]
    assert heads[0] == heads[1], "gzip's own header, the order of files and their modes"
    assert {name for name in contents[0] if name != "PKG-INFO"} <= known_to_git()
    kept = {name for name in known_to_git() if not name.startswith((".", "docs/"))}  # the copies are built without docs
    assert kept <= contents[0].keys()


def test_the_wheel_holds_what_git_knows_and_nothing_that_runs_when_it_is_installed(
    built: list[dict[str, bytes]],
) -> None:
    with zipfile.ZipFile(Path(built[2][".home"].decode()) / "last.whl") as archive:
        names = archive.namelist()
        told = {Path(name).name: archive.read(name).decode() for name in names if ".dist-info/" in name}
        assert all(name.startswith("foretell/") or ".dist-info/" in name for name in names)
        assert {item.external_attr >> 16 & 0o7133 for item in archive.infolist()} == {0}, "none is a program"
    own = {f"src/{name}" for name in names if name.startswith("foretell/")}
    assert own == {name for name in known_to_git() if name.startswith("src/foretell/") and (ROOT / name).exists()}
    assert not [name for name in names if name.endswith((".pth", ".pkl", ".pt", ".so", ".safetensors", "setup.py"))]
    assert "Root-Is-Purelib: true" in told["WHEEL"] and "Tag: py3-none-any" in told["WHEEL"]
    entries = configparser.ConfigParser()
    entries.read_string(told["entry_points.txt"])
    assert {name: dict(entries[name]) for name in entries.sections()} == {
        "console_scripts": {"foretell": "foretell.cli.main:main"}
    }
    assert {"METADATA", "WHEEL", "RECORD", "entry_points.txt", "LICENSE"} == told.keys()


def test_building_runs_nothing_of_ours() -> None:
    assert PROJECT["build-system"] == {"requires": ["hatchling>=1.27"], "build-backend": "hatchling.build"}
    hatch = json.dumps(PROJECT["tool"]["hatch"])
    assert "hooks" not in hatch and "dynamic" not in PROJECT["project"] and "path" not in hatch
    assert not {"setup.py", "setup.cfg", "hatch_build.py", "MANIFEST.in"} & known_to_git()
