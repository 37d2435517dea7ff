"""A copy of the working tree in which each guard has a switch. The working tree itself is never changed."""

import ast
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.guards.finder import Finder, Found
from tests.guards.packages import PACKAGES, ROOT, files
from tests.guards.project import Project

APPS = ("clinic", "patients", "erasure")
SWITCHES = (
    "refuse",
    "require",
    "either",
    "both",
    "least",
    "most",
    "condition",
    "conditions",
    "binding",
    "sync",
    "await_sync",
)


def find(root: Path = ROOT, packages: Sequence[str] = PACKAGES) -> list[Found]:
    """The guards of packages, in the order of packages, files and lines."""
    all_files = sorted(path for app in APPS for path in (root / app).rglob("*.py"))
    project = Project.from_sources(path.read_text() for path in all_files if "migrations" not in path.parts)
    return [
        found
        for package in packages
        for path in files(package, root)
        for found in Finder(path, (root / path).read_bytes(), project).guards()
    ]


def add_switches(source: bytes, found: Sequence[tuple[int, Found]], tree: Path) -> bytes:
    """The source of a file with a switch at each guard. Every line keeps its number."""
    pieces: list[tuple[tuple[int, ...], int, int, bytes]] = []
    templates: dict[tuple[int, int], str] = {}
    for order, (number, item) in enumerate(found):
        switch = item.switch
        start, end = switch.start, switch.end
        head = f"_guard_{switch.name}({number}, "
        if switch.how == "part":
            text = templates.get((start, end), switch.replacement)
            templates[start, end] = text.replace(f"NUMBER{switch.part}_", str(number))
            continue
        if switch.how == "keyword":
            head = f"**{head}"
        pieces.append(((start, 1, -end, order), start, start, head.encode()))
        if switch.how == "call":
            pieces.append(((end, 2, 0, 0), end, end + 1, b", "))
        else:
            pieces.append(((end, 0, -start, -order), end, end, b")"))
    pieces += [((start, 2, 0, 0), start, end, text.encode()) for (start, end), text in templates.items()]
    at, line = _import(source, tree)
    pieces.append(((at, 0, 0, 0), at, at, line))
    result: list[bytes] = []
    done = 0
    for _key, start, end, piece in sorted(pieces):
        result += [source[done:start], piece]
        done = end
    return b"".join([*result, source[done:]])


def _import(source: bytes, tree: Path) -> tuple[int, bytes]:
    """The position and text of the import of the switches.

    It comes after the docstring and the __future__ imports, on the same line.
    """
    body = ast.parse(source).body
    names = ", ".join(f"{name} as _guard_{name}" for name in SWITCHES)
    line = f"from guards_switches import {names}"
    if b'__name__ == "__main__"' in source:  # may be run alone, from anywhere
        line = f"__import__('sys').path.append({str(tree)!r}); {line}"
    last = None
    for node in body:
        docstring = node is body[0] and isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        if docstring or (isinstance(node, ast.ImportFrom) and node.module == "__future__"):
            last = node
        else:
            break
    if last is None or last.end_lineno is None or last.end_col_offset is None:
        return 0, f"{line}; ".encode()
    lines = source.splitlines(keepends=True)
    return sum(map(len, lines[: last.end_lineno - 1])) + last.end_col_offset, f"; {line}".encode()


def prepare(tree: Path, found: Sequence[Found], root: Path = ROOT) -> None:
    """Copy the tracked and new files of `root` to `tree` with the switches.

    A guard's number is its index in `found`.
    """
    shutil.rmtree(tree, ignore_errors=True)
    tree.mkdir(parents=True)
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],  # noqa: S607
        cwd=root,
        capture_output=True,
        check=True,
    )
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (root / name).is_file():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(root / name, tree / name)
    by_file: dict[str, list[tuple[int, Found]]] = {}
    for number, item in enumerate(found):
        by_file.setdefault(item.guard.path, []).append((number, item))
    for path, items in by_file.items():
        text = add_switches((root / path).read_bytes(), items, tree)
        compile(text, path, "exec")
        (tree / path).write_bytes(text)
    shutil.copy2(Path(__file__).with_name("switches.py"), tree / "guards_switches.py")
    (tree / "guards-state").write_text("-1 -1")
    samples = root.parent / "shared"  # sample photos. Some tests use them if they exist.
    if samples.is_dir() and not (tree.parent / "shared").exists():
        (tree.parent / "shared").symlink_to(samples.resolve())
    os.mkfifo(tree / "guards-pipe")
