"""Every text has a Vietnamese translation, which is compiled and shown on pages."""

import ast
import gettext
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import allauth
import django
import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse
from django.utils import translation

from clinic.people import vendor_translations

APPS = ("clinic", "patients", "erasure")
CATALOG = Path("locale", "vi", "LC_MESSAGES", "django.po")
LINE = re.compile(r'(msgctxt|msgid_plural|msgid|msgstr)(?:\[(\d+)\])? (".*")')
PLACEHOLDER = re.compile(r"%\(\w+\)[-+ 0-9.]*[a-z]|%[sd%]|\{\w*\}|</?\w[^>]*>")

Key = tuple[str, str]


@dataclass
class Entry:
    context: str = ""
    msgid: str = ""
    plural: str = ""
    texts: dict[int, str] = field(default_factory=dict)
    fuzzy: bool = False


def read_catalog(path: Path) -> dict[Key, Entry]:
    """The entries of a .po file by context and msgid, without the header and obsolete entries."""
    entries: dict[Key, Entry] = {}
    for block in re.split(r"\n\s*\n", path.read_text(encoding="utf-8")):
        entry, name, number = Entry(), "", 0
        for line in block.splitlines():
            if line.startswith("#"):
                entry.fuzzy |= line.startswith("#,") and "fuzzy" in line
                continue
            if found := LINE.fullmatch(line):
                name, number, quoted = found[1], int(found[2] or 0), found[3]
            else:
                quoted = line
            words = ast.literal_eval(quoted)
            if name == "msgstr":
                entry.texts[number] = entry.texts.get(number, "") + words
            else:
                part = {"msgctxt": "context", "msgid_plural": "plural"}.get(name, name)
                setattr(entry, part, getattr(entry, part) + words)
        if entry.msgid:
            assert (entry.context, entry.msgid) not in entries
            entries[entry.context, entry.msgid] = entry
    return entries


def vietnamese() -> dict[str, dict[Key, Entry]]:
    return {app: read_catalog(settings.BASE_DIR / app / CATALOG) for app in APPS}


def collect(directory: Path) -> dict[str, set[Key]]:
    """The texts that are marked for translation, by app. makemessages runs in a copy of the source."""
    for name in (*APPS, "templates"):
        shutil.copytree(
            settings.BASE_DIR / name, directory / name, ignore=shutil.ignore_patterns("locale", "__pycache__")
        )
    shutil.copy(settings.BASE_DIR / "manage.py", directory)
    subprocess.run(
        [sys.executable, "manage.py", "makemessages", "--locale=vi", "--no-location", "--verbosity=0"],
        cwd=directory,
        env=os.environ | {"LACUNA_DATA_DIR": str(directory / "data"), "LACUNA_DEMO": "1"},
        check=True,
    )
    return {app: set(read_catalog(directory / app / CATALOG)) for app in APPS}


@pytest.mark.skipif(not shutil.which("xgettext"), reason="GNU gettext is not installed")
def test_the_catalogs_contain_exactly_the_texts_in_use(tmp_path: Path) -> None:
    wanted, written = collect(tmp_path), vietnamese()
    assert min(map(len, wanted.values())) > 200
    assert {app: keys for app in APPS if (keys := wanted[app] - written[app].keys())} == {}
    assert {app: keys for app in APPS if (keys := written[app].keys() - wanted[app])} == {}


@pytest.mark.parametrize("app", APPS)
def test_every_text_is_translated_with_its_placeholders(app: str) -> None:
    catalog = vietnamese()[app]
    assert len(catalog) > 200
    for entry in catalog.values():
        assert not entry.fuzzy, entry.msgid
        assert list(entry.texts) == [0], entry.msgid
        assert entry.texts[0].strip(), entry.msgid
        placeholders = Counter(PLACEHOLDER.findall(entry.plural or entry.msgid))
        assert Counter(PLACEHOLDER.findall(entry.texts[0])) == placeholders, entry.msgid
        assert entry.texts[0][-1:].isspace() == entry.msgid[-1:].isspace(), entry.msgid


def test_a_text_has_one_translation_everywhere() -> None:
    """Django merges the catalogs, so of two translations of a text one would never be used."""
    seen: dict[Key, str] = {}
    for catalog in vietnamese().values():
        for key, entry in catalog.items():
            assert seen.setdefault(key, entry.texts[0]) == entry.texts[0]
    assert len(seen) > 200 * len(APPS)


@pytest.mark.parametrize("app", APPS)
def test_the_compiled_catalog_equals_the_po_file(app: str) -> None:
    path = settings.BASE_DIR / app / CATALOG
    with path.with_suffix(".mo").open("rb") as file:
        compiled = dict(gettext.GNUTranslations(file)._catalog)  # type: ignore[attr-defined]
    del compiled[""]
    expected: dict[str | tuple[str, int], str] = {}
    for (context, msgid), entry in read_catalog(path).items():
        name = f"{context}\x04{msgid}" if context else msgid
        expected[(name, 0) if entry.plural else name] = entry.texts[0]
    assert compiled == expected


@pytest.mark.parametrize(
    ("words", "library"),
    [(vendor_translations.ALLAUTH, allauth), (vendor_translations.DJANGO, django)],
    ids=["allauth", "django"],
)
def test_translated_library_texts_still_exist_in_the_library(words: tuple[str, ...], library: object) -> None:
    """If a library rewords a sentence, our translation would silently no longer be used."""
    package = Path(str(library.__file__)).parent  # type: ignore[attr-defined]
    locales = package / "conf" / "locale" if library is django else package / "locale"
    known = gettext.translation("django", locales, ["de"])._catalog  # type: ignore[attr-defined]
    assert [word for word in words if word not in known] == []
    with translation.override("vi"):
        assert [word for word in words if translation.gettext(word) == word] == []


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("name", "texts"),
    [
        ("account_login", ["Đăng nhập", "Mật khẩu", "Tài khoản được mở theo lời mời."]),
        ("patients:request", ["Xin một buổi hẹn", "Địa chỉ e-mail", "Bạn muốn nói gì với chúng tôi?"]),
        ("home", ["Có một người bạn muốn quên.", "mới nhất đi trước"]),
    ],
)
def test_pages_are_in_vietnamese(client: Client, name: str, texts: list[str]) -> None:
    page = client.get(reverse(name), headers={"accept-language": "vi,en;q=0.5"}).content.decode()
    assert '<html lang="vi"' in page
    assert [text for text in texts if text not in page] == []


@pytest.mark.django_db
def test_messages_of_libraries_are_in_vietnamese(client: Client) -> None:
    page = client.post(
        reverse("account_login"),
        {"login": "nobody@example.org", "password": "no passphrase of anyone"},
        headers={"accept-language": "vi"},
    ).content.decode()
    assert "Địa chỉ e-mail hoặc mật khẩu không đúng." in page
