"""What may be on a disk after a power cut: every state that a recorded trace allows, made again in a fresh folder.

What is not flushed may be lost: a file's content whole or in part, and what happened to names in a folder, from the last
backwards. Each folder has an order of its own; the order between folders is nobody's promise.
"""

import itertools
from collections.abc import Container, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from .recorded_disk import Call, Tree

MOST = 4096  # survivors of one moment


@dataclass
class _Node:
    """A folder or a file, whatever it is called.

    Attributes:
        names: What a folder holds; None for a file.
        kept: What a file holds that was flushed.
        content: What it holds by now.
    """

    names: "dict[str, _Node] | None" = None
    kept: bytes = b""
    content: bytes = b""


@dataclass
class _Change:
    """What happened to names: in these folders these names mean something else from then on.

    Attributes:
        names: The folder, the name, and what it means.
        flushed: Whether it is sure to survive.
    """

    names: list[tuple[_Node, str, _Node | None]]
    flushed: bool = False

    def touches(self, other: "_Change") -> bool:
        return any(one is two for one, *_ in self.names for two, *_ in other.names)


@dataclass
class _World:
    """The names and contents at one moment, and how they came to be."""

    root: _Node = field(default_factory=lambda: _Node({}))
    changes: list[_Change] = field(default_factory=list)

    def at(self, path: str) -> _Node:
        node = self.root
        for part in Path(path).parts:
            assert node.names is not None
            node = node.names[part]
        return node

    def above(self, path: str) -> tuple[_Node, str]:
        return self.at(str(Path(path).parent)), Path(path).name

    def change(self, *names: tuple[tuple[_Node, str], _Node | None]) -> None:
        self.changes.append(_Change([(*place, node) for place, node in names]))
        for (folder, name), node in names:
            assert folder.names is not None
            if node is None:
                folder.names.pop(name, None)
            else:
                folder.names[name] = node

    def do(self, call: Call) -> None:
        place = self.above(call.path) if call.path not in ("", ".") else (self.root, "")
        match call.kind:
            case "create":
                self.change((place, _Node()))
            case "mkdir":
                self.change((place, _Node({})))
            case "unlink" | "rmdir":
                self.change((place, None))
            case "rename":
                node = self.at(call.path)
                self.change((place, None), (self.above(call.other), node))
            case "exchange":
                one, other = self.at(call.path), self.at(call.other)
                self.change((place, other), (self.above(call.other), one))
            case "data":
                self.at(call.path).content = call.content
            case "sync":
                self._flush(self.at(call.path))

    def _flush(self, node: _Node) -> None:
        if node.names is None:
            node.kept = node.content
            return
        sure: list[_Change] = []
        for change in reversed(self.changes):
            if any(folder is node for folder, *_ in change.names) or any(change.touches(later) for later in sure):
                change.flushed = True
                sure.append(change)


def crash_states(before: Tree, calls: list[Call], moments: Container[int] | None = None) -> Iterator[tuple[int, Tree]]:
    """Every state that a power cut may leave, at any moment of a trace.

    Args:
        before: What was there, all of it flushed long ago.
        calls: The trace.
        moments: After how many calls power is cut; after each of them where None.

    Yields:
        After how many calls, and what a folder holds then; each once for what was flushed until then.
    """
    seen: set[tuple[int, bool, int]] = set()
    flushes = 0
    for done in range(len(calls) + 1):
        flushes += done > 0 and calls[done - 1].kind == "sync"
        for tree in _states(before, calls[:done]) if moments is None or done in moments else ():
            name = (flushes, done == len(calls), hash(tuple(sorted(tree.items()))))
            if name not in seen:
                seen.add(name)
                yield done, tree


def _states(before: Tree, calls: list[Call]) -> Iterator[Tree]:
    world = _World()
    for path, content in before.items():
        folder, name = world.above(path)
        assert folder.names is not None
        folder.names[name] = _Node({}) if content is None else _Node(None, content, content)
    first = {id(node): (node, dict(node.names)) for node in _folders(world.root) if node.names is not None}
    for call in calls:
        world.do(call)
    for survivors in itertools.islice(_survivors(world.changes), MOST):
        names = {own: dict(held) for own, (_, held) in first.items()}
        for change in survivors:
            for folder, name, node in change.names:
                held = names.setdefault(id(folder), {})
                if node is None:
                    held.pop(name, None)
                else:
                    held[name] = node
        for how in range(4):
            yield dict(_seen(world.root, names, how, ""))


def _folders(node: _Node) -> Iterator[_Node]:
    if node.names is not None:
        yield node
        for own in node.names.values():
            yield from _folders(own)


def _survivors(changes: list[_Change]) -> Iterator[list[_Change]]:
    """Which changes of names are there again: those that were flushed, and of the others any, as long as of what happened
    in one folder the first ones are there."""

    def choose(number: int, kept: list[_Change], lost: list[_Change]) -> Iterator[list[_Change]]:
        if number == len(changes):
            yield kept
            return
        change = changes[number]
        if not any(change.touches(own) for own in lost):
            yield from choose(number + 1, [*kept, change], lost)
        if not change.flushed:
            yield from choose(number + 1, kept, [*lost, change])

    return choose(0, [], [])


def _seen(
    folder: _Node, names: dict[int, dict[str, _Node]], how: int, above: str
) -> Iterator[tuple[str, bytes | None]]:
    """What a folder holds, by path; what was not flushed is lost, there in half, all zeros, or there."""
    for name, node in names.get(id(folder), {}).items():
        path = f"{above}{name}"
        if node.names is not None:
            yield path, None
            yield from _seen(node, names, how, f"{path}/")
        elif node.kept == node.content:
            yield path, node.kept
        else:
            half, zeros = node.content[: len(node.content) // 2], bytes(len(node.content))
            yield path, (node.kept, half, zeros, node.content)[how]


def make_again(tree: Tree, folder: Path) -> Path:
    """A state of a disk in a fresh folder."""
    folder.mkdir()
    for path, content in tree.items():
        if content is None:
            (folder / path).mkdir(exist_ok=True)
        else:
            (folder / path).write_bytes(content)
    return folder
