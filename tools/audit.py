"""Names pinned packages with known vulnerabilities, from advisories that were downloaded before: it asks no network.

``python tools/audit.py ADVISORIES`` reads a JSON file, a folder of them, or a zip of them. Each is an advisory in OSV's
format (https://ossf.github.io/osv-schema/) or what PyPI's JSON says of a release.
It ends with 1 where something was found, with 2 where any of it could not be read, and with 0 else.
"""

import json
import sys
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name as canonical
from packaging.version import InvalidVersion, Version

CONSTRAINTS = Path(__file__).parent.parent / "constraints.txt"


def pins(file: Path) -> dict[str, Version]:
    """Packages and their versions, as a constraints file pins them."""
    lines = file.read_text("utf-8").splitlines()
    pairs = [line.partition("==") for line in lines if line.strip() and not line.startswith("#")]
    return {canonical(name.strip()): Version(version.strip()) for name, _, version in pairs}


def documents(place: Path) -> Iterator[tuple[str, Any]]:
    """Every JSON document of a file, a folder or a zip, with its name."""
    if place.is_dir():
        for path in sorted(place.rglob("*.json")):
            yield str(path.relative_to(place)), _document(str(path), path.read_bytes())
    elif zipfile.is_zipfile(place):
        with zipfile.ZipFile(place) as archive:
            for name in archive.namelist():
                if name.endswith(".json"):
                    yield name, _document(f"{place}: {name}", archive.read(name))
    else:
        found = _document(str(place), place.read_bytes())
        for number, one in enumerate(found if isinstance(found, list) else [found]):
            yield f"{place.name} ({number})", one


def _document(name: str, content: bytes) -> Any:
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{name} is no JSON document: {error}") from None


def holding(document: Any, pinned: dict[str, Version]) -> Iterator[tuple[str, str, str]]:
    """Pinned packages that an advisory is about: name, what it is called, which versions mend it."""
    if "info" in document:  # what PyPI says of one release
        name, version = canonical(document["info"]["name"]), Version(document["info"]["version"])
        if name in pinned and pinned[name] != version:
            raise ValueError(f"it is about {name} {version}, which says nothing of the pinned {pinned[name]}")
        for own in document["vulnerabilities"] if name in pinned else []:
            if not own.get("withdrawn"):
                yield name, own["id"], ", ".join(own.get("fixed_in") or []) or "none"
        return
    advisory = document["id"]
    if document.get("withdrawn"):
        return
    for affected in document.get("affected") or []:
        package = affected.get("package") or {}
        name = canonical(package.get("name", ""))
        if package.get("ecosystem") != "PyPI" or name not in pinned:
            continue
        ranges = [own for own in affected.get("ranges") or [] if own.get("type") == "ECOSYSTEM"]
        if _listed(pinned[name], affected.get("versions") or []) or any(_within(pinned[name], own) for own in ranges):
            mended = [event["fixed"] for own in ranges for event in own["events"] if "fixed" in event]
            yield name, advisory, ", ".join(mended) or "none"


def _listed(version: Version, versions: list[str]) -> bool:
    return any(_version(own) == version for own in versions)


def _within(version: Version, own: dict[str, Any]) -> bool:
    """Whether a version lies in a range: what its last event before it says, in the order of versions."""
    inside = False
    events = [(_version(at), kind) for event in own["events"] for kind, at in event.items() if kind != "limit"]
    for at, kind in sorted(((at, kind) for at, kind in events if at is not None), key=lambda event: event[0]):
        if kind == "introduced":
            inside = inside or version >= at
        elif kind == "fixed":
            inside = inside and version < at
        elif kind == "last_affected":
            inside = inside and version <= at
    return inside


def _version(text: str) -> Version | None:
    """A version; None for what is none by today's rules, which no pin can be either."""
    try:
        return Version(text)
    except InvalidVersion:
        return None


def audit(place: Path, constraints: Path = CONSTRAINTS) -> tuple[int, list[str]]:
    """How many documents were read, and a line for each vulnerability of a pinned version."""
    pinned, read, found = pins(constraints), 0, set[str]()
    for name, document in documents(place):
        try:
            found |= {
                f"{package}=={pinned[package]}: {advisory}; mended in {mended}"
                for package, advisory, mended in holding(document, pinned)
            }
        except (AttributeError, KeyError, TypeError) as error:
            raise ValueError(f"{name} is neither an advisory of OSV nor a release of PyPI: {error!r}") from None
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from None
        read += 1
    return read, sorted(found)


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit("usage: python tools/audit.py ADVISORIES [CONSTRAINTS]")
    try:
        read, found = audit(*map(Path, sys.argv[1:]))
    except (OSError, ValueError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
        sys.stderr.write(f"Error: {error}\n")
        sys.exit(2)
    if not read:
        sys.stderr.write(f"Error: {sys.argv[1]} holds no JSON documents\n")
        sys.exit(2)
    sys.stdout.write("\n".join(found or [f"no pinned version is named (documents read: {read})"]) + "\n")
    sys.exit(1 if found else 0)
