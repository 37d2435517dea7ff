"""Scripts that import one another, collected as in production."""

import re
from pathlib import Path

from django.core.files import File

from clinic.static_files import StaticFiles

STATIC = Path(__file__).resolve().parents[2] / "static"


def collected(tmp_path: Path, *files: tuple[str, Path]) -> StaticFiles:
    """The storage after `files`, as (name, source), were collected into it."""
    storage = StaticFiles(location=tmp_path, base_url="/static/")
    for name, source in files:
        with source.open("rb") as file:
            storage.save(name, File(file))
    outcomes = storage.post_process({name: (storage, name) for name, _source in files})
    assert [outcome for _name, _hashed, outcome in outcomes if isinstance(outcome, Exception)] == []
    return storage


PAGES = {"session.js", "replay.js"}  # the modules that pages name; all others are imported


def test_what_a_module_imports_has_its_hashed_name(tmp_path: Path) -> None:
    modules = sorted((STATIC / "session").glob("*.js"))
    storage = collected(tmp_path, *((f"session/{path.name}", path) for path in modules))
    imported = set()
    for path in modules:
        hashed = storage.hashed_files[storage.hash_key(f"session/{path.name}")]
        names = re.findall(r'(?:from |import\()"\./([^"]+)"', (tmp_path / hashed).read_text())
        assert all(re.fullmatch(r"\w+\.[0-9a-f]{12}\.js", name) for name in names)
        assert all((tmp_path / "session" / name).is_file() for name in names)
        imported |= {re.sub(r"\.[0-9a-f]{12}\.js", ".js", name) for name in names}
    assert imported | PAGES == {path.name for path in modules}


def test_a_comment_in_somebody_elses_script_is_not_an_import(tmp_path: Path) -> None:
    script = tmp_path / "script.js"
    script.write_text("// Use it so: import 'htmx' from './missing';\nimport * as htmx from './missing';\n")
    storage = collected(tmp_path / "out", ("django_htmx/ext/sse.js", script))
    hashed = storage.hashed_files[storage.hash_key("django_htmx/ext/sse.js")]
    assert "./missing" in (tmp_path / "out" / hashed).read_text()
