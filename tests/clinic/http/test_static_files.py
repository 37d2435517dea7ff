"""JavaScript modules that import one another get hashed names, as collectstatic produces in production."""

import os
import re
from pathlib import Path

from django.core.files import File

from clinic.http.static_files import StaticFiles

STATIC = Path(__file__).resolve().parents[3] / "static"


def collected(tmp_path: Path, *files: tuple[str, Path]) -> StaticFiles:
    """A storage into which `files`, pairs of name and source, were collected."""
    storage = StaticFiles(location=tmp_path, base_url="/static/")
    for name, source in files:
        with source.open("rb") as file:
            storage.save(name, File(file))
    outcomes = storage.post_process({name: (storage, name) for name, _source in files})
    assert [outcome for _name, _hashed, outcome in outcomes if isinstance(outcome, Exception)] == []
    return storage


# The scripts that pages load; all others are imported by these.
PAGE_SCRIPTS = {
    "bed/bed.js",
    "calendar/calendar.js",
    "vendor/event-calendar/event-calendar.min.js",
    "page/account.js",
    "page/drafts.js",
    "page/timers.js",
    "session/session.js",
    "session/replay.js",
    "placement/sheet.js",
    "upload/focus.js",
    "upload/upload.js",
}


def test_imports_in_modules_use_hashed_names(tmp_path: Path) -> None:
    modules = {str(path.relative_to(STATIC)): path for path in sorted(STATIC.rglob("*.js"))}
    storage = collected(tmp_path, *modules.items())
    imported = set()
    for module in modules:
        hashed = storage.hashed_files[storage.hash_key(module)]
        folder = Path(module).parent
        names = re.findall(r'(?:from |import\()"(\.\.?/[^"]+)"', (tmp_path / hashed).read_text())
        assert all(re.fullmatch(r"(\./|\.\./\w+/)\w+\.[0-9a-f]{12}\.js", name) for name in names)
        assert all((tmp_path / folder / name).is_file() for name in names)
        plain = [re.sub(r"[.][0-9a-f]{12}[.]js", ".js", name) for name in names]
        imported |= {os.path.normpath(folder / name) for name in plain}
    assert imported | PAGE_SCRIPTS == set(modules)


def test_imports_are_rewritten_in_every_folder_with_modules(tmp_path: Path) -> None:
    """In a folder that clinic/http/static_files.py does not list, imports would silently stay unchanged."""
    folders = {path.relative_to(STATIC).parts[0] for path in STATIC.rglob("*.js")} - {"vendor"}
    assert folders == {"bed", "calendar", "page", "placement", "session", "upload"}
    for folder in sorted(folders):
        (tmp_path / "one.js").write_text('import { two } from "./two.js";\nawait import("./two.js");\n')
        (tmp_path / "two.js").write_text("export const two = 2;\n")
        files = [(f"{folder}/{name}", tmp_path / name) for name in ("one.js", "two.js")]
        storage = collected(tmp_path / folder, *files)
        text = (tmp_path / folder / storage.hashed_files[f"{folder}/one.js"]).read_text()
        two = Path(storage.hashed_files[f"{folder}/two.js"]).name
        assert text == f'import {{ two }} from "./{two}";\nawait import("./{two}");\n'


def test_imports_in_third_party_scripts_are_not_rewritten(tmp_path: Path) -> None:
    script = tmp_path / "script.js"
    script.write_text("// Use it so: import 'htmx' from './missing';\nimport * as htmx from './missing';\n")
    storage = collected(tmp_path / "out", ("django_htmx/ext/sse.js", script))
    hashed = storage.hashed_files[storage.hash_key("django_htmx/ext/sse.js")]
    assert "./missing" in (tmp_path / "out" / hashed).read_text()
