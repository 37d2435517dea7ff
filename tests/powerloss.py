"""Simulates a power failure: which states of the disk are possible after it.

After a power failure, each write that was not synced may be on the disk, or missing, or half done. `recorded`
notes each system call that changes a file under a directory. `crashes` then yields the possible states of the
disk: for each moment, everything that was synced by then, and of the rest nothing, everything, each change
alone, all but one, and half of each write that spans sectors. Syncing a directory makes its names durable,
syncing a file its content (POSIX promises no more). If a directory is lost, everything in it is lost too.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path

import pytest

SECTOR = 512


@dataclass(frozen=True)
class Change:
    """One change to the disk.

    file: inode number. folder: the directory whose sync makes it durable, "" for the parent of `path`.
    source: the former name, for a rename.
    """

    kind: str  # write, truncate, sync, name, unname, directory, sync-directory, mark
    file: int = 0
    start: int = 0
    data: bytes = b""
    path: str = ""
    source: str = ""
    folder: str = ""


@dataclass
class Disk:
    """The content of files by inode, and their names. missing: directories whose creation was lost."""

    content: dict[int, bytes] = field(default_factory=dict)
    names: dict[str, int] = field(default_factory=dict)
    missing: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, place: Path) -> "Disk":
        disk = cls()
        for path in place.rglob("*"):
            if path.is_file() and path.name != "lock":
                inode = path.stat().st_ino
                disk.content[inode] = path.read_bytes()
                disk.names[str(path.relative_to(place))] = inode
        return disk

    def copy(self) -> "Disk":
        return Disk(dict(self.content), dict(self.names), set(self.missing))

    def apply(self, change: Change) -> None:
        if change.kind == "write":
            old = self.content.get(change.file, b"").ljust(change.start, b"\0")
            end = change.start + len(change.data)
            self.content[change.file] = old[: change.start] + change.data + old[end:]
        elif change.kind == "truncate":
            self.content[change.file] = self.content.get(change.file, b"")[: change.start]
        elif change.kind == "name" and change.folder and not self._exists(change.source):
            return  # its directory was renamed, but the file was never in it
        elif change.kind == "name":
            self.names.pop(change.source, None)
            self.names[change.path] = change.file
        elif change.kind == "unname":
            self.names.pop(change.path, None)
        elif change.kind == "directory":
            self.missing.discard(change.path)

    def state(self) -> frozenset[tuple[str, bytes]]:
        """Return the names and contents of the files that are present."""
        return frozenset(
            (name, self.content.get(inode, b"")) for name, inode in self.names.items() if self._exists(name)
        )

    def _exists(self, name: str) -> bool:
        return name in self.names and self.missing.isdisjoint(str(folder) for folder in Path(name).parents)


def write_state(state: frozenset[tuple[str, bytes]], place: Path) -> None:
    """Empty the directory `place` and write the files of a state to it."""
    shutil.rmtree(place, ignore_errors=True)
    for name, content in state:
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(content)


@contextmanager
def recorded(place: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Change]]:
    """Record the changes to files under `place` during the block, in their order.

    Writes that do not go through functions of `os` (buffered files, C libraries) are found by comparing the
    files with their last known content, before and after each recorded call.
    """
    log: list[Change] = []
    seen = Disk.of(place)

    named = set(seen.names.values())
    numbers: dict[int, int] = {}  # replaces inode numbers that the system has reused for another file
    fresh = count(1 << 40)

    def number(inode: int) -> int:
        return numbers.get(inode, inode)

    def add_to_log(changes: list[Change]) -> None:
        for change in changes:
            file = number(change.file)
            if change.kind == "name" and file in named and file not in seen.names.values():
                file = numbers[change.file] = next(fresh)
            if change.kind == "name":
                named.add(file)
            log.append(replace(change, file=file))
            seen.apply(log[-1])

    def catch_up() -> None:
        now = Disk.of(place)
        for name in seen.names.keys() - now.names.keys():
            add_to_log([Change("unname", path=name)])
        for name, inode in now.names.items():
            if seen.names.get(name) != number(inode):
                add_to_log([Change("name", inode, path=name)])
            content = now.content[inode]
            if content != seen.content.get(number(inode), b""):
                add_to_log([Change("truncate", inode, len(content)), Change("write", inode, 0, content)])

    def name_under_place(path: object) -> str | None:
        full = Path(os.fsdecode(path)).absolute()  # type: ignore[arg-type]
        inside = full.is_relative_to(place) and full.name != "lock"
        return str(full.relative_to(place)) if inside else None

    def name_of(fd: int) -> str | None:
        return name_under_place(str(Path(f"/proc/self/fd/{fd}").readlink()).removesuffix(" (deleted)"))

    def patch(function: str, change: Callable[..., list[Change]]) -> None:
        real = getattr(os, function)

        def call(*args: object, **more: object) -> object:
            catch_up()
            before = change(*args, **more) if function in {"unlink", "rename"} else []
            result = real(*args, **more)
            add_to_log(before or change(*args, result=result, **more))
            catch_up()
            return result

        patched.setattr(os, function, call)

    def written(fd: int, data: bytes, start: int, result: int = 0) -> list[Change]:
        done = bytes(data)[:result]
        return [Change("write", os.fstat(fd).st_ino, start, done)] if name_of(fd) else []

    def synced(fd: int, result: None = None) -> list[Change]:
        name = name_of(fd)
        if name is None:
            return []
        if os.path.isdir(f"/proc/self/fd/{fd}"):  # noqa: PTH112 - of an open file, not of a name
            return [Change("sync-directory", path=name)]
        return [Change("sync", os.fstat(fd).st_ino)]

    def truncated(fd: int, size: int, result: None = None) -> list[Change]:
        return [Change("truncate", os.fstat(fd).st_ino, size)] if name_of(fd) else []

    def file_replaced(source: object, target: object, result: None = None) -> list[Change]:
        old, new = name_under_place(source), name_under_place(target)
        inode = Path(str(target)).stat().st_ino if new else 0
        return [Change("name", inode, path=new, source=old or "")] if new else []

    def link_made(source: object, target: object, result: None = None) -> list[Change]:
        name = name_under_place(target)
        return [Change("name", Path(str(target)).stat().st_ino, path=name)] if name else []

    def directory_renamed(source: object, target: object, result: None = None) -> list[Change]:
        """A directory was renamed, and with it everything in it."""
        old, new = name_under_place(source), name_under_place(target)
        inside = {name: inode for name, inode in seen.names.items() if Path(name).is_relative_to(str(old))}
        return [
            Change(
                "name",
                inode,
                path=str(Path(str(new), Path(name).relative_to(str(old)))),
                source=name,
                folder=str(Path(str(new)).parent),
            )
            for name, inode in inside.items()
        ]

    def directory_made(path: object, mode: int = 0o777, result: None = None) -> list[Change]:
        name = name_under_place(path)
        return [Change("directory", path=name)] if name and name != "." else []

    def unlinked(path: object, result: None = None, **more: object) -> list[Change]:
        name = name_under_place(path)
        return [Change("unname", path=name)] if name and os.path.lexists(str(path)) else []

    known = set(Disk.of(place).names)

    def opened(path: object, flags: int, mode: int = 0o777, result: int = 0, **more: object) -> list[Change]:
        name = name_under_place(path)
        if name is None or not flags & os.O_CREAT:
            return []
        inode = os.fstat(result).st_ino
        fresh = [] if name in known else [Change("name", inode, path=name)]
        known.add(name)
        return [*fresh, Change("truncate", inode, 0)] if flags & os.O_TRUNC else fresh

    with monkeypatch.context() as patched:
        for function, change in [
            ("pwrite", written),
            ("fsync", synced),
            ("fdatasync", synced),
            ("ftruncate", truncated),
            ("replace", file_replaced),
            ("link", link_made),
            ("rename", directory_renamed),
            ("unlink", unlinked),
            ("mkdir", directory_made),
            ("open", opened),
        ]:
            patch(function, change)
        yield log
        catch_up()


def crashes(
    before: Disk, log: list[Change], first: int = 0
) -> Iterator[tuple[int, frozenset[tuple[str, bytes]]]]:
    """Yield each possible state of the disk after a crash, with the number of changes begun before the crash.

    before: the disk before the first change. first: leave out crashes after fewer changes than this.
    """
    for moment in range(first, len(log) + 1):
        seen: set[frozenset[tuple[str, bytes]]] = set()
        for chosen in _possible_effects(log[:moment]):
            disk = before.copy()
            disk.missing = {change.path for change in log if change.kind == "directory"}
            for change in chosen:
                disk.apply(change)
            if (state := disk.state()) not in seen:
                seen.add(state)
                yield moment, state


def left_by_crashes(
    place: Path, monkeypatch: pytest.MonkeyPatch, action: Callable[[], object], *, only_done: bool = False
) -> Iterator[tuple[bool, dict[str, bytes]]]:
    """Call `action`; yield for each possible crash whether it was complete, and the files under `place`.

    only_done: only crashes after it was complete.
    """
    before = Disk.of(place)
    with recorded(place, monkeypatch) as log:
        action()
    assert log, "nothing was written"
    for moment, state in crashes(before, log, len(log) if only_done else 0):
        yield moment == len(log), dict(state)


def _possible_effects(done: list[Change]) -> Iterator[list[Change]]:
    """Yield lists of changes that may have taken effect: all synced ones, and some of the others."""
    sure = [_is_durable(change, done[index:]) for index, change in enumerate(done)]
    pending = [index for index, durable in enumerate(sure) if not durable]
    for wanted in (
        set(),
        set(pending),
        *({index} for index in pending),
        *(set(pending) - {index} for index in pending),
    ):
        yield [change for index, change in enumerate(done) if sure[index] or index in wanted]
    for index in pending:
        change = done[index]
        if change.kind == "write" and len(change.data) > SECTOR:
            half = len(change.data) // 2 // SECTOR * SECTOR or SECTOR
            torn = Change("write", change.file, change.start, change.data[:half])
            rest = Change("write", change.file, change.start + half, change.data[half:])
            for part in (torn, rest):
                yield [part if here == index else item for here, item in enumerate(done)]


def _is_durable(change: Change, later: list[Change]) -> bool:
    """Whether a later sync has made the change durable."""
    if change.kind in {"write", "truncate"}:
        return any(item.kind == "sync" and item.file == change.file for item in later)
    if change.kind in {"name", "unname", "directory"}:
        folder = change.folder or str(Path(change.path).parent)
        return any(item.kind == "sync-directory" and item.path == folder for item in later)
    return True
