"""Scripts that import one another, collected as in production."""

import re
from pathlib import Path

from django.core.files import File

from clinic.http.static_files import StaticFiles

STATIC = Path(__file__).resolve().parents[3] / "static"


def collected(tmp_path: Path, *files: tuple[str, Path]) -> StaticFiles:
    """The storage after `files`, as (name, source), were collected into it."""
    storage = StaticFiles(location=tmp_path, base_url="/static/")
    for name, source in files:
        with source.open("rb") as file:
            storage.save(name, File(file))
    outcomes = storage.post_process({name: (storage, name) for name, _source in files})
    assert [outcome for _name, _hashed, outcome in outcomes if isinstance(outcome, Exception)] == []
    return storage


# The modules that pages name; all others are imported.
PAGES = {
    "session/session.js",
    "session/replay.js",
    "upload/focus.js",
    "upload/intake.js",
    "upload/upload.js",
}


def test_what_a_module_imports_has_its_hashed_name(tmp_path: Path) -> None:
    modules = {str(path.relative_to(STATIC)): path for path in sorted(STATIC.rglob("*.js"))}
    storage = collected(tmp_path, *modules.items())
    imported = set()
    for module in modules:
        hashed = storage.hashed_files[storage.hash_key(module)]
        folder = Path(module).parent
        names = re.findall(r'(?:from |import\()"\./([^"]+)"', (tmp_path / hashed).read_text())
        assert all(re.fullmatch(r"\w+\.[0-9a-f]{12}\.js", name) for name in names)
        assert all((tmp_path / folder / name).is_file() for name in names)
        imported |= {f"{folder}/{re.sub(r'[.][0-9a-f]{12}[.]js', '.js', name)}" for name in names}
    assert imported | PAGES == set(modules)


def test_every_folder_with_modules_is_rewritten(tmp_path: Path) -> None:
    """A folder that clinic/http/static_files.py does not name would keep its imports unchanged, unnoticed."""
    folders = {path.relative_to(STATIC).parts[0] for path in STATIC.rglob("*.js")}
    assert folders == {"session", "upload"}
    for folder in sorted(folders):
        (tmp_path / "one.js").write_text('import { two } from "./two.js";\nawait import("./two.js");\n')
        (tmp_path / "two.js").write_text("export const two = 2;\n")
        files = [(f"{folder}/{name}", tmp_path / name) for name in ("one.js", "two.js")]
        storage = collected(tmp_path / folder, *files)
        text = (tmp_path / folder / storage.hashed_files[f"{folder}/one.js"]).read_text()
        two = Path(storage.hashed_files[f"{folder}/two.js"]).name
        assert text == f'import {{ two }} from "./{two}";\nawait import("./{two}");\n'


def test_a_comment_in_somebody_elses_script_is_not_an_import(tmp_path: Path) -> None:
    script = tmp_path / "script.js"
    script.write_text("// Use it so: import 'htmx' from './missing';\nimport * as htmx from './missing';\n")
    storage = collected(tmp_path / "out", ("django_htmx/ext/sse.js", script))
    hashed = storage.hashed_files[storage.hash_key("django_htmx/ext/sse.js")]
    assert "./missing" in (tmp_path / "out" / hashed).read_text()
