"""A recorder of what a program asks of the disk: every call that changes it, in order; one of them can be made to fail."""

import builtins
import io
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from foretell import folders

Tree = dict[str, bytes | None]  # what a folder holds, by path within it; a folder has no content


needs_proc = pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="files are told by /proc, as on Linux")


@dataclass(frozen=True)
class Call:
    """Something that was asked of the disk, or was seen of it.

    Attributes:
        kind: ``create``, ``write``, ``data`` (what a file holds by now), ``sync`` of a file or a folder, ``rename``,
            ``exchange``, ``mkdir``, ``unlink``, ``rmdir``, ``mode``, ``allocate``.
        path: Of what, within the folder that is watched.
        other: The other path of two.
        content: What a file holds.
    """

    kind: str
    path: str
    other: str = ""
    content: bytes = b""


def _file_of(descriptor: int) -> Path:
    return Path(f"/proc/self/fd/{descriptor}").readlink()


def tree_of(folder: Path) -> Tree:
    """All that a folder holds."""
    paths = sorted(folder.rglob("*"))
    return {str(path.relative_to(folder)): None if path.is_dir() else path.read_bytes() for path in paths}


class _Cannot(Exception):  # noqa: N818 - the system exchanges no names
    """Names cannot be exchanged."""


class Disk:
    """A folder that is watched inside a ``with`` block.

    Args:
        root: The folder.
        failing: The number of the call that fails; none where None.
        error: How it fails.
    """

    def __init__(self, root: Path, failing: int | None = None, error: int = 0) -> None:
        self.root, self.failing, self.error = root.resolve(), failing, error
        self.before = tree_of(root)
        self.calls: list[Call] = []
        self.asked = 0  # how many of the calls may fail
        self.failed: Call | None = None
        self.before_that: Call | None = None  # what was asked for last before the call that failed
        self._written: dict[str, bytes | None] = {}  # files that may hold something else by now, and what was seen last
        self._patch = pytest.MonkeyPatch()

    def __enter__(self) -> "Disk":
        real = {name: getattr(os, name) for name in ("open", "fsync", "mkdir", "rmdir", "chmod", "posix_fallocate")}
        rename, unlink, exchange, opened = os.rename, os.unlink, folders.exchange, io.open

        def set_all(name: str, function: Callable[..., Any]) -> None:
            self._patch.setattr(os, name, function)

        def open_(path: Any, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
            own = self._own(path, dir_fd)
            if own is not None and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
                if not os.path.lexists(self.root / own):
                    with self._asked("create", own):
                        descriptor: int = real["open"](path, flags, mode, dir_fd=dir_fd)
                    self._written[own] = b""
                    return descriptor
                self._written.setdefault(own, None)
            return int(real["open"](path, flags, mode, dir_fd=dir_fd))

        def fsync(descriptor: int) -> None:
            with self._asked("sync", self._of(descriptor)):
                real["fsync"](descriptor)

        def moved(source: Any, target: Any, **places: Any) -> None:
            one, other = self._own(source), self._own(target)
            with self._asked("rename", one, other):
                rename(source, target, **places)
            if one is not None and other is not None:
                self._move({one: other})

        def exchanged(one: Path, other: Path) -> bool:
            try:
                exchange_seen(one, other)
            except _Cannot:
                return False
            return True

        def exchange_seen(one: Path, other: Path) -> None:
            first, second = self._own(one), self._own(other)
            with self._asked("exchange", first, second):
                if not exchange(one, other):
                    raise _Cannot
            if first is not None and second is not None:
                self._move({first: second, second: first})

        def simple(kind: str, real: Callable[..., Any]) -> Callable[..., Any]:
            def call(path: Any, *rest: Any, dir_fd: int | None = None, **further: Any) -> Any:
                own = self._of(path) if isinstance(path, int) else self._own(path, dir_fd)
                there = kind == "mkdir" and own is not None and os.path.lexists(self.root / own)  # no disk is asked
                with self._asked(kind, None if there else own):
                    found = real(path, *rest, **(further if dir_fd is None else {**further, "dir_fd": dir_fd}))
                if kind == "unlink" and own is not None:
                    self._written.pop(own, None)
                return found

            return call

        disk = self

        class Written(io.FileIO):
            """A file whose writes are seen."""

            def write(self, content: Any, /) -> int:
                with disk._asked("write", disk._of(self.fileno())):
                    return super().write(content)

        def stream(
            file: Any,
            mode: str = "r",
            buffering: int = -1,
            encoding: str | None = None,
            errors: str | None = None,
            newline: str | None = None,
            closefd: bool = True,
            opener: Any = None,
        ) -> Any:
            own = self._of(file) if isinstance(file, int) else self._own(file)
            if own is None or not set(mode) & set("wax+"):
                return opened(file, mode, buffering, encoding, errors, newline, closefd, opener)
            raw = Written(file, mode.replace("b", "").replace("t", ""), closefd, opener or os.open)
            binary = io.BufferedRandom(raw) if "+" in mode else io.BufferedWriter(raw)
            if "b" in mode:
                return binary
            text: Any = io.TextIOWrapper(binary, encoding, errors, newline)
            text.mode = mode  # as io.open does
            return text

        set_all("open", open_)
        set_all("fsync", fsync)
        set_all("rename", moved)
        set_all("replace", moved)
        set_all("unlink", simple("unlink", unlink))
        set_all("remove", simple("unlink", unlink))
        for name, kind in (("mkdir", "mkdir"), ("rmdir", "rmdir"), ("chmod", "mode"), ("posix_fallocate", "allocate")):
            set_all(name, simple(kind, real[name]))
        for module in (io, builtins):
            self._patch.setattr(module, "open", stream)
        self._patch.setattr(folders, "exchange", exchanged)
        return self

    def __exit__(self, *_: object) -> None:
        self._look()
        self._patch.undo()

    def _own(self, path: Any, dir_fd: int | None = None) -> str | None:
        """A path within the folder that is watched; None elsewhere."""
        if not isinstance(path, str | bytes | os.PathLike):
            return None
        above = Path.cwd() if dir_fd is None else _file_of(dir_fd)
        whole = above / os.fsdecode(path)
        whole = whole.parent.resolve() / whole.name
        return str(whole.relative_to(self.root)) if whole.is_relative_to(self.root) else None

    def _of(self, descriptor: int) -> str | None:
        return self._own(_file_of(descriptor))

    @contextmanager
    def _asked(self, kind: str, path: str | None, other: str | None = "") -> Iterator[None]:
        """Keeps a call that does what it was asked to, and what was written before it; fails where it is to.

        Raises:
            OSError: It is the one that fails.
        """
        if path is None or other is None:  # elsewhere
            yield
            return
        self._look()
        call = Call(kind, path, other)
        self.asked += 1
        if self.failing == self.asked - 1:
            self.failed, self.before_that = call, self.calls[-1] if self.calls else None
            raise OSError(self.error, os.strerror(self.error), str(self.root / path))
        yield
        self.calls.append(call)

    def _look(self) -> None:
        """Keeps what files hold by now, however that came into them."""
        for path, before in self._written.items():
            try:
                with io.FileIO(self.root / path) as file:
                    content = file.readall()
            except FileNotFoundError:
                continue
            if content != before:
                self._written[path] = content
                self.calls.append(Call("data", path, content=content))

    def _move(self, names: dict[str, str]) -> None:
        """Files that are written to have other names."""

        def new(path: str) -> str:
            for one, other in names.items():
                if path == one or path.startswith(f"{one}/"):
                    return other + path[len(one) :]
            return path

        self._written = {new(path): content for path, content in self._written.items()}
