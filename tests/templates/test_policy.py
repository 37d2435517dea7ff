"""No template or style sheet contains what the content security policy forbids."""

import re
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.staticfiles.storage import ManifestStaticFilesStorage
from django.core.files import File

ROOT = Path(settings.BASE_DIR)
TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))
SHEETS = sorted((ROOT / "static").rglob("*.css"))

FORBIDDEN = {
    "a style attribute": r"<[^>]*\sstyle\s*=",
    "a style element": r"<style\b",
    "a script without src": r"<script(?![^>]*\ssrc=)[^>]*>",
    "an event attribute": r"<[^>]*\son[a-z]+\s*=",
    "hx-on": r"\bhx-on\b",
    "evaluated htmx values": r"hx-(?:vals|headers)\s*=\s*[\"']\s*js:",
    "an address elsewhere": r"(?:src|href)\s*=\s*[\"'](?:https?:)?//",
}


def offences(source: str) -> list[str]:
    """The names of forbidden things in a template's source. JSON data blocks are allowed."""
    source = re.sub(r"<script\b[^>]*type=\"application/json\"[^>]*>", "", source)
    return [name for name, pattern in FORBIDDEN.items() if re.search(pattern, source, re.IGNORECASE)]


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ('<p class="a" style="color: red">', "a style attribute"),
        ("<style>p {}</style>", "a style element"),
        ("<script>go()</script>", "a script without src"),
        ('<a onclick="go()">', "an event attribute"),
        ("<b hx-on:click=x>", "hx-on"),
        ("<b hx-vals='js:{a: b()}'>", "evaluated htmx values"),
        ('<img src="https://elsewhere.example/a.png">', "an address elsewhere"),
    ],
)
def test_the_search_finds_each_forbidden_thing(source: str, name: str) -> None:
    assert name in offences(source)


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(ROOT)))
def test_templates_contain_nothing_inline(path: Path) -> None:
    assert offences(path.read_text()) == []


@pytest.mark.parametrize("path", SHEETS, ids=lambda path: str(path.relative_to(ROOT)))
def test_style_sheets_use_only_our_own_files(path: Path) -> None:
    addresses = re.findall(r"url\(\s*[\"']?([^\"')]+)", path.read_text())
    assert [a for a in addresses if not (path.parent / a).is_file()] == []


def test_every_typeface_is_used_and_has_its_licence() -> None:
    fonts = ROOT / "static" / "fonts"
    named = set(re.findall(r"fonts/([\w-]+\.woff2)", (ROOT / "static" / "fonts.css").read_text()))
    assert named
    assert named == {path.name for path in fonts.glob("*.woff2")}
    licensed = {path.stem.removeprefix("OFL-") for path in fonts.glob("OFL-*.txt")}
    assert licensed == {re.split(r"-(?:latin|vietnamese)", name)[0] for name in named}
    assert all("SIL OPEN FONT LICENSE" in path.read_text() for path in fonts.glob("OFL-*.txt"))


def test_files_named_in_templates_exist() -> None:
    named = {
        (path.name, name)
        for path in TEMPLATES
        for name in re.findall(r"{%\s*static\s+[\"']([^\"']+)[\"']", path.read_text())
    }
    assert ("styles.html", "tokens.css") in named
    # The demonstration's style sheet lies apart: other installations do not serve it.
    folders = (ROOT / "static", ROOT / "erasure" / "demo" / "static")
    assert [pair for pair in named if not any((folder / pair[1]).is_file() for folder in folders)] == []


def test_style_sheets_can_be_collected_with_hashed_names(tmp_path: Path) -> None:
    """Collected as in production: every URL in a sheet is replaced by a name with a hash."""
    storage = ManifestStaticFilesStorage(location=tmp_path, base_url="/static/")
    paths = {}
    for path in (ROOT / "static").rglob("*"):
        if path.is_file() and path.suffix in {".css", ".woff2"}:
            name = str(path.relative_to(ROOT / "static"))
            with path.open("rb") as file:
                storage.save(name, File(file))
            paths[name] = (storage, name)
    outcomes = [outcome for _name, _hashed, outcome in storage.post_process(paths)]
    assert [outcome for outcome in outcomes if isinstance(outcome, Exception)] == []
    fonts = storage.hashed_files[storage.hash_key("fonts.css")]
    addresses = re.findall(r"url\(\"([^\"]+)\"\)", (tmp_path / fonts).read_text())
    assert len(addresses) == len(list((ROOT / "static" / "fonts").glob("*.woff2")))
    assert all(re.fullmatch(r"fonts/[\w-]+\.[0-9a-f]{12}\.woff2", address) for address in addresses)
