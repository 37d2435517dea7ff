"""The rooms, and which way data flows between them: clinic <- patients <- erasure; no cycles of files."""

import ast
import re
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
# The packages of each app, lowest first: a package imports only packages before it (docs/architecture.md).
# Modules beside the packages are below them; what gathers the packages for Django is above them.
ORDER = {
    "clinic": (
        *(
            "audit",
            "accounts",
            "access",
            "http",
            "alerts",
            "people",
            "calendar",
            "outbox",
            "style",
            "oversight",
        ),
        "management",
    ),
    "patients": (
        *("imaging", "vault", "cases", "requests", "memories", "consent", "keepsakes", "custody", "maps"),
        *("intake", "case_file", "portal", "management"),
    ),
    "erasure": (
        *("fade", "task_queue", "backups", "procedures", "runs", "renewal", "verification", "certificates"),
        *("jobs", "session", "live", "remainders", "operations", "demo", "templatetags", "management"),
    ),
}
GATHERERS = {"apps", "asgi", "models", "settings", "urls"}
BESIDE = {
    "clinic": {
        *("checks", "durable", "expiry", "failpoints", "mail", "names", "registration"),
        *("throttle_cache", "unavailable"),
    },
    "patients": {"checks"},
    "erasure": {"checks"},
}
# Where all is put together, and so the only files that may name every room (DESIGN.md, Rooms).
JUNCTIONS = {"clinic.urls", "clinic.settings"}
# A tag that takes another template, or a library of tags, by a name that stands there.
TAKES = re.compile(r"""{%-?\s*(include|extends)\s+["']([^"']+)["']""")
LOADS = re.compile(r"{%-?\s*load\s+([\w\s]+?)\s*-?%}")
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


def height(module: str) -> int:
    """How high a module stands in its app: 0 beside the packages, then as ORDER has them."""
    app, *parts = module.split(".")
    if not parts or parts[0] in GATHERERS or (app != "clinic" and parts[0] == "checks"):
        return len(ORDER[app]) + 1
    return ORDER[app].index(parts[0]) + 1 if parts[0] in ORDER[app] else 0


def test_every_package_has_its_place_in_the_order() -> None:
    for app in ROOMS:
        there = {path.name for path in (ROOT / app).iterdir() if (path / "__init__.py").exists()}
        assert there - {"migrations", "formats"} == set(ORDER[app])
        beside = {path.stem for path in (ROOT / app).glob("*.py")} - GATHERERS - {"__init__"}
        assert beside == BESIDE[app]


def test_no_package_imports_one_above_it() -> None:
    wrong = [
        f"{name} imports {other}"
        for name, path in modules().items()
        for other in sorted(imports_of(name, path))
        if other.split(".")[0] == name.split(".")[0] and height(other) > height(name)
    ]
    assert wrong == []


def room_of(template: str) -> str:
    """Whose a template is, by its name; what stands beside the rooms' folders is the place's own."""
    folder = template.split("/")[0]
    return folder if folder in ROOMS else "clinic"


def libraries() -> dict[str, str]:
    """The rooms' libraries of tags, and whose each is."""
    return {path.stem: path.parts[-3] for room in ROOMS for path in (ROOT / room).glob("templatetags/*.py")}


def templates() -> dict[str, tuple[str, Path]]:
    """Every template, with its room: below templates/ by its folder, in a room's own folder the room's."""
    folders = [("", ROOT / "templates"), *((room, ROOT / room / "templates") for room in ROOMS)]
    return {
        str(path.relative_to(ROOT)): (room or room_of(str(path.relative_to(folder))), path)
        for room, folder in folders
        for path in folder.rglob("*")
        if path.suffix in {".html", ".txt"}
    }


def taken_by(template: Path) -> Iterator[tuple[str, str]]:
    """What a template takes from elsewhere, and whose that is: other templates, and libraries of tags."""
    text, known = template.read_text(), libraries()
    for _tag, name in TAKES.findall(text):
        yield name, room_of(name)
    for words in LOADS.findall(text):
        yield from ((name, known[name]) for name in words.split() if name in known)


def rendered_by(path: Path) -> Iterator[tuple[str, str]]:
    """Templates that a module names, and whose they are."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.endswith(".html"):
            yield node.value, room_of(node.value)


def test_no_template_takes_from_a_higher_room() -> None:
    found = templates()
    assert {room for room, _path in found.values()} == set(ROOMS)
    wrong = [
        f"{name} takes {other}"
        for name, (room, path) in found.items()
        for other, owner in taken_by(path)
        if owner not in MAY_IMPORT[room]
    ]
    assert wrong == []


def test_no_module_renders_a_template_of_a_higher_room() -> None:
    wrong = [
        f"{name} renders {other}"
        for name, path in modules().items()
        for other, owner in rendered_by(path)
        if owner not in MAY_IMPORT[name.split(".")[0]]
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
    assert set(graph) <= done
    assert len(graph) > 100


def migrations() -> dict[str, Path]:
    """Every file of the three rooms' migrations by its dotted name."""
    found = {}
    for room in ROOMS:
        for path in (ROOT / room / "migrations").rglob("*.py"):
            found[".".join(path.relative_to(ROOT).with_suffix("").parts)] = path
    return found


def test_no_migration_imports_code_that_changes() -> None:
    """A migration has its own copy of what it needs: else a later change would change what it did."""
    found = migrations()
    assert len(found) > len(ROOMS)
    wrong = [
        f"{name} imports {other}"
        for name, path in found.items()
        for other in imports_of(name, path)
        if other.split(".")[1:2] != ["migrations"]
    ]
    assert wrong == []


def test_the_top_level_holds_only_what_a_repository_needs() -> None:
    rooms = {"manage.py", "pyproject.toml", *ROOMS, "templates", "static", "tests"}
    beside = {
        *("README.md", "CONTRIBUTING.md", "LICENSE", "CHANGELOG.md", "Makefile", "docs", ".ci", ".git"),
        *(".gitignore", "requirements.txt", "requirements-dev.txt", ".pre-commit-config.yaml"),
    }
    caches = {".mypy_cache", ".pytest_cache", ".ruff_cache", ".hypothesis", ".guards"}
    environments = {path.name for path in ROOT.glob(".venv*")}  # one for each interpreter
    ignored = {"data", "collected", *caches, *environments}
    assert {path.name for path in ROOT.iterdir()} - rooms - beside - ignored == set()


def test_no_drawer_for_everything() -> None:
    assert [name for name in modules() if DRAWERS & set(name.split("."))] == []


def test_the_walk_would_see_a_wrong_arrow(tmp_path: Path) -> None:
    planted = tmp_path / "planted.py"
    planted.write_text("def late():\n    from erasure.runs import models\n")
    assert imports_of("clinic.planted", planted) == {"erasure.runs.models"}
    assert imports_of("clinic.planted", planted, at_load=True) == frozenset()


def test_the_walk_would_see_a_template_that_reaches_up(tmp_path: Path) -> None:
    planted = tmp_path / "planted.html"
    planted.write_text(
        "{% load i18n session_view %}\n{%extends 'base.html'%}\n"
        '{% include "erasure/runs/x.html" with a=b only %}{% include chosen %}'
    )
    assert list(taken_by(planted)) == [
        ("base.html", "clinic"),
        ("erasure/runs/x.html", "erasure"),
        ("session_view", "erasure"),
    ]
    module = tmp_path / "planted.py"
    module.write_text('def late(request):\n    return render(request, "erasure/x.html")\n')
    assert list(rendered_by(module)) == [("erasure/x.html", "erasure")]
