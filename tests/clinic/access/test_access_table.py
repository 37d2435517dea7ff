"""docs/access.md equals the packages' policies, and each package has the policy rows of its own URLs."""

import ast
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command

from clinic.access.policy import PUBLIC, TABLE, Row, register
from clinic.registration import MODULES

ROOT = Path(__file__).resolve().parents[3]
# URLs that are in no urls.py, by the package whose policy.py has their rows.
ELSEWHERE = {
    "patients/keepsakes": {
        "patients:upload",
        "patients:picture",
        "patients:picture-blurred",
        "patients:playback",
    },
    "erasure/bed_pages": {"erasure:bed-live"},
    "erasure/session": {"erasure:live"},
}


def test_docs_access_equals_the_generated_table() -> None:
    printed = StringIO()
    call_command("access_table", stdout=printed)
    page = (ROOT / "docs/access.md").read_text()
    assert printed.getvalue() == page
    assert all(f"| `{name}` |" in page for name in TABLE)


def url_names(package: Path) -> set[str]:
    """The names of the URLs in every urls.py of a package, with the namespace of their app."""
    app = package.parts[0]
    names = {
        keyword.value.value
        for file in (ROOT / package).glob("*urls.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "path"
        for keyword in node.keywords
        if keyword.arg == "name" and isinstance(keyword.value, ast.Constant)
    }
    return {name if app == "clinic" else f"{app}:{name}" for name in names if isinstance(name, str)}


def rows_of(package: Path) -> set[str]:
    """The URL names that the package's policy.py registers."""
    file = ROOT / package / "policy.py"
    if not file.exists() or package == Path("clinic/access"):
        return set()
    calls = [
        node
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "register"
    ]
    return {key for call in calls for key in ast.literal_eval(ast.unparse(_registered_keys(call)))}


def _registered_keys(call: ast.Call) -> ast.List:
    rows = call.args[0]
    assert isinstance(rows, ast.Dict)
    return ast.List([key for key in rows.keys if key is not None], ast.Load())


def test_each_package_registers_the_rows_of_its_own_urls() -> None:
    packages = [
        path.parent.relative_to(ROOT)
        for app in ("clinic", "patients", "erasure")
        for path in sorted((ROOT / app).glob("*/__init__.py"))
    ]
    registered = {str(package): rows_of(package) for package in packages}
    # django-allauth has URLs of its own, and the choice of a language is Django's.
    registered["clinic/people"] = {
        name
        for name in registered["clinic/people"]
        if not name.startswith("account_") and name != "set_language"
    }
    defined = {str(package): url_names(package) | ELSEWHERE.get(str(package), set()) for package in packages}
    assert registered == defined
    assert sum(map(len, registered.values())) > 80


def test_a_url_cannot_have_two_rows() -> None:
    before = dict(TABLE)
    register({"home": TABLE["home"]})
    with pytest.raises(ValueError, match="the URL home has two rows"):
        register({"home": Row(PUBLIC, PUBLIC)})
    assert before == TABLE


def test_every_module_that_registers_is_imported_at_startup() -> None:
    registering = {
        path.relative_to(ROOT)
        for app in ("clinic", "patients", "erasure")
        for path in (ROOT / app).glob("*/*.py")
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Call)
        and ast.unparse(node.value.func) == "register"
    }
    assert {path.stem for path in registering} <= set(MODULES)
    assert len(registering) > 20
