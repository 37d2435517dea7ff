"""The rooms, and which way data flows between them: clinic <- patients <- erasure; no cycles of files."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("clinic", "patients", "erasure")
MAY_IMPORT = {
    "clinic": {"clinic"},
    "patients": {"clinic", "patients"},
    "erasure": {"clinic", "patients", "erasure"},
}
# Where all is put together, and so the only files that may name every room (DESIGN.md, Rooms).
JUNCTIONS = {"clinic.urls", "clinic.settings"}
DRAWERS = {"utils", "common", "helpers", "services", "misc", "signals"}


def modules() -> dict[str, Path]:
    """Every module of the three rooms by its dotted name, migrations left out."""
    found = {}
    for room in ROOMS:
        for path in (ROOT / room).rglob("*.py"):
            parts = path.relative_to(ROOT).with_suffix("").parts
            if "migrations" not in parts:
                found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


@cache
def imports_of(name: str, path: Path, *, at_load: bool = False) -> frozenset[str]:
    """Modules of the rooms that a file imports; `at_load`: only while it is being loaded itself."""
    known = modules()
    tree = ast.parse(path.read_text())
    found: set[str] = set()
    for node in walk(tree, at_load=at_load):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                package = name.split(".") if path.name == "__init__.py" else name.split(".")[:-1]
                base = ".".join([*package[: len(package) - node.level + 1], *filter(None, [node.module])])
            found |= {
                f"{base}.{alias.name}" if f"{base}.{alias.name}" in known else base for alias in node.names
            }
    return frozenset(item for item in found if item.split(".")[0] in ROOMS)


def walk(tree: ast.AST, *, at_load: bool) -> Iterator[ast.AST]:
    """Nodes of a tree; with `at_load` without the bodies of functions and of `if TYPE_CHECKING`."""
    stack = [tree]
    while stack:
        node = stack.pop()
        yield node
        for child in ast.iter_child_nodes(node):
            hidden = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef) or (
                isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test)
            )
            if not (at_load and hidden):
                stack.append(child)


def test_no_arrow_points_the_other_way() -> None:
    wrong = [
        f"{name} imports {other}"
        for name, path in modules().items()
        if name not in JUNCTIONS
        for other in imports_of(name, path)
        if other.split(".")[0] not in MAY_IMPORT[name.split(".")[0]]
    ]
    assert wrong == []


def test_no_cycle_between_files() -> None:
    graph = {name: imports_of(name, path, at_load=True) - {name} for name, path in modules().items()}
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        if name in trail:
            pytest.fail(" -> ".join([*trail[trail.index(name) :], name]))
        if name not in done:
            for other in graph.get(name, ()):
                visit(other, (*trail, name))
            done.add(name)

    for name in graph:
        visit(name, ())


def test_the_top_level_holds_only_what_a_repository_needs() -> None:
    rooms = {"manage.py", "pyproject.toml", *ROOMS, "templates", "static", "tests"}
    beside = {
        *("README.md", "LICENSE", "CHANGELOG.md", "Makefile", "docs", ".ci", ".git", ".gitignore"),
        *("requirements.txt", "requirements-dev.txt", ".pre-commit-config.yaml"),
    }
    ignored = {"data", "collected", ".venv", ".mypy_cache", ".pytest_cache", ".ruff_cache", ".hypothesis"}
    assert {path.name for path in ROOT.iterdir()} - rooms - beside - ignored == set()


def test_no_drawer_for_everything() -> None:
    assert [name for name in modules() if DRAWERS & set(name.split("."))] == []


def test_the_walk_would_see_a_wrong_arrow(tmp_path: Path) -> None:
    planted = tmp_path / "planted.py"
    planted.write_text("def late():\n    from erasure.runs import models\n")
    assert imports_of("clinic.planted", planted) == {"erasure.runs.models"}
    assert imports_of("clinic.planted", planted, at_load=True) == frozenset()
