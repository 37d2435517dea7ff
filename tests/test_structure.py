"""The import rules: clinic <- patients <- erasure, the order of packages inside each, no cycles of files."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
APPS = ("clinic", "patients", "erasure")
MAY_IMPORT = {
    "clinic": {"clinic"},
    "patients": {"clinic", "patients"},
    "erasure": {"clinic", "patients", "erasure"},
}
# The packages of each app, lowest first: a package imports only packages before it (docs/architecture.md).
# Single modules (BESIDE) are below all packages. Modules that gather them for Django (GATHERERS) are above.
ORDER = {
    "clinic": (
        *(
            "audit",
            "accounts",
            "personal_data",
            "access",
            "http",
            "edits",
            "papers",
            "alerts",
            "setup",
            "configuration",
            "outgoing",
            "people",
            "calendar",
            "seasons",
            "availability",
            "calendar_feeds",
            "calendar_pages",
            "outbox",
            "style",
            "oversight",
        ),
        *("templatetags", "management"),
    ),
    "patients": (
        *(
            "imaging",
            "vault",
            "cases",
            "contacts",
            "left_behind",
            "drafts",
            "repeats",
            "requests",
            "memories",
            "intake",
            "intake_review",
            "consent",
        ),
        *(
            "keepsakes",
            "placement",
            "archives",
            "custody",
            "consent_papers",
            "maps",
            "notes",
            "messages",
            "appointments",
            "waitlist",
            "case_file",
            "portal",
        ),
        *("management",),
    ),
    "erasure": (
        *("fade", "task_queue", "backups", "procedures", "runs", "bedside"),
        *("destructions", "renewal", "verification"),
        "certificates",
        *(
            "jobs",
            "session",
            "bed_pages",
            "live",
            "remainders",
            "closing",
            "reports",
            "operations",
            "demo",
            "templatetags",
            "management",
        ),
    ),
}
GATHERERS = {"apps", "asgi", "models", "settings", "urls"}
BESIDE = {
    "clinic": {
        *("checks", "durable", "expiry", "failpoints", "keyed_digests", "mail", "names", "registration"),
        *("throttle_cache", "unavailable"),
    },
    "patients": {"checks"},
    "erasure": {"checks"},
}
# The only modules that may import every app: they put the project together.
JUNCTIONS = {"clinic.urls", "clinic.settings"}
# Template tags that use another template, or a tag library, by a literal name.
INCLUDES = re.compile(r"""{%-?\s*(include|extends)\s+["']([^"']+)["']""")
LOADS = re.compile(r"{%-?\s*load\s+([\w\s]+?)\s*-?%}")
# Names for modules that would collect unrelated things.
VAGUE_NAMES = {"utils", "common", "helpers", "services", "misc", "signals"}


@cache
def modules() -> dict[str, Path]:
    """The path of every module of the three apps by its dotted name, without migrations."""
    found = {}
    for app in APPS:
        for path in (ROOT / app).rglob("*.py"):
            parts = path.relative_to(ROOT).with_suffix("").parts
            if "migrations" not in parts:
                found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


@cache
def imports_of(name: str, path: Path, *, at_load: bool = False) -> frozenset[str]:
    """Modules of the three apps that a file imports. at_load: only imports that run while it is imported."""
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
    return frozenset(item for item in found if item.split(".")[0] in APPS)


def walk(tree: ast.AST, *, at_load: bool) -> Iterator[ast.AST]:
    """Nodes of a tree. at_load: without the bodies of functions and of `if TYPE_CHECKING`."""
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


def test_no_app_imports_an_app_above_it() -> None:
    wrong = [
        f"{name} imports {other}"
        for name, path in modules().items()
        if name not in JUNCTIONS
        for other in imports_of(name, path)
        if other.split(".")[0] not in MAY_IMPORT[name.split(".")[0]]
    ]
    assert wrong == []


def height(module: str) -> int:
    """The level of a module in its app: 0 for single modules, then the packages by ORDER, then GATHERERS."""
    app, *parts = module.split(".")
    if not parts or parts[0] in GATHERERS or (app != "clinic" and parts[0] == "checks"):
        return len(ORDER[app]) + 1
    return ORDER[app].index(parts[0]) + 1 if parts[0] in ORDER[app] else 0


def test_every_package_is_listed_in_the_order() -> None:
    for app in APPS:
        packages = {path.name for path in (ROOT / app).iterdir() if (path / "__init__.py").exists()}
        assert packages - {"migrations", "formats"} == set(ORDER[app])
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


def app_of(template: str) -> str:
    """The app that owns a template, by its folder. Templates outside the apps' folders belong to clinic."""
    folder = template.split("/")[0]
    return folder if folder in APPS else "clinic"


def libraries() -> dict[str, str]:
    """The app of each template tag library."""
    return {path.stem: path.parts[-3] for app in APPS for path in (ROOT / app).glob("templatetags/*.py")}


def templates() -> dict[str, tuple[str, Path]]:
    """Every template by path, with its app: by folder in templates/, else the app that contains it."""
    folders = [("", ROOT / "templates"), *((app, ROOT / app / "templates") for app in APPS)]
    return {
        str(path.relative_to(ROOT)): (app or app_of(str(path.relative_to(folder))), path)
        for app, folder in folders
        for path in folder.rglob("*")
        if path.suffix in {".html", ".txt"}
    }


def used_by(template: Path) -> Iterator[tuple[str, str]]:
    """Other templates and tag libraries that a template uses, each with its app."""
    text, known = template.read_text(), libraries()
    for _tag, name in INCLUDES.findall(text):
        yield name, app_of(name)
    for words in LOADS.findall(text):
        yield from ((name, known[name]) for name in words.split() if name in known)


def rendered_by(path: Path) -> Iterator[tuple[str, str]]:
    """Templates that a module names, each with its app."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.endswith(".html"):
            yield node.value, app_of(node.value)


def test_no_template_uses_templates_or_tags_of_a_higher_app() -> None:
    found = templates()
    assert {app for app, _path in found.values()} == set(APPS)
    wrong = [
        f"{name} takes {other}"
        for name, (app, path) in found.items()
        for other, owner in used_by(path)
        if owner not in MAY_IMPORT[app]
    ]
    assert wrong == []


def test_no_module_renders_a_template_of_a_higher_app() -> None:
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

    def visit(name: str, path_to_here: tuple[str, ...]) -> None:
        if name in path_to_here:
            pytest.fail(" -> ".join([*path_to_here[path_to_here.index(name) :], name]))
        if name not in done:
            for other in graph.get(name, ()):
                visit(other, (*path_to_here, name))
            done.add(name)

    for name in graph:
        visit(name, ())
    assert set(graph) <= done
    assert len(graph) > 100


def migrations() -> dict[str, Path]:
    """The path of every migration by its dotted name."""
    found = {}
    for app in APPS:
        for path in (ROOT / app / "migrations").rglob("*.py"):
            found[".".join(path.relative_to(ROOT).with_suffix("").parts)] = path
    return found


def test_no_migration_imports_code_that_changes() -> None:
    """Migrations have their own copy of the code they need: later changes must not change what they do."""
    found = migrations()
    assert len(found) > len(APPS)
    wrong = [
        f"{name} imports {other}"
        for name, path in found.items()
        for other in imports_of(name, path)
        if other.split(".")[1:2] != ["migrations"]
    ]
    assert wrong == []


def test_the_top_level_holds_only_what_a_repository_needs() -> None:
    expected = {"manage.py", "pyproject.toml", *APPS, "templates", "static", "tests"}
    beside = {
        *("README.md", "CONTRIBUTING.md", "LICENSE", "CHANGELOG.md", "Makefile", "docs", ".ci", ".git"),
        *(".gitignore", "requirements.txt", "requirements-dev.txt", ".pre-commit-config.yaml"),
    }
    caches = {".mypy_cache", ".pytest_cache", ".ruff_cache", ".hypothesis", ".guards"}
    environments = {path.name for path in ROOT.glob(".venv*")}  # one for each interpreter
    ignored = {"data", "collected", *caches, *environments}
    assert {path.name for path in ROOT.iterdir()} - expected - beside - ignored == set()


def test_no_module_has_a_vague_name() -> None:
    assert [name for name in modules() if VAGUE_NAMES & set(name.split("."))] == []


def test_the_check_finds_an_import_of_a_higher_app(tmp_path: Path) -> None:
    planted = tmp_path / "planted.py"
    planted.write_text("def late():\n    from erasure.runs import models\n")
    assert imports_of("clinic.planted", planted) == {"erasure.runs.models"}
    assert imports_of("clinic.planted", planted, at_load=True) == frozenset()


def test_the_check_finds_a_template_that_uses_a_higher_app(tmp_path: Path) -> None:
    planted = tmp_path / "planted.html"
    planted.write_text(
        "{% load i18n session_view %}\n{%extends 'base.html'%}\n"
        '{% include "erasure/runs/x.html" with a=b only %}{% include chosen %}'
    )
    assert list(used_by(planted)) == [
        ("base.html", "clinic"),
        ("erasure/runs/x.html", "erasure"),
        ("session_view", "erasure"),
    ]
    module = tmp_path / "planted.py"
    module.write_text('def late(request):\n    return render(request, "erasure/x.html")\n')
    assert list(rendered_by(module)) == [("erasure/x.html", "erasure")]
